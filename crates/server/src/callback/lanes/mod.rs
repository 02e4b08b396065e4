//! The lanes of one app in memory: which event may be tried now. Pure.
//!
//! The outbox is the truth. A lane holds its first few events, in the order of their places; the first of them is the
//! only one that is tried. What a hint tells is taken only where nothing can stand between it and what the lane has
//! seen; else the lane is loaded from the outbox.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    chat::{Lane, OwedEvent},
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
    bounds: Bounds,
}

/// How much is held in memory; what goes beyond waits in the outbox.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    lanes_max: usize,
    lane_events_max: usize,
    bytes_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            lanes_max: limits::APP_LANES_MAX,
            lane_events_max: limits::LANE_EVENTS_MAX,
            bytes_max: limits::APP_EVENT_BYTES_MAX,
        }
    }
}

#[derive(Debug)]
struct State {
    events: VecDeque<Arc<OwedEvent>>,
    head: Head,
    /// The place of the last event that this lane has seen.
    tail: i64,
    /// Whether the outbox may hold events behind `tail`.
    more: bool,
    loading: bool,
    /// Events that are done here, but not yet in the outbox.
    unsettled: usize,
    /// An event that was parked: its number, and what its successor follows instead.
    parked: Option<(i64, i64)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Head {
    /// There is no event, or it stands in `ready`.
    Free,
    InFlight,
    Waits(Instant),
}

/// What became of the event at the head of a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Delivered,
    Parked,
    Again(Instant),
}

/// The events of one lane that are wanted from the outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Want {
    pub(super) lane: Lane,
    /// Behind this place.
    pub(super) after: i64,
    pub(super) events_max: u32,
}

impl State {
    fn new(tail: i64) -> Self {
        Self {
            events: VecDeque::new(),
            head: Head::Free,
            tail,
            more: false,
            loading: false,
            unsettled: 0,
            parked: None,
        }
    }

    fn is_idle(&self) -> bool {
        self.events.is_empty() && !self.more && !self.loading && self.unsettled == 0 && self.head == Head::Free
    }
}

impl Lanes {
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether another lane finds a place.
    pub(super) fn has_room(&self) -> bool {
        self.lanes.len() < self.bounds.lanes_max
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
            // Of a lane that is not here, the outbox holds nothing else; or, before that is sure, it has to be asked.
            let mut state = State::new(if self.complete { event.place - 1 } else { 0 });
            state.more = !self.complete;
            self.lanes.insert(event.lane.clone(), state);
        }
        let state = self.lanes.get_mut(&event.lane).expect("it was put there if it was not");
        if event.place <= state.tail {
            return;
        }
        let follows = event.place == state.tail + 1 && !state.more && !state.loading;
        let lane = event.lane.clone();
        if follows && self.bytes < self.bounds.bytes_max && state.events.len() < self.bounds.lane_events_max {
            self.push(&lane, event, None);
        } else {
            state.more = true;
            self.want(&lane);
        }
    }

    /// A lane that the search of the outbox has found.
    pub(super) fn found(&mut self, lane: &Lane) {
        if self.lanes.contains_key(lane) {
            return;
        }
        if !self.has_room() {
            return self.overflow();
        }
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
        let lanes: Vec<Lane> = self.lanes.keys().cloned().collect();
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
            let state = self.lanes.get_mut(&lane).expect("a lane that wants is here");
            state.loading = true;
            state.more = false;
            self.loads += 1;
            let room = self.bounds.lane_events_max - state.events.len();
            let events_max = u32::try_from(room).unwrap_or(u32::MAX);
            wants.push(Want { lane, after: state.tail, events_max });
        }
        wants
    }

    /// What the outbox holds. `due` tells of each event how long it has to wait.
    pub(super) fn loaded(&mut self, want: &Want, events: Vec<OwedEvent>, due: impl Fn(&OwedEvent) -> Option<Instant>) {
        let state = self.load_ended(want);
        state.more |= events.len() >= want.events_max as usize;
        for event in events {
            let wait = due(&event);
            self.push(&want.lane, event, wait);
        }
        self.refill(&want.lane);
    }

    /// What was wanted could not be read; it is wanted again.
    pub(super) fn not_loaded(&mut self, want: &Want) {
        self.load_ended(want).more = true;
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
        while let Some((due, lane)) = self.waiting.first()
            && *due <= now
        {
            let lane = lane.clone();
            self.waiting.pop_first();
            self.lanes.get_mut(&lane).expect("a lane that waits is here").head = Head::Free;
            self.ready.push_back(lane);
        }
        let lane = self.ready.pop_front()?;
        let state = self.lanes.get_mut(&lane).expect("a lane that is ready is here");
        state.head = Head::InFlight;
        self.in_flight += 1;
        Some(Arc::clone(state.events.front().expect("a lane that is ready has an event")))
    }

    /// When a lane that waits can be tried again.
    pub(super) fn wakes(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// The head of a lane was tried. What is done has to be settled in the outbox, and then [`Lanes::settled`].
    pub(super) fn finished(&mut self, event: &OwedEvent, tries: crate::chat::Tries, verdict: Verdict) {
        let state = self.lanes.get_mut(&event.lane).expect("a lane in flight is here");
        assert!(state.head == Head::InFlight, "only the head of a lane is tried");
        self.in_flight -= 1;
        state.head = Head::Free;
        state.unsettled += 1;
        if let Verdict::Again(due) = verdict {
            let head = state.events.front_mut().expect("it is in flight");
            Arc::make_mut(head).tries = tries;
            state.head = Head::Waits(due);
            self.waiting.insert((due, event.lane.clone()));
            return;
        }
        state.events.pop_front();
        self.bytes -= event.body.len();
        if verdict == Verdict::Parked {
            state.parked = Some((event.number, event.previous));
        }
        state.mend_previous();
        if !state.events.is_empty() {
            self.ready.push_back(event.lane.clone());
        }
        self.refill(&event.lane);
    }

    /// The outbox knows what became of `count` events of the lane. Every hint that was given before it knew has to be told
    /// first: of a lane that is gone, a late hint would be taken for a new event.
    pub(super) fn settled(&mut self, lane: &Lane, count: usize) {
        if let Some(state) = self.lanes.get_mut(lane) {
            state.unsettled -= count;
            if state.is_idle() {
                self.lanes.remove(lane);
            }
        }
    }

    fn push(&mut self, lane: &Lane, event: OwedEvent, wait: Option<Instant>) {
        let state = self.lanes.get_mut(lane).expect("the caller has found it");
        assert!(event.place > state.tail, "an event is taken once, in the order of its lane");
        state.tail = event.place;
        self.bytes += event.body.len();
        state.events.push_back(Arc::new(event));
        if state.events.len() > 1 {
            state.mend_previous();
            return;
        }
        state.mend_previous();
        match wait {
            Some(due) => {
                state.head = Head::Waits(due);
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
        } else if state.is_idle() {
            self.lanes.remove(lane);
        }
    }

    fn want(&mut self, lane: &Lane) {
        let state = self.lanes.get_mut(lane).expect("the caller has found it");
        if !state.loading && state.events.len() <= self.bounds.lane_events_max / 2 {
            self.wanting.insert(lane.clone());
        }
    }
}

impl State {
    /// The event behind one that was parked follows what that one followed.
    fn mend_previous(&mut self) {
        if let (Some((number, previous)), Some(head)) = (self.parked, self.events.front_mut())
            && head.previous == number
        {
            Arc::make_mut(head).previous = previous;
        }
    }
}

/// How long an event that was loaded has to wait. A clock that was set back does not make it wait for ever.
pub(super) fn wait(due_in: Duration, now: Instant, pause_max: Duration) -> Option<Instant> {
    (!due_in.is_zero()).then(|| now + due_in.min(pause_max))
}

#[cfg(test)]
mod tests;
