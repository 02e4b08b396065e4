//! What the stories keep of a call that is over.

use std::time::Duration;

use bytes::Bytes;

use super::{
    Outcome,
    attempt::{Call, Report},
    phases::PhaseTimes,
};
use crate::{
    chat::{EventId, Lane},
    clock::Timestamp,
    story::{ANSWER_BYTES_MAX, AttemptRecord, Phases},
};

/// The record of a call that is over now. It is found by `lane`; `attempt` is 1 for the first.
pub(super) fn record(call: &Call, lane: Lane, attempt: u32, report: Report, now: Timestamp) -> AttemptRecord {
    let Report { outcome, phases, address, total, answer, .. } = report;
    let kept = phases.connect.is_none() && phases.answer.is_some();
    AttemptRecord {
        at: now,
        event: EventId(call.id.clone()),
        app: call.app,
        lane,
        command: call.command,
        attempt,
        replay: call.lane.as_ref().is_some_and(|at| at.replay.is_some()),
        origin: call.origin,
        class: outcome.class(),
        outcome: outcome.name(),
        message: (outcome != Outcome::Delivered).then(|| outcome.to_string()),
        phases: in_micros(&phases, total),
        kept,
        address: address.map(|address| address.to_string()),
        status: answer.as_ref().map(|answer| answer.status),
        // A copy of its beginning, so that the rest of a long one need not be kept.
        answer: answer.map(|answer| beginning(&answer.body)).unwrap_or_default(),
        body: call.body.clone(),
    }
}

fn in_micros(phases: &PhaseTimes, total: Duration) -> Phases {
    let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    Phases {
        resolve_us: phases.resolve.map(micros),
        connect_us: phases.connect.map(micros),
        tls_us: phases.tls.map(micros),
        answer_us: phases.answer.map(micros),
        total_us: micros(total),
    }
}

fn beginning(answer: &Bytes) -> Bytes {
    if answer.len() <= ANSWER_BYTES_MAX { answer.clone() } else { Bytes::copy_from_slice(&answer[..ANSWER_BYTES_MAX]) }
}
