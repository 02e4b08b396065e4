//! Copies what a stopped server has in `data_dir` into an empty database: `unsaid migrate`.
//!
//! A row of `meta` says that a copy is under way, and of which store; until it is gone no server opens the target, and whoever
//! runs the command again begins anew (`target.rs`). The source is only read (`source.rs`), under the lock of its folder. Each
//! table goes through one COPY, in pieces (`row.rs`); `tables.rs` says what becomes of which. Then the target is read back: of
//! each table the number of rows has to be the same, and the sum of the hashes of all rows, so that not a byte of any counter or
//! message may differ. After that the source is marked as moved, and only then the row of `meta` goes away: at no moment could
//! servers be started on both.

mod row;
mod source;
mod tables;
mod target;

use std::{
    io,
    path::{Path, PathBuf},
    thread,
};

use bytes::{Bytes, BytesMut};
use tokio_postgres::types::Type;

use self::{
    row::Sum,
    source::Source,
    tables::{TABLES, Table},
};
use super::{
    OpenError, PostgresAddress,
    link::{Link, Target},
};
use crate::{
    calendar,
    chat::Fault,
    clock::World,
    store::{FolderError, sqlite},
};

/// Rows are sent in pieces of about so many bytes.
const PIECE_BYTES: usize = 256 * 1024;

/// How many rows are read back until somebody is told.
const ROWS_UNTOLD: u64 = 4096;

/// What is done with each row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Copied,
    ReadBack,
}

/// How far a step is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Far {
    pub step: Step,
    pub table: &'static str,
    /// Of all tables.
    pub rows: u64,
    pub rows_max: u64,
}

/// What was moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    pub rows: u64,
    /// The sum of the totals of all accounts.
    pub unread: i64,
}

/// Why a store is not moved.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("{0} holds no unsaid.db: name the data_dir of the server that is to move")]
    NoStore(PathBuf),
    #[error("a server uses {0}: stop it first")]
    InUse(PathBuf),
    #[error(transparent)]
    Folder(FolderError),
    #[error("{text}; remove {file} to move what is left of it here once more", file = .file.display())]
    MovedBefore { file: PathBuf, text: String },
    #[error("the store in data_dir cannot be read: {0}")]
    Source(#[from] rusqlite::Error),
    #[error("{0} cannot be marked as moved: {1}; run this again")]
    Mark(PathBuf, io::Error),
    #[error(
        "the store in data_dir has version {found}, and this program moves version {known}: start the server once with this version, stop it, and run this again"
    )]
    OldSource { found: i64, known: i64 },
    #[error("the store in data_dir has version {found}, and this program moves version {known}: use the newer one")]
    NewSource { found: i64, known: i64 },
    #[error("the database holds data already (table {0}): name an empty one; nothing was changed")]
    NotEmpty(&'static str),
    #[error(
        "a migration of another store into this database has not ended: run that one again, or name an empty database"
    )]
    OtherSource,
    #[error("another migration into this database is under way")]
    Twice,
    #[error("this store is in the database already: set store to its address, and start the server")]
    Done,
    #[error(
        "table {table} is not the same after the copy ({sent} in data_dir, {found} in the database): run this again"
    )]
    Differs { table: &'static str, sent: Sum, found: Sum },
    #[error(transparent)]
    Target(#[from] OpenError),
}

impl From<Fault> for MigrateError {
    fn from(fault: Fault) -> Self {
        Self::Target(fault.into())
    }
}

impl From<FolderError> for MigrateError {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Locked(folder) => Self::InUse(folder),
            failed @ FolderError::Failed { .. } => Self::Folder(failed),
        }
    }
}

/// Moves the store of a folder; `progress` is told now and then how far it is.
pub fn migrate(
    folder: &Path,
    address: &PostgresAddress,
    world: &World,
    progress: impl FnMut(Far) + Send,
) -> Result<Moved, MigrateError> {
    let source = Source::open(folder)?;
    let target = Target::of(address).map_err(OpenError::from)?;
    thread::scope(|scope| {
        let moving = move || {
            let link = Link::connect(&target)?.patient();
            target::claim(&link, &world.entropy, &source)?;
            let moved = copy_all(&source, &link, progress)?;
            let moment = calendar::minute(world.clock.now().seconds().into());
            source.note_moved(&format!("the store that was here was moved to {address} on {moment}"))?;
            target::end(&link, &source)?;
            Ok(moved)
        };
        let thread = thread::Builder::new().name("migration".to_owned()).spawn_scoped(scope, moving);
        let done = thread.map_err(OpenError::Thread)?.join();
        done.unwrap_or_else(|_| Err(Fault::Failed("it panicked".into()).into()))
    })
}

fn copy_all(source: &Source, link: &Link, mut progress: impl FnMut(Far)) -> Result<Moved, MigrateError> {
    let (mut rows, rows_max) = (0, source.rows()?);
    let mut sums = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let say = |now| progress(Far { step: Step::Copied, table: table.name, rows: rows + now, rows_max });
        let sent = copy(source, link, table, say)?;
        rows += sent.rows;
        sums.push(sent);
    }
    let mut rows_read = 0;
    for (table, &sent) in TABLES.iter().zip(&sums) {
        let say =
            |now| progress(Far { step: Step::ReadBack, table: table.name, rows: rows_read + now, rows_max: rows });
        let found = read_back(link, table, say)?;
        if found != sent {
            return Err(MigrateError::Differs { table: table.name, sent, found });
        }
        rows_read += found.rows;
    }
    Ok(Moved { rows, unread: source.unread()? })
}

fn read_back(link: &Link, table: &Table, mut progress: impl FnMut(u64)) -> Result<Sum, Fault> {
    let mut found = Sum::default();
    link.copy_out(&format!("COPY {} ({}) TO STDOUT", table.name, table.columns), |row| {
        if found.rows.is_multiple_of(ROWS_UNTOLD) {
            progress(found.rows);
        }
        found.add(row);
    })?;
    Ok(found)
}

/// One table. Says what was sent.
fn copy(source: &Source, link: &Link, table: &Table, mut progress: impl FnMut(u64)) -> Result<Sum, MigrateError> {
    let types = link.types(&format!("SELECT {} FROM {}", table.columns, table.name))?;
    let mut statement = source.prepare(&table.question())?;
    let mut rows = statement.query([])?;
    let (mut sent, mut broken) = (Sum::default(), None);
    link.copy_in(&format!("COPY {} ({}) FROM STDIN", table.name, table.columns), || {
        let piece = next_piece(&mut rows, &types, &mut sent).map_err(|error| {
            broken = Some(error);
            Fault::Failed("the source cannot be read".into())
        })?;
        progress(sent.rows);
        Ok(piece)
    })
    .map_err(|fault| broken.map_or_else(|| fault.into(), MigrateError::from))?;
    Ok(sent)
}

fn next_piece(rows: &mut rusqlite::Rows<'_>, types: &[Type], sent: &mut Sum) -> rusqlite::Result<Option<Bytes>> {
    let mut piece = BytesMut::with_capacity(PIECE_BYTES + PIECE_BYTES / 8);
    while piece.len() < PIECE_BYTES {
        let Some(row) = rows.next()? else {
            break;
        };
        let begin = piece.len();
        row::write(&mut piece, row, types)?;
        sent.add(&piece[begin..]);
    }
    Ok((!piece.is_empty()).then(|| piece.freeze()))
}

/// The versions that a source may have.
fn check_version(found: i64) -> Result<(), MigrateError> {
    let known = sqlite::newest_version();
    match found {
        _ if found < known => Err(MigrateError::OldSource { found, known }),
        _ if found > known => Err(MigrateError::NewSource { found, known }),
        _ => Ok(()),
    }
}
