//! The writers: a few threads, each with a connection of its own, that take what waits from one queue and commit in groups.
//!
//! What waits when a commit is over is the next batch, so a round trip and an fsync are shared by as many as come. Only after
//! the commit are callers answered and events hinted at. What goes wrong is tried again by its meaning:
//!
//! - others stood in the way (a deadlock, a key that somebody else took): each command alone, a bounded number of times;
//! - the connection was lost before the commit was sent: nothing was stored, so the batch is carried out anew;
//! - it was lost with the commit under way: the row in which transactions are marked tells whether it was committed (`mark.rs`). It is
//!   answered or carried out anew by that, and never both.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    thread,
};

use tokio::sync::{mpsc, oneshot, watch};

use super::{
    OpenError,
    batch::{Batch, Committed, Known},
    link::{Link, Target, Trouble, params},
    mark::{self, Author, Outcome, Process, Unknown},
    order::{Number, Order},
    outbox,
    row::Sql,
};
use crate::{
    chat::{Applied, Command, Fault, Footprint, Pruned, Settled},
    clock::{Timestamp, World},
    cluster::MemberId,
    limits,
    metrics::StoreMetrics,
    store::HintSender,
};

/// Something to do in a transaction, and who waits for it.
pub(super) enum Job {
    Commit { command: Command, answer: oneshot::Sender<Result<Applied, Fault>> },
    Settle { settled: Vec<Settled>, answer: oneshot::Sender<Result<(), Fault>> },
    EraseAuditCopies { now: Timestamp, answer: oneshot::Sender<Result<u64, Fault>> },
    PruneEvents { before: Timestamp, after: i64, answer: oneshot::Sender<Result<Pruned, Fault>> },
    Close { answer: oneshot::Sender<Result<(), Fault>> },
}

/// The way to the writers. They end when this is dropped, after what is in the queue.
#[derive(Debug)]
pub(super) struct Writers {
    jobs: mpsc::Sender<Job>,
    broken: watch::Receiver<Option<Fault>>,
}

/// Who waits for the writers' end. The last one that ends answers.
#[derive(Default)]
struct Closing(Mutex<Vec<oneshot::Sender<Result<(), Fault>>>>);

impl Drop for Closing {
    fn drop(&mut self) {
        let waiting = self.0.get_mut().map(std::mem::take).unwrap_or_default();
        waiting.into_iter().for_each(|answer| drop(answer.send(Ok(()))));
    }
}

impl Writers {
    pub(super) fn start(
        target: &Target,
        writers: usize,
        member: &MemberId,
        world: &World,
        hints: &HintSender,
        metrics: &StoreMetrics,
    ) -> Result<Self, OpenError> {
        let (jobs, receiver) = mpsc::channel(limits::STORE_QUEUE_COMMANDS_MAX);
        let (receiver, closing) = (Arc::new(Mutex::new(receiver)), Arc::new(Closing::default()));
        let (broken_sender, broken) = watch::channel(None);
        let order = Order::new(hints.clone());
        for number in 0..writers {
            let thread = Thread {
                target: target.clone(),
                connected: None,
                member: member.clone(),
                writer: i64::try_from(number).expect("few"),
                number: 0,
                known: Known::default(),
                world: world.clone(),
                hints: hints.clone(),
                order: Arc::clone(&order),
                metrics: metrics.clone(),
                broken: broken_sender.clone(),
                jobs: Arc::clone(&receiver),
                closing: Arc::clone(&closing),
            };
            thread::Builder::new()
                .name(format!("store-writer-{number}"))
                .spawn(move || thread.run())
                .map_err(OpenError::Thread)?;
        }
        Ok(Self { jobs, broken })
    }

    /// Waits for a place in the queue.
    pub(super) async fn enqueue(&self, job: Job) -> Result<(), Fault> {
        self.jobs.send(job).await.map_err(|_| Fault::Stopping)
    }

    /// Comes when the tables are gone, or the writers have ended.
    pub(super) async fn broken(&self) -> Fault {
        let mut broken = self.broken.clone();
        let fault = broken.wait_for(Option::is_some).await.ok().and_then(|fault| fault.clone());
        fault.unwrap_or_else(|| Fault::Failed("the writers have ended".into()))
    }
}

struct Thread {
    target: Target,
    member: MemberId,
    /// Which of the writers this is.
    writer: i64,
    /// The number of the last transaction that it has begun.
    number: i64,
    connected: Option<Connected>,
    known: Known,
    world: World,
    hints: HintSender,
    order: Arc<Order>,
    metrics: StoreMetrics,
    broken: watch::Sender<Option<Fault>>,
    jobs: Arc<Mutex<mpsc::Receiver<Job>>>,
    closing: Arc<Closing>,
}

/// A connection, with the process that serves it and the row in which it counts.
struct Connected {
    link: Link,
    slot: i64,
    process: Process,
}

/// Why a batch was not stored, or is not known to be.
enum Failure {
    /// Nothing of it holds.
    Undone(Fault, Trouble),
    /// The connection was lost while it was being committed.
    Unknown { unknown: Unknown, committed: Committed, done: Vec<Done> },
}

impl Thread {
    fn run(mut self) {
        while let Some(batch) = self.take() {
            self.carry_out(batch);
        }
    }

    /// What waits, up to a bound; none when nothing more comes.
    fn take(&self) -> Option<Vec<Job>> {
        let mut jobs = self.jobs.lock().expect("nothing panics while it takes");
        let mut next = Some(jobs.blocking_recv()?);
        let mut batch = Vec::new();
        while let Some(job) = next {
            match job {
                // What was accepted before is still carried out; nothing more is.
                Job::Close { answer } => {
                    jobs.close();
                    self.closing.0.lock().expect("nothing panics while it notes").push(answer);
                }
                Job::Commit { .. } | Job::Settle { .. } | Job::EraseAuditCopies { .. } | Job::PruneEvents { .. } => {
                    batch.push(job);
                }
            }
            let full = batch.len() >= limits::STORE_BATCH_COMMANDS_MAX;
            next = if full { None } else { jobs.try_recv().ok() };
        }
        Some(batch)
    }

    /// One transaction for all. Where that fails, each job gets a transaction of its own, so that a bad one spoils no other.
    fn carry_out(&mut self, batch: Vec<Job>) {
        if batch.is_empty() {
            return;
        }
        let broken = self.broken.borrow().clone();
        if let Some(fault) = broken {
            batch.into_iter().for_each(|job| job.fail(&fault));
            return;
        }
        match self.persist(&batch) {
            Ok(done) => batch.into_iter().zip(done).for_each(|(job, done)| job.answer(done)),
            Err((_, Trouble::Conflict | Trouble::Unclear | Trouble::Other)) if batch.len() > 1 => {
                for job in batch {
                    self.carry_out(vec![job]);
                }
            }
            Err((fault, trouble)) => {
                tracing::error!(%fault, "a command was not stored");
                if trouble == Trouble::Gone {
                    self.broken.send_replace(Some(fault.clone()));
                }
                batch.into_iter().for_each(|job| job.fail(&fault));
            }
        }
    }

    /// Tries until it is stored, or it makes no sense to try again.
    fn persist(&mut self, jobs: &[Job]) -> Result<Vec<Done>, (Fault, Trouble)> {
        let (began, mut conflicts) = (self.world.clock.instant(), 0);
        loop {
            let failure = match self.transact(jobs) {
                Ok((number, committed, done)) => {
                    self.metrics.committed(jobs.len(), self.world.clock.instant() - began);
                    self.hints.heard(&committed.heard);
                    number.committed(committed.owed);
                    return Ok(done);
                }
                Err(failure) => failure,
            };
            self.metrics.failed();
            let (fault, trouble) = match failure {
                Failure::Undone(fault, trouble) => (fault, trouble),
                Failure::Unknown { unknown, committed, done } => match self.outcome(&unknown) {
                    Ok(Outcome::Committed) => {
                        self.metrics.committed(jobs.len(), self.world.clock.instant() - began);
                        self.hints.heard(&committed.heard);
                        // Its turn is over, so others may have told of what comes behind it.
                        self.hints.missed();
                        self.hints.committed(committed.owed);
                        return Ok(done);
                    }
                    Ok(Outcome::Aborted) => continue,
                    Err(fault) => return Err((fault, Trouble::Lost)),
                },
            };
            match trouble {
                // Alone it is tried again; in company each is tried alone.
                Trouble::Conflict if jobs.len() == 1 && conflicts < limits::POSTGRES_CONFLICTS_MAX => conflicts += 1,
                Trouble::Lost if self.world.clock.instant() - began < limits::POSTGRES_AWAY_MAX => {
                    tracing::warn!(%fault, "the connection to PostgreSQL was lost before a commit; it is tried again");
                    thread::sleep(limits::POSTGRES_RETRY_PAUSE);
                }
                Trouble::Lost | Trouble::Conflict | Trouble::Gone | Trouble::Unclear | Trouble::Other => {
                    return Err((fault, trouble));
                }
            }
        }
    }

    fn transact(&mut self, jobs: &[Job]) -> Result<(Number, Committed, Vec<Done>), Failure> {
        let connected = match self.connected.take() {
            Some(connected) => connected,
            None => Connected::new(&self.target, &self.member, self.writer)
                .map_err(|(fault, trouble)| Failure::Undone(fault, trouble))?,
        };
        self.number += 1;
        let Self { member, writer, number, world, .. } = self;
        let author = Author { member: &member.0, writer: *writer, number: *number, slot: connected.slot };
        let result = connected.transact(jobs, &mut self.known, &self.order, (author, world));
        // A connection that failed is kept only if its transaction can be ended.
        let link = &connected.link;
        let is_unknown = matches!(result, Err(Failure::Unknown { .. }));
        if result.is_ok() || (!is_unknown && !link.is_lost() && link.run("ROLLBACK").is_ok()) {
            link.forget_trouble();
            self.connected = Some(connected);
        }
        result
    }

    fn outcome(&self, unknown: &Unknown) -> Result<Outcome, Fault> {
        mark::outcome(&self.target, (&self.member.0, self.writer), unknown, &self.world.clock)
    }
}

impl Connected {
    fn new(target: &Target, member: &MemberId, writer: i64) -> Result<Self, (Fault, Trouble)> {
        let link = Link::connect(target).map_err(|fault| (fault, Trouble::Lost))?;
        match mark::begin(&link, &member.0, writer) {
            Ok((slot, process)) => Ok(Self { link, slot, process }),
            Err(fault) => Err((fault, link.trouble().unwrap_or(Trouble::Other))),
        }
    }

    fn transact(
        &self,
        jobs: &[Job],
        known: &mut Known,
        order: &Arc<Order>,
        (author, world): (Author<'_>, &World),
    ) -> Result<(Number, Committed, Vec<Done>), Failure> {
        let link = &self.link;
        let undone = |fault| Failure::Undone(fault, link.trouble().unwrap_or(Trouble::Other));
        let mut footprint = Footprint::default();
        for job in jobs {
            if let Job::Commit { command, .. } = job {
                footprint.add(command);
            }
        }
        let world = (world.clock.now(), &world.entropy);
        let mut batch = Batch::begin(link, known, author, world, &footprint).map_err(undone)?;
        let done = jobs.iter().map(|job| apply(job, &mut batch)).collect::<Result<Vec<_>, _>>().map_err(undone)?;
        let committed = batch.finish().map_err(undone)?;
        let number = order.number();
        #[cfg(feature = "failpoints")]
        crate::failpoint::BEFORE_COMMIT.pass();
        let Err(fault) = link.run("COMMIT") else {
            #[cfg(feature = "failpoints")]
            crate::failpoint::AFTER_COMMIT.pass();
            return Ok((number, committed, done));
        };
        // Only where the server says so was it rolled back.
        if link.is_lost() || link.trouble() == Some(Trouble::Unclear) {
            let unknown = Unknown { number: author.number, process: self.process.clone() };
            return Err(Failure::Unknown { unknown, committed, done });
        }
        Err(undone(fault))
    }
}

/// What a job has to say once it is durable.
enum Done {
    Applied(Applied),
    Nothing,
    Erased(u64),
    Pruned(Pruned),
}

/// A rule that panics is a bug; it fails its own command and no other.
fn apply(job: &Job, batch: &mut Batch<'_>) -> Result<Done, Fault> {
    catch_unwind(AssertUnwindSafe(|| match job {
        Job::Commit { command, .. } => command.apply(batch).map(Done::Applied),
        Job::Settle { settled, .. } => outbox::settle(batch, settled).map(|()| Done::Nothing),
        Job::EraseAuditCopies { now, .. } => {
            let erased = batch.link().execute("DELETE FROM audit_copy WHERE erase_ms <= $1", params![Sql(*now)]);
            erased.map(Done::Erased)
        }
        Job::PruneEvents { before, after, .. } => outbox::prune(batch, *before, *after).map(Done::Pruned),
        Job::Close { .. } => unreachable!("it is taken out of its batch"),
    }))
    .unwrap_or_else(|_| Err(Fault::Failed("a rule was broken inside the server; see the log".into())))
}

impl Job {
    /// Who no longer waits does not hear; what was done stays done.
    fn answer(self, done: Done) {
        match (self, done) {
            (Self::Commit { answer, .. }, Done::Applied(applied)) => drop(answer.send(Ok(applied))),
            (Self::EraseAuditCopies { answer, .. }, Done::Erased(count)) => drop(answer.send(Ok(count))),
            (Self::PruneEvents { answer, .. }, Done::Pruned(pruned)) => drop(answer.send(Ok(pruned))),
            (Self::Settle { answer, .. }, Done::Nothing) => drop(answer.send(Ok(()))),
            _ => unreachable!("a job is answered with what it has done"),
        }
    }

    fn fail(self, fault: &Fault) {
        let fault = fault.clone();
        match self {
            Self::Commit { answer, .. } => drop(answer.send(Err(fault))),
            Self::EraseAuditCopies { answer, .. } => drop(answer.send(Err(fault))),
            Self::PruneEvents { answer, .. } => drop(answer.send(Err(fault))),
            Self::Settle { answer, .. } | Self::Close { answer } => drop(answer.send(Err(fault))),
        }
    }
}
