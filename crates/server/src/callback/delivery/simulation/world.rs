//! The world around a [`Delivery`]: what happens in it, when, and what must not.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use unsaid_protocol::{UserId, callback::CallbackCommand, element::MsgBody};

use super::{
    super::{breaker, *},
    APPS, Bad, Mix, Mood,
};
use crate::{
    apps::{EndpointSettings, Origin as AppOrigin, Secret},
    callback::{Phase, Refused, Unavailable},
    chat::{Command, EventId, Import, Lifetime, MessageFlags, NoDevices, Origin, Send, Store},
    clock::Clock,
    store::{HintReceiver, hints, memory::Memory},
};

const START: Timestamp = Timestamp(1_800_000_000_000);
const USERS: [&str; 5] = ["a*b", "alice", "bob", "x y", "~"];

/// By then everything has come to rest, too old or not.
const MOST: Duration = Duration::from_secs(4 * 86_400);

pub(super) struct World {
    entropy: Entropy,
    mix: Mix,
    store: Memory,
    hints: HintReceiver,
    apps: Arc<Apps>,
    clock: Clock,
    base: Instant,
    at: Duration,
    queue: BTreeMap<(Duration, u64), Happening>,
    queued: u64,
    delivery: Delivery,
    server: u32,
    mood: Mood,
    pub(super) owed: BTreeMap<EventId, Owed>,
    /// What the receivers accepted.
    pub(super) accepted: BTreeSet<EventId>,
    /// The number that was accepted last in each lane, by first arrivals.
    last: HashMap<(SdkAppId, Lane), i64>,
    in_flight: HashMap<(SdkAppId, Lane), EventId>,
    endpoints: HashMap<SdkAppId, Seen>,
}

#[derive(Debug)]
pub(super) struct Owed {
    pub(super) app: SdkAppId,
    lane: Lane,
    number: i64,
    body: bytes::Bytes,
    pub(super) bad: Option<Bad>,
    arrived: bool,
    refusals: Vec<Duration>,
}

#[derive(Debug)]
enum Happening {
    Commit(usize),
    HintsAreHeard,
    /// Of a server that may be gone: its number is that of its start.
    AttemptEnds(u32, Arc<OwedEvent>, Outcome),
    Load(u32, SdkAppId, Want),
    Search(u32, SdkAppId, Option<Lane>),
    Settle(u32, Vec<Settled>),
    SettledIsHeard(u32, Result<(), Fault>),
    Mood(Mood),
    Restart,
    Back,
    Tick,
}

/// What was seen of an app's endpoint, from which it follows whether its breaker has to be open.
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

impl Seen {
    fn is_open(&self) -> bool {
        self.unavailable_in_row >= breaker::UNAVAILABLE_MAX || self.refused.len() >= breaker::REFUSED_MAX
    }
}

impl World {
    pub(super) async fn new(entropy: Entropy, mix: Mix) -> Self {
        let clock = Clock::standing_at(START);
        let (sender, hints) = hints(Arc::new(NoDevices));
        let store = Memory::new(clock.clone(), entropy.clone(), sender);
        let apps = Arc::new(Apps::default());
        for sdkappid in APPS {
            let mut app = App::new(sdkappid, Secret::new("0123456789abcdef"), AppOrigin::Runtime);
            app.callback.commands = [CallbackCommand::AfterSendMsg].into();
            let url = "https://backend.example/im".to_owned();
            app.callback.endpoint = Some(EndpointSettings::new(url));
            let app = Arc::new(app);
            apps.put(&app);
            store.commit(Command::SaveApp(app)).await.expect("it works").expect("it is allowed");
            for user in USERS.map(user) {
                let import = Import { app: sdkappid, user, nick: None, face_url: None };
                store.commit(Command::Import(import)).await.expect("it works").expect("it is allowed");
            }
        }
        let base = clock.instant();
        let delivery = Delivery::new(Arc::clone(&apps), entropy.clone());
        let mut world = Self {
            mood: mix.receivers[0],
            entropy,
            mix,
            store,
            hints,
            apps,
            clock,
            base,
            at: Duration::ZERO,
            queue: BTreeMap::new(),
            queued: 0,
            delivery,
            server: 0,
            owed: BTreeMap::new(),
            accepted: BTreeSet::new(),
            last: HashMap::new(),
            in_flight: HashMap::new(),
            endpoints: HashMap::new(),
        };
        world.delivery.apps_changed(world.moment());
        world.plan();
        world
    }

    /// What happens by itself: commits, moods, restarts; and in the end a receiver that answers.
    fn plan(&mut self) {
        let mut at_ms = 0;
        for number in 0..self.mix.commits {
            at_ms += self.draw(self.mix.pause_ms);
            self.happens_in(at_ms, Happening::Commit(number));
        }
        let end_ms = at_ms + 1;
        for _ in 0..8 {
            let mood = self.mix.receivers[self.draw(self.mix.receivers.len() as u32) as usize];
            self.happens_in(self.draw(end_ms), Happening::Mood(mood));
        }
        for _ in 0..self.mix.restarts {
            self.happens_in(self.draw(end_ms), Happening::Restart);
        }
        self.happens_in(self.draw(end_ms), Happening::Back);
        self.happens_in(
            end_ms,
            Happening::Mood(if self.mix.ends_well { Mood::Answers } else { self.mix.receivers[0] }),
        );
        if !self.mix.receivers.contains(&Mood::Answers) || self.mix.ends_well {
            self.happens_in(end_ms + 600_000, Happening::Mood(Mood::Answers));
        }
        self.happens_in(0, Happening::Tick);
    }

    /// A number below `end`; 0 if that is 0.
    fn draw(&self, end: u32) -> u32 {
        self.entropy.next_u32() % end.max(1)
    }

    fn happens_in(&mut self, ms: u32, happening: Happening) {
        self.happens_at(self.at + Duration::from_millis(u64::from(ms)), happening);
    }

    fn happens_at(&mut self, at: Duration, happening: Happening) {
        self.queued += 1;
        self.queue.insert((at, self.queued), happening);
    }

    fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), instant: self.base + self.at }
    }

    /// Until nothing happens any more but the looking for something.
    pub(super) async fn go_on(&mut self) {
        while let Some(((at, _), happening)) = self.queue.pop_first() {
            assert!(at < MOST, "it does not come to rest: {:?}", self.store.backlog().await);
            let passed = i64::try_from(at.as_millis() - self.at.as_millis()).expect("short");
            self.clock.shift(passed);
            self.at = at;
            let is_tick = matches!(happening, Happening::Tick);
            if is_tick && self.is_at_rest().await {
                return;
            }
            self.happen(happening).await;
            let moment = self.moment();
            self.delivery.actions(moment).into_iter().for_each(|action| self.act(action));
            if is_tick || self.queue.values().all(|next| !matches!(next, Happening::Tick)) {
                let wakes = (self.delivery.wakes(moment) - self.base).max(self.at + Duration::from_millis(1));
                self.happens_at(wakes, Happening::Tick);
            }
        }
    }

    async fn is_at_rest(&self) -> bool {
        let only_ticks = self.queue.values().all(|next| matches!(next, Happening::Tick));
        only_ticks && self.delivery.is_settled() && self.store.backlog().await.expect("it works").waiting == 0
    }

    async fn happen(&mut self, happening: Happening) {
        let server = self.server;
        match happening {
            Happening::Commit(number) => self.commit(number).await,
            Happening::HintsAreHeard => self.hear_hints(),
            Happening::AttemptEnds(of, event, outcome) if of == server => self.attempt_ends(&event, &outcome),
            Happening::Load(of, app, want) if of == server => {
                let events = if self.store_fails() {
                    Err(Fault::Full)
                } else {
                    self.store.lane(app, want.lane.clone(), want.after, want.events_max).await
                };
                self.delivery.loaded(app, &want, events, self.moment());
            }
            Happening::Search(of, app, after) if of == server => self.search(app, after).await,
            // What was on its way to the store arrives there, whether or not the server still lives.
            Happening::Settle(of, settled) => {
                let done = if self.store_fails() { Err(Fault::Full) } else { self.store.settle(settled).await };
                self.happens_in(self.draw(5), Happening::SettledIsHeard(of, done));
            }
            Happening::SettledIsHeard(of, done) if of == server => match done {
                Ok(()) => {
                    self.hear_hints();
                    self.delivery.settled();
                }
                Err(fault) => self.delivery.not_settled(&fault, self.moment()),
            },
            Happening::Mood(mood) => self.mood = mood,
            Happening::Restart => self.restart(),
            Happening::Back => {
                for app in APPS {
                    self.delivery.back(app, self.moment());
                    self.endpoints.entry(app).or_default().back_at = Some(self.at);
                }
            }
            Happening::Tick
            | Happening::AttemptEnds(..)
            | Happening::Load(..)
            | Happening::Search(..)
            | Happening::SettledIsHeard(..) => {}
        }
    }

    fn store_fails(&self) -> bool {
        self.draw(100) < self.mix.store_fails_in_100
    }

    async fn search(&mut self, app: SdkAppId, after: Option<Lane>) {
        let after = after.unwrap_or_else(|| Lane(String::new()));
        let page = self.store.lanes(Some((app, after)), limits::OUTBOX_SCAN_LANES).await;
        let of_app =
            |page: Vec<(SdkAppId, Lane)>| page.into_iter().filter(|(of, _)| *of == app).map(|(_, lane)| lane).collect();
        let page = if self.store_fails() { Err(Fault::Full) } else { page.map(of_app) };
        self.delivery.searched(app, page, self.moment());
    }

    /// Somebody sends; what is owed for it is noted down by its body.
    async fn commit(&mut self, number: usize) {
        let app = APPS[self.draw(2) as usize];
        let (from, to) = (user("alice"), user(USERS[self.draw(5) as usize]));
        let number = u32::try_from(number).expect("few");
        let before: BTreeSet<_> = self.all_owed(app, &to).await.into_iter().map(|event| event.id).collect();
        let raw = serde_json::value::to_raw_value(&serde_json::json!([{"MsgType": "TIMTextElem", "MsgContent": {}}]));
        let send = Send {
            app,
            from,
            to: to.clone(),
            seq: number,
            random: number,
            body: MsgBody::parse(&raw.expect("JSON")).expect("a body"),
            custom_data: String::new(),
            push_info: String::new(),
            lifetime: Lifetime::Stored,
            flags: MessageFlags::COUNTED,
            client_time_s: None,
            forbidden_callbacks: Vec::new(),
            origin: Origin::LOCAL,
            by_client: false,
            asked: None,
        };
        self.store.commit(Command::Send(Box::new(send))).await.expect("it works").expect("it is allowed");
        let new: Vec<_> =
            self.all_owed(app, &to).await.into_iter().filter(|event| !before.contains(&event.id)).collect();
        assert_eq!(new.len(), 1, "R4: one event for one command");
        for event in new {
            let drawn = self.draw(100);
            // Later there are others, by which it shows that the endpoint is not to blame.
            let crashes = (number as usize) < self.mix.commits / 2;
            let bad = if drawn < self.mix.bad_in_100 {
                Some(Bad::Refused)
            } else {
                (crashes && drawn < self.mix.bad_in_100 + self.mix.crashing_in_100).then_some(Bad::Crashes)
            };
            let OwedEvent { id, app, lane, number, body, .. } = event;
            self.owed.insert(id, Owed { app, lane, number, body, bad, arrived: false, refusals: Vec::new() });
        }
        self.happens_in(self.draw(20), Happening::HintsAreHeard);
    }

    async fn all_owed(&self, app: SdkAppId, to: &UserId) -> Vec<OwedEvent> {
        self.store.lane(app, Lane::of_account(to), 0, u32::MAX).await.expect("it works")
    }

    fn hear_hints(&mut self) {
        while let Some(events) = self.hints.ready() {
            let lost = self.draw(100) < self.mix.hints_lost_in_100;
            let events = if lost { Vec::new() } else { events };
            self.delivery.hinted(events, lost, self.moment());
        }
    }

    fn act(&mut self, action: Action) {
        let of = self.server;
        match action {
            Action::Attempt(event) => self.attempt_starts(event),
            Action::Load(app, want) => self.happens_in(self.draw(5), Happening::Load(of, app, want)),
            Action::Search(app, after) => self.happens_in(self.draw(5), Happening::Search(of, app, after)),
            Action::Settle(settled) => self.happens_in(self.draw(5), Happening::Settle(of, settled)),
        }
    }

    fn attempt_starts(&mut self, event: Arc<OwedEvent>) {
        self.breaker_allows(&event);
        let lane = (event.app, event.lane.clone());
        let other = self.in_flight.insert(lane, event.id.clone());
        assert_eq!(other, None, "C5: one after the other in a lane");
        let owed = self.owed.get(&event.id).expect("R4: an event that nothing caused");
        assert_eq!(
            (&owed.lane, owed.number, &owed.body),
            (&event.lane, event.number, &event.body),
            "C3: the same bytes"
        );
        self.c6_pauses(&event);
        let (outcome, takes_ms) = match (self.mood, self.owed[&event.id].bad) {
            (Mood::Gone, _) => (Outcome::Unavailable(Unavailable::ConnectionRefused), 1),
            (Mood::Busy, _) => {
                let retry_after = Some(Duration::from_secs(u64::from(self.draw(900))));
                (Outcome::Unavailable(Unavailable::Status { status: 503, retry_after }), 5)
            }
            (Mood::Stalls, _) => (Outcome::Unavailable(Unavailable::TimedOut(Phase::Answer)), 2_000),
            (_, Some(Bad::Crashes)) => (Outcome::Unavailable(Unavailable::ConnectionLost("crash".to_owned())), 10),
            (Mood::Refuses, _) | (_, Some(Bad::Refused)) => (Outcome::Refused(Refused::ErrorCode(1)), 5),
            (Mood::Answers, None) => (Outcome::Delivered, 1 + self.draw(30)),
        };
        if self.mood != Mood::Gone {
            self.arrives(&event, outcome == Outcome::Delivered);
        }
        self.happens_in(takes_ms, Happening::AttemptEnds(self.server, event, outcome));
    }

    /// Rule C5, judged by first arrivals.
    fn arrives(&mut self, event: &OwedEvent, accepted: bool) {
        let owed = self.owed.get_mut(&event.id).expect("it was looked up before");
        let lane = (event.app, event.lane.clone());
        if !std::mem::replace(&mut owed.arrived, true) {
            let earlier = self.accepted.iter().map(|id| &self.owed[id]);
            let mut earlier = earlier.filter(|other| (other.app, &other.lane) == (event.app, &event.lane));
            assert!(earlier.all(|other| other.number < event.number), "C5: {event:?} was overtaken");
            let last = self.last.get(&lane).copied().unwrap_or(0);
            // A receiver may have taken what a killed server did not hear of, and refused it when it came again.
            let follows = if self.server == 0 { event.previous == last } else { event.previous <= last };
            assert!(follows, "C3: the receiver has seen {last} last in the lane: {event:?}");
        }
        if accepted && self.accepted.insert(event.id.clone()) {
            self.last.insert(lane, event.number);
        }
    }

    /// A refused event comes again after 1 s and after 4 s more, not before; unless it was the endpoint that refused
    /// everything, or it is the probe, or someone said that the endpoint is back.
    fn c6_pauses(&mut self, event: &OwedEvent) {
        let seen = self.endpoints.entry(event.app).or_default();
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
    fn breaker_allows(&mut self, event: &OwedEvent) {
        let at = self.at;
        let seen = self.endpoints.entry(event.app).or_default();
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

    fn attempt_ends(&mut self, event: &OwedEvent, outcome: &Outcome) {
        self.in_flight.remove(&(event.app, event.lane.clone()));
        let seen = self.endpoints.entry(event.app).or_default();
        seen.in_flight -= 1;
        match outcome {
            Outcome::Delivered => {
                if seen.refused.len() >= breaker::REFUSED_MAX {
                    seen.back_at = Some(self.at);
                }
                seen.refused.clear();
                seen.unavailable_in_row = 0;
            }
            Outcome::Refused(_) => {
                seen.unavailable_in_row = 0;
                seen.refused.insert(event.id.clone());
                self.owed.get_mut(&event.id).expect("it is owed").refusals.push(self.at);
            }
            Outcome::Unavailable(_) => seen.unavailable_in_row += 1,
        }
        self.delivery.attempted(event, outcome, self.moment());
    }

    /// The server is killed: what it had in mind is lost, and what the receiver got stays with it.
    fn restart(&mut self) {
        self.server += 1;
        self.in_flight.clear();
        // The outcome that the outbox was not told is forgotten, and so is its pause.
        let anew = || Seen { back_at: Some(self.at), ..Seen::default() };
        self.endpoints = APPS.map(|app| (app, anew())).into();
        while self.hints.ready().is_some() {}
        self.delivery = Delivery::new(Arc::clone(&self.apps), self.entropy.clone());
        self.delivery.apps_changed(self.moment());
    }

    pub(super) async fn all_is_well_in_the_end(&self) {
        let backlog = self.store.backlog().await;
        let backlog = backlog.expect("it works");
        assert_eq!(backlog.waiting, 0);
        let (in_store, not_accepted) = (backlog.parked as usize, self.parked().count());
        // A killed server may have parked what the receiver had taken before.
        assert!(in_store == not_accepted || (self.server > 0 && in_store > not_accepted), "{in_store} {not_accepted}");
        for (id, owed) in &self.owed {
            let delivered = self.accepted.contains(id);
            assert!(delivered || self.may_park(owed), "{owed:?} was neither delivered nor refused");
        }
    }

    /// What a receiver never refused is delivered; but one that crashes it may hold what is behind it in its lane until
    /// that is too old, if there are no others to tell it by.
    fn may_park(&self, owed: &Owed) -> bool {
        owed.bad.is_some() || !owed.refusals.is_empty() || self.mix.crashing_in_100 > 0
    }

    pub(super) fn parked(&self) -> impl Iterator<Item = &Owed> {
        self.owed.iter().filter(|(id, _)| !self.accepted.contains(*id)).map(|(_, owed)| owed)
    }
}

fn user(name: &str) -> UserId {
    UserId::new(name).expect("a valid name")
}
