//! Checkpoints: what the log holds is copied into the database on a thread of its own.
//!
//! Under steady load there is no idle moment, and a log that is written to while it is copied never becomes empty. So
//! the thread copies most of it beside the writer, and where the log has grown large it asks the writer for the small
//! rest between two batches, after which the log begins anew.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{OpenError, connect};

/// So many pages that were written are worth a checkpoint beside the writer.
const GROWN_PAGES: u64 = 16 * 1024;

/// A log of so many pages is worth a pause of the writer, so that it begins anew.
const LOG_PAGES_MAX: i64 = 64 * 1024;

/// When nothing is written any more, the log is still copied after this time.
const IDLE: Duration = Duration::from_secs(2);

/// The writer's end of the checkpoints. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpoints {
    grown: SyncSender<()>,
    finish: Arc<AtomicBool>,
    held: Arc<AtomicBool>,
    pages: u64,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    pub(super) fn start(path: &Path) -> Result<Self, OpenError> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        let (grown, wake) = sync_channel(1);
        let finish = Arc::new(AtomicBool::new(false));
        let held = Arc::new(AtomicBool::new(false));
        let flags = Flags { finish: Arc::clone(&finish), held: Arc::clone(&held) };
        let thread = thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || run(&connection, &wake, &flags))
            .map_err(OpenError::Thread)?;
        Ok(Self { grown, finish, held, pages: 0, thread })
    }

    /// Returns when the thread has ended, and its connection is closed.
    pub(super) fn end(self) {
        drop(self.grown);
        // It panics nowhere; what it has not copied is in the log.
        let _ = self.thread.join();
    }

    /// From now on the log is not emptied: a copy that is being made would have to begin anew each time.
    pub(super) fn hold(&self) {
        self.held.store(true, Ordering::Release);
    }

    pub(super) fn release(&self) {
        self.held.store(false, Ordering::Release);
    }

    /// Called by the writer after each commit, with about how many pages it wrote.
    pub(super) fn committed(&mut self, connection: &Connection, pages: u64) {
        self.pages += pages;
        if self.finish.swap(false, Ordering::AcqRel) {
            let _ = checkpoint(connection);
        }
        if self.pages >= GROWN_PAGES {
            self.pages = 0;
            // A full channel means that the thread is about to look anyway.
            let _ = self.grown.try_send(());
        }
    }
}

/// What the writer and the thread tell each other.
struct Flags {
    /// The writer is asked for the rest of the log.
    finish: Arc<AtomicBool>,
    /// The log is not emptied.
    held: Arc<AtomicBool>,
}

/// The version of the database that was copied into it, and the one with which the log was emptied.
#[derive(Default)]
struct Done {
    copied: i64,
    emptied: i64,
}

fn run(connection: &Connection, wake: &Receiver<()>, flags: &Flags) {
    let mut done = Done::default();
    loop {
        match wake.recv_timeout(IDLE) {
            Ok(()) => {
                if checkpoint(connection) >= LOG_PAGES_MAX {
                    flags.finish.store(true, Ordering::Release);
                }
            }
            Err(RecvTimeoutError::Timeout) => done.idle(connection, flags),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Done {
    fn idle(&mut self, connection: &Connection, flags: &Flags) {
        let version = data_version(connection);
        if version != self.copied {
            let _ = checkpoint(connection);
            self.copied = version;
        } else if version != self.emptied && !flags.held.load(Ordering::Acquire) {
            // Nobody writes: what was erased need not stay in the log.
            empty(connection);
            self.emptied = version;
        }
    }
}

fn empty(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the log was not emptied; it is when the next one is");
    }
}

/// Changes whenever another connection has committed.
fn data_version(connection: &Connection) -> i64 {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap_or(0)
}

/// Answers how many pages the log has. A failure leaves it as it is, and it is tried again; what was committed is in it.
fn checkpoint(connection: &Connection) -> i64 {
    let pages = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1));
    pages.unwrap_or_else(|error| {
        tracing::warn!(%error, "a checkpoint failed; the log grows until one succeeds");
        0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::prepare_writer;

    #[test]
    fn the_log_is_emptied_when_nobody_writes_but_not_while_a_copy_is_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("unsaid.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let writer = connect(&path, flags).expect("a database");
        prepare_writer(&writer, None).expect("its settings");
        writer.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY)").expect("it is stored");
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a database");
        let log_bytes = || std::fs::metadata(folder.path().join("unsaid.db-wal")).expect("it is there").len();
        let (flags, mut done) =
            (Flags { finish: Arc::default(), held: Arc::new(AtomicBool::new(true)) }, Done::default());
        for _ in 0..5 {
            done.idle(&connection, &flags);
            assert!(log_bytes() > 0);
        }
        flags.held.store(false, Ordering::Release);
        done.idle(&connection, &flags);
        assert_eq!(log_bytes(), 0);
    }
}
