//! Reads: threads and connections of their own, so that they wait neither for a writer nor for each other's commits.
//!
//! A read that finds its connection gone is asked once more on a new one: it changes nothing.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    thread,
};

use tokio::sync::{mpsc, oneshot};

use super::{
    OpenError,
    link::{Link, Target},
    view::Snapshot,
};
use crate::{
    chat::{Fault, Later, View},
    limits,
};

type Job = Box<dyn FnOnce(&mut Connected<'_>) + Send>;

/// The way to the reading threads. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Readers {
    jobs: mpsc::Sender<Job>,
}

impl Readers {
    pub(super) fn start(target: &Target, threads: usize) -> Result<Self, OpenError> {
        let (jobs, receiver) = mpsc::channel(limits::STORE_QUEUE_READS_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads {
            let (target, receiver) = (target.clone(), Arc::clone(&receiver));
            thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || run(&target, &receiver))
                .map_err(OpenError::Thread)?;
        }
        Ok(Self { jobs })
    }

    /// Runs `query` on a reading thread: one statement, so that it sees one moment. It sees everything whose commit was
    /// answered before.
    pub(super) fn read<T, Q>(&self, query: Q) -> Later<'_, T>
    where
        T: Send + 'static,
        Q: Fn(&Link) -> Result<T, Fault> + Send + 'static,
    {
        let (answer, receiver) = oneshot::channel();
        let job: Job = Box::new(move |connected| drop(answer.send(connected.ask(&query))));
        self.ask(job, receiver)
    }

    /// The same for several statements that have to see one moment.
    pub(super) fn at_once<T, Q>(&self, query: Q) -> Later<'_, T>
    where
        T: Send + 'static,
        Q: Fn(&Link) -> Result<T, Fault> + Send + 'static,
    {
        self.read(move |link| {
            link.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
            let answer = query(link);
            let ended = link.run("ROLLBACK");
            answer.and_then(|answer| ended.map(|()| answer))
        })
    }

    /// The same for what devices are shown.
    pub(super) fn look<T, Q>(&self, query: Q) -> Later<'_, T>
    where
        T: Send + 'static,
        Q: Fn(&mut dyn View) -> Result<T, Fault> + Send + 'static,
    {
        self.at_once(move |link| query(&mut Snapshot(link)))
    }

    fn ask<T: Send + 'static>(&self, job: Job, answer: oneshot::Receiver<Result<T, Fault>>) -> Later<'_, T> {
        Box::pin(async move {
            self.jobs.send(job).await.map_err(|_| Fault::Stopping)?;
            answer.await.unwrap_or(Err(Fault::Stopping))
        })
    }
}

fn run(target: &Target, jobs: &Mutex<mpsc::Receiver<Job>>) {
    let mut connected = Connected { target, link: None };
    loop {
        let job = jobs.lock().expect("nothing panics while it waits").blocking_recv();
        let Some(job) = job else {
            return;
        };
        // A query that panics is a bug; it answers its own caller with nothing and spoils no other.
        if catch_unwind(AssertUnwindSafe(|| job(&mut connected))).is_err() {
            connected.link = None;
        }
    }
}

/// A connection that is made when it is needed.
struct Connected<'a> {
    target: &'a Target,
    link: Option<Link>,
}

impl Connected<'_> {
    fn ask<T>(&mut self, query: &dyn Fn(&Link) -> Result<T, Fault>) -> Result<T, Fault> {
        for _ in 0..2 {
            let link = match self.link.take() {
                Some(link) => link,
                None => Link::connect(self.target)?,
            };
            let answer = query(&link);
            if answer.is_ok() || !link.is_lost() {
                self.link = Some(link);
                return answer;
            }
        }
        Err(Fault::Failed("the connection to PostgreSQL is lost".into()))
    }
}
