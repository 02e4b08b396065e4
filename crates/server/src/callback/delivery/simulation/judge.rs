//! What must not happen in a simulation, whatever does.

use std::collections::BTreeSet;

use super::{
    super::{breaker, *},
    world::World,
};
use crate::chat::EventId;

/// What was seen of an app's endpoint, from which it follows whether its breaker has to be open.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) unavailable_in_row: u32,
    pub(super) in_flight: usize,
    /// Different events refused since the last delivery.
    pub(super) refused: BTreeSet<EventId>,
    pub(super) last_start: Option<Duration>,
    /// When someone said that it is back, or it took something after it had refused everything, or the server started.
    pub(super) back_at: Option<Duration>,
}

impl Seen {
    pub(super) fn is_open(&self) -> bool {
        self.unavailable_in_row >= breaker::UNAVAILABLE_MAX || self.refused.len() >= breaker::REFUSED_MAX
    }
}

impl World {
    /// Rule C5, judged by first arrivals.
    pub(super) fn arrives(&mut self, event: &OwedEvent, accepted: bool) {
        let owed = self.owed.get_mut(&event.id).expect("it was looked up before");
        let lane = (event.app, event.lane.clone());
        if !std::mem::replace(&mut owed.arrived, true) {
            let earlier = self.accepted.iter().map(|id| &self.owed[id]);
            let mut earlier = earlier.filter(|other| (other.app, &other.lane) == (event.app, &event.lane));
            assert!(earlier.all(|other| other.number < event.number), "C5: {event:?} was overtaken");
            let last = self.last.get(&lane).copied().unwrap_or(0);
            // A receiver may have taken what a killed server did not hear of, and refused it when it came again.
            let follows = if self.restarts == 0 && self.mix.servers == 1 {
                event.previous == last
            } else {
                event.previous <= last
            };
            assert!(follows, "C3: the receiver has seen {last} last in the lane: {event:?}");
        }
        if accepted && self.accepted.insert(event.id.clone()) {
            self.last.insert(lane, event.number);
        }
    }

    /// A refused event comes again after 1 s and after 4 s more, not before; unless it was the endpoint that refused
    /// everything, or it is the probe, or someone said that the endpoint is back.
    pub(super) fn c6_pauses(&mut self, server: usize, event: &OwedEvent) {
        // Another server knows of a pause only once the outbox does.
        if self.mix.servers > 1 {
            return;
        }
        let seen = self.endpoints.entry((server, event.app)).or_default();
        let refusals = &self.owed[&event.id].refusals;
        let Some(last) = refusals.last() else {
            return;
        };
        if seen.is_open() || seen.back_at.is_some_and(|back_at| back_at >= *last) || event.tries.refusals == 0 {
            return;
        }
        let pause = Duration::from_secs(if event.tries.refusals == 1 { 1 } else { 4 });
        // The outbox keeps whole milliseconds.
        assert!(self.at - *last + Duration::from_millis(1) >= pause, "C6: after {:?}: {event:?}", self.at - *last);
    }

    /// Twenty unavailable outcomes in a row: from then on one at a time, and a second apart.
    pub(super) fn breaker_allows(&mut self, server: usize, event: &OwedEvent) {
        let at = self.at;
        let seen = self.endpoints.entry((server, event.app)).or_default();
        if seen.is_open() {
            assert_eq!(seen.in_flight, 0, "C6: one probe at a time");
            let last = seen.last_start.expect("it was opened by attempts");
            let back = seen.back_at.is_some_and(|back_at| back_at >= last);
            assert!(
                back || at - last >= Duration::from_millis(800),
                "C6: probes are a second apart, not {:?}",
                at - last
            );
        }
        seen.in_flight += 1;
        seen.last_start = Some(at);
        assert!(seen.in_flight <= limits::APP_ATTEMPTS_MAX);
    }
}
