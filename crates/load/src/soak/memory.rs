//! What the server's process holds, looked at again and again.

use std::{
    fs, io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use tokio::task::JoinHandle;
use unsaid_testkit::process::{rss_kb, rss_peak_kb};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// A run is told in so many parts.
const PARTS: usize = 12;

/// From the middle of a run to its end, memory may grow by so much, in percent, and still be called flat.
const GROWTH_MAX_PERCENT: f64 = 5.0;

/// Looks at a process.
pub(crate) struct Memory {
    server: u32,
    looking: JoinHandle<()>,
    seen: Arc<Mutex<Vec<Look>>>,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    rss_kb: u64,
    descriptors: u64,
}

/// What was seen.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Seen {
    /// The mean of each part of the run, in MB.
    pub(crate) parts_mb: Vec<f64>,
    pub(crate) peak_mb: f64,
    /// Descriptors that were open: the most in the first half of the run, and in the second.
    pub(crate) descriptors: (u64, u64),
}

impl Memory {
    pub(crate) fn watch(server: u32) -> Self {
        let seen = Arc::<Mutex<Vec<Look>>>::default();
        let sees = Arc::clone(&seen);
        let looking = tokio::spawn(async move {
            while let Ok(look) = Look::at(server) {
                sees.lock().unwrap_or_else(PoisonError::into_inner).push(look);
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { server, looking, seen }
    }

    pub(crate) fn end(self) -> anyhow::Result<Seen> {
        self.looking.abort();
        let peak_mb = megabytes(rss_peak_kb(self.server).context("the server's memory")? as f64);
        let looks = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Seen { peak_mb, ..Seen::of(&looks) })
    }
}

impl Look {
    fn at(server: u32) -> io::Result<Self> {
        let descriptors = fs::read_dir(format!("/proc/{server}/fd"))?.count() as u64;
        Ok(Self { rss_kb: rss_kb(server)?, descriptors })
    }
}

impl Seen {
    fn of(looks: &[Look]) -> Self {
        let mean =
            |part: &[Look]| megabytes(part.iter().map(|look| look.rss_kb as f64).sum::<f64>() / part.len() as f64);
        let parts_mb = looks.chunks(looks.len().div_ceil(PARTS).max(1)).map(mean).collect();
        let most = |half: &[Look]| half.iter().map(|look| look.descriptors).max().unwrap_or(0);
        let (first, second) = looks.split_at(looks.len() / 2);
        Self { parts_mb, peak_mb: 0.0, descriptors: (most(first), most(second)) }
    }

    /// How much more the last part has than the one in the middle, in percent.
    pub(crate) fn growth_percent(&self) -> f64 {
        let middle = self.parts_mb.get(self.parts_mb.len() / 2).copied().unwrap_or(0.0);
        let last = self.parts_mb.last().copied().unwrap_or(0.0);
        if middle > 0.0 { 100.0 * (last / middle - 1.0) } else { 0.0 }
    }

    pub(crate) fn is_flat(&self) -> bool {
        self.growth_percent() <= GROWTH_MAX_PERCENT
    }
}

fn megabytes(kb: f64) -> f64 {
    (kb / 102.4).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(rss_mb: impl Fn(u64) -> u64) -> Seen {
        let look = |second| Look { rss_kb: 1024 * rss_mb(second), descriptors: second };
        Seen::of(&(0..120).map(look).collect::<Vec<_>>())
    }

    #[test]
    fn what_grows_at_first_is_flat_and_what_goes_on_growing_is_not() {
        let warm = seen(|second| if second < 50 { 50 + second } else { 100 });
        assert_eq!((warm.parts_mb.len(), warm.parts_mb[0], warm.parts_mb[11]), (12, 54.5, 100.0));
        assert!(warm.is_flat(), "{warm:?}");
        assert_eq!(warm.descriptors, (59, 119));
        assert!(!seen(|second| 100 + second).is_flat());
    }
}
