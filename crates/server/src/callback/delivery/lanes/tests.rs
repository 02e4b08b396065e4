//! A simulation of one app: its outbox, its hints, and whoever loads, searches, attempts and settles, each as late as
//! chance has it. One seed decides everything, and a failure prints it. The roles are those of the dispatcher.

use std::{
    collections::{BTreeMap, VecDeque},
    env, thread,
};

use bytes::Bytes;
use unsaid_protocol::{SdkAppId, callback::CallbackCommand};

use super::*;
use crate::{
    chat::{EventId, Origin, Tries},
    clock::{Clock, Entropy, Timestamp},
};

const BOUNDS: Bounds = Bounds { lanes_max: 6, lane_events_max: 4, bytes_max: 60, event_bytes: 0 };
const LOADS_MAX: usize = 2;
const HINTS_MAX: usize = 3;
const IN_FLIGHT_MAX: usize = 3;
const BODY_BYTES_MAX: usize = 30;
const LANES: [&str; 7] = [".", "a*b", "alice", "alice\tbob", "bob", "x y", "~"];

#[test]
fn c5_every_event_is_delivered_in_its_place_whatever_is_late_or_lost() {
    let full = env::var_os("UNSAID_TEST_FULL").is_some_and(|value| value == "1");
    for seed in 0..if full { 3000 } else { 200 } {
        simulate(seed);
    }
}

#[test]
fn a_lane_that_gets_more_than_it_may_hold_is_loaded_in_parts() {
    let mut world = World::new(Seed(0));
    world.outbox_gets(0, 11);
    world.hints.clear();
    world.drain();
    assert_eq!(world.delivered, 11);
}

#[test]
fn c6_a_clock_that_was_set_back_makes_nothing_wait_for_longer_than_a_pause() {
    let now = Clock::system().instant();
    let (hours, longest) = (Duration::from_secs(5 * 3600), Duration::from_secs(60));
    assert_eq!(wait(hours, now, longest), Some(now + longest));
    assert_eq!(wait(longest / 2, now, longest), Some(now + longest / 2));
    assert_eq!(wait(Duration::ZERO, now, longest), None);
}

#[test]
fn a_full_memory_takes_no_more_events() {
    let mut lanes = Lanes { bounds: BOUNDS, complete: true, ..Lanes::default() };
    for name in LANES {
        lanes.hint(event(&Lane(name.to_owned()), 1, 0, vec![b'x'; 30]));
    }
    // The others wait in the outbox: four find a place as lanes alone, and the last one not even that.
    assert_eq!((lanes.bytes, lanes.lanes.len(), lanes.is_complete()), (60, 6, false));
    assert!(lanes.wants(LOADS_MAX).is_empty());
}

#[test]
fn where_memory_becomes_short_a_lane_holds_two_events() {
    let bounds = Bounds { event_bytes: 10, ..BOUNDS };
    let mut lanes = Lanes { bounds, complete: true, ..Lanes::default() };
    for (name, count) in [("alice", 3), ("bob", 4)] {
        (1..=count).for_each(|place| lanes.hint(event(&Lane(name.to_owned()), place, place - 1, Vec::new())));
    }
    assert_eq!(lanes.bytes, 50, "three of the first lane make it half full, so the second one holds two");
    let (bob, now) = (Lane("bob".to_owned()), Clock::system().instant());
    assert!(lanes.wants(LOADS_MAX).is_empty(), "it has as many as it may");
    let next: Vec<_> = std::iter::from_fn(|| lanes.next(now)).collect();
    let of_bob = next.iter().find(|event| event.lane == bob).expect("it has a head");
    lanes.finished(of_bob, Tries::default(), Verdict::Delivered, Timestamp(0));
    assert_eq!(lanes.wants(LOADS_MAX), [Want { lane: bob, after: 2, events_max: 1 }]);
}

#[test]
fn c5_a_lane_goes_on_behind_a_parked_event_when_the_outbox_knows_of_it() {
    let lane = Lane("alice".to_owned());
    let mut lanes = Lanes { complete: true, ..Lanes::default() };
    (1..=2).for_each(|place| lanes.hint(event(&lane, place, place - 1, Vec::new())));
    let now = Clock::system().instant();
    let first = lanes.next(now).expect("it was hinted at");
    lanes.finished(&first, Tries::default(), Verdict::Parked, Timestamp(0));
    assert_eq!(lanes.next(now), None, "a crash now would try the first one again");
    lanes.settled(&lane);
    assert_eq!(lanes.next(now).map(|event| event.place), Some(2));
}

fn simulate(number: u64) {
    let mut world = World::new(Seed(number));
    let steps = world.draw(600);
    for _ in 0..steps {
        world.step();
        world.check();
    }
    world.drain();
}

/// Tells which seed it was that failed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the simulation failed with seed {}", self.0);
        }
    }
}

/// What became of an event, as the receiver and the outcome of the attempt know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Waiting,
    Delivered,
    Parked,
}

/// Where the search of the outbox stands.
#[derive(Debug)]
enum Search {
    Paused,
    /// Reads behind this lane when its turn comes.
    Reading(Option<Lane>),
    Read(Vec<Lane>),
}

struct World {
    entropy: Entropy,
    now: Instant,
    lanes: Lanes,
    outbox: BTreeMap<(Lane, i64), OwedEvent>,
    /// What the next event of each lane follows.
    last: BTreeMap<Lane, i64>,
    /// Of all events that were committed.
    fates: BTreeMap<(Lane, i64), Fate>,
    hints: VecDeque<Vec<OwedEvent>>,
    missed: bool,
    search: Search,
    loads: Vec<Want>,
    loaded: Vec<(Want, Option<Vec<OwedEvent>>)>,
    in_flight: Vec<Arc<OwedEvent>>,
    /// What the outbox has not been told, what it is being told, and what it was told but is not heard of.
    unsettled: Vec<(Lane, i64, Verdict)>,
    settling: Vec<(Lane, i64, Verdict)>,
    settled: Vec<Lane>,
    delivered: usize,
    /// The role that seldom comes to do anything in this run.
    lazy: usize,
    seed: Seed,
}

impl World {
    fn new(seed: Seed) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.0.to_le_bytes());
        let entropy = Entropy::seeded(bytes);
        Self {
            lazy: usize::try_from(entropy.next_u32() % 20).expect("small"),
            entropy,
            now: Clock::system().instant(),
            lanes: Lanes { bounds: BOUNDS, ..Lanes::default() },
            outbox: BTreeMap::new(),
            last: BTreeMap::new(),
            fates: BTreeMap::new(),
            hints: VecDeque::new(),
            missed: false,
            search: Search::Paused,
            loads: Vec::new(),
            loaded: Vec::new(),
            in_flight: Vec::new(),
            unsettled: Vec::new(),
            settling: Vec::new(),
            settled: Vec::new(),
            delivered: 0,
            seed,
        }
    }

    /// A number below `end`; 0 if that is 0.
    fn draw(&self, end: usize) -> usize {
        usize::try_from(self.entropy.next_u32()).expect("32 bits") % end.max(1)
    }

    fn step(&mut self) {
        match self.draw(40) {
            0..=5 => self.outbox_gets(self.draw(LANES.len()), 1 + self.draw(3)),
            6 => self.outbox_gets(0, 1 + self.draw(9)),
            7 if self.draw(5) == 0 => self.restart(),
            _ => self.work(Luck::Mixed),
        }
    }

    /// One of the roles does one thing.
    fn work(&mut self, luck: Luck) {
        let role = self.draw(10);
        if role == self.lazy && self.draw(30) > 0 {
            return;
        }
        match role {
            0 => self.hear_hints(),
            1 => self.search(),
            2 => self.loads.extend(self.lanes.wants(LOADS_MAX)),
            3 => self.load(luck),
            4 => self.hear_load(),
            5 => self.start_attempt(),
            6 => self.finish_attempt(luck),
            7 if self.settling.is_empty() && self.settled.is_empty() => {
                self.settling = std::mem::take(&mut self.unsettled);
            }
            7 => self.settle(),
            8 => self.hear_settled(),
            _ => self.now += Duration::from_millis(u64::from(self.entropy.next_u32() % 400)),
        }
    }

    /// A commit, and its hint, which may find no place or come twice.
    fn outbox_gets(&mut self, lane: usize, events: usize) {
        let lane = Lane(LANES[lane].to_owned());
        let mut committed = Vec::new();
        for _ in 0..events {
            let place = self.fates.range((lane.clone(), 0)..=(lane.clone(), i64::MAX)).count() as i64 + 1;
            let previous = self.last.insert(lane.clone(), place).unwrap_or(0);
            let body = vec![b'x'; 1 + self.draw(BODY_BYTES_MAX)];
            let event = event(&lane, place, previous, body);
            self.outbox.insert((lane.clone(), place), event.clone());
            self.fates.insert((lane.clone(), place), Fate::Waiting);
            committed.push(event);
        }
        if self.hints.len() >= HINTS_MAX {
            self.missed = true;
            return;
        }
        if self.draw(10) == 0 {
            self.hints.push_back(committed.clone());
        }
        self.hints.push_back(committed);
    }

    fn hear_hints(&mut self) {
        let Some(events) = self.hints.pop_front() else {
            return;
        };
        if std::mem::take(&mut self.missed) {
            self.lanes.hints_missed();
        }
        events.into_iter().for_each(|event| self.lanes.hint(event));
    }

    /// The search begins, reads a page of two lanes, or is heard.
    fn search(&mut self) {
        match std::mem::replace(&mut self.search, Search::Paused) {
            Search::Paused => {
                self.lanes.search_begins();
                self.search = Search::Reading(None);
            }
            Search::Reading(after) => {
                let mut found: Vec<_> = self.outbox.keys().map(|(lane, _)| lane.clone()).collect();
                found.dedup();
                found.retain(|lane| after.as_ref().is_none_or(|after| lane > after));
                found.truncate(2);
                self.search = Search::Read(found);
            }
            Search::Read(found) => {
                found.iter().for_each(|lane| self.lanes.found(lane));
                match found.last() {
                    Some(last) if found.len() == 2 => self.search = Search::Reading(Some(last.clone())),
                    _ => self.lanes.search_ended(),
                }
            }
        }
    }

    fn load(&mut self, luck: Luck) {
        if self.loads.is_empty() {
            return;
        }
        let want = self.loads.swap_remove(self.draw(self.loads.len()));
        let behind = (want.lane.clone(), want.after + 1)..=(want.lane.clone(), i64::MAX);
        let found = self.outbox.range(behind).take(want.events_max as usize).map(|(_, event)| event.clone());
        let found = (luck == Luck::Good || self.draw(5) > 0).then(|| found.collect());
        self.loaded.push((want, found));
    }

    fn hear_load(&mut self) {
        if self.loaded.is_empty() {
            return;
        }
        let now = self.now;
        match self.loaded.swap_remove(self.draw(self.loaded.len())) {
            (want, Some(events)) => self.lanes.loaded(&want, events, |event| {
                wait(Duration::from_millis(u64::try_from(event.due.0).expect("positive")), now, Duration::from_secs(1))
            }),
            (want, None) => self.lanes.not_loaded(&want),
        }
    }

    /// Rule C5: what is tried is the first event of its lane that waits, and it follows what was delivered last.
    fn start_attempt(&mut self) {
        if self.lanes.in_flight() >= IN_FLIGHT_MAX {
            return;
        }
        let Some(event) = self.lanes.next(self.now) else {
            return;
        };
        let lane = self.fates.range((event.lane.clone(), 0)..=(event.lane.clone(), i64::MAX));
        let first = lane.clone().find(|(_, fate)| **fate == Fate::Waiting).map(|((_, place), _)| *place);
        assert_eq!(first, Some(event.place), "{event:?}");
        let before = lane.take_while(|((_, place), _)| *place < event.place);
        let delivered = before.filter(|(_, fate)| **fate == Fate::Delivered).last();
        assert_eq!(event.previous, delivered.map_or(0, |((_, place), _)| *place), "{event:?}");
        assert!(self.in_flight.iter().all(|other| other.lane != event.lane), "one in a lane at a time");
        self.in_flight.push(event);
    }

    fn finish_attempt(&mut self, luck: Luck) {
        if self.in_flight.is_empty() {
            return;
        }
        let event = self.in_flight.swap_remove(self.draw(self.in_flight.len()));
        let tries = Tries { attempts: event.tries.attempts + 1, ..event.tries };
        let (verdict, fate) = match if luck == Luck::Good { 9 } else { self.draw(8) } {
            0 | 1 => (Verdict::Parked, Fate::Parked),
            2 | 3 => (Verdict::Again(self.now + Duration::from_millis(300), Pause::UntilBack), Fate::Waiting),
            _ => (Verdict::Delivered, Fate::Delivered),
        };
        self.fates.insert((event.lane.clone(), event.place), fate);
        self.delivered += usize::from(fate == Fate::Delivered);
        self.lanes.finished(&event, tries, verdict, Timestamp(0));
        self.unsettled.push((event.lane.clone(), event.place, verdict));
    }

    /// What the store does with a settlement.
    fn settle(&mut self) {
        for (lane, place, verdict) in std::mem::take(&mut self.settling) {
            let key = (lane.clone(), place);
            match verdict {
                Verdict::Delivered => drop(self.outbox.remove(&key)),
                Verdict::Again(..) => self.outbox.get_mut(&key).expect("it waits").due = Timestamp(300),
                Verdict::Parked => {
                    let parked = self.outbox.remove(&key).expect("it waits");
                    let mut behind = self.outbox.range_mut(key..=(lane.clone(), i64::MAX));
                    let follows = match behind.next() {
                        Some((_, next)) => &mut next.previous,
                        None => self.last.get_mut(&lane).expect("it has had an event"),
                    };
                    if *follows == place {
                        *follows = parked.previous;
                    }
                }
            }
            self.settled.push(lane);
        }
    }

    /// Hints that were given before come first, as they do in the dispatcher.
    fn hear_settled(&mut self) {
        while !self.settled.is_empty() && !self.hints.is_empty() {
            self.hear_hints();
        }
        for lane in std::mem::take(&mut self.settled) {
            self.lanes.settled(&lane);
        }
    }

    /// The server starts anew: only the outbox is left, and what it was not told is repeated.
    fn restart(&mut self) {
        if self.draw(2) == 0 {
            self.settle();
        }
        let mut anew = Self::new(Seed(self.seed.0));
        (anew.entropy, anew.now, anew.delivered) = (self.entropy.clone(), self.now, self.delivered);
        std::mem::swap(&mut anew.outbox, &mut self.outbox);
        std::mem::swap(&mut anew.last, &mut self.last);
        std::mem::swap(&mut anew.fates, &mut self.fates);
        *self = anew;
        for key in self.outbox.keys() {
            self.fates.insert(key.clone(), Fate::Waiting);
        }
    }

    fn check(&self) {
        let Lanes { lanes, in_flight, bytes, .. } = &self.lanes;
        assert!(lanes.len() <= BOUNDS.lanes_max);
        assert!(lanes.values().all(|state| state.events.len() <= BOUNDS.lane_events_max), "{lanes:?}");
        let held = lanes.values().flat_map(|state| &state.events).map(|event| event.body.len()).sum::<usize>();
        assert_eq!(*bytes, held);
        assert!(held <= BOUNDS.bytes_max + (LOADS_MAX * BOUNDS.lane_events_max + 1) * BODY_BYTES_MAX);
        assert_eq!(*in_flight, self.in_flight.len());
        assert!(self.loads.len() + self.loaded.len() <= LOADS_MAX);
    }

    /// With good luck everything is delivered in the end, and nothing is left in memory.
    fn drain(&mut self) {
        for _ in 0..200_000 {
            self.work(Luck::Good);
            self.check();
            let idle = self.unsettled.is_empty() && self.settling.is_empty() && self.settled.is_empty();
            if idle && self.outbox.is_empty() && self.lanes.lanes.is_empty() && self.hints.is_empty() {
                assert!(self.fates.values().all(|fate| *fate != Fate::Waiting));
                assert!(self.lanes.ready.is_empty() && self.lanes.waiting.is_empty() && self.lanes.wanting.is_empty());
                return;
            }
        }
        panic!("it is stuck: {:?} {:?}", self.outbox, self.lanes);
    }
}

/// What the roles meet with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Luck {
    Good,
    Mixed,
}

fn event(lane: &Lane, place: i64, previous: i64, body: Vec<u8>) -> OwedEvent {
    OwedEvent {
        id: EventId(format!("{lane:?} {place}")),
        app: SdkAppId(1),
        lane: lane.clone(),
        place,
        number: place,
        previous,
        command: CallbackCommand::AfterMsgWithDraw,
        body: Bytes::from(body),
        origin: Origin::LOCAL,
        created: Timestamp(0),
        age_from: Timestamp(0),
        replay: false,
        tries: Tries::default(),
        due: Timestamp(0),
    }
}
