//! Stories: every attempt at a callback, kept for a while, so that it can be seen what happened to an event (rule C8).
//!
//! They are for people, and never in the way: a thread of its own writes them into a file of its own (`stories.db`), and
//! what it cannot keep up with is dropped and counted. They may lose their last second in a power cut; events never do.
//! What a message says, tokens and signatures are never in them.

mod attempt;
mod db;
mod find;
#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

pub use attempt::{ANSWER_BYTES_MAX, AttemptRecord, Phases};
pub use find::{Filter, Found, Page};
use tokio::sync::mpsc;
use unsaid_protocol::SdkAppId;

use self::db::Writer;
use crate::{
    chat::{EventId, Fault},
    clock::Clock,
    limits,
};

/// How much is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StorySettings {
    /// None at all if this is nothing.
    pub keep: Duration,
    pub records_max: u64,
}

/// The way to the stories. Clones lead to the same ones.
#[derive(Clone, Debug)]
pub struct Stories {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Arc<Mutex<Option<thread::JoinHandle<()>>>>,
    counts: Arc<Counts>,
    reader: Arc<Mutex<Option<Reader>>>,
    path: Arc<Path>,
}

/// A connection of its own, so that reading never waits for writing.
#[derive(Debug)]
struct Reader {
    connection: rusqlite::Connection,
    /// Which file it has open, as in [`Counts::file`].
    file: u64,
}

/// What the thread is told.
#[derive(Debug)]
enum Job {
    Attempted(Box<AttemptRecord>),
    Prune,
    Close,
}

/// What became of the records.
#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    dropped: AtomicU64,
    /// Of the bodies and answers that wait.
    waiting_bytes: AtomicUsize,
    /// Grows with each file that was begun or opened later, so that readers notice it.
    file: AtomicU64,
}

impl Stories {
    /// Opens `stories.db` in the data folder. One that is broken is put aside; one that cannot be opened is tried again
    /// later. Callbacks go on all the same.
    pub fn open(folder: &Path, settings: StorySettings, clock: Clock) -> Self {
        let path = folder.join("stories.db");
        let counts = Arc::new(Counts::default());
        let none = Self {
            jobs: None,
            thread: Arc::default(),
            counts: Arc::clone(&counts),
            reader: Arc::default(),
            path: path.as_path().into(),
        };
        if settings.keep.is_zero() {
            return none;
        }
        let connection = db::open_or_begin_anew(&path)
            .inspect_err(|error| tracing::error!(%error, "stories.db cannot be opened; it is tried again later"))
            .ok();
        counts.file.store(u64::from(connection.is_some()), Ordering::Release);
        let (jobs, receiver) = mpsc::channel(limits::STORY_QUEUE_RECORDS_MAX);
        let writer = Writer::new(path, connection, settings, clock, Arc::clone(&counts));
        let thread = thread::Builder::new().name("story-writer".to_owned());
        match thread.spawn(move || writer.run(receiver)) {
            Ok(thread) => Self { jobs: Some(jobs), thread: Arc::new(Mutex::new(Some(thread))), ..none },
            Err(error) => {
                tracing::error!(%error, "there are no stories: their thread was not started; callbacks go on without");
                none
            }
        }
    }

    /// Takes down an attempt. Never waits.
    pub fn attempted(&self, record: AttemptRecord) {
        let Some(jobs) = &self.jobs else {
            return;
        };
        let bytes = record.bytes();
        let waiting = self.counts.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let full = waiting > limits::STORY_QUEUE_BYTES_MAX;
        if full || jobs.try_send(Job::Attempted(Box::new(record))).is_err() {
            self.counts.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Erases what is older than it may be; without this, it goes only when something new is taken down. Never waits.
    pub fn prune(&self) {
        if let Some(jobs) = &self.jobs {
            // A full queue is written now, and that erases too.
            let _ = jobs.try_send(Job::Prune);
        }
    }

    /// Writes what was taken down before, and closes the file.
    pub async fn close(&self) {
        let Some(jobs) = &self.jobs else {
            return;
        };
        // A thread that has ended needs not be told.
        let _ = jobs.send(Job::Close).await;
        let (thread, reader) = (Arc::clone(&self.thread), Arc::clone(&self.reader));
        let joined = tokio::task::spawn_blocking(move || {
            drop(lock(&reader).take());
            let thread = lock(&thread).take();
            thread.map(thread::JoinHandle::join)
        });
        // What it had to say of a failure it has logged.
        let _ = joined.await;
    }

    /// All attempts at an event that are kept, the first one first.
    pub async fn of_event(&self, app: SdkAppId, id: EventId) -> Result<Vec<Found>, Fault> {
        self.read(move |connection| find::of_event(connection, app, &id)).await.map(Option::unwrap_or_default)
    }

    /// Attempts that the filter covers, the latest first. It looks at a bounded number of records; the answer says where to
    /// go on.
    pub async fn find(&self, filter: Filter) -> Result<Page, Fault> {
        self.read(move |connection| find::find(connection, &filter)).await.map(Option::unwrap_or_default)
    }

    /// Records that were written, and ones that were dropped because the disk did not keep up.
    pub fn counts(&self) -> (u64, u64) {
        (self.counts.written.load(Ordering::Relaxed), self.counts.dropped.load(Ordering::Relaxed))
    }

    /// On a thread that may block, over a connection of its own.
    async fn read<T, Q>(&self, query: Q) -> Result<Option<T>, Fault>
    where
        T: Send + 'static,
        Q: FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reader, path) = (Arc::clone(&self.reader), Arc::clone(&self.path));
        let file = self.counts.file.load(Ordering::Acquire);
        let read = tokio::task::spawn_blocking(move || {
            // None has ever been opened.
            if file == 0 {
                return Ok(None);
            }
            let mut reader = lock(&reader);
            if reader.as_ref().is_none_or(|reader| reader.file != file) {
                *reader = Some(Reader { connection: db::open_to_read(&path)?, file });
            }
            reader.as_ref().map(|reader| query(&reader.connection)).transpose()
        });
        match read.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(Fault::Failed(error.to_string().into())),
            Err(_) => Err(Fault::Stopping),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
