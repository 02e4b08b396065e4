//! What can be seen of a store from outside, without opening it: nothing here writes, waits, or stands in a server's way.

use std::{
    fs::{File, TryLockError},
    io::{ErrorKind, Read, Result},
    path::Path,
};

use super::schema;
use crate::store::Moved;

/// A store as it lies there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Look {
    /// A server uses it.
    pub(crate) in_use: bool,
    /// Of its schema, as the file has it; none where there is no database yet.
    pub(crate) version: Option<u32>,
    /// It is left to nobody.
    pub(crate) moved: Option<Moved>,
}

/// Where the header of a database has its `user_version`, and how it begins.
const VERSION_AT: usize = 60;
const MAGIC: &[u8] = b"SQLite format 3\0";

impl Look {
    pub(crate) fn at(folder: &Path) -> Result<Self> {
        let (in_use, version) = (in_use(&folder.join("lock"))?, version(&folder.join("unsaid.db"))?);
        Ok(Self { in_use, version, moved: Moved::from(folder)? })
    }

    /// The newest version that this program knows.
    pub(crate) fn known() -> u32 {
        u32::try_from(schema::newest()).expect("versions count from 1")
    }
}

/// A shared lock, given back at once: a server that starts meanwhile tries again.
fn in_use(lock: &Path) -> Result<bool> {
    let lock = match File::open(lock) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn version(database: &Path) -> Result<Option<u32>> {
    let mut header = [0; VERSION_AT + 4];
    let read = File::open(database).and_then(|mut file| file.read_exact(&mut header));
    match read {
        Ok(()) if header.starts_with(MAGIC) => {
            let bytes = header[VERSION_AT..].try_into().expect("four bytes");
            Ok(Some(u32::from_be_bytes(bytes)).filter(|version| *version > 0))
        }
        Ok(()) => Err(std::io::Error::other("unsaid.db is no database")),
        Err(error) if [ErrorKind::NotFound, ErrorKind::UnexpectedEof].contains(&error.kind()) => Ok(None),
        Err(error) => Err(error),
    }
}
