//! The file of the stories and the thread that writes it.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use rusqlite::{Connection, params};
use tokio::sync::mpsc;

use super::{AttemptRecord, Counts, Job, StorySettings};
use crate::{clock::Clock, limits};

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

pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(1))?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
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

/// What was in it cannot be read; a new one takes its place.
pub(super) fn put_aside(path: &Path) {
    let aside = path.with_extension("db.broken");
    if let Err(error) = std::fs::rename(path, aside) {
        tracing::warn!(%error, "stories.db could not be put aside");
    }
    for rest in ["db-wal", "db-shm"] {
        // Mostly they are not there.
        let _ = std::fs::remove_file(path.with_extension(rest));
    }
}

/// The thread's own.
pub(super) struct Writer {
    connection: Connection,
    settings: StorySettings,
    clock: Clock,
    counts: Arc<Counts>,
    /// Whether the last write failed, so that a disk that is full for hours is told of once.
    failing: bool,
}

impl Writer {
    pub(super) fn new(connection: Connection, settings: StorySettings, clock: Clock, counts: Arc<Counts>) -> Self {
        Self { connection, settings, clock, counts, failing: false }
    }

    /// Until it is told to close, or nobody is there to tell it anything.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::new();
        while let Some(Job::Attempted(first)) = jobs.blocking_recv() {
            batch.push(*first);
            if jobs.len() < BATCH_RECORDS_MAX {
                thread::sleep(GATHER);
            }
            let mut closing = false;
            while !closing
                && batch.len() < BATCH_RECORDS_MAX
                && let Ok(job) = jobs.try_recv()
            {
                match job {
                    Job::Attempted(record) => batch.push(*record),
                    Job::Close => closing = true,
                }
            }
            let bytes = batch.iter().map(AttemptRecord::bytes).sum();
            self.counts.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.write(&batch);
            batch.clear();
            if closing {
                return;
            }
        }
    }

    fn write(&mut self, batch: &[AttemptRecord]) {
        let count = batch.len() as u64;
        match self.transact(batch) {
            Ok(()) => {
                self.failing = false;
                self.counts.written.fetch_add(count, Ordering::Relaxed);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, "attempts were not taken down; callbacks go on without their stories");
                }
                self.counts.dropped.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    fn transact(&mut self, batch: &[AttemptRecord]) -> rusqlite::Result<()> {
        let keep_since = self.clock.now().minus(self.settings.keep);
        let transaction = self.connection.transaction()?;
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
        // As many as were written may go, and some more, so that what is too much becomes less.
        let piece = 2 * batch.len() as u64 + 16;
        transaction
            .prepare_cached(
                "DELETE FROM attempt WHERE id IN (
                     SELECT id FROM (SELECT id, at_ms FROM attempt ORDER BY id LIMIT ?3)
                     WHERE at_ms < ?1 OR id <= (SELECT max(id) FROM attempt) - ?2)",
            )?
            .execute(params![keep_since.0, self.settings.records_max.cast_signed(), piece.cast_signed()])?;
        transaction.commit()
    }
}

const _: () = assert!(BATCH_RECORDS_MAX <= limits::STORY_QUEUE_RECORDS_MAX);
