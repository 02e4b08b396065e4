//! The lanes of one app in memory: which event may be tried now. Pure.
//!
//! The outbox is the truth. A lane holds its first few events, in the order of their places; the first of them is the
//! only one that is tried. What a hint tells is taken only where nothing can stand between it and what the lane has
//! seen; else the lane is loaded from the outbox.
//!
//! Where several servers share the outbox, others put events into the lanes, too, and lanes come and go (`shared.rs`).

mod shared;
mod state;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use self::{
    shared::Tails,
    state::{Lost, State},
};
use super::schedule::Pause;
use crate::{
    chat::{Lane, OwedEvent, Tries},
    clock::Timestamp,
    limits,
};

/// The lanes of one app.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<Lane, State>,
    /// Lanes whose first event can be tried, the one that waits longest first.
    ready: VecDeque<Lane>,
    /// Lanes whose first event has to wait.
    waiting: BTreeSet<(Instant, Lane)>,
    /// Lanes whose first event has become too old.
    expired: VecDeque<Lane>,
    /// Lanes that want events from the outbox.
    wanting: BTreeSet<Lane>,
    in_flight: usize,
    bytes: usize,
    /// Loads that are under way.
    loads: usize,
    /// Whether every lane that holds events in the outbox is here.
    complete: bool,
    /// Whether a search of the outbox is under way of which no lane was lost.
    searching: bool,
    /// Lanes that were lost to another server and have something under way.
    leaving: usize,
    /// The last place of lanes that are not here, if other servers put events into them, too.
    tails: Option<Tails>,
    bounds: Bounds,
}

/// So many events of a lane are held where memory is short: one is tried while the next one is there.
const FEW_EVENTS: usize = 2;

/// How much is held in memory; what goes beyond waits in the outbox.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    lanes_max: usize,
    lane_events_max: usize,
    bytes_max: usize,
    /// What an event needs beside its body.
    event_bytes: usize,
}

impl Bounds {
    fn footprint(&self, event: &OwedEvent) -> usize {
        self.event_bytes + event.body.len()
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            lanes_max: limits::APP_LANES_MAX,
            lane_events_max: limits::LANE_EVENTS_MAX,
            bytes_max: limits::APP_EVENT_BYTES_MAX,
            event_bytes: limits::EVENT_BYTES,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stand {
    /// There is no event, or it stands in `ready` or `expired`.
    Free,
    InFlight,
    /// It stands in `waiting`.
    Waits(Instant, Pause),
    /// The event before it was parked, and the outbox does not know yet. What overtook it would do so for ever if it were
    /// tried once more after a crash.
    Behind,
}

/// What became of the event at the head of a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Delivered,
    Parked,
    Again(Instant, Pause),
}

/// Which of the lanes that wait need wait no longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wake {
    /// Those that wait until the endpoint is back.
    UntilBack,
    All,
}

/// The events of one lane that are wanted from the outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Want {
    pub(crate) lane: Lane,
    /// Behind this place.
    pub(crate) after: i64,
    pub(crate) events_max: u32,
}

impl Lanes {
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether another lane finds a place.
    pub(super) fn has_room(&self) -> bool {
        self.lanes.len() < self.bounds.lanes_max
    }

    pub(super) fn knows(&self, lane: &Lane) -> bool {
        self.lanes.contains_key(lane)
    }

    /// How many lanes are here.
    pub(super) fn count(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// There are lanes that find no place here now; they wait in the outbox.
    pub(super) fn overflow(&mut self) {
        self.complete = false;
        self.searching = false;
    }

    /// An event that was committed a moment ago.
    pub(super) fn hint(&mut self, event: OwedEvent) {
        if !self.lanes.contains_key(&event.lane) {
            if !self.has_room() {
                return self.overflow();
            }
            // Of a lane that is not here, the outbox holds nothing else; or, where that is not sure, it has to be asked.
            let tail = match &mut self.tails {
                None => self.complete.then_some(event.place - 1),
                Some(tails) => tails.take(&event.lane).filter(|tail| *tail < event.place),
            };
            let mut state = State::new(tail.unwrap_or(0));
            state.more = tail.is_none();
            self.lanes.insert(event.lane.clone(), state);
        }
        let room = self.lane_room();
        let state = self.lanes.get_mut(&event.lane).expect("it was put there if it was not");
        if state.comes_again() || event.place <= state.tail {
            return;
        }
        let follows = event.place == state.tail + 1 && !state.more && !state.loading;
        let lane = event.lane.clone();
        if follows && self.bytes < self.bounds.bytes_max && state.events.len() < room {
            self.push(&lane, event, None);
        } else {
            state.more = true;
            self.want(&lane);
        }
    }

    /// A lane that the search of the outbox has found.
    pub(super) fn found(&mut self, lane: &Lane) {
        if let Some(state) = self.lanes.get_mut(lane) {
            state.comes_again();
            return;
        }
        if !self.has_room() {
            return self.overflow();
        }
        self.begin(lane);
    }

    /// A lane of which nothing is known but that it may hold events.
    fn begin(&mut self, lane: &Lane) {
        let mut state = State::new(0);
        state.more = true;
        self.lanes.insert(lane.clone(), state);
        self.want(lane);
    }

    /// The search of the outbox begins at its first lane.
    pub(super) fn search_begins(&mut self) {
        self.searching = true;
    }

    /// The search has seen all lanes. It counts if it began here, and if no lane was lost since.
    pub(super) fn search_ended(&mut self) {
        self.complete |= self.searching;
        self.searching = false;
    }

    /// A hint was lost: any lane may have got events.
    pub(super) fn hints_missed(&mut self) {
        self.overflow();
        let lanes = self.lanes.iter().filter(|(_, state)| state.lost.is_none());
        let lanes: Vec<Lane> = lanes.map(|(lane, _)| lane.clone()).collect();
        for lane in lanes {
            self.lanes.get_mut(&lane).expect("it was just named").more = true;
            self.want(&lane);
        }
    }

    /// What the lanes want from the outbox, so that no more than `loads_max` loads are under way. Each is answered with
    /// [`Lanes::loaded`] or [`Lanes::not_loaded`].
    pub(super) fn wants(&mut self, loads_max: usize) -> Vec<Want> {
        let mut wants = Vec::new();
        while self.loads < loads_max
            && self.bytes < self.bounds.bytes_max
            && let Some(lane) = self.wanting.pop_first()
        {
            let room = self.lane_room();
            let state = self.lanes.get_mut(&lane).expect("a lane that wants is here");
            let room = room.saturating_sub(state.events.len());
            if room == 0 {
                // It has some, and wants more when one of them has gone.
                continue;
            }
            state.loading = true;
            state.more = false;
            self.loads += 1;
            let events_max = u32::try_from(room).unwrap_or(u32::MAX);
            wants.push(Want { lane, after: state.tail, events_max });
        }
        wants
    }

    /// How many events a lane may hold. Where memory becomes short, lanes with much to tell leave it to the others.
    fn lane_room(&self) -> usize {
        let few = FEW_EVENTS.min(self.bounds.lane_events_max);
        if self.bytes < self.bounds.bytes_max / 2 { self.bounds.lane_events_max } else { few }
    }

    /// What the outbox holds. `due` tells of each event how long it has to wait.
    pub(super) fn loaded(&mut self, want: &Want, events: Vec<OwedEvent>, due: impl Fn(&OwedEvent) -> Option<Instant>) {
        let state = self.load_ended(want);
        if state.lost.is_some() {
            return self.let_go_if_idle(&want.lane);
        }
        state.more |= events.len() >= want.events_max as usize;
        for event in events {
            let wait = due(&event);
            self.push(&want.lane, event, wait);
        }
        self.refill(&want.lane);
    }

    /// What was wanted could not be read; it is wanted again.
    pub(super) fn not_loaded(&mut self, want: &Want) {
        let state = self.load_ended(want);
        if state.lost.is_some() {
            return self.let_go_if_idle(&want.lane);
        }
        state.more = true;
        self.want(&want.lane);
    }

    fn load_ended(&mut self, want: &Want) -> &mut State {
        self.loads -= 1;
        let state = self.lanes.get_mut(&want.lane).expect("a lane that loads is here");
        state.loading = false;
        state
    }

    /// The event to try next, if there is one. It is in flight until [`Lanes::finished`].
    pub(super) fn next(&mut self, now: Instant) -> Option<Arc<OwedEvent>> {
        while let Some((due, _)) = self.waiting.first()
            && *due <= now
        {
            self.wake_first();
        }
        let lane = self.ready.pop_front()?;
        Some(self.take_off(&lane))
    }

    /// The event that shows whether the endpoint is back: of the lane that waits longest for its turn, even if its pause
    /// is not over.
    pub(super) fn probe(&mut self, now: Instant) -> Option<Arc<OwedEvent>> {
        if let Some(event) = self.next(now) {
            return Some(event);
        }
        self.wake_first();
        self.next(now)
    }

    /// An event that has become too old.
    pub(super) fn next_expired(&mut self) -> Option<Arc<OwedEvent>> {
        let lane = self.expired.pop_front()?;
        Some(self.take_off(&lane))
    }

    fn take_off(&mut self, lane: &Lane) -> Arc<OwedEvent> {
        let state = self.lanes.get_mut(lane).expect("a lane that is ready is here");
        state.head = Stand::InFlight;
        self.in_flight += 1;
        Arc::clone(state.events.front().expect("a lane that is ready has an event"))
    }

    fn wake_first(&mut self) {
        if let Some((_, lane)) = self.waiting.pop_first() {
            self.lanes.get_mut(&lane).expect("a lane that waits is here").head = Stand::Free;
            self.ready.push_back(lane);
        }
    }

    /// Ends the waiting of lanes before its time; the one that would have been tried first comes first.
    pub(super) fn wake(&mut self, which: Wake) {
        let waiting = std::mem::take(&mut self.waiting);
        for (due, lane) in waiting {
            let state = self.lanes.get_mut(&lane).expect("a lane that waits is here");
            if which == Wake::All || state.head == Stand::Waits(due, Pause::UntilBack) {
                state.head = Stand::Free;
                self.ready.push_back(lane);
            } else {
                self.waiting.insert((due, lane));
            }
        }
    }

    /// Sets aside the lanes whose first event is older than that; [`Lanes::next_expired`] gives them out.
    pub(super) fn expire(&mut self, before: Timestamp) {
        let Self { lanes, ready, waiting, expired, .. } = self;
        let mut is_old = |lane: &Lane| {
            let state = lanes.get_mut(lane).expect("a lane that waits is here");
            let old = state.events.front().is_some_and(|head| head.age_from < before);
            if old {
                state.head = Stand::Free;
                expired.push_back(lane.clone());
            }
            old
        };
        ready.retain(|lane| !is_old(lane));
        waiting.retain(|(_, lane)| !is_old(lane));
    }

    /// Whether an event stands here that could be tried or probed with.
    pub(super) fn has_heads(&self) -> bool {
        !self.ready.is_empty() || !self.waiting.is_empty()
    }

    /// Whether an event can be tried now.
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        !self.ready.is_empty() || self.wakes().is_some_and(|due| due <= now)
    }

    pub(super) fn has_expired(&self) -> bool {
        !self.expired.is_empty()
    }

    /// When a lane that waits can be tried again.
    pub(super) fn wakes(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// When the event at the head of the lane was tried here before, if it was.
    pub(super) fn tried(&self, lane: &Lane) -> Option<Timestamp> {
        self.lanes.get(lane).and_then(|state| state.tried)
    }

    /// The head of a lane was tried. What is done has to be settled in the outbox, and then [`Lanes::settled`].
    pub(super) fn finished(&mut self, event: &OwedEvent, tries: Tries, verdict: Verdict, now: Timestamp) {
        let state = self.lanes.get_mut(&event.lane).expect("a lane in flight is here");
        assert!(state.head == Stand::InFlight, "only the head of a lane is tried");
        self.in_flight -= 1;
        state.head = Stand::Free;
        state.unsettled += 1;
        if let Verdict::Again(due, pause) = verdict
            && state.lost.is_none()
        {
            let head = state.events.front_mut().expect("it is in flight");
            Arc::make_mut(head).tries = tries;
            state.head = Stand::Waits(due, pause);
            state.tried = Some(now);
            self.waiting.insert((due, event.lane.clone()));
            return;
        }
        state.tried = None;
        state.events.pop_front();
        self.bytes -= self.bounds.footprint(event);
        if verdict == Verdict::Parked && !event.replay {
            state.parked = Some((event.number, event.previous));
        }
        state.mend_previous();
        if verdict == Verdict::Parked {
            state.head = Stand::Behind;
        } else if !state.events.is_empty() {
            self.ready.push_back(event.lane.clone());
        }
        self.refill(&event.lane);
    }

    /// The outbox knows what became of one event of the lane. Every hint that was given before it knew has to be told
    /// first: of a lane that is gone, a late hint would be taken for a new event.
    pub(super) fn settled(&mut self, lane: &Lane) {
        if let Some(state) = self.lanes.get_mut(lane) {
            state.unsettled -= 1;
            if state.unsettled == 0 && state.head == Stand::Behind {
                state.head = Stand::Free;
                if !state.events.is_empty() {
                    self.ready.push_back(lane.clone());
                }
            }
            self.let_go_if_idle(lane);
        }
    }

    /// What is under way of a lane that is not here any more need not be remembered.
    fn let_go_if_idle(&mut self, lane: &Lane) {
        let Some(state) = self.lanes.get(lane).filter(|state| state.is_idle()) else {
            return;
        };
        let (tail, lost) = (state.tail, state.lost);
        self.lanes.remove(lane);
        match (lost, &mut self.tails) {
            (None, Some(tails)) => tails.keep(lane, tail),
            (None, None) => {}
            (Some(lost), _) => {
                self.leaving -= 1;
                if lost == Lost::Again {
                    self.begin(lane);
                }
            }
        }
    }

    fn push(&mut self, lane: &Lane, event: OwedEvent, wait: Option<Instant>) {
        let footprint = self.bounds.footprint(&event);
        let state = self.lanes.get_mut(lane).expect("the caller has found it");
        assert!(event.place > state.tail, "an event is taken once, in the order of its lane");
        state.tail = event.place;
        self.bytes += footprint;
        // After a restart nobody knows why it waits; a refused one keeps its pause.
        let pause = if event.tries.refusals > 0 { Pause::Fixed } else { Pause::UntilBack };
        state.events.push_back(Arc::new(event));
        state.mend_previous();
        if state.events.len() > 1 || state.head == Stand::Behind {
            return;
        }
        match wait {
            Some(due) => {
                state.head = Stand::Waits(due, pause);
                self.waiting.insert((due, lane.clone()));
            }
            None => self.ready.push_back(lane.clone()),
        }
    }

    /// Asks for more when few are left, so that a long lane need not pause.
    fn refill(&mut self, lane: &Lane) {
        let Some(state) = self.lanes.get_mut(lane) else {
            return;
        };
        if state.more && state.events.len() <= self.bounds.lane_events_max / 2 {
            self.want(lane);
        } else {
            self.let_go_if_idle(lane);
        }
    }

    fn want(&mut self, lane: &Lane) {
        let state = self.lanes.get_mut(lane).expect("the caller has found it");
        if !state.loading && state.events.len() <= self.bounds.lane_events_max / 2 {
            self.wanting.insert(lane.clone());
        }
    }
}

/// How long an event that was loaded has to wait. A clock that was set back does not make it wait for ever.
pub(super) fn wait(due_in: Duration, now: Instant, pause_max: Duration) -> Option<Instant> {
    (!due_in.is_zero()).then(|| now + due_in.min(pause_max))
}

#[cfg(test)]
mod tests;
