//! The measured phase: callers that ask for one message after the other, and the wait for what is still owed.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::task::JoinSet;

use crate::{
    account::Account,
    callback::Samples,
    caller::{Asking, Caller, Failure, Rest, SESSION_REQUESTS_PER_S, Session},
    clock,
    effort::{Effort, Used},
    flags::{By, Pace},
    progress::Progress,
    schedule::Schedule,
    setup::Setup,
    table::{Table, Tally},
};

/// If neither an answer nor a callback came for this long, none is waited for any longer.
const QUIET_MAX: Duration = Duration::from_secs(10);

/// How often it is looked whether all is done. What is measured does not depend on it.
const POLL: Duration = Duration::from_millis(20);

/// How the messages of a table are asked for.
#[derive(Clone, Copy)]
pub(crate) struct How<'a> {
    pub(crate) asking: Asking,
    pub(crate) by: By,
    pub(crate) connections: u32,
    pub(crate) pace: &'a Pace,
    pub(crate) seed: u64,
}

/// Whether the app backend is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Callbacks {
    Owed,
    None,
}

/// What came of the phase.
pub(crate) struct Measured {
    pub(crate) tally: Tally,
    pub(crate) samples: Samples,
    pub(crate) used: Used,
}

/// Asks for every message of the table, and waits for the callbacks.
pub(crate) async fn run(
    setup: &mut Setup,
    table: &Arc<Table>,
    how: How<'_>,
    callbacks: Callbacks,
) -> anyhow::Result<Measured> {
    setup.inbox.expect(Arc::clone(table));
    let before = Effort::look(setup).await?;
    ask_all(setup, table, how).await?;
    if callbacks == Callbacks::Owed {
        wait_for_callbacks(table).await;
    }
    setup.server.still_runs()?;
    let used = Effort::look(setup).await?.since(&before);
    if let Some(failure) = table.first_failure() {
        eprintln!("load: the first request that failed: {failure}");
    }
    Ok(Measured { tally: table.tally(), samples: setup.inbox.samples(), used })
}

/// Returns when all are answered or the server has fallen silent.
pub(crate) async fn ask_all(setup: &Setup, table: &Arc<Table>, how: How<'_>) -> anyhow::Result<()> {
    ask(setup, table, 0..table.messages().len(), how).await
}

/// The same with some of the messages. Sessions ask for all of them.
pub(crate) async fn ask(setup: &Setup, table: &Arc<Table>, messages: Range<usize>, how: How<'_>) -> anyhow::Result<()> {
    let total = messages.len();
    let callers = callers(setup, messages.start, how).await?;
    let shown = Arc::clone(table);
    let what = match how.asking {
        Asking::Recall => "recalling",
        Asking::Send => "sending",
    };
    let before = table.answered();
    let _progress = Progress::show(what, total as u32, move || (shown.answered() - before) as u32);
    let schedule = Schedule::begin(how.pace, total, how.seed);
    let work = Arc::new(Work { table: Arc::clone(table), messages, schedule });
    let mut workers: JoinSet<()> =
        callers.into_iter().map(|(caller, turns)| Arc::clone(&work).run(caller, turns)).collect();
    quiet_or(
        || table.happened(),
        || {
            while workers.try_join_next().is_some() {}
            workers.is_empty()
        },
    )
    .await;
    Ok(())
}

/// Returns when no acknowledged request lacks its callback, or nothing comes any more.
pub(crate) async fn wait_for_callbacks(table: &Table) {
    quiet_or(|| table.happened(), || table.is_complete()).await;
}

/// Returns when it is done, or nothing has happened for a while. What has happened grows.
pub(crate) async fn quiet_or(happened: impl Fn() -> usize, mut done: impl FnMut() -> bool) {
    let mut seen = happened();
    let mut since = clock::now();
    while !done() {
        tokio::time::sleep(POLL).await;
        let now = happened();
        if now != seen {
            (seen, since) = (now, clock::now());
        } else if clock::now() - since > QUIET_MAX {
            return;
        }
    }
}

/// Each with the messages that it asks for.
async fn callers(setup: &Setup, first: usize, how: How<'_>) -> anyhow::Result<Vec<(Caller, Turns)>> {
    let mut callers = Vec::new();
    let next = Arc::new(AtomicUsize::new(first));
    for number in 0..how.connections {
        callers.push(match how.by {
            By::Rest => {
                let rest = Rest::open(setup.server.address(), &setup.client, how.asking).await?;
                (Caller::Rest(rest), Turns::Next(Arc::clone(&next)))
            }
            By::Sessions => {
                let session = Session::open(setup, Account(number)).await.context("a session")?;
                let turns = Turns::Every { next: number as usize, step: how.connections as usize };
                (Caller::Session(session), turns)
            }
        });
    }
    Ok(callers)
}

/// Sessions that are asked more than they may would be refused.
pub(crate) fn check_rate(by: By, connections: u32, pace: &Pace) -> anyhow::Result<()> {
    let most = connections * SESSION_REQUESTS_PER_S;
    ensure!(
        by == By::Rest || pace.rate.is_none_or(|rate| rate <= most),
        "{connections} sessions may ask {most} times a second, for each may ask {SESSION_REQUESTS_PER_S} times: \
         take more --connections"
    );
    Ok(())
}

/// Which message a caller asks for next.
enum Turns {
    /// Whichever nobody has asked for yet.
    Next(Arc<AtomicUsize>),
    /// Those of its own account: every so many.
    Every { next: usize, step: usize },
}

impl Turns {
    fn take(&mut self) -> usize {
        match self {
            Self::Next(next) => next.fetch_add(1, Ordering::Relaxed),
            Self::Every { next, step } => {
                let number = *next;
                *next += *step;
                number
            }
        }
    }
}

/// What all callers share.
struct Work {
    table: Arc<Table>,
    messages: Range<usize>,
    schedule: Schedule,
}

impl Work {
    async fn run(self: Arc<Self>, mut caller: Caller, mut turns: Turns) {
        loop {
            let number = turns.take();
            if !self.messages.contains(&number) {
                return;
            }
            let message = &self.table.messages()[number];
            caller.ready().await;
            let due = self.schedule.due(number - self.messages.start).await;
            self.table.asked(number, due, clock::now());
            match caller.ask(message).await {
                Ok(()) => self.table.acknowledged(number, clock::now()),
                Err(Failure::Once(why)) => self.table.failed(|| why),
                Err(Failure::ForGood(why)) => {
                    self.table.failed(|| why);
                    // What is left is for the other callers, or fails.
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Arrivals;

    #[test]
    fn messages_are_divided_among_callers() {
        let next = Arc::<AtomicUsize>::default();
        let (mut one, mut other) = (Turns::Next(Arc::clone(&next)), Turns::Next(next));
        assert_eq!([one.take(), other.take(), one.take()], [0, 1, 2]);
        let mut own = Turns::Every { next: 2, step: 64 };
        assert_eq!([own.take(), own.take()], [2, 66]);
    }

    #[test]
    fn sessions_are_not_asked_for_more_than_they_may() {
        let pace = |rate| Pace { rate, arrivals: Arrivals::Random };
        assert!(check_rate(By::Sessions, 64, &pace(Some(3200))).is_ok());
        assert!(check_rate(By::Sessions, 64, &pace(Some(3201))).is_err());
        assert!(check_rate(By::Sessions, 64, &pace(None)).is_ok());
        assert!(check_rate(By::Rest, 1, &pace(Some(10_000))).is_ok());
    }
}
