//! Reads: threads and connections of their own, so that they wait neither for the writer nor for each other's commits.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use super::{OpenError, connect, fault, view::Snapshot};
use crate::{
    chat::{Fault, Later, View},
    limits,
};

const THREADS: usize = 2;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The way to the reading threads. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Readers {
    jobs: mpsc::Sender<Job>,
}

impl Readers {
    pub(super) fn start(path: &Path) -> Result<Self, OpenError> {
        let (jobs, receiver) = mpsc::channel(limits::STORE_QUEUE_READS_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..THREADS {
            let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.pragma_update(None, "query_only", true)?;
            connection.pragma_update(None, "cache_size", -16_384)?;
            let receiver = Arc::clone(&receiver);
            thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || run(&connection, &receiver))
                .map_err(OpenError::Thread)?;
        }
        Ok(Self { jobs })
    }

    /// Runs `query` on a reading thread. It sees everything whose commit was answered before.
    pub(super) fn read<T, Q>(&self, query: Q) -> Later<'_, T>
    where
        T: Send + 'static,
        Q: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, receiver) = oneshot::channel();
        let job: Job = Box::new(move |connection| drop(answer.send(query(connection).map_err(fault))));
        self.ask(job, receiver)
    }

    /// The same for what is seen of one moment.
    pub(super) fn look<T, Q>(&self, query: Q) -> Later<'_, T>
    where
        T: Send + 'static,
        Q: FnOnce(&mut dyn View) -> Result<T, Fault> + Send + 'static,
    {
        let (answer, receiver) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let transaction = connection.unchecked_transaction().map_err(fault);
            drop(answer.send(transaction.and_then(|transaction| query(&mut Snapshot(&transaction)))));
        });
        self.ask(job, receiver)
    }

    fn ask<T: Send + 'static>(&self, job: Job, answer: oneshot::Receiver<Result<T, Fault>>) -> Later<'_, T> {
        Box::pin(async move {
            self.jobs.send(job).await.map_err(|_| Fault::Stopping)?;
            answer.await.unwrap_or(Err(Fault::Stopping))
        })
    }
}

fn run(connection: &Connection, jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = jobs.lock().expect("nothing panics while it waits").blocking_recv();
        let Some(job) = job else {
            return;
        };
        // A query that panics is a bug; it answers its own caller with nothing and spoils no other.
        let _ = catch_unwind(AssertUnwindSafe(|| job(connection)));
    }
}
