//! How a server dies, round after round.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rand::{RngExt, rngs::StdRng};
use serde::Serialize;
use unsaid_testkit::postgres::Shutdown;

use crate::{flags::Failpoints, single::Single};

/// For how long a server lives at most that is killed.
const LIFE_MS_MAX: u64 = 1500;

/// How long its start may last before it is killed in it.
const BIRTH_MS_MAX: u64 = 100;

/// How many commits it may come to, as a power of two: so that the first ones are hit as often as later ones.
const COMMITS_EXPONENT_MAX: u32 = 10;

/// A commit that does not come is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(4);

enum Death {
    AtRandom(Duration),
    WhileStarting(Duration),
    AtCommit(Failpoints),
    WithPostgres(Duration),
}

/// How often a server has died how, and how long each took until it answered again.
#[derive(Default)]
pub(crate) struct Deaths {
    pub(crate) counts: Counts,
    pub(crate) starts: Vec<Duration>,
    rounds: Arc<AtomicU32>,
}

#[derive(Clone, Copy, Default, Debug, Serialize)]
pub(crate) struct Counts {
    pub(crate) at_random: u32,
    pub(crate) while_starting: u32,
    pub(crate) before_commit: u32,
    pub(crate) after_commit: u32,
    pub(crate) with_postgres: u32,
    /// Killed, for the commit at which it was to die did not come.
    pub(crate) too_few_commits: u32,
}

impl Death {
    fn drawn(random: &mut StdRng, has_postgres: bool) -> Self {
        let life = Duration::from_millis(random.random_range(0..LIFE_MS_MAX));
        let exponent = random.random_range(0..=COMMITS_EXPONENT_MAX);
        let commit = random.random_range(1..=1 << exponent);
        match random.random_range(0..10) {
            0 => Self::WhileStarting(Duration::from_millis(random.random_range(0..BIRTH_MS_MAX))),
            1..=3 => Self::AtCommit(Failpoints { die_before_commit: Some(commit), ..Failpoints::default() }),
            4..=6 => Self::AtCommit(Failpoints { die_after_commit: Some(commit), ..Failpoints::default() }),
            7 if has_postgres => Self::WithPostgres(life),
            _ => Self::AtRandom(life),
        }
    }
}

impl Deaths {
    /// How many rounds are over.
    pub(crate) fn counter(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.rounds)
    }

    /// A server is started, and dies.
    pub(crate) async fn next(&mut self, single: &mut Single, random: &mut StdRng) -> anyhow::Result<()> {
        match Death::drawn(random, single.has_postgres()) {
            Death::AtRandom(life) => {
                self.starts.push(single.start_again().await?);
                tokio::time::sleep(life).await;
                self.counts.at_random += 1;
            }
            Death::WhileStarting(birth) => {
                single.begin(Failpoints::default())?;
                tokio::time::sleep(birth).await;
                self.counts.while_starting += 1;
            }
            Death::AtCommit(failpoints) => {
                single.begin(failpoints)?;
                if !single.has_died_within(PATIENCE).await? {
                    self.counts.too_few_commits += 1;
                } else if failpoints.die_before_commit.is_some() {
                    self.counts.before_commit += 1;
                } else {
                    self.counts.after_commit += 1;
                }
            }
            Death::WithPostgres(life) => {
                self.starts.push(single.start_again().await?);
                tokio::time::sleep(life).await;
                // As when the power fails: both at once.
                single.kill();
                single.restart_postgres(Shutdown::Immediate).await?;
                self.counts.with_postgres += 1;
            }
        }
        single.kill();
        self.rounds.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
