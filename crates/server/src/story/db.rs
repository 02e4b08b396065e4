//! The file of the stories and the thread that writes it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, config::DbConfig, params};
use tokio::{
    sync::mpsc::{self, error::TryRecvError},
    time::Instant,
};

use super::{AttemptRecord, Counts, Job, StorySettings};
use crate::{
    clock::{Clock, Timestamp},
    limits,
};

/// In the order of time, with one index: names of events are in that order, too, so both grow at their ends.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS attempt (
        id      INTEGER PRIMARY KEY,
        at_ms   INTEGER NOT NULL,
        event   TEXT NOT NULL,
        app     INTEGER NOT NULL,
        lane    TEXT NOT NULL,
        command TEXT NOT NULL,
        class   TEXT NOT NULL,
        outcome TEXT NOT NULL,
        msg_key TEXT,
        detail  TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS attempt_by_event ON attempt (event);";

/// How long records gather before they are written together.
const GATHER: Duration = Duration::from_millis(20);

/// Records that are written in one transaction, and erased in one.
const BATCH_RECORDS_MAX: usize = 2048;

/// How long a file that cannot be opened is left alone.
const REOPEN_PAUSE: Duration = Duration::from_secs(10);

pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(1))?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A receiver may have repeated in its answer what it was sent; once erased, it is not to stay on freed pages.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.execute_batch(SCHEMA)?;
    // A file that is broken inside shows it here, not at the first write.
    connection.query_row("SELECT count(*) FROM (SELECT 1 FROM attempt ORDER BY id DESC LIMIT 1)", [], |_| Ok(()))?;
    Ok(connection)
}

pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(1))?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Opens the file. One that is broken inside is put aside and begun anew; one that is only locked, or finds no room, is
/// whole and stays where it is.
pub(super) fn open_or_begin_anew(path: &Path) -> rusqlite::Result<Connection> {
    match open(path) {
        Err(error) if is_broken(&error) => {
            begin_anew(path, &error);
            open(path)
        }
        opened => opened,
    }
}

fn is_broken(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// What was in it cannot be read; a new one takes its place.
fn begin_anew(path: &Path, error: &rusqlite::Error) {
    tracing::warn!(%error, "stories.db is broken; it is put aside as stories.db.broken, and begun anew");
    if let Err(error) = put_aside(path) {
        tracing::warn!(%error, "stories.db could not be put aside");
    }
}

fn put_aside(path: &Path) -> io::Result<()> {
    std::fs::rename(path, path.with_extension("db.broken"))?;
    for rest in ["db-wal", "db-shm"] {
        // Mostly they are not there.
        let _ = std::fs::remove_file(path.with_extension(rest));
    }
    Ok(())
}

/// The thread's own.
pub(super) struct Writer {
    path: PathBuf,
    /// None while the file cannot be opened.
    connection: Option<Connection>,
    /// When it was tried to open the file.
    opened: Instant,
    settings: StorySettings,
    clock: Clock,
    counts: Arc<Counts>,
    /// Whether the last write failed, so that a disk that is full for hours is told of once.
    failing: bool,
    /// Whether more may have to be erased than the last piece.
    pruning: bool,
}

impl Writer {
    pub(super) fn new(
        path: PathBuf,
        connection: Option<Connection>,
        settings: StorySettings,
        clock: Clock,
        counts: Arc<Counts>,
    ) -> Self {
        let opened = clock.instant();
        // What grew too old while no server ran goes at once.
        Self { path, connection, opened, settings, clock, counts, failing: false, pruning: true }
    }

    /// Until it is told to close, or nobody is there to tell it anything.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(job) = self.next(&mut jobs) {
            match job {
                Job::Attempted(first) => {
                    if self.gather(*first, &mut jobs) == Gathered::Closing {
                        return;
                    }
                }
                Job::Prune => self.pruning = true,
                Job::Close => return,
            }
        }
    }

    /// Old records are erased while there is nothing to write, piece by piece.
    fn next(&mut self, jobs: &mut mpsc::Receiver<Job>) -> Option<Job> {
        while self.pruning {
            match jobs.try_recv() {
                Ok(job) => return Some(job),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => self.pruning = self.write(&[]) >= BATCH_RECORDS_MAX,
            }
        }
        jobs.blocking_recv()
    }

    /// Writes a record and those that come right after it.
    fn gather(&mut self, first: AttemptRecord, jobs: &mut mpsc::Receiver<Job>) -> Gathered {
        let mut batch = vec![first];
        if jobs.len() < BATCH_RECORDS_MAX {
            thread::sleep(GATHER);
        }
        let mut gathered = Gathered::Open;
        while gathered == Gathered::Open
            && batch.len() < BATCH_RECORDS_MAX
            && let Ok(job) = jobs.try_recv()
        {
            match job {
                Job::Attempted(record) => batch.push(*record),
                Job::Prune => self.pruning = true,
                Job::Close => gathered = Gathered::Closing,
            }
        }
        let bytes = batch.iter().map(AttemptRecord::bytes).sum();
        self.counts.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.write(&batch);
        gathered
    }

    /// Answers how many were erased. What cannot be written is counted as dropped.
    fn write(&mut self, batch: &[AttemptRecord]) -> usize {
        let count = batch.len() as u64;
        self.reopen();
        if self.connection.is_none() {
            self.counts.dropped.fetch_add(count, Ordering::Relaxed);
            return 0;
        }
        match self.transact(batch) {
            Ok(erased) => {
                self.failing = false;
                self.counts.written.fetch_add(count, Ordering::Relaxed);
                erased
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, "attempts were not taken down; callbacks go on without their stories");
                }
                self.counts.dropped.fetch_add(count, Ordering::Relaxed);
                if is_broken(&error) && self.connection.take().is_some() {
                    begin_anew(&self.path, &error);
                    self.open();
                }
                0
            }
        }
    }

    /// Tries again after a while, if there is no file.
    fn reopen(&mut self) {
        if self.connection.is_none() && self.clock.instant() >= self.opened + REOPEN_PAUSE {
            self.open();
        }
    }

    fn open(&mut self) {
        self.opened = self.clock.instant();
        match open_or_begin_anew(&self.path) {
            Ok(connection) => {
                tracing::info!("stories.db can be written again");
                self.connection = Some(connection);
                // Whoever reads has the old file open, or none.
                self.counts.file.fetch_add(1, Ordering::Release);
            }
            Err(error) => tracing::debug!(%error, "stories.db still cannot be opened"),
        }
    }

    fn transact(&mut self, batch: &[AttemptRecord]) -> rusqlite::Result<usize> {
        let keep_since = self.clock.now().minus(self.settings.keep);
        let connection = self.connection.as_ref().expect("it was opened before");
        let transaction = connection.unchecked_transaction()?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO attempt (at_ms, event, app, lane, command, class, outcome, msg_key, detail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        for record in batch {
            insert.execute(params![
                record.at.0,
                record.event.0,
                record.app.0,
                record.lane.0,
                record.command.as_str(),
                record.class,
                record.outcome,
                record.msg_key(),
                record.detail()
            ])?;
        }
        drop(insert);
        let erased = if self.is_one_due(&transaction, keep_since)? {
            self.erase(&transaction, keep_since, batch.len() as u64)?
        } else {
            0
        };
        transaction.commit()?;
        Ok(erased)
    }

    /// Looks at the oldest record only; with each batch, so it must cost little.
    fn is_one_due(&self, connection: &Connection, keep_since: Timestamp) -> rusqlite::Result<bool> {
        connection
            .prepare_cached(
                "SELECT 1 FROM (SELECT id, at_ms FROM attempt ORDER BY id LIMIT 1)
                 WHERE at_ms < ?1 OR id <= (SELECT max(id) FROM attempt) - ?2",
            )?
            .exists(params![keep_since.0, self.settings.records_max.cast_signed()])
    }

    fn erase(&self, connection: &Connection, keep_since: Timestamp, written: u64) -> rusqlite::Result<usize> {
        // As many as were written may go, and some more, so that what is too much becomes less.
        let piece = if written == 0 { BATCH_RECORDS_MAX as u64 } else { 2 * written + 16 };
        connection
            .prepare_cached(
                "DELETE FROM attempt WHERE id IN (
                     SELECT id FROM (SELECT id, at_ms FROM attempt ORDER BY id LIMIT ?3)
                     WHERE at_ms < ?1 OR id <= (SELECT max(id) FROM attempt) - ?2)",
            )?
            .execute(params![keep_since.0, self.settings.records_max.cast_signed(), piece.cast_signed()])
    }
}

/// Whether the thread was told to close among what it gathered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gathered {
    Open,
    Closing,
}

const _: () = assert!(BATCH_RECORDS_MAX <= limits::STORY_QUEUE_RECORDS_MAX);
