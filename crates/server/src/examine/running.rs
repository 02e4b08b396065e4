//! The server that runs: whether it answers and is ready, how its clock stands, and how many files it may open.

use std::time::UNIX_EPOCH;

use http::StatusCode;
use unsaid_client::Seen;

use super::Findings;
use crate::{
    clock::{Clock, Timestamp},
    config::Config,
    descriptors,
    operate::Server,
};

/// A clock that is off by more is named. The date of an answer is known to the second.
const AHEAD_MAX_S: i64 = 5;

/// Whether a server answers there. Where none has to, its absence is no problem.
pub(super) async fn answers(server: &Server, is_owed: bool, clock: &Clock, findings: &mut Findings) -> bool {
    let before = clock.now();
    let seen = match server.look("/readyz").await {
        Ok(seen) => seen,
        Err(failure) if is_owed => {
            let next = "say with --api where its operator API is, or start it";
            findings.problem("server", failure.to_string(), next);
            return false;
        }
        Err(failure) => {
            let next = "if one should run, start it, or say with --api where its operator API is";
            findings.warning("server", failure.to_string(), next);
            return false;
        }
    };
    let says = String::from_utf8_lossy(&seen.body).trim().to_owned();
    match seen.status {
        StatusCode::OK => findings.ok("server", format!("{} answers, and is ready", server.api)),
        StatusCode::SERVICE_UNAVAILABLE => {
            findings.problem("server", format!("{} is not ready: {says}", server.api), "see its log");
        }
        status => {
            let says = format!("{} answers /readyz with HTTP {status}", server.api);
            findings.problem("server", says, "check --api: it has to be the address of an Unsaid server");
            return false;
        }
    }
    clocks(&seen, before, clock.now(), findings);
    true
}

/// The server's clock against this machine's, which are mostly the same.
fn clocks(seen: &Seen, before: Timestamp, after: Timestamp, findings: &mut Findings) {
    let date = seen.date.as_deref().and_then(|date| httpdate::parse_http_date(date).ok());
    let Some(theirs) = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok()) else {
        return findings.warning("clock", "the server's answer has no date", "does a proxy take it out?");
    };
    let theirs_s = i64::try_from(theirs.as_secs()).unwrap_or(i64::MAX);
    let (least, most) = (theirs_s - after.0.div_euclid(1000), theirs_s - before.0.div_euclid(1000));
    if least > AHEAD_MAX_S || most < -AHEAD_MAX_S {
        let (off, way) = if least > 0 { (least, "ahead of") } else { (-most, "behind") };
        findings.problem(
            "clock",
            format!("the server's clock is {off} s {way} this machine's"),
            "set both by NTP: UserSigs expire by the server's clock, and receivers refuse a Sign that is off by 60 s",
        );
    } else {
        findings.ok("clock", "the server's clock and this machine's agree");
    }
}

/// Connections that the system allows, against the setting: of the server that runs, if it says so, else of this shell.
pub(super) async fn descriptors(server: Option<&Server>, config: &Config, findings: &mut Findings) {
    let asked = config.listener.connections_max;
    let of_server = match server {
        Some(server) => server.look("/metrics").await.ok().and_then(|seen| open_files_max(&seen)),
        None => None,
    };
    let (allowed, whose) = match of_server {
        Some(limit) => (descriptors::connections(limit), "the server"),
        None => (descriptors::raise(), "a process of this shell"),
    };
    let says = format!("{whose} may have {allowed} connections; limits.connections_max is {asked}");
    if allowed < asked {
        findings.warning("open files", says, "raise LimitNOFILE of the systemd unit, or ulimit -n; else it is lowered");
    } else {
        findings.ok("open files", says);
    }
}

fn open_files_max(metrics: &Seen) -> Option<u64> {
    let text = String::from_utf8_lossy(&metrics.body);
    let line = text.lines().find_map(|line| line.strip_prefix("process_max_fds "))?;
    line.trim().parse().ok()
}
