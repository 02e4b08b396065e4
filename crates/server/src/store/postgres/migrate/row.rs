//! Rows in the text format of COPY, as PostgreSQL itself writes them, so that what is sent can be compared with what is there.

use std::{
    fmt,
    hash::{DefaultHasher, Hasher as _},
};

use bytes::{BufMut as _, BytesMut};
use rusqlite::{Row, types::ValueRef};
use tokio_postgres::types::Type;

/// What a table holds, whatever the order: how many rows, and the sum of their hashes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sum {
    pub(super) rows: u64,
    hashes: u64,
}

impl Sum {
    pub(super) fn add(&mut self, row: &[u8]) {
        let mut hasher = DefaultHasher::new();
        hasher.write(row);
        self.rows += 1;
        self.hashes = self.hashes.wrapping_add(hasher.finish());
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows with the sum {:016x}", self.rows, self.hashes)
    }
}

/// A row of the source, for columns of these types.
pub(super) fn write(out: &mut BytesMut, row: &Row<'_>, types: &[Type]) -> rusqlite::Result<()> {
    for (column, kind) in types.iter().enumerate() {
        if column > 0 {
            out.put_u8(b'\t');
        }
        match row.get_ref(column)? {
            ValueRef::Null => out.put_slice(b"\\N"),
            ValueRef::Integer(number) if *kind == Type::BOOL => out.put_u8(if number == 0 { b'f' } else { b't' }),
            ValueRef::Integer(number) => out.put_slice(number.to_string().as_bytes()),
            ValueRef::Real(number) => out.put_slice(number.to_string().as_bytes()),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) if *kind == Type::BYTEA => write_hex(out, bytes),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => write_text(out, bytes),
        }
    }
    out.put_u8(b'\n');
    Ok(())
}

fn write_hex(out: &mut BytesMut, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.put_slice(b"\\\\x");
    for byte in bytes {
        out.put_u8(DIGITS[usize::from(byte >> 4)]);
        out.put_u8(DIGITS[usize::from(byte & 15)]);
    }
}

fn write_text(out: &mut BytesMut, bytes: &[u8]) {
    for &byte in bytes {
        let escaped = match byte {
            b'\\' => b'\\',
            8 => b'b',
            9 => b't',
            10 => b'n',
            11 => b'v',
            12 => b'f',
            13 => b'r',
            _ => {
                out.put_u8(byte);
                continue;
            }
        };
        out.put_slice(&[b'\\', escaped]);
    }
}
