//! What this machine can do at most, measured in the same run: POSTs to the receiver that nothing stands behind, and durable
//! commits of nothing but a row. The server does both for each recall, so neither rate can be passed without sharing.

mod commits;
pub(crate) mod posts;

use std::fmt;

use anyhow::Context;
use serde::Serialize;

use crate::{
    figures::{grouped, rounded},
    setup::Setup,
};

/// A second.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Bare {
    /// HTTPS POSTs of the size of a callback, by a process of its own, over as many connections as there are callers.
    pub(crate) bare_posts_per_second: f64,
    /// Durable transactions of one row each, one after the other.
    pub(crate) bare_commits_per_second: f64,
    /// Rows in durable transactions of 512, which is how many commands share one at most.
    pub(crate) bare_grouped_rows_per_second: f64,
}

impl Bare {
    /// Nothing else should be under way.
    pub(crate) async fn measure(setup: &Setup, connections: u32) -> anyhow::Result<Self> {
        let posts = posts::measure(setup, connections).await.context("the bare POSTs")?;
        let rates = commits::measure(setup.store()).await.context("the bare commits")?;
        Ok(Self {
            bare_posts_per_second: rounded::<1>(posts),
            bare_commits_per_second: rounded::<1>(rates.alone),
            bare_grouped_rows_per_second: rounded::<1>(rates.grouped),
        })
    }

    /// Which part of the bare POSTs that many a second are.
    pub(crate) fn posts_ratio(&self, per_second: f64) -> f64 {
        rounded::<3>(if self.bare_posts_per_second > 0.0 { per_second / self.bare_posts_per_second } else { 0.0 })
    }
}

impl fmt::Display for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |rate: f64| grouped(rate.round() as u64);
        writeln!(
            f,
            "bare           {} POSTs a second; {} commits of one row, {} rows in commits of {}",
            count(self.bare_posts_per_second),
            count(self.bare_commits_per_second),
            count(self.bare_grouped_rows_per_second),
            commits::GROUP_ROWS
        )
    }
}
