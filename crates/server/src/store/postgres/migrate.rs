//! Moves what a stopped server has in `data_dir` into an empty database: `unsaid migrate`.
//!
//! All of it is one transaction of PostgreSQL, checked before it is committed: a move that was interrupted has left nothing, and
//! is run again from the start. The epoch goes along, for the lanes go on. Before the commit the old store is marked as moved, so
//! that there is no moment in which servers could be started on both.

use std::{io::Cursor, path::Path};

use rusqlite::{Connection, OpenFlags, Row, types::ValueRef};

use super::{
    OpenError, PostgresAddress,
    link::{Link, away, params},
    on_a_thread,
    row::Columns as _,
    schema,
};
use crate::{
    chat::Fault,
    clock::Entropy,
    store::{Folder, FolderError, sqlite},
};

/// Rows are sent in pieces of about so many bytes.
const PIECE_BYTES: usize = 256 * 1024;

/// Why a store is not moved.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("{0} holds no unsaid.db: name the data_dir of the server that is to move")]
    NoStore(String),
    #[error("the source: {0}")]
    Folder(#[from] FolderError),
    #[error("the source cannot be read: {0}")]
    Source(#[from] rusqlite::Error),
    #[error(
        "the source is of version {found}, this program moves version {known}: start the server once with this version, stop it, and try again"
    )]
    Version { found: i64, known: i64 },
    #[error("the target holds data already (table {0}): name an empty database; nothing was changed")]
    NotEmpty(&'static str),
    #[error(
        "table {table} differs after the copy ({source_has} in the source, {target_has} in the target): nothing was moved"
    )]
    Differs { table: &'static str, source_has: i64, target_has: i64 },
    #[error(transparent)]
    Target(#[from] OpenError),
}

impl From<Fault> for MigrateError {
    fn from(fault: Fault) -> Self {
        Self::Target(fault.into())
    }
}

/// A table as it is read and as it is written. Columns stand in the same order on both sides.
struct Table {
    name: &'static str,
    columns: &'static str,
    /// What each column is in PostgreSQL: `b` for bytea, `-` for what its text says.
    kinds: &'static str,
    query: &'static str,
}

/// `meta` is the epoch, and goes by itself. `member`, `lease` and `back` are of PostgreSQL alone. A session is nobody's until a
/// server takes it. A backlog has one slot at first. A sync event is found from its account, and what no account names stays.
const TABLES: &[Table] = &[
    Table { name: "app", columns: "app, settings", kinds: "--", query: "SELECT app, settings FROM app" },
    Table {
        name: "account",
        columns: "app, name, serial, unread, lane_place, lane_last, sync_number, life, deleted, kicked_s, nick, face_url",
        kinds: "----------bb",
        query: "SELECT app, user, serial, unread, lane_place, lane_last, sync_number, life, deleted <> 0, kicked_s, nick, \
                face_url FROM account",
    },
    Table {
        name: "conversation",
        columns: "app, low, high, position, lane_place, lane_last, low_unread, low_read_position, low_life, \
                  low_cleared_position, low_last_time, high_unread, high_read_position, high_life, high_cleared_position, \
                  high_last_time",
        kinds: "----------------",
        query: "SELECT app, low, high, position, lane_place, lane_last, low_unread, low_read_position, low_life, \
                low_cleared_position, low_last_time, high_unread, high_read_position, high_life, high_cleared_position, \
                high_last_time FROM conversation",
    },
    Table {
        name: "message",
        columns: "app, low, high, seq, random, time, direction, flags, position, content_hash, client_time, recalled_by, \
                  types, custom_data, body, push_info",
        kinds: "------------bbbb",
        query: "SELECT app, low, high, seq, random, time, direction, flags, position, content_hash, client_time, \
                recalled_by, types, custom_data, body, push_info FROM message",
    },
    Table {
        name: "sync_event",
        columns: "app, name, number, kind, direction, peer, seq, random, time",
        kinds: "---------",
        query: "WITH RECURSIVE chain (app, user, id) AS (
                    SELECT app, user, sync_last FROM account WHERE sync_last > 0
                    UNION ALL
                    SELECT chain.app, chain.user, e.previous FROM chain JOIN sync_event AS e ON e.id = chain.id
                    WHERE e.previous > 0
                )
                SELECT chain.app, chain.user, e.number, e.kind, e.direction, e.peer, e.seq, e.random, e.time
                FROM chain JOIN sync_event AS e ON e.id = chain.id",
    },
    Table {
        name: "blocked",
        columns: "app, name, other, since",
        kinds: "----",
        query: "SELECT app, user, other, since FROM blocked",
    },
    Table {
        name: "session",
        columns: "app, name, id, platform, client_ip, since_ms, resumes",
        kinds: "------b",
        query: "SELECT app, user, id, platform, client_ip, since_ms, resumes FROM session",
    },
    Table {
        name: "event",
        columns: "id, name, app, lane, number, command, client_ip, platform, created_ms, request, body",
        kinds: "----------b",
        query: "SELECT id, name, app, lane, number, command, client_ip, platform, created_ms, request, body FROM event",
    },
    Table {
        name: "outbox",
        columns: "app, lane, place, event, bytes, has_text, previous, replay, attempts, refusals, unavailable_since_ms, \
                  age_from_ms, due_ms",
        kinds: "-------------",
        query: "SELECT app, lane, place, event, bytes, has_text, previous, replay, attempts, refusals, \
                unavailable_since_ms, age_from_ms, due_ms FROM outbox",
    },
    Table {
        name: "parked",
        columns: "app, lane, place, event, replay, attempts, parked_ms, reason",
        kinds: "-------b",
        query: "SELECT app, lane, place, event, replay, attempts, parked_ms, reason FROM parked",
    },
    Table {
        name: "backlog",
        columns: "app, slot, waiting, waiting_bytes, parked",
        kinds: "-----",
        query: "SELECT app, 1, waiting, waiting_bytes, parked FROM backlog",
    },
    Table {
        name: "audit_copy",
        columns: "erase_ms, app, low, high, seq, random, time, custom_data, body",
        kinds: "-------bb",
        query: "SELECT erase_ms, app, low, high, seq, random, time, custom_data, body FROM audit_copy",
    },
    Table {
        name: "token",
        columns: "id, name, role, digest, created_ms, created_by",
        kinds: "-b-b-b",
        query: "SELECT id, name, role, digest, created_ms, created_by FROM token",
    },
    Table {
        name: "audit",
        columns: "id, at_ms, actor, client_ip, action, app, what",
        kinds: "--b---b",
        query: "SELECT id, at_ms, actor, client_ip, action, app, what FROM audit",
    },
];

/// Moves the store of `folder` to `target`; says how many rows it had. `progress` is told the table and its rows so far.
pub fn migrate(
    folder: &Path,
    target: &PostgresAddress,
    entropy: &Entropy,
    progress: impl Fn(&str, u64) + Send,
) -> Result<u64, MigrateError> {
    if !folder.join("unsaid.db").is_file() {
        return Err(MigrateError::NoStore(folder.display().to_string()));
    }
    let locked = Folder::lock(folder)?;
    let source = Connection::open_with_flags(locked.database(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let found = source.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = sqlite::newest_version();
    if found != known {
        return Err(MigrateError::Version { found, known });
    }
    on_a_thread(move || {
        let link = Link::connect(target.config()).map_err(|error| away(&error))?;
        schema::migrate(&link, entropy)?;
        Ok(move_all(&source, &link, &target.to_string(), &progress))
    })?
}

fn move_all(source: &Connection, link: &Link, target: &str, progress: &dyn Fn(&str, u64)) -> Result<u64, MigrateError> {
    // A server that is started on the target meanwhile waits for `meta`, and gives up.
    link.run("SET idle_in_transaction_session_timeout = 0; BEGIN; LOCK TABLE meta IN ACCESS EXCLUSIVE MODE")?;
    for table in TABLES {
        if number(link, &format!("SELECT count(*) FROM (SELECT 1 FROM {} LIMIT 1) AS one", table.name))? > 0 {
            return Err(MigrateError::NotEmpty(table.name));
        }
    }
    let mut rows = 0;
    for table in TABLES {
        let copied = copy(source, link, table, progress)?;
        same(table.name, copied.cast_signed(), number(link, &format!("SELECT count(*) FROM {}", table.name))?)?;
        rows += copied;
    }
    check_unread(source, link)?;
    link.run(
        "SELECT setval('account_serial', greatest((SELECT max(serial) FROM account), 1));
         SELECT setval('event_row', greatest((SELECT max(id) FROM event), 1));
         SELECT setval(pg_get_serial_sequence('audit', 'id'), greatest((SELECT max(id) FROM audit), 1));
         UPDATE apps_version SET version = version + 1",
    )?;
    let epoch: String = source.query_row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get(0))?;
    link.execute("UPDATE meta SET value = $1 WHERE name = 'epoch'", params![epoch])?;
    // Before the commit: if it is not reached, the target is empty, and the move can be run again.
    source.pragma_update(None, "synchronous", "FULL")?;
    source.execute(
        "INSERT INTO meta (name, value) VALUES ('moved_to', ?1) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [target],
    )?;
    link.run("COMMIT")?;
    Ok(rows)
}

fn copy(source: &Connection, link: &Link, table: &Table, progress: &dyn Fn(&str, u64)) -> Result<u64, MigrateError> {
    let mut statement = source.prepare(table.query)?;
    let mut rows = statement.query([])?;
    let mut broken = None;
    let mut count = 0;
    let sql = format!("COPY {} ({}) FROM STDIN", table.name, table.columns);
    let copied = link.copy(&sql, || {
        let mut piece = Vec::with_capacity(PIECE_BYTES + 8192);
        while piece.len() < PIECE_BYTES {
            match rows.next().and_then(|row| row.map(|row| write(&mut piece, row, table.kinds)).transpose()) {
                Ok(Some(())) => count += 1,
                Ok(None) => break,
                Err(error) => {
                    let fault = Fault::Failed(format!("the source: {error}").into());
                    broken = Some(error);
                    return Err(fault);
                }
            }
        }
        progress(table.name, count);
        Ok((!piece.is_empty()).then(|| Cursor::new(piece)))
    });
    if let Some(error) = broken {
        return Err(error.into());
    }
    copied?;
    Ok(count)
}

/// A row in the text format of COPY.
fn write(piece: &mut Vec<u8>, row: &Row<'_>, kinds: &str) -> rusqlite::Result<()> {
    for (column, kind) in kinds.bytes().enumerate() {
        if column > 0 {
            piece.push(b'\t');
        }
        match row.get_ref(column)? {
            ValueRef::Null => piece.extend(b"\\N"),
            ValueRef::Integer(number) => piece.extend(number.to_string().bytes()),
            ValueRef::Real(number) => piece.extend(number.to_string().bytes()),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) if kind == b'b' => {
                piece.extend(b"\\\\x");
                let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
                piece.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
            }
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                for &byte in bytes {
                    match byte {
                        b'\\' => piece.extend(b"\\\\"),
                        b'\n' => piece.extend(b"\\n"),
                        b'\r' => piece.extend(b"\\r"),
                        b'\t' => piece.extend(b"\\t"),
                        _ => piece.push(byte),
                    }
                }
            }
        }
    }
    piece.push(b'\n');
    Ok(())
}

/// The sum of all unread totals, and that of the conversations.
fn check_unread(source: &Connection, link: &Link) -> Result<(), MigrateError> {
    for (table, sum) in [("account", "unread"), ("conversation", "low_unread + high_unread")] {
        let sql = format!("SELECT coalesce(sum({sum}), 0) FROM {table}");
        let source_has = source.query_row(&sql, [], |row| row.get(0))?;
        same(
            table,
            source_has,
            number(link, &sql.replace("coalesce(sum(", "coalesce(sum((").replace("), 0)", "))::bigint, 0)"))?,
        )?;
    }
    Ok(())
}

fn same(table: &'static str, source_has: i64, target_has: i64) -> Result<(), MigrateError> {
    if source_has == target_has { Ok(()) } else { Err(MigrateError::Differs { table, source_has, target_has }) }
}

fn number(link: &Link, sql: &str) -> Result<i64, Fault> {
    link.row(sql, params![])?.map_or_else(|| Err(Fault::Failed("a count has no row".into())), |row| row.at(0))
}
