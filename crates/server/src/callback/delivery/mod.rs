//! What is delivered when: the brain of the dispatcher, which does no I/O. Pure.
//!
//! It is told what happened (hints, loads, searches, outcomes, settlements) and answers with what is to be done
//! ([`Action`]). For each app there is a [`Flow`]: its lanes, in which events keep their order (`lanes/`), the breaker
//! and the pace of its endpoint, and the search of its part of the outbox. Time and randomness are handed in, so one
//! seed decides a whole run (`simulation.rs`).

mod breaker;
mod flow;
mod lanes;
mod pace;
mod schedule;
mod search;
#[cfg(test)]
mod simulation;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

#[cfg(test)]
pub(crate) use breaker::{REFUSED_MAX, UNAVAILABLE_MAX};
pub use flow::{BreakerState, FlowState};
use flow::{Flow, Rules, Step};
pub(crate) use lanes::Want;
use tokio::time::Instant;
use unsaid_protocol::SdkAppId;

use super::Outcome;
use crate::{
    apps::{App, Apps},
    chat::{Fault, Lane, OwedEvent, Settled},
    clock::{Entropy, Timestamp},
    cluster::{Shard, ShardSet, Share},
    limits,
};

/// Now, on the wall and for pauses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) instant: Instant,
}

/// What the dispatcher has to do. Each is answered by the method that it names.
#[derive(Debug)]
pub(crate) enum Action {
    /// [`Delivery::attempted`]
    Attempt(Arc<OwedEvent>),
    /// [`Delivery::loaded`]
    Load(SdkAppId, Want),
    /// [`Delivery::searched`]: the lanes of the app behind this one.
    Search(SdkAppId, Option<Lane>),
    /// [`Delivery::settled`], or [`Delivery::not_settled`] if the outbox could not be told.
    Settle(Vec<Settled>),
    /// Tells whoever delivers this lane that there is something at this place of it. Not answered.
    PassOn(SdkAppId, Lane, i64),
}

/// The events of all apps on their way.
pub(crate) struct Delivery {
    apps: Arc<Apps>,
    entropy: Entropy,
    /// By number, so that a run from a seed is always the same.
    flows: BTreeMap<SdkAppId, Flow>,
    /// The settings by which each flow was told what to do last.
    settings: HashMap<SdkAppId, Arc<App>>,
    /// What the outbox has to be told, and since when.
    unsettled: Vec<Settled>,
    unsettled_since: Option<Instant>,
    /// What the outbox is being told. The next settlement waits, so that they are told in their order.
    settling: Option<Vec<Settled>>,
    settle_not_before: Option<Instant>,
    /// Until when nothing is loaded, because a load has failed.
    loads_pause: Option<Instant>,
    searches: usize,
    /// What part of all that is owed is delivered here.
    share: Share,
    /// Events of lanes that others deliver.
    foreign: Vec<(SdkAppId, Lane, i64)>,
}

/// Loads of the lanes of one app that are under way at once.
const LOADS_MAX: usize = 64;

/// Searches that are under way at once.
const SEARCHES_MAX: usize = 4;

/// How long a settlement that the store did not take waits.
const SETTLE_AGAIN: Duration = Duration::from_secs(1);

/// How long nothing is loaded after a load that failed.
const LOAD_AGAIN: Duration = Duration::from_secs(1);

/// A pause after which there is always something to look for.
const IDLE: Duration = Duration::from_secs(30);

impl Delivery {
    pub(crate) fn new(apps: Arc<Apps>, entropy: Entropy, share: Share) -> Self {
        Self {
            apps,
            entropy,
            flows: BTreeMap::new(),
            settings: HashMap::new(),
            unsettled: Vec::new(),
            unsettled_since: None,
            settling: None,
            settle_not_before: None,
            loads_pause: None,
            searches: 0,
            share,
            foreign: Vec::new(),
        }
    }

    /// What is to be done now.
    pub(crate) fn actions(&mut self, moment: Moment) -> Vec<Action> {
        let mut actions = Vec::new();
        actions.extend(self.foreign.drain(..).map(|(app, lane, place)| Action::PassOn(app, lane, place)));
        self.search(moment, &mut actions);
        self.load(moment, &mut actions);
        self.attempt(moment, &mut actions);
        self.settle_if_due(moment, &mut actions);
        actions
    }

    /// Events that were committed, in their order. `missed` says that others before them were lost.
    pub(crate) fn hinted(&mut self, events: Vec<OwedEvent>, missed: bool, moment: Moment) {
        if missed {
            // A lost hint stands before these, so it has to be known before them.
            for flow in self.flows.values_mut() {
                flow.lanes.hints_missed();
                // A search that is under way has begun too early to count; it is followed by another one.
                flow.search.within(Duration::ZERO, moment.instant);
            }
        }
        for event in events {
            if !self.share.has(event.app, &event.lane) {
                self.foreign.push((event.app, event.lane, event.place));
                continue;
            }
            let flow = self.flow(event.app, moment);
            flow.lanes.hint(event);
            if !flow.lanes.is_complete() {
                flow.search.within(limits::OUTBOX_SCAN_PAUSE, moment.instant);
            }
        }
    }

    pub(crate) fn loaded(&mut self, app: SdkAppId, want: &Want, events: Result<Vec<OwedEvent>, Fault>, moment: Moment) {
        let flow = self.flow(app, moment);
        let is_back = flow.is_back(moment.instant);
        let lanes = &mut flow.lanes;
        match events {
            Ok(events) => {
                // What was never tried is due, even if the clock says that it has not happened yet.
                let due = |event: &OwedEvent| match event.tries.attempts {
                    0 => None,
                    _ if is_back => None,
                    _ => lanes::wait(event.due.after(moment.now), moment.instant, schedule::PAUSE_LONGEST),
                };
                lanes.loaded(want, events, due);
            }
            Err(fault) => {
                tracing::warn!(%fault, "a lane could not be read; it is tried again");
                lanes.not_loaded(want);
                self.loads_pause = Some(moment.instant + LOAD_AGAIN);
            }
        }
    }

    /// A page of an app's lanes; one that is not full is the last.
    pub(crate) fn searched(&mut self, app: SdkAppId, page: Result<Vec<Lane>, Fault>, moment: Moment) {
        self.searches -= 1;
        let share = self.share;
        let Flow { search, lanes, .. } = self.flow(app, moment);
        match page {
            Ok(page) => search.found(page, lanes, &share, moment.instant),
            Err(fault) => {
                tracing::warn!(%fault, "the outbox could not be searched; it is tried again");
                search.failed(moment.instant);
            }
        }
    }

    /// What came of an attempt.
    pub(crate) fn attempted(&mut self, event: &OwedEvent, outcome: &Outcome, moment: Moment) {
        let rules = Rules::of(self.apps.get(event.app).as_deref(), &self.share);
        let jitter = self.entropy.fraction();
        let flow = self.flows.get_mut(&event.app).expect("an attempt of it was under way");
        let settled = flow.attempted(event, outcome, moment, &rules, jitter);
        self.unsettled(settled, moment);
    }

    /// The outbox knows. Every hint that was given before it knew has to be told first.
    pub(crate) fn settled(&mut self) {
        for settled in self.settling.take().expect("a settlement was under way") {
            self.flows.get_mut(&settled.app).expect("it has events").lanes.settled(&settled.lane);
        }
    }

    /// The outbox could not be told; it is told again. Until then the lanes are kept, so nothing is repeated.
    pub(crate) fn not_settled(&mut self, fault: &Fault, moment: Moment) {
        tracing::warn!(%fault, "the outbox could not be told what was delivered; it is tried again");
        self.settle_not_before = Some(moment.instant + SETTLE_AGAIN);
    }

    /// Someone says that the app's endpoint is back (rule C9).
    pub(crate) fn back(&mut self, app: SdkAppId, moment: Moment) {
        self.flow(app, moment).back(moment.instant);
    }

    /// Another server has committed something at this place of a lane.
    pub(crate) fn look(&mut self, app: SdkAppId, lane: &Lane, place: i64, moment: Moment) {
        if !self.share.has(app, lane) {
            return;
        }
        let flow = self.flow(app, moment);
        flow.lanes.look(lane, place);
        if !flow.lanes.is_complete() {
            flow.search.within(limits::OUTBOX_SCAN_PAUSE, moment.instant);
        }
    }

    /// From now on another part of all that is owed is delivered here.
    pub(crate) fn share_changed(&mut self, share: Share, moment: Moment) {
        let before = std::mem::replace(&mut self.share, share);
        let kept = if before.term == share.term { before.mine.common(&share.mine) } else { ShardSet::EMPTY };
        let (lost, gained) = (before.mine.without(&kept), share.mine.without(&kept));
        for (app, flow) in &mut self.flows {
            if !lost.is_empty() {
                let waited = flow.lanes.lose(|lane| lost.contains(Shard::of(*app, lane)));
                // Whoever took over while this server stood still has searched before the last of this was committed.
                let foreign =
                    waited.into_iter().filter(|(lane, _)| before.term != share.term && !share.has(*app, lane));
                self.foreign.extend(foreign.map(|(lane, place)| (*app, lane, place)));
            }
            if !gained.is_empty() {
                flow.lanes.gained();
                flow.search.gained(moment.instant);
            }
            flow.search.within(share.search_pause, moment.instant);
        }
    }

    /// Of which version of the share nothing is under way that is not in it, if that is so now.
    pub(crate) fn has_let_go(&self) -> Option<u64> {
        self.flows.values().all(|flow| flow.lanes.leaving() == 0).then_some(self.share.version)
    }

    /// The settings of apps may have changed. What waited for an endpoint that is another one now waits no longer.
    pub(crate) fn apps_changed(&mut self, moment: Moment) {
        for app in self.apps.list() {
            let before = self.settings.insert(app.sdkappid, Arc::clone(&app));
            let flow = self.flow(app.sdkappid, moment);
            let changed = |before: &Arc<App>| before.callback != app.callback || before.disabled != app.disabled;
            if before.as_ref().is_some_and(changed) {
                flow.back(moment.instant);
            }
        }
    }

    pub(crate) fn state(&self, app: SdkAppId, moment: Moment) -> Option<FlowState> {
        self.flows.get(&app).map(|flow| flow.state(moment.instant))
    }

    /// Of all apps.
    pub(crate) fn states(&self, moment: Moment) -> BTreeMap<SdkAppId, FlowState> {
        self.flows.iter().map(|(app, flow)| (*app, flow.state(moment.instant))).collect()
    }

    /// Whether the outbox has been told everything.
    pub(crate) fn is_settled(&self) -> bool {
        self.unsettled.is_empty() && self.settling.is_none()
    }

    /// What is left to tell the outbox before the end; nothing more is begun.
    pub(crate) fn last_actions(&mut self, moment: Moment) -> Vec<Action> {
        let mut actions = Vec::new();
        self.settle(moment, &mut actions);
        actions
    }

    /// When there is something to do that nobody tells.
    pub(crate) fn wakes(&mut self, moment: Moment) -> Instant {
        let may_attempt = self.may_attempt(moment);
        let mut wakes = moment.instant + IDLE;
        let mut sooner = |at: Option<Instant>| wakes = wakes.min(at.unwrap_or(wakes));
        sooner(self.loads_pause);
        sooner(match &self.settling {
            Some(_) => self.settle_not_before,
            None => self.unsettled_since.map(|since| since + limits::SETTLE_DELAY),
        });
        for (app, flow) in &mut self.flows {
            if self.searches < SEARCHES_MAX {
                sooner(flow.search.wakes());
            }
            if may_attempt && flow.lanes.has_heads() {
                sooner(flow.wakes(moment, &Rules::of(self.apps.get(*app).as_deref(), &self.share)));
            }
        }
        wakes
    }

    fn search(&mut self, moment: Moment, actions: &mut Vec<Action>) {
        for (app, Flow { search, lanes, .. }) in &mut self.flows {
            if self.searches < SEARCHES_MAX && search.is_due(moment.instant) {
                self.searches += 1;
                actions.push(Action::Search(*app, search.read(lanes)));
            }
        }
    }

    fn load(&mut self, moment: Moment, actions: &mut Vec<Action>) {
        if self.loads_pause.is_some_and(|until| until > moment.instant) {
            return;
        }
        self.loads_pause = None;
        for (app, flow) in &mut self.flows {
            actions.extend(flow.lanes.wants(LOADS_MAX).into_iter().map(|want| Action::Load(*app, want)));
        }
    }

    fn attempt(&mut self, moment: Moment, actions: &mut Vec<Action>) {
        if !self.may_attempt(moment) {
            return;
        }
        let mut parked = Vec::new();
        let room = limits::UNSETTLED_MAX.saturating_sub(self.unsettled.len());
        for (app, flow) in &mut self.flows {
            if !flow.lanes.has_heads() && !flow.lanes.has_expired() {
                continue;
            }
            let rules = Rules::of(self.apps.get(*app).as_deref(), &self.share);
            while actions.len() + parked.len() < room
                && let Some(step) = flow.next(moment, &rules)
            {
                match step {
                    Step::Try(event) => actions.push(Action::Attempt(event)),
                    Step::Park(event, parking) => parked.push(flow.parked(&event, &parking, moment.now)),
                }
            }
        }
        parked.into_iter().for_each(|settled| self.unsettled(settled, moment));
    }

    /// While the outbox takes nothing, what it has to be told is kept in memory. What would outlive the lease is not begun.
    fn may_attempt(&self, moment: Moment) -> bool {
        self.unsettled.len() < limits::UNSETTLED_MAX && self.share.allows(moment.instant)
    }

    fn unsettled(&mut self, settled: Settled, moment: Moment) {
        self.unsettled.push(settled);
        self.unsettled_since.get_or_insert(moment.instant);
    }

    fn settle_if_due(&mut self, moment: Moment, actions: &mut Vec<Action>) {
        let due = self.unsettled_since.is_some_and(|since| since + limits::SETTLE_DELAY <= moment.instant);
        if due || self.unsettled.len() >= limits::SETTLE_BATCH_MAX || self.settle_not_before.is_some() {
            self.settle(moment, actions);
        }
    }

    fn settle(&mut self, moment: Moment, actions: &mut Vec<Action>) {
        if let Some(settling) = &self.settling {
            // Only one that was not taken is told again.
            if self.settle_not_before.is_some_and(|at| at <= moment.instant) {
                self.settle_not_before = None;
                actions.push(Action::Settle(settling.clone()));
            }
            return;
        }
        if self.unsettled.is_empty() {
            return;
        }
        self.unsettled_since = None;
        let settled = std::mem::take(&mut self.unsettled);
        actions.push(Action::Settle(settled.clone()));
        self.settling = Some(settled);
    }

    fn flow(&mut self, app: SdkAppId, moment: Moment) -> &mut Flow {
        self.flows.entry(app).or_insert_with(|| Flow::new(app, &self.share, moment.instant))
    }
}
