//! A copy of the whole store, made while it is written to.
//!
//! The writer's own connection copies, a few pages at a time; what it commits in between goes into the copy by SQLite's own
//! doing, and nobody waits longer than those pages take, or than 4 MB need to become durable. A copy is whole and durable, or is not there.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};

use super::{OpenError, fault, schema};
use crate::{
    chat::{CopyProgress, Fault},
    clock::Entropy,
    store::{Folder, FolderError},
};

/// 256 KB: half a millisecond. With four times as many, half of all commits wait 2.6 ms instead of 1 ms.
const PAGES_AT_ONCE: i32 = 64;

/// Whenever so much was copied, it is made durable: else one commit has to wait for all of it at the end.
const SYNC_PAGES: i32 = 1024;

/// Where something holds the source up, which can only be for a moment.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Where a copy stands until it is whole.
pub(super) fn part_of(to: &Path) -> PathBuf {
    to.with_extension("part")
}

/// Copies all pages to `part`; between two pieces, `meanwhile` has its turn. What stands there is not durable yet (`keep`).
pub(super) fn copy(
    source: &Connection,
    part: &Path,
    progress: &CopyProgress,
    meanwhile: impl FnMut() -> Result<(), Fault>,
) -> Result<(), Fault> {
    let copied = pages(source, part, progress, meanwhile);
    if copied.is_err() {
        // What is left of it is of no use; the next try begins anew.
        let _ = fs::remove_file(part);
    }
    copied
}

fn pages(
    source: &Connection,
    part: &Path,
    progress: &CopyProgress,
    mut meanwhile: impl FnMut() -> Result<(), Fault>,
) -> Result<(), Fault> {
    let failed = |error: io::Error| Fault::Failed(format!("{}: {error}", part.display()).into());
    let file = new_file(part).map_err(failed)?;
    let mut target = Connection::open_with_flags(part, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fault)?;
    // It is thrown away if anything fails, and made durable once it is whole.
    target.pragma_update(None, "synchronous", "OFF").map_err(fault)?;
    target.query_row("PRAGMA journal_mode = OFF", [], |_| Ok(())).map_err(fault)?;
    let page_bytes: u32 = source.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(fault)?;
    let backup = Backup::new(source, &mut target).map_err(fault)?;
    let bytes = |pages: i32| u64::try_from(pages).unwrap_or(0) * u64::from(page_bytes);
    let (mut pages, mut at_once, mut unsynced) = (i32::MAX, PAGES_AT_ONCE, 0);
    loop {
        let step = backup.step(at_once).map_err(fault)?;
        let now = backup.progress();
        progress.is_at(bytes(now.pagecount - now.remaining), bytes(now.pagecount));
        match step {
            StepResult::Done => return Ok(()),
            StepResult::Busy | StepResult::Locked => std::thread::sleep(BUSY_PAUSE),
            StepResult::More | _ => {}
        }
        unsynced += at_once;
        if unsynced >= SYNC_PAGES {
            file.sync_data().map_err(failed)?;
            unsynced = 0;
        }
        // However fast the store grows, the copy grows faster.
        at_once = PAGES_AT_ONCE + now.pagecount.saturating_sub(pages).max(0);
        pages = now.pagecount;
        meanwhile()?;
    }
}

/// An empty file for the server's user alone; what an earlier try has left would be taken for a database.
fn new_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let _ = fs::remove_file(path);
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Durable under its own name. Answers its length in bytes. A large one takes a while: not on the writer's thread.
pub(super) fn keep(part: &Path, to: &Path) -> io::Result<u64> {
    let kept = sync_and_rename(part, to);
    if kept.is_err() {
        let _ = fs::remove_file(part);
    }
    kept
}

fn sync_and_rename(part: &Path, to: &Path) -> io::Result<u64> {
    let file = File::open(part)?;
    file.sync_all()?;
    fs::rename(part, to)?;
    if let Some(folder) = to.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(file.metadata()?.len())
}

/// Puts a backup into a folder in which there is no store yet, as a store of a new epoch: what is told of it from now on is
/// told in other lanes than what was told before, and cursors of before are of no use. Answers its length in bytes.
pub fn restore(backup: &Path, folder: &Path, entropy: &Entropy) -> Result<u64, RestoreError> {
    let backup_failed = |source| RestoreError::Backup { path: backup.to_owned(), source };
    // What cannot be read makes no folder.
    File::open(backup).map_err(backup_failed)?;
    let locked = Folder::lock(folder).map_err(OpenError::Folder)?;
    let folder_failed = |source| RestoreError::Open(FolderError::Failed { path: folder.to_owned(), source }.into());
    if let Some(found) = store_file(folder).map_err(folder_failed)? {
        return Err(RestoreError::NotEmpty { folder: folder.to_owned(), found });
    }
    let to = locked.database();
    let part = part_of(&to);
    let restored = new_file(&part)
        .and_then(|_| fs::copy(backup, &part).map(drop))
        .map_err(backup_failed)
        .and_then(|()| prepare(backup, &part, entropy))
        .and_then(|()| keep(&part, &to).map_err(folder_failed));
    if restored.is_err() {
        // A store that is none must not be found by the next start.
        let _ = fs::remove_file(&part);
    }
    restored
}

/// Why a backup cannot be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("{path} cannot be copied: {source}", path = .path.display())]
    Backup { path: PathBuf, source: io::Error },
    #[error(
        "{path} is no whole backup of Unsaid: {problem}; take another one, unsaid backup list shows those of a server",
        path = .path.display()
    )]
    NotWhole { path: PathBuf, problem: String },
    #[error(
        "{folder} holds a store already ({found}): name an empty folder, or move unsaid.db* and stories.db* out of this one",
        folder = .folder.display()
    )]
    NotEmpty { folder: PathBuf, found: String },
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// A file of a store that is there; the log of one that is gone would be taken for the new one's.
fn store_file(folder: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("unsaid.db") || name.starts_with("stories.db") {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn prepare(backup: &Path, part: &Path, entropy: &Entropy) -> Result<(), RestoreError> {
    let not_whole = |problem: String| RestoreError::NotWhole { path: backup.to_owned(), problem };
    let broken = |error: rusqlite::Error| not_whole(error.to_string());
    let connection = Connection::open_with_flags(part, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(broken)?;
    let sound: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(broken)?;
    if sound != "ok" {
        return Err(not_whole(sound));
    }
    if schema::check(&connection)? == 0 {
        return Err(not_whole("it holds no store".to_owned()));
    }
    schema::renew_epoch(&connection, entropy).map_err(broken)?;
    // One file; the writer puts the log back where it opens the store.
    connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(broken)?;
    connection.close().map_err(|(_, error)| broken(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{connect, prepare_writer};

    /// A store of so many rows of about a page each.
    const ROWS: i64 = 4000;

    fn store(folder: &Path) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = connect(&folder.join("unsaid.db"), flags).expect("a database");
        prepare_writer(&connection, None).expect("its settings");
        connection
            .execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL); BEGIN")
            .expect("a table");
        write(&connection, 0, ROWS);
        connection.execute_batch("COMMIT").expect("it is stored");
        connection
    }

    fn write(connection: &Connection, from: i64, to: i64) {
        for id in from..to {
            let text = format!("{id} ").repeat(700);
            connection.execute("INSERT OR REPLACE INTO t VALUES (?1, ?2)", (id, text)).expect("it is written");
        }
    }

    fn pages_of(connection: &Connection) -> i64 {
        connection.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("readable")
    }

    /// Copies, and counts the pieces that it took. More than `pieces_max` end it.
    fn pieces(source: &Connection, to: &Path, pieces_max: i64, mut meanwhile: impl FnMut(i64)) -> Option<i64> {
        let mut count = 0;
        let copied = copy(source, to, &CopyProgress::default(), || {
            count += 1;
            meanwhile(count);
            if count > pieces_max { Err(Fault::Stopping) } else { Ok(()) }
        });
        assert_eq!(to.exists(), copied.is_ok(), "a copy is whole, or is not there");
        copied.is_ok().then_some(count)
    }

    #[test]
    fn a_copy_ends_however_much_is_written_and_has_it_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, to) = (store(folder.path()), folder.path().join("copy"));
        let other = connect(&folder.path().join("unsaid.db"), OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a database");
        let pages = pages_of(&source);
        let mut next = ROWS;
        // Each time more is written than a piece has pages, what was copied already is changed, and the log is copied
        // into the database by another connection.
        let count = pieces(&source, &to, pages / i64::from(PAGES_AT_ONCE) + 2, |_| {
            source.execute_batch("BEGIN").expect("nothing is open");
            write(&source, next, next + 2 * i64::from(PAGES_AT_ONCE));
            write(&source, 0, 10);
            next += 2 * i64::from(PAGES_AT_ONCE);
            source
                .execute_batch(&format!("UPDATE t SET text = 'at {next}' WHERE id < 5; COMMIT"))
                .expect("it is stored");
            other.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).expect("it works");
        });
        assert!(count.is_some_and(|count| count > 5), "{count:?}");
        let copied = Connection::open(&to).expect("a database");
        let sound: String = copied.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("readable");
        let rows = |connection: &Connection| -> (i64, String) {
            let question = "SELECT count(*), (SELECT text FROM t WHERE id = 3) FROM t";
            connection.query_row(question, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("readable")
        };
        assert_eq!((sound.as_str(), rows(&copied)), ("ok", rows(&source)), "with what was written last");
    }

    /// This is why the log is not emptied while a copy is made (`checkpoint.rs`).
    #[test]
    fn a_copy_begins_anew_where_another_connection_empties_the_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, to) = (store(folder.path()), folder.path().join("copy"));
        let other = connect(&folder.path().join("unsaid.db"), OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a database");
        let pieces_max = 3 * pages_of(&source) / i64::from(PAGES_AT_ONCE);
        let count = pieces(&source, &to, pieces_max, |count| {
            write(&source, count, count + 1);
            other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("it works");
        });
        assert_eq!(count, None);
    }

    #[test]
    fn a_copy_that_cannot_be_made_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, to) = (store(folder.path()), folder.path().join("copy"));
        assert_eq!(pieces(&source, &to, 3, |_| ()), None);
        assert_eq!(pieces(&source, &folder.path().join("none").join("copy"), i64::MAX, |_| ()), None);
        fs::write(&to, "what an earlier try has left").expect("writable");
        assert!(pieces(&source, &to, i64::MAX, |_| ()).is_some());
    }
}
