//! What the server has used and done, as the kernel and its own metrics tell it.

use std::{fs, io};

use anyhow::{Context, ensure};
use http::Request;
use http_body_util::Full;
use serde::Serialize;
use unsaid_client::RestClient;
use unsaid_testkit::process::rss_peak_kb;

use crate::{cpu::cpu_s, figures::rounded, setup::Setup};

/// So far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    server_cpu_s: f64,
    load_cpu_s: f64,
    server_rss_kb: u64,
    written_bytes: u64,
    commits: u64,
    attempts: u64,
}

/// In the measured phase; the memory is the most that the server's process has held since it was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) server_rss_mb: f64,
    pub(crate) server_cpu_s: f64,
    /// The receiver is in the tool's process.
    pub(crate) load_cpu_s: f64,
    /// Bytes that the server has handed to the disk.
    pub(crate) written_bytes: u64,
    /// Transactions that were committed: one fsync of the store's log each. Those that a checkpoint does, and those of the stories,
    /// which are kept apart, come on top.
    pub(crate) commits: u64,
    /// POSTs to the receiver, whatever came of them.
    pub(crate) attempts: u64,
}

/// The same for each request.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct UsedForEach {
    pub(crate) server_rss_mb: f64,
    pub(crate) server_cpu_s: f64,
    pub(crate) load_cpu_s: f64,
    pub(crate) server_cpu_us_for_each: f64,
    pub(crate) log_fsyncs_for_each: f64,
    pub(crate) callback_attempts_for_each: f64,
    pub(crate) written_bytes_for_each: f64,
}

impl Effort {
    pub(crate) async fn look(setup: &Setup) -> anyhow::Result<Self> {
        let server = setup.server.id();
        let metrics = metrics(&setup.client).await?;
        Ok(Self {
            server_cpu_s: cpu_s(server).context("the server's processor time")?,
            load_cpu_s: cpu_s(std::process::id()).context("the tool's processor time")?,
            server_rss_kb: rss_peak_kb(server).context("the server's memory")?,
            written_bytes: written_bytes(server).context("what the server has written")?,
            commits: sum(&metrics, "unsaid_store_commit_seconds_count"),
            attempts: sum(&metrics, "unsaid_callback_attempts_total"),
        })
    }

    pub(crate) fn since(&self, before: &Self) -> Used {
        Used {
            server_rss_mb: self.server_rss_kb as f64 / 1024.0,
            server_cpu_s: self.server_cpu_s - before.server_cpu_s,
            load_cpu_s: self.load_cpu_s - before.load_cpu_s,
            written_bytes: self.written_bytes - before.written_bytes,
            commits: self.commits - before.commits,
            attempts: self.attempts - before.attempts,
        }
    }
}

impl Used {
    /// Of both phases together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            server_rss_mb: self.server_rss_mb.max(other.server_rss_mb),
            server_cpu_s: self.server_cpu_s + other.server_cpu_s,
            load_cpu_s: self.load_cpu_s + other.load_cpu_s,
            written_bytes: self.written_bytes + other.written_bytes,
            commits: self.commits + other.commits,
            attempts: self.attempts + other.attempts,
        }
    }

    pub(crate) fn for_each(&self, requests: u64) -> UsedForEach {
        let each = |sum: f64| sum / requests.max(1) as f64;
        UsedForEach {
            server_rss_mb: rounded::<1>(self.server_rss_mb),
            server_cpu_s: rounded::<2>(self.server_cpu_s),
            load_cpu_s: rounded::<2>(self.load_cpu_s),
            server_cpu_us_for_each: rounded::<1>(each(self.server_cpu_s * 1e6)),
            log_fsyncs_for_each: rounded::<4>(each(self.commits as f64)),
            callback_attempts_for_each: rounded::<3>(each(self.attempts as f64)),
            written_bytes_for_each: rounded::<0>(each(self.written_bytes as f64)),
        }
    }
}

impl std::fmt::Display for UsedForEach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { server_rss_mb, server_cpu_s, load_cpu_s, server_cpu_us_for_each: us, .. } = self;
        let Self { log_fsyncs_for_each, callback_attempts_for_each: attempts, written_bytes_for_each, .. } = self;
        writeln!(f, "server         {server_cpu_s:.2} s of processor, at most {server_rss_mb:.0} MB")?;
        writeln!(
            f,
            "for each       {us:.0} us of processor, {log_fsyncs_for_each:.3} fsyncs of the log, {attempts:.2} attempts, {:.1} KB written",
            written_bytes_for_each / 1000.0
        )?;
        writeln!(f, "this tool      {load_cpu_s:.2} s of processor, the receiver included")
    }
}

/// What the server counts.
pub(crate) async fn metrics(client: &RestClient) -> anyhow::Result<String> {
    let request = Request::get("/metrics").body(Full::default()).context("the question for its metrics")?;
    let (status, _, body) = client.raw(request).await?;
    ensure!(status.is_success(), "the server answered {status} when it was asked for its metrics");
    String::from_utf8(body.to_vec()).context("the server's metrics are no text")
}

/// Of a metric, over all its labels.
pub(crate) fn sum(metrics: &str, name: &str) -> u64 {
    let of_metric = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let labels_or_value = rest.starts_with('{') || rest.starts_with(' ');
        let value = rest.rsplit(' ').next().filter(|_| labels_or_value)?;
        value.parse::<u64>().ok()
    };
    metrics.lines().filter_map(of_metric).sum()
}

fn written_bytes(process: u32) -> io::Result<u64> {
    let path = format!("/proc/{process}/io");
    let io = fs::read_to_string(&path)?;
    io.lines()
        .find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok())
        .ok_or_else(|| io::Error::other(format!("{path} does not say what was written")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "\
# HELP unsaid_callback_attempts Attempts.
# TYPE unsaid_callback_attempts counter
unsaid_callback_attempts_total{app=\"1\",command=\"C2C.CallbackAfterMsgWithDraw\",outcome=\"delivered\"} 40
unsaid_callback_attempts_total{app=\"1\",command=\"C2C.CallbackAfterMsgWithDraw\",outcome=\"timed_out\"} 2
unsaid_store_commit_seconds_sum 1.5
unsaid_store_commit_seconds_count 7
unsaid_sessions 3
# EOF
";

    #[test]
    fn a_metric_is_summed_over_its_labels() {
        for (name, expect) in [
            ("unsaid_callback_attempts_total", 42),
            ("unsaid_store_commit_seconds_count", 7),
            ("unsaid_sessions", 3),
            ("unsaid_session", 0),
            ("unsaid_parked_events", 0),
        ] {
            assert_eq!(sum(METRICS, name), expect, "{name}");
        }
    }

    #[test]
    fn what_was_used_is_told_for_each() {
        let before = Effort {
            server_cpu_s: 1.0,
            load_cpu_s: 1.0,
            server_rss_kb: 10_240,
            written_bytes: 1000,
            commits: 10,
            attempts: 5,
        };
        let after = Effort {
            server_cpu_s: 1.5,
            load_cpu_s: 3.0,
            server_rss_kb: 51_200,
            written_bytes: 201_000,
            commits: 20,
            attempts: 105,
        };
        let expected = "\
server         0.50 s of processor, at most 50 MB
for each       5000 us of processor, 0.100 fsyncs of the log, 1.00 attempts, 2.0 KB written
this tool      2.00 s of processor, the receiver included
";
        assert_eq!(after.since(&before).for_each(100).to_string(), expected);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_written_something_or_nothing() {
        assert!(written_bytes(std::process::id()).is_ok());
        assert!(written_bytes(u32::MAX).is_err());
    }
}
