//! The store that is left: locked as by a server, and read only.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Statement};

use super::{MigrateError, check_version, tables::TABLES};
use crate::store::{Folder, Moved};

pub(super) struct Source {
    connection: Connection,
    folder: Folder,
    path: PathBuf,
    pub(super) epoch: String,
    moved: Option<Moved>,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, MigrateError> {
        // Locking would make the folder.
        if !path.join("unsaid.db").is_file() {
            return Err(MigrateError::NoStore(path.to_owned()));
        }
        let folder = Folder::lock(path)?;
        let moved = folder.moved().map_err(|source| MigrateError::Mark(path.to_owned(), source))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(folder.database(), flags)?;
        check_version(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)?;
        let epoch = connection.query_row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get(0))?;
        Ok(Self { connection, folder, path: path.to_owned(), epoch, moved })
    }

    /// Only a move that has not ended may be done again.
    pub(super) fn check_not_moved(&self) -> Result<(), MigrateError> {
        match self.moved.clone() {
            None => Ok(()),
            Some(Moved { file, text }) => Err(MigrateError::MovedBefore { file, text }),
        }
    }

    pub(super) fn note_moved(&self, text: &str) -> Result<(), MigrateError> {
        self.folder.note_moved(text).map_err(|source| MigrateError::Mark(self.path.clone(), source))
    }

    pub(super) fn prepare(&self, sql: &str) -> rusqlite::Result<Statement<'_>> {
        self.connection.prepare(sql)
    }

    /// About how many rows there are to copy.
    pub(super) fn rows(&self) -> rusqlite::Result<u64> {
        let count = |name| self.number(&format!("SELECT count(*) FROM {name}")).map(i64::cast_unsigned);
        TABLES.iter().map(|table| count(table.name)).sum()
    }

    pub(super) fn unread(&self) -> rusqlite::Result<i64> {
        self.number("SELECT coalesce(sum(unread), 0) FROM account")
    }

    /// The number of the last entry of the audit log, which may be erased.
    pub(super) fn last_audit(&self) -> rusqlite::Result<i64> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'audit'";
        Ok(self.connection.query_row(sql, [], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    fn number(&self, sql: &str) -> rusqlite::Result<i64> {
        self.connection.query_row(sql, [], |row| row.get(0))
    }
}
