//! What must not happen to events, whatever does: judged by what the receivers see, and by what the server tries when.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use unsaid_protocol::SdkAppId;

use crate::{
    callback::{Outcome, REFUSED_MAX, UNAVAILABLE_MAX},
    chat::{EventId, Lane, OwedEvent},
    limits,
};

/// An event that was owed.
#[derive(Debug)]
pub(crate) struct Owed {
    pub(crate) app: SdkAppId,
    pub(crate) lane: Lane,
    pub(crate) number: i64,
    body: bytes::Bytes,
    arrived: bool,
    /// When it was refused.
    pub(crate) refusals: Vec<Duration>,
}

/// What was seen of an app's endpoint by one server, from which it follows whether its breaker has to be open.
#[derive(Debug, Default)]
struct Seen {
    unavailable_in_row: u32,
    in_flight: usize,
    /// Different events refused since the last delivery.
    refused: BTreeSet<EventId>,
    last_start: Option<Duration>,
    /// When someone said that it is back, or it took something after it had refused everything, or the server started.
    back_at: Option<Duration>,
}

/// Whether a receiver may get what it has taken before, or have taken what the server does not know of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Repeats {
    Never,
    Possible,
}

/// Whether another server may know of a pause before this one does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Servers {
    One,
    Several,
}

#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) repeats: Repeats,
    servers: Servers,
    pub(crate) owed: BTreeMap<EventId, Owed>,
    /// What the receivers accepted.
    pub(crate) accepted: BTreeSet<EventId>,
    /// The highest number that was accepted in each lane, but for replays.
    last: BTreeMap<(SdkAppId, Lane), i64>,
    in_flight: BTreeMap<(usize, SdkAppId, Lane), EventId>,
    endpoints: BTreeMap<(usize, SdkAppId), Seen>,
}

impl Judge {
    pub(crate) fn new(servers: Servers, repeats: Repeats) -> Self {
        Self {
            repeats,
            servers,
            owed: BTreeMap::new(),
            accepted: BTreeSet::new(),
            last: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            endpoints: BTreeMap::new(),
        }
    }

    /// An event was committed.
    pub(crate) fn owes(&mut self, event: &OwedEvent) {
        let OwedEvent { app, lane, number, body, .. } = event;
        let owed = Owed {
            app: *app,
            lane: lane.clone(),
            number: *number,
            body: body.clone(),
            arrived: false,
            refusals: Vec::new(),
        };
        assert!(self.owed.insert(event.id.clone(), owed).is_none(), "R4: an id names one event: {event:?}");
    }

    /// A server begins an attempt.
    pub(crate) fn starts(&mut self, server: usize, event: &OwedEvent, at: Duration) {
        self.breaker_allows(server, event, at);
        let lane = (server, event.app, event.lane.clone());
        let other = self.in_flight.insert(lane, event.id.clone());
        assert_eq!(other, None, "C5: one after the other in a lane");
        let owed = self.owed.get(&event.id).expect("R4, invariant 1: an event that nothing has caused");
        let (same, tried) = ((&owed.lane, owed.number, &owed.body), (&event.lane, event.number, &event.body));
        assert_eq!(same, tried, "C3: the same bytes");
        self.pauses(server, event, at);
    }

    /// A refused event comes again after 1 s and after 4 s more, not before; unless it was the endpoint that refused
    /// everything, or it is the probe, or someone said that the endpoint is back.
    fn pauses(&mut self, server: usize, event: &OwedEvent, at: Duration) {
        // Another server knows of a pause only once the outbox does.
        if self.servers == Servers::Several {
            return;
        }
        let seen = self.endpoints.entry((server, event.app)).or_default();
        let Some(last) = self.owed[&event.id].refusals.last() else {
            return;
        };
        if seen.is_open() || seen.back_at.is_some_and(|back_at| back_at >= *last) || event.tries.refusals == 0 {
            return;
        }
        let pause = Duration::from_secs(if event.tries.refusals == 1 { 1 } else { 4 });
        // The outbox keeps whole milliseconds.
        assert!(at - *last + Duration::from_millis(1) >= pause, "C6: after {:?}: {event:?}", at - *last);
    }

    /// Twenty unavailable outcomes in a row: from then on one at a time, and a second apart.
    fn breaker_allows(&mut self, server: usize, event: &OwedEvent, at: Duration) {
        let seen = self.endpoints.entry((server, event.app)).or_default();
        if seen.is_open() {
            assert_eq!(seen.in_flight, 0, "C6: one probe at a time");
            let last = seen.last_start.expect("it was opened by attempts");
            let back = seen.back_at.is_some_and(|back_at| back_at >= last);
            let pause = at - last;
            assert!(back || pause >= Duration::from_millis(800), "C6: probes are a second apart, not {pause:?}");
        }
        seen.in_flight += 1;
        seen.last_start = Some(at);
        assert!(seen.in_flight <= limits::APP_ATTEMPTS_MAX, "invariant 6: attempts under way");
    }

    /// A receiver gets an event. Order is judged by first arrivals (rule C5); whoever asks for a replay gets it late.
    pub(crate) fn arrives(&mut self, event: &OwedEvent, accepted: bool) {
        let owed = self.owed.get_mut(&event.id).expect("it was looked up when its attempt began");
        let lane = (event.app, event.lane.clone());
        let last = self.last.get(&lane).copied().unwrap_or(0);
        if !std::mem::replace(&mut owed.arrived, true) && !event.replay {
            assert!(last < event.number, "C5: {event:?} was overtaken by number {last}");
            let follows = match self.repeats {
                Repeats::Never => event.previous == last,
                // A receiver may have taken what the server did not hear of, and refused it when it came again.
                Repeats::Possible => event.previous <= last,
            };
            assert!(follows, "C3: the receiver has seen {last} last in the lane: {event:?}");
        }
        // Nothing follows a replay.
        if accepted && self.accepted.insert(event.id.clone()) && !event.replay {
            self.last.insert(lane, last.max(event.number));
        }
    }

    /// The server knows what came of an attempt.
    pub(crate) fn ends(&mut self, server: usize, event: &OwedEvent, outcome: &Outcome, at: Duration) {
        self.in_flight.remove(&(server, event.app, event.lane.clone()));
        let seen = self.endpoints.entry((server, event.app)).or_default();
        seen.in_flight -= 1;
        match outcome {
            Outcome::Delivered => {
                if seen.refused.len() >= REFUSED_MAX {
                    seen.back_at = Some(at);
                }
                seen.refused.clear();
                seen.unavailable_in_row = 0;
            }
            Outcome::Refused(_) => {
                seen.unavailable_in_row = 0;
                seen.refused.insert(event.id.clone());
                self.owed.get_mut(&event.id).expect("it is owed").refusals.push(at);
            }
            Outcome::Unavailable(_) => seen.unavailable_in_row += 1,
        }
    }

    /// Someone says that an endpoint is back.
    pub(crate) fn is_back(&mut self, server: usize, app: SdkAppId, at: Duration) {
        self.endpoints.entry((server, app)).or_default().back_at = Some(at);
    }

    /// A server was killed. The outcome that the outbox was not told is forgotten, and so is its pause.
    pub(crate) fn killed(&mut self, server: usize, apps: impl IntoIterator<Item = SdkAppId>, at: Duration) {
        self.repeats = Repeats::Possible;
        self.in_flight.retain(|(of, _, _), _| *of != server);
        for app in apps {
            self.endpoints.insert((server, app), Seen { back_at: Some(at), ..Seen::default() });
        }
    }

    /// What nobody accepted.
    pub(crate) fn not_accepted(&self) -> impl Iterator<Item = (&EventId, &Owed)> {
        self.owed.iter().filter(|(id, _)| !self.accepted.contains(*id))
    }
}

impl Seen {
    fn is_open(&self) -> bool {
        self.unavailable_in_row >= UNAVAILABLE_MAX || self.refused.len() >= REFUSED_MAX
    }
}
