//! The writer: one thread that owns the only connection that writes, and commits in groups.
//!
//! What waits when a commit is over is the next batch, so the batches grow with the load by themselves, and a command
//! that comes alone waits for nothing but its own fsync. Only after the commit are callers answered and events
//! hinted at, in commit order (invariant 1).

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    thread,
};

use rusqlite::{Connection, ffi, params};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    OpenError, backup, batch::Batch, checkpoint::Checkpoints, fault, known::Known, outbox, prepared::Prepared,
};
use crate::{
    chat::{Applied, Command, CopyProgress, Fault, Pruned, Settled},
    clock::{Clock, Entropy, Timestamp, World},
    limits,
    metrics::StoreMetrics,
    store::{Folder, HintSender},
};

/// Something to do in a transaction, and who waits for it.
pub(super) enum Job {
    Commit {
        command: Command,
        answer: oneshot::Sender<Result<Applied, Fault>>,
    },
    Settle {
        settled: Vec<Settled>,
        answer: oneshot::Sender<Result<(), Fault>>,
    },
    EraseAuditCopies {
        now: Timestamp,
        answer: oneshot::Sender<Result<u64, Fault>>,
    },
    PruneEvents {
        before: Timestamp,
        after: i64,
        answer: oneshot::Sender<Result<Pruned, Fault>>,
    },
    Close {
        answer: oneshot::Sender<Result<(), Fault>>,
    },
    /// A copy of the whole store, made beside everything else.
    Backup {
        part: PathBuf,
        progress: Arc<CopyProgress>,
        answer: oneshot::Sender<Result<(), Fault>>,
    },
}

/// The way to the writer thread. It ends when this is dropped, after what is in the queue.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    broken: watch::Receiver<Option<Fault>>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        folder: Arc<Folder>,
        world: World,
        hints: HintSender,
        metrics: StoreMetrics,
    ) -> Result<Self, OpenError> {
        let known = Known::read(&connection)?;
        let checkpoints = Checkpoints::start(&folder.database())?;
        let (jobs, receiver) = mpsc::channel(limits::STORE_QUEUE_COMMANDS_MAX);
        let (broken_sender, broken) = watch::channel(None);
        let World { clock, entropy } = world;
        let work = Work { known, clock, entropy, hints, checkpoints, metrics, broken: broken_sender };
        let thread = Thread { connection, work, _folder: folder };
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || thread.run(receiver))
            .map_err(OpenError::Thread)?;
        Ok(Self { jobs, broken })
    }

    /// Waits for a place in the queue.
    pub(super) async fn enqueue(&self, job: Job) -> Result<(), Fault> {
        self.jobs.send(job).await.map_err(|_| Fault::Stopping)
    }

    /// Comes when the store no longer knows what is durable, or its thread has ended.
    pub(super) async fn broken(&self) -> Fault {
        let mut broken = self.broken.clone();
        let fault = broken.wait_for(Option::is_some).await.ok().and_then(|fault| fault.clone());
        fault.unwrap_or_else(|| Fault::Failed("the writer has ended".into()))
    }
}

struct Thread {
    connection: Connection,
    work: Work,
    /// Nobody else may open the store before the last command in the queue is stored.
    _folder: Arc<Folder>,
}

/// Everything but the connection, which a backup holds while batches go on.
struct Work {
    known: Known,
    clock: Clock,
    entropy: Entropy,
    hints: HintSender,
    checkpoints: Checkpoints,
    metrics: StoreMetrics,
    broken: watch::Sender<Option<Fault>>,
}

/// A copy that was asked for, and who waits for it.
struct Copying {
    part: PathBuf,
    progress: Arc<CopyProgress>,
    answer: oneshot::Sender<Result<(), Fault>>,
}

/// What was taken out of the queue at once.
#[derive(Default)]
struct Taken {
    batch: Vec<Job>,
    backup: Option<Copying>,
    closing: Vec<oneshot::Sender<Result<(), Fault>>>,
}

impl Thread {
    fn run(self, mut jobs: mpsc::Receiver<Job>) {
        // Let go from the last to the first: the folder after all that has it open.
        let Self { _folder, mut work, connection } = self;
        let prepared = Prepared::of(&connection);
        let mut closing = Vec::new();
        while let Some(first) = jobs.blocking_recv() {
            let taken = Taken::all(first, &mut jobs);
            work.carry_out(&prepared, taken.batch);
            closing.extend(taken.closing);
            if let Some(copying) = taken.backup {
                work.checkpoints.hold();
                let copied = work.copy(&prepared, &copying, &mut jobs, &mut closing);
                work.checkpoints.release();
                // Who no longer waits needs no answer.
                let _ = copying.answer.send(copied);
            }
        }
        work.end(&prepared, closing);
    }
}

impl Copying {
    /// One copy at a time.
    fn refuse(self) {
        let busy = Fault::Failed("a backup is being made: wait until it is done".into());
        // Who no longer waits needs no answer.
        let _ = self.answer.send(Err(busy));
    }
}

impl Taken {
    /// The first job and all that wait behind it, as many as share a transaction.
    fn all(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Self {
        let mut taken = Self::default();
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                // What was accepted before is still carried out; nothing more is.
                Job::Close { answer } => {
                    jobs.close();
                    taken.closing.push(answer);
                }
                Job::Backup { part, progress, answer } => {
                    let copying = Copying { part, progress, answer };
                    if taken.backup.is_some() { copying.refuse() } else { taken.backup = Some(copying) }
                }
                Job::Commit { .. } | Job::Settle { .. } | Job::EraseAuditCopies { .. } | Job::PruneEvents { .. } => {
                    taken.batch.push(job);
                }
            }
            let full = taken.batch.len() >= limits::STORE_BATCH_COMMANDS_MAX;
            next = if full { None } else { jobs.try_recv().ok() };
        }
        taken
    }
}

impl Work {
    /// Copies the store a few pages at a time; what comes meanwhile is carried out in between, and goes into the copy. A
    /// server that stops does not wait for it, nor does it go on when nobody waits for it.
    fn copy(
        &mut self,
        prepared: &Prepared<'_>,
        Copying { part, progress, answer }: &Copying,
        jobs: &mut mpsc::Receiver<Job>,
        closing: &mut Vec<oneshot::Sender<Result<(), Fault>>>,
    ) -> Result<(), Fault> {
        backup::copy(prepared, part, progress, || {
            let first = match jobs.try_recv() {
                Ok(first) => first,
                Err(mpsc::error::TryRecvError::Empty) if !answer.is_closed() => return Ok(()),
                Err(_) => return Err(Fault::Stopping),
            };
            let Taken { batch, backup, closing: closed } = Taken::all(first, jobs);
            self.carry_out(prepared, batch);
            backup.into_iter().for_each(Copying::refuse);
            closing.extend(closed);
            if closing.is_empty() && !answer.is_closed() { Ok(()) } else { Err(Fault::Stopping) }
        })
    }

    /// Empties the log, so that nothing of what was erased is left in it.
    fn end(self, prepared: &Prepared<'_>, closing: Vec<oneshot::Sender<Result<(), Fault>>>) {
        self.checkpoints.end();
        let emptied = prepared.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(fault);
        if let Err(fault) = &emptied {
            tracing::warn!(%fault, "the log was not emptied; the next start does it");
        }
        closing.into_iter().for_each(|answer| drop(answer.send(emptied.clone())));
    }

    /// One transaction for all. Where that fails, each job gets a transaction of its own, so that a bad one spoils no
    /// other.
    fn carry_out(&mut self, prepared: &Prepared<'_>, batch: Vec<Job>) {
        if batch.is_empty() {
            return;
        }
        if let Some(fault) = self.broken.borrow().clone() {
            batch.into_iter().for_each(|job| job.fail(&fault));
            return;
        }
        match self.transact(prepared, &batch) {
            Ok(done) => batch.into_iter().zip(done).for_each(|(job, done)| job.answer(done)),
            Err(_) if batch.len() > 1 => {
                for job in batch {
                    self.carry_out(prepared, vec![job]);
                }
            }
            Err(fault) => {
                tracing::error!(%fault, "a command was not stored");
                batch.into_iter().for_each(|job| job.fail(&fault));
            }
        }
    }

    fn transact(&mut self, prepared: &Prepared<'_>, jobs: &[Job]) -> Result<Vec<Done>, Fault> {
        let (now, began) = (self.clock.now(), self.clock.instant());
        let mut batch = Batch::begin(prepared, &self.known, now, &self.entropy).map_err(fault)?;
        let applied: Result<Vec<Done>, Fault> = jobs.iter().map(|job| apply(job, &mut batch)).collect();
        let committed = match applied {
            Ok(done) => batch.commit().map(|committed| (committed, done)).map_err(|error| self.commit_failed(error)),
            Err(fault) => Err(fault),
        };
        let (mut committed, done) = committed.inspect_err(|_| self.failed(prepared))?;
        self.metrics.committed(jobs.len(), self.clock.instant() - began);
        committed.apply_to(&mut self.known);
        self.hints.heard(&committed.heard);
        self.hints.committed(std::mem::take(&mut committed.owed));
        self.checkpoints.committed(prepared, 8 * jobs.len() as u64);
        Ok(done)
    }

    /// Nothing is remembered of what may have been the reason.
    fn failed(&mut self, prepared: &Prepared<'_>) {
        self.metrics.failed();
        self.known.rows.clear();
        if !prepared.is_autocommit()
            && let Err(error) = prepared.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }

    /// After an fsync that failed nobody knows what is durable: the server has to stop and recover from the log.
    fn commit_failed(&self, error: rusqlite::Error) -> Fault {
        let fsync_failed = error
            .sqlite_error()
            .is_some_and(|error| [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC].contains(&error.extended_code));
        let fault = fault(error);
        if fsync_failed {
            self.broken.send_replace(Some(fault.clone()));
        }
        fault
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
fn apply(job: &Job, batch: &mut Batch<'_, '_>) -> Result<Done, Fault> {
    catch_unwind(AssertUnwindSafe(|| match job {
        Job::Commit { command, .. } => command.apply(batch).map(Done::Applied),
        Job::Settle { settled, .. } => {
            settled.iter().try_for_each(|settled| outbox::settle(batch, settled)).map(|()| Done::Nothing)
        }
        Job::EraseAuditCopies { now, .. } => batch
            .prepared()
            .execute("DELETE FROM audit_copy WHERE erase_ms <= ?1", params![now.0])
            .map(|erased| Done::Erased(erased as u64))
            .map_err(fault),
        Job::PruneEvents { before, after, .. } => outbox::prune(batch, *before, *after).map(Done::Pruned),
        Job::Close { .. } | Job::Backup { .. } => unreachable!("it is taken out of its batch"),
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
            Self::Settle { answer, .. } | Self::Backup { answer, .. } | Self::Close { answer } => {
                drop(answer.send(Err(fault)));
            }
        }
    }
}
