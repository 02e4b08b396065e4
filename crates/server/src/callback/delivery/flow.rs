//! One app's events on their way: lanes, breaker and pace, and what an outcome means for all of them. Pure.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use unsaid_protocol::SdkAppId;

use super::{
    Moment,
    breaker::{Allows, Breaker, REFUSED_MAX, Why},
    lanes::{Lanes, Verdict, Wake},
    pace::Pace,
    schedule::{self, Circumstances, Next, Parking},
    search::Search,
};
use crate::{
    apps::{App, CallbackSettings, Retry},
    callback::Outcome,
    chat::{EventId, Lane, OwedEvent, Settled, Settlement, Tries},
    clock::Timestamp,
    cluster::Share,
    limits,
};

#[derive(Debug)]
pub(super) struct Flow {
    pub(super) lanes: Lanes,
    pub(super) search: Search,
    breaker: Breaker,
    pace: Pace,
    /// The lane whose head is the probe that is under way.
    probe: Option<Lane>,
    /// Different events that were refused since the last delivery.
    refused: Vec<EventId>,
    delivered_last: Option<Timestamp>,
    /// When somebody said last that the endpoint is back.
    back_at: Option<Instant>,
    /// When the lanes are looked through for events that have become too old.
    sweep_at: Instant,
}

/// What an app's settings mean for its events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rules {
    /// Why nothing is tried any more, if so: what is owed is parked (rule C11).
    pub(super) removed: Option<&'static str>,
    pub(super) retry: Retry,
    pub(super) age_max: Duration,
    /// The parts of these bounds that fall to this server.
    pub(super) rate_per_s_max: u32,
    pub(super) at_once_max: u32,
}

/// What is to be done with an event now.
#[derive(Debug)]
pub(super) enum Step {
    Try(Arc<OwedEvent>),
    /// It is not tried any more.
    Park(Arc<OwedEvent>, Parking),
}

/// How an app's events stand, for its operator.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FlowState {
    /// None while callbacks flow.
    pub breaker: Option<BreakerState>,
    pub in_flight: usize,
    /// How many attempts may be under way at once.
    pub at_once: usize,
    /// Lanes in memory, and whether these are all that hold events.
    pub lanes: usize,
    pub lanes_complete: bool,
    pub delivered_last: Option<Timestamp>,
}

/// An open breaker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BreakerState {
    /// `unavailable` or `refusing`.
    pub why: &'static str,
    /// Until the next probe; nothing if one is under way or due.
    pub probe_in: Duration,
}

/// For how long after the endpoint was said to be back what is read does not wait.
const BACK_LASTS: Duration = Duration::from_secs(30);

const SWEEP_PAUSE: Duration = Duration::from_secs(10);

impl Rules {
    /// Those of the app as it is set now; of none, if it does not exist.
    pub(super) fn of(app: Option<&App>, share: &Share) -> Self {
        let removed = match app {
            None => Some("the app was removed"),
            Some(app) if app.disabled => Some("the app is disabled"),
            Some(app) if app.callback.endpoint.is_none() => Some("the endpoint was removed"),
            Some(_) => None,
        };
        let defaults = CallbackSettings::default();
        let callback = app.map_or(&defaults, |app| &app.callback);
        Self {
            removed,
            retry: callback.retry,
            age_max: Duration::from_secs(callback.age_max_s.into()),
            rate_per_s_max: share.of(callback.rate_per_s_max),
            at_once_max: share.of(u32::try_from(limits::APP_ATTEMPTS_MAX).unwrap_or(u32::MAX)),
        }
    }
}

impl Flow {
    /// `share` says whether other servers put events into the same outbox.
    pub(super) fn new(app: SdkAppId, share: &Share, now: Instant) -> Self {
        Self {
            lanes: if share.is_shared() { Lanes::shared() } else { Lanes::default() },
            search: Search::new(app, now),
            breaker: Breaker::default(),
            pace: Pace::default(),
            probe: None,
            refused: Vec::new(),
            delivered_last: None,
            back_at: None,
            sweep_at: now,
        }
    }

    /// What is to be done now, one thing after the other. A step is answered with [`Flow::attempted`] or
    /// [`Flow::parked`].
    pub(super) fn next(&mut self, moment: Moment, rules: &Rules) -> Option<Step> {
        if rules.retry == Retry::Off {
            self.breaker = Breaker::default();
        }
        if self.sweep_at <= moment.instant {
            self.sweep_at = moment.instant + SWEEP_PAUSE;
            self.lanes.expire(oldest_allowed(moment, rules));
        }
        let too_old = || Parking::TooOld { age_max: rules.age_max };
        if let Some(event) = self.lanes.next_expired() {
            return Some(Step::Park(event, too_old()));
        }
        if let Some(what) = rules.removed {
            return self.lanes.probe(moment.instant).map(|event| Step::Park(event, Parking::Removed(what)));
        }
        if self.lanes.in_flight() >= self.pace.at_once().min(rules.at_once_max as usize) {
            return None;
        }
        let event = match self.breaker.allows(moment.instant) {
            Allows::Nothing => return None,
            Allows::Probe => self.lanes.probe(moment.instant)?,
            Allows::Everything => {
                if !self.lanes.is_ready(moment.instant)
                    || self.pace.next_at(rules.rate_per_s_max, moment.instant) > moment.instant
                {
                    return None;
                }
                self.lanes.next(moment.instant)?
            }
        };
        if event.age_from < oldest_allowed(moment, rules) {
            return Some(Step::Park(event, too_old()));
        }
        self.pace.attempted();
        if self.breaker.why().is_some() {
            self.breaker.probe_starts();
            self.probe = Some(event.lane.clone());
        }
        Some(Step::Try(event))
    }

    /// When [`Flow::next`] may have something that it has not now, and that nobody tells of.
    pub(super) fn wakes(&mut self, moment: Moment, rules: &Rules) -> Option<Instant> {
        let now = moment.instant;
        if self.lanes.has_expired() {
            return Some(now);
        }
        if !self.lanes.has_heads() {
            return None;
        }
        if rules.removed.is_some() {
            return Some(now);
        }
        if self.lanes.in_flight() >= self.pace.at_once().min(rules.at_once_max as usize) {
            return Some(self.sweep_at);
        }
        let try_at = match self.breaker.allows(now) {
            Allows::Everything if self.lanes.is_ready(now) => Some(self.pace.next_at(rules.rate_per_s_max, now)),
            Allows::Everything => self.lanes.wakes(),
            Allows::Probe | Allows::Nothing => self.breaker.probe_at(),
        };
        Some(try_at.map_or(self.sweep_at, |at| at.min(self.sweep_at)))
    }

    /// What follows an attempt: for the event, its lane, and all others of the app.
    pub(super) fn attempted(
        &mut self,
        event: &OwedEvent,
        outcome: &Outcome,
        moment: Moment,
        rules: &Rules,
        jitter: f64,
    ) -> Settled {
        let tries = self.count(event, outcome, moment.now);
        self.judge_endpoint(event, outcome, moment, rules, jitter);
        let around = Circumstances {
            retry: rules.retry,
            endpoint_refuses: self.breaker.why() == Some(Why::Refusing),
            now: moment.now,
            delivered_last: self.delivered_last,
            jitter,
        };
        match schedule::next(outcome, tries, around) {
            Next::Done => self.finish(event, tries, Verdict::Delivered, moment.now, Settlement::Delivered),
            Next::Again(pause, why) => {
                let again = Verdict::Again(moment.instant + pause, why);
                let due = moment.now.plus(pause);
                self.finish(event, tries, again, moment.now, Settlement::DueAgain { tries, due })
            }
            Next::Park(parking) => self.park(event, tries, &parking, moment.now),
        }
    }

    /// A step said to park the event.
    pub(super) fn parked(&mut self, event: &OwedEvent, parking: &Parking, now: Timestamp) -> Settled {
        self.park(event, event.tries, parking, now)
    }

    fn park(&mut self, event: &OwedEvent, tries: Tries, parking: &Parking, now: Timestamp) -> Settled {
        let request = event.origin.request;
        tracing::warn!(app = %event.app, id = %event.id, %request, command = %event.command, "callback parked: {parking}");
        let settlement = Settlement::Parked { tries, at: now, reason: parking.to_string().into() };
        self.finish(event, tries, Verdict::Parked, now, settlement)
    }

    fn finish(&mut self, event: &OwedEvent, tries: Tries, verdict: Verdict, now: Timestamp, to: Settlement) -> Settled {
        self.lanes.finished(event, tries, verdict, now);
        Settled { app: event.app, lane: event.lane.clone(), place: event.place, to }
    }

    /// An event that failed while the endpoint took nothing else is not to blame: since when it was unavailable is
    /// reckoned anew, so that only what fails alone becomes poisonous.
    fn count(&self, event: &OwedEvent, outcome: &Outcome, now: Timestamp) -> Tries {
        let mut tries = Tries { attempts: event.tries.attempts + 1, ..event.tries };
        match outcome {
            Outcome::Delivered => {}
            Outcome::Refused(_) => tries.refusals += 1,
            Outcome::Unavailable(_) => {
                let alone = match self.lanes.tried(&event.lane) {
                    None => event.tries.unavailable_since.is_some(),
                    Some(before) => self.delivered_last.is_some_and(|delivered| delivered >= before),
                };
                if !alone || tries.unavailable_since.is_none() {
                    tries.unavailable_since = Some(now);
                }
            }
        }
        tries
    }

    /// While the breaker is open only the probe says something new; but an answer does where there was none.
    fn judge_endpoint(&mut self, event: &OwedEvent, outcome: &Outcome, moment: Moment, rules: &Rules, jitter: f64) {
        let now = moment.instant;
        let before = self.breaker.why();
        let is_probe = self.probe.as_ref() == Some(&event.lane);
        if is_probe {
            self.probe = None;
        }
        match outcome {
            Outcome::Delivered => {
                self.delivered_last = Some(moment.now);
                self.refused.clear();
                self.breaker.delivered();
                self.pace.delivered();
            }
            _ if rules.retry == Retry::Off => {}
            // What was under way when it opened comes in late; only that there is an answer at all would be new.
            Outcome::Refused(_) if before == Some(Why::Refusing) && !is_probe => {}
            Outcome::Unavailable(_) if before.is_some() && !is_probe => {}
            Outcome::Refused(_) => {
                if !self.refused.contains(&event.id) && self.refused.len() < REFUSED_MAX {
                    self.refused.push(event.id.clone());
                }
                self.breaker.refused(self.refused.len(), now, jitter);
            }
            Outcome::Unavailable(_) => self.breaker.unavailable(now, schedule::asked(outcome), jitter),
        }
        match (before.is_some(), self.breaker.why().is_some()) {
            (false, true) => {
                tracing::warn!(app = %event.app, "the breaker is open; one event at a time is tried: {outcome}");
                self.pace.begin_anew();
            }
            (true, false) => {
                tracing::info!(app = %event.app, "the endpoint is back; what waits is delivered");
                self.lanes.wake(Wake::UntilBack);
            }
            (true, true) | (false, false) => {}
        }
    }

    /// Someone says that the endpoint is back, or its settings are new: nothing waits any longer (rule C9).
    pub(super) fn back(&mut self, now: Instant) {
        self.breaker.back(now);
        self.lanes.wake(Wake::All);
        self.back_at = Some(now);
    }

    /// Whether what is read now need not wait either: it was in the outbox, or another server's, when the endpoint came back.
    pub(super) fn is_back(&self, now: Instant) -> bool {
        self.back_at.is_some_and(|at| now < at + BACK_LASTS)
    }

    pub(super) fn state(&self, now: Instant) -> FlowState {
        let breaker = self.breaker.why().map(|why| BreakerState {
            why: match why {
                Why::Unavailable => "unavailable",
                Why::Refusing => "refusing",
            },
            probe_in: self.breaker.probe_at().map_or(Duration::ZERO, |at| at.saturating_duration_since(now)),
        });
        FlowState {
            breaker,
            in_flight: self.lanes.in_flight(),
            at_once: self.pace.at_once(),
            lanes: self.lanes.count(),
            lanes_complete: self.lanes.is_complete(),
            delivered_last: self.delivered_last,
        }
    }
}

/// Events whose age counts from before this are too old.
fn oldest_allowed(moment: Moment, rules: &Rules) -> Timestamp {
    moment.now.minus(rules.age_max)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use unsaid_protocol::{SdkAppId, callback::CallbackCommand};

    use super::{super::breaker::UNAVAILABLE_MAX, *};
    use crate::{
        callback::{Refused, Unavailable},
        chat::Origin,
        clock::Clock,
    };

    const RULES: Rules = Rules {
        removed: None,
        retry: Retry::On,
        age_max: Duration::from_secs(100),
        rate_per_s_max: 20_000,
        at_once_max: 256,
    };
    const START: Timestamp = Timestamp(1_800_000_000_000);
    const DOWN: Outcome = Outcome::Unavailable(Unavailable::ConnectionRefused);

    fn event(lane: &str, place: i64) -> OwedEvent {
        OwedEvent {
            id: EventId(format!("{lane} {place}")),
            app: SdkAppId(1),
            lane: Lane(lane.to_owned()),
            place,
            number: place,
            previous: place - 1,
            command: CallbackCommand::AfterMsgWithDraw,
            body: Bytes::new(),
            origin: Origin::LOCAL,
            created: START,
            age_from: START,
            replay: false,
            tries: Tries::default(),
            due: START,
        }
    }

    /// A flow of as many lanes, each with one event, and the moment at which it begins.
    fn flow_of(lanes: u32) -> (Flow, Moment) {
        let moment = Moment { now: START, instant: Clock::system().instant() };
        let mut flow = Flow::new(SdkAppId(1), &Share::whole(), moment.instant);
        flow.lanes.search_begins();
        flow.lanes.search_ended();
        (0..lanes).for_each(|lane| flow.lanes.hint(event(&lane.to_string(), 1)));
        (flow, moment)
    }

    fn later(moment: Moment, pause: Duration) -> Moment {
        Moment { now: moment.now.plus(pause), instant: moment.instant + pause }
    }

    fn tried(flow: &mut Flow, moment: Moment) -> Option<Arc<OwedEvent>> {
        match flow.next(moment, &RULES) {
            Some(Step::Try(event)) => Some(event),
            Some(Step::Park(event, parking)) => panic!("{event:?} is parked: {parking}"),
            None => None,
        }
    }

    fn all_fail(flow: &mut Flow, moment: Moment) {
        let tries: Vec<_> = std::iter::from_fn(|| tried(flow, moment)).collect();
        for event in tries {
            flow.attempted(&event, &DOWN, moment, &RULES, 0.5);
        }
    }

    #[test]
    fn c6_after_a_success_all_that_waited_is_tried_at_once_and_twice_as_much_each_time() {
        let (mut flow, moment) = flow_of(UNAVAILABLE_MAX + 5);
        all_fail(&mut flow, moment);
        assert!(flow.state(moment.instant).breaker.is_some_and(|breaker| breaker.why == "unavailable"));
        assert!(tried(&mut flow, later(moment, Duration::from_millis(500))).is_none(), "it is open");
        let moment = later(moment, Duration::from_secs(1));
        let probe = tried(&mut flow, moment).expect("the first probe");
        assert!(tried(&mut flow, moment).is_none(), "one at a time");
        flow.attempted(&probe, &Outcome::Delivered, moment, &RULES, 0.5);
        for at_once in [2, 4, 8] {
            let round: Vec<_> = std::iter::from_fn(|| tried(&mut flow, moment)).collect();
            assert_eq!(round.len(), at_once, "in the moment of the success");
            for event in round {
                flow.attempted(&event, &Outcome::Delivered, moment, &RULES, 0.5);
            }
        }
    }

    #[test]
    fn c9_i_am_back_lets_everything_be_tried_again_at_once() {
        let (mut flow, moment) = flow_of(3);
        all_fail(&mut flow, moment);
        assert!(tried(&mut flow, moment).is_none());
        flow.back(moment.instant);
        assert!(tried(&mut flow, moment).is_some());
    }

    #[test]
    fn c9_what_is_too_old_is_parked_and_not_sent_late() {
        let (mut flow, moment) = flow_of(2);
        let first = tried(&mut flow, moment).expect("the first lane");
        flow.attempted(&first, &DOWN, moment, &RULES, 0.5);
        let moment = later(moment, RULES.age_max + Duration::from_millis(1));
        for _ in 0..2 {
            let step = flow.next(moment, &RULES);
            assert!(matches!(&step, Some(Step::Park(_, Parking::TooOld { .. }))), "{step:?}");
            if let Some(Step::Park(event, parking)) = step {
                flow.parked(&event, &parking, moment.now);
            }
        }
        assert!(flow.next(moment, &RULES).is_none());
    }

    #[test]
    fn c9_what_waits_for_an_open_breaker_becomes_too_old_as_well() {
        let (mut flow, moment) = flow_of(UNAVAILABLE_MAX);
        all_fail(&mut flow, moment);
        let moment = later(moment, RULES.age_max + Duration::from_millis(1));
        let parked =
            std::iter::from_fn(|| flow.next(moment, &RULES)).take(100).filter(|step| matches!(step, Step::Park(..)));
        assert_eq!(parked.count(), UNAVAILABLE_MAX as usize);
    }

    #[test]
    fn c11_what_a_removed_endpoint_is_owed_is_parked_without_a_try() {
        let (mut flow, moment) = flow_of(2);
        let rules = Rules { removed: Some("the endpoint was removed"), ..RULES };
        for _ in 0..2 {
            assert!(matches!(flow.next(moment, &rules), Some(Step::Park(_, Parking::Removed(_)))));
        }
    }

    #[test]
    fn c6_with_retry_off_there_is_no_breaker() {
        let (mut flow, moment) = flow_of(UNAVAILABLE_MAX + 5);
        let rules = Rules { retry: Retry::Off, ..RULES };
        for _ in 0..UNAVAILABLE_MAX + 5 {
            let Some(Step::Try(event)) = flow.next(moment, &rules) else { panic!("each is tried") };
            let settled = flow.attempted(&event, &DOWN, moment, &rules, 0.5);
            assert!(matches!(settled.to, Settlement::Parked { .. }), "{settled:?}");
        }
        assert_eq!(flow.state(moment.instant).breaker, None);
    }

    #[test]
    fn c6_an_event_that_fails_while_nothing_is_delivered_is_not_to_blame() {
        let (mut flow, moment) = flow_of(1);
        let mut at = moment;
        for _ in 0..60 {
            at = later(at, Duration::from_secs(61));
            let rules = Rules { age_max: Duration::from_secs(100_000), ..RULES };
            let Some(Step::Try(event)) = flow.next(at, &rules) else { continue };
            let settled = flow.attempted(&event, &DOWN, at, &rules, 0.5);
            assert!(matches!(settled.to, Settlement::DueAgain { .. }), "{settled:?}");
        }
    }

    #[test]
    fn c6_everything_refused_opens_the_breaker_and_parks_nothing() {
        let (mut flow, moment) = flow_of(12);
        let refused = Outcome::Refused(Refused::Status(400));
        let events: Vec<_> = std::iter::from_fn(|| tried(&mut flow, moment)).collect();
        for event in events {
            flow.attempted(&event, &refused, moment, &RULES, 0.5);
        }
        let mut at = moment;
        for _ in 0..100 {
            at = later(at, Duration::from_millis(900));
            if let Some(probe) = tried(&mut flow, at) {
                let settled = flow.attempted(&probe, &refused, at, &RULES, 0.5);
                assert!(matches!(settled.to, Settlement::DueAgain { .. }), "{settled:?}");
            }
        }
        assert!(flow.state(at.instant).breaker.is_some_and(|breaker| breaker.why == "refusing"));
    }
}
