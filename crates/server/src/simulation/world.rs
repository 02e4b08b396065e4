//! The world around a server: what happens in it, and when. One queue, one clock, one stream of random numbers.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;
use unsaid_protocol::{SdkAppId, UserId};

use super::{
    backend::Call,
    book::Book,
    device::Device,
    judge::{Judge, Repeats, Servers},
    mix::{Deed, Mix},
    receiver::{Bad, Mood},
    server::{Server, Site},
};
use crate::{
    callback::{Moment, Outcome, Want},
    chat::{EventId, Fault, Lane, OwedEvent, Settled},
    clock::{Clock, Entropy, Timestamp},
    gateway::simulated::{Finished, Link, Task},
    limits,
};

pub(super) const START: Timestamp = Timestamp(1_800_000_000_000);
pub(super) const NAMES: [&str; 5] = ["alice", "bob", "x y", "a*b", "~"];
const PLATFORMS: [&str; 6] = ["Web", "Android", "iOS", "Windows", "Mac", "iPad"];

/// An event that is older is parked: short, so that a run comes to its end.
pub(super) const AGE_MAX: Duration = Duration::from_secs(3 * 3600);

/// By then everything has come to rest.
const MOST: Duration = Duration::from_secs(10 * 3600);

/// What happened last, for whoever looks for the reason of a failure.
pub(super) type Trace = Arc<Mutex<Told>>;

#[derive(Default)]
pub(super) struct Told {
    pub(super) steps: u64,
    pub(super) lines: VecDeque<String>,
}

const LINES_MAX: usize = 60;

pub(super) struct World {
    pub(super) entropy: Entropy,
    pub(super) mix: Mix,
    pub(super) clock: Clock,
    base: Instant,
    pub(super) at: Duration,
    /// How far the wall clock has jumped forward in all.
    pub(super) jumped: Duration,
    queue: BTreeMap<(Duration, u64), Happening>,
    queued: u64,
    /// Of what is queued, what is not only waiting for something.
    busy: usize,
    pub(super) site: Site,
    pub(super) server: Server,
    /// Which of its lives the server lives, for what may come after its end.
    pub(super) life: u32,
    /// Whether its next look at the time is planned.
    ticks: bool,
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) mood: Mood,
    pub(super) bad: BTreeMap<EventId, Option<Bad>>,
    pub(super) devices: Vec<Device>,
    pub(super) links: BTreeMap<u64, Connection>,
    pub(super) next_link: u64,
    /// The last number that a sender has given.
    pub(super) numbers: u32,
    /// Faults are over, and nobody does anything more.
    pub(super) has_ended: bool,
    pub(super) trace: Trace,
}

/// A connection of a device.
pub(super) struct Connection {
    pub(super) link: Link,
    pub(super) device: usize,
    pub(super) logging_in: bool,
    /// The other end is gone, and the server knows or not.
    pub(super) gone: bool,
    /// What either end sends arrives in its order.
    pub(super) up_at: Duration,
    pub(super) down_at: Duration,
    /// Frames that the server does not read yet.
    pub(super) unread: VecDeque<String>,
}

pub(super) enum Happening {
    /// Somebody does something.
    Deed,
    /// The app backend asks for something, once more if it does not hear the answer.
    Call(Box<Call>),
    Connect(usize),
    /// A frame arrives at the server, or at the device.
    Up(u64, String),
    Down(u64, String),
    Closed(u64, u16),
    Alive(u64),
    Gone(u64),
    Work(u64, Task),
    Finished(u64, Finished),
    Woken(u64),
    LinkTick(u64),
    HintsAreHeard,
    Tick(u32),
    Arrives(Arc<OwedEvent>, bool),
    AttemptEnds(u32, Arc<OwedEvent>, Outcome),
    Load(u32, SdkAppId, Want),
    Loaded(u32, SdkAppId, Want, Result<Vec<OwedEvent>, Fault>),
    Search(u32, SdkAppId, Option<Lane>),
    Searched(u32, SdkAppId, Result<Vec<Lane>, Fault>),
    Settle(u32, Vec<Settled>),
    IsSettled(u32, Result<(), Fault>),
    Mood(Mood),
    Jump(i64),
    Restart,
    Sweep,
    End,
}

impl Happening {
    /// It only looks whether time has passed.
    const fn waits(&self) -> bool {
        matches!(self, Self::Tick(_) | Self::LinkTick(_) | Self::Alive(_) | Self::Search(..) | Self::Searched(..))
    }
}

impl World {
    pub(super) async fn new(entropy: Entropy, mix: Mix, trace: Trace) -> Self {
        let clock = Clock::standing_at(START);
        let users: Vec<UserId> = NAMES[..mix.accounts].iter().map(|name| user(name)).collect();
        let lossy = mix.answers_lost_in_100 + mix.late_in_100 + mix.doubled_in_100 > 0;
        let repeats = if lossy { Repeats::Possible } else { Repeats::Never };
        let book = Arc::new(Mutex::new(Book::new(users.clone(), Judge::new(Servers::One, repeats))));
        let mut site = Site::new(mix.ground, &clock, &entropy, &book);
        let server = Server::start(&mut site);
        let devices = (0..mix.devices).map(|number| {
            let app = apps(mix.apps)[number % mix.apps];
            Device::new(app, users[number % users.len()].clone(), PLATFORMS[number], users.clone())
        });
        let base = clock.instant();
        let mut world = Self {
            devices: devices.collect(),
            mood: Mood::Answers,
            entropy,
            clock,
            base,
            at: Duration::ZERO,
            jumped: Duration::ZERO,
            queue: BTreeMap::new(),
            queued: 0,
            busy: 0,
            site,
            server,
            life: 0,
            ticks: false,
            book,
            bad: BTreeMap::new(),
            links: BTreeMap::new(),
            next_link: 0,
            numbers: 0,
            has_ended: false,
            trace,
            mix,
        };
        world.settle_in().await;
        world.plan();
        world
    }

    /// What happens by itself: deeds, moods, restarts, jumps of the clock, and an end of all of these.
    fn plan(&mut self) {
        let mut at_ms = 1;
        for _ in 0..self.mix.deeds {
            at_ms += self.draw(self.mix.pause_ms);
            self.happens_in(at_ms, Happening::Deed);
        }
        for device in 0..self.devices.len() {
            self.happens_in(self.draw(at_ms), Happening::Connect(device));
        }
        for _ in 0..6 {
            let mood = self.mix.moods[self.draw(self.mix.moods.len() as u32) as usize];
            self.happens_in(self.draw(at_ms), Happening::Mood(mood));
        }
        for _ in 0..self.mix.restarts {
            self.happens_in(self.draw(at_ms), Happening::Restart);
        }
        for _ in 0..self.mix.jumps {
            let by_ms = [1_000, 90_000, 3_600_000, -700, -30_000, -600_000][self.draw(6) as usize];
            self.happens_in(self.draw(at_ms), Happening::Jump(by_ms));
        }
        self.site.fails_in_100.store(self.mix.store_fails_in_100, Ordering::Relaxed);
        self.happens_in(at_ms + 1, Happening::End);
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nobody panics with it but the judge")
    }

    /// A number below `end`; 0 if that is 0.
    pub(super) fn draw(&self, end: u32) -> u32 {
        self.entropy.next_u32() % end.max(1)
    }

    /// No chance any more when faults are over.
    pub(super) fn chance(&self, in_100: u32) -> bool {
        !self.has_ended && self.draw(100) < in_100
    }

    pub(super) fn happens_in(&mut self, ms: u32, happening: Happening) {
        self.happens_at(self.at + Duration::from_millis(u64::from(ms)), happening);
    }

    pub(super) fn happens_at(&mut self, at: Duration, happening: Happening) {
        self.queued += 1;
        self.busy += usize::from(!happening.waits());
        self.queue.insert((at, self.queued), happening);
    }

    pub(super) fn instant(&self) -> Instant {
        self.base + self.at
    }

    pub(super) fn since_start(&self, instant: Instant) -> Duration {
        instant - self.base
    }

    pub(super) fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), instant: self.instant() }
    }

    pub(super) fn note(&self, line: String) {
        let mut told = self.trace.lock().expect("nobody panics with it");
        if told.lines.len() == LINES_MAX {
            told.lines.pop_front();
        }
        told.lines.push_back(line);
    }

    /// Until nothing happens any more but the passing of time.
    pub(super) async fn go_on(&mut self) {
        while let Some(((at, _), happening)) = self.queue.pop_first() {
            if at > MOST {
                self.does_not_rest().await;
            }
            self.busy -= usize::from(!happening.waits());
            let passed_ms = at.as_millis() - self.at.as_millis();
            self.clock.shift(i64::try_from(passed_ms).expect("short"));
            self.at = at;
            self.trace.lock().expect("nobody panics with it").steps += 1;
            if !happening.waits() {
                self.note(format!("{:>10.3} s  {happening}", at.as_secs_f64()));
            }
            self.happen(happening).await;
            self.deliver();
            self.wake_links();
            self.check();
            if self.has_ended && self.busy == 0 && self.is_at_rest().await {
                return;
            }
        }
        self.does_not_rest().await;
    }

    async fn does_not_rest(&self) {
        let backlog = self.site.store.backlog().await;
        let devices: Vec<_> = self.devices.iter().map(Device::state).collect();
        let (settled, busy) = (self.server.delivery.is_settled(), self.busy);
        panic!("it does not come to rest: {backlog:?}, settled: {settled}, {busy} happenings, {devices:#?}");
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is left is the delivery's")]
    async fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deed => self.deed().await,
            Happening::Call(call) => self.call(*call).await,
            Happening::Connect(device) => self.connect(device),
            Happening::Up(link, frame) => self.frame_arrives(link, frame),
            Happening::Down(link, frame) => self.device_hears(link, &frame).await,
            Happening::Closed(link, code) => self.device_is_closed(link, code),
            Happening::Alive(link) => self.link_does(link, Link::sign_of_life).await,
            Happening::Gone(link) => self.link_is_gone(link).await,
            Happening::Work(link, task) => self.work(link, task).await,
            Happening::Finished(link, finished) => self.work_is_done(link, finished).await,
            Happening::Woken(link) => self.link_does(link, |link, _| link.hear()).await,
            Happening::LinkTick(link) => self.link_ticks(link).await,
            Happening::HintsAreHeard => self.hear_hints(),
            Happening::Arrives(event, accepted) => self.book().judge.arrives(&event, accepted),
            Happening::Mood(mood) => self.mood = mood,
            Happening::Jump(by_ms) => self.jump(by_ms),
            Happening::Restart => self.restart().await,
            Happening::Sweep => self.sweep().await,
            Happening::End => self.end().await,
            Happening::Tick(life)
            | Happening::AttemptEnds(life, ..)
            | Happening::Load(life, ..)
            | Happening::Loaded(life, ..)
            | Happening::Search(life, ..)
            | Happening::Searched(life, ..)
            | Happening::Settle(life, _)
            | Happening::IsSettled(life, _)
                if life != self.life => {}
            delivery => self.delivery_happens(delivery).await,
        }
    }

    /// What the delivery is told, or asks of the store.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is left is heard before")]
    async fn delivery_happens(&mut self, happening: Happening) {
        let (moment, life, at) = (self.moment(), self.life, self.at);
        let store = Arc::clone(&self.site.store);
        let delivery = &mut self.server.delivery;
        match happening {
            Happening::Tick(_) => self.ticks = false,
            Happening::AttemptEnds(_, event, outcome) => {
                self.book.lock().expect("whole").judge.ends(0, &event, &outcome, at);
                delivery.attempted(&event, &outcome, moment);
                let breaker = delivery.state(event.app, moment).and_then(|state| state.breaker);
                let closed = outcome != Outcome::Delivered || breaker.is_none();
                assert!(closed, "C6: the first delivery closes the breaker: {breaker:?}");
            }
            Happening::Load(_, app, want) => {
                let events = store.lane(app, want.lane.clone(), want.after, want.events_max).await;
                self.happens_in(self.draw(5), Happening::Loaded(life, app, want, events));
            }
            Happening::Loaded(_, app, want, events) => delivery.loaded(app, &want, events, moment),
            Happening::Search(_, app, after) => {
                let after = after.unwrap_or_else(|| Lane(String::new()));
                let page = store.lanes(Some((app, after)), limits::OUTBOX_SCAN_LANES).await;
                let of_app = |page: Vec<(SdkAppId, Lane)>| page.into_iter().take_while(|(of, _)| *of == app);
                let page = page.map(|page| of_app(page).map(|(_, lane)| lane).collect());
                self.happens_in(self.draw(5), Happening::Searched(life, app, page));
            }
            Happening::Searched(_, app, page) => delivery.searched(app, page, moment),
            Happening::Settle(_, settled) => {
                let done = store.settle(settled).await;
                self.happens_in(self.draw(5), Happening::IsSettled(life, done));
            }
            Happening::IsSettled(_, Ok(())) => {
                self.hear_hints();
                self.server.delivery.settled();
            }
            Happening::IsSettled(_, Err(fault)) => delivery.not_settled(&fault, moment),
            other => unreachable!("it is heard elsewhere: {other}"),
        }
    }

    /// Begins what is to be done about events now, and plans when to look again.
    fn deliver(&mut self) {
        use crate::callback::Action;
        let (moment, life) = (self.moment(), self.life);
        for action in self.server.delivery.actions(moment) {
            match action {
                Action::Attempt(event) => self.attempt(event),
                Action::Load(app, want) => self.happens_in(self.draw(5), Happening::Load(life, app, want)),
                Action::Search(app, after) => self.happens_in(self.draw(5), Happening::Search(life, app, after)),
                Action::Settle(settled) => self.happens_in(self.draw(5), Happening::Settle(life, settled)),
                Action::PassOn(..) => panic!("there is nobody else"),
            }
        }
        if !self.ticks {
            self.ticks = true;
            let wakes = self.server.delivery.wakes(moment);
            self.happens_at(self.since_start(wakes).max(self.at + Duration::from_millis(1)), Happening::Tick(life));
        }
    }

    /// Some hints are lost, which costs time and no event (invariant 2).
    fn hear_hints(&mut self) {
        let mut missed = self.server.hints.take_missed();
        while let Some(events) = self.server.hints.ready() {
            let lost = self.chance(self.mix.hints_lost_in_100);
            let events = if lost { Vec::new() } else { events };
            let moment = self.moment();
            self.server.delivery.hinted(events, lost || std::mem::take(&mut missed), moment);
        }
    }

    /// The wall clock jumps. Whoever was in a hurry by it is excused.
    fn jump(&mut self, by_ms: i64) {
        self.clock.shift(by_ms);
        self.jumped += Duration::from_millis(u64::try_from(by_ms).unwrap_or(0));
        let at = self.at;
        for app in apps(self.mix.apps) {
            self.book().judge.is_back(0, *app, at);
        }
    }

    /// The server is killed and starts again: what it had in mind is lost, and what the store holds stays.
    async fn restart(&mut self) {
        let at = self.at;
        self.book().judge.killed(0, apps(self.mix.apps).iter().copied(), at);
        self.life += 1;
        self.ticks = false;
        for connection in std::mem::take(&mut self.links).into_values() {
            self.device_lost(connection.device);
        }
        self.forget_work();
        self.site.close(&mut self.server).await;
        self.server = Server::start(&mut self.site);
        self.read_apps().await;
        self.happens_in(2_000, Happening::Sweep);
    }

    /// What was under way in the server that was killed.
    fn forget_work(&mut self) {
        let of_server = |happening: &Happening| matches!(happening, Happening::Work(..) | Happening::Finished(..));
        let forgotten: Vec<_> = self.queue.iter().filter(|(_, one)| of_server(one)).map(|(at, _)| *at).collect();
        for at in forgotten {
            self.busy -= 1;
            self.queue.remove(&at);
        }
    }

    /// Invariant 6, and what else can be seen at any time.
    fn check(&self) {
        let seated = self.links.values().filter(|one| one.link.seated().is_some()).count();
        let connected = self.server.fanout.sessions();
        assert!(connected >= seated && connected <= self.links.len(), "{connected} of {seated} are connected");
        for (app, flow) in self.server.delivery.states(self.moment()) {
            assert!(
                flow.in_flight <= limits::APP_ATTEMPTS_MAX && flow.lanes <= limits::APP_LANES_MAX,
                "{app}: {flow:?}"
            );
        }
    }

    /// Which deed it is, by their weights.
    pub(super) fn drawn_deed(&self) -> Deed {
        let all: u32 = self.mix.weights.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.draw(all);
        for (deed, weight) in &self.mix.weights {
            if drawn < *weight {
                return *deed;
            }
            drawn -= weight;
        }
        Deed::Send
    }
}

/// The apps of a run.
pub(super) fn apps(count: usize) -> &'static [SdkAppId] {
    &[SdkAppId(1), SdkAppId(2)][..count]
}

pub(super) fn user(name: &str) -> UserId {
    UserId::new(name).expect("a valid name")
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deed => write!(f, "somebody does something"),
            Self::Call(call) => write!(f, "the app backend asks: {call:?}"),
            Self::Connect(device) => write!(f, "device {device} connects"),
            Self::Up(link, frame) => write!(f, "link {link} reads {frame}"),
            Self::Down(link, frame) => write!(f, "link {link} has sent {frame}"),
            Self::Closed(link, code) => write!(f, "link {link} has closed with {code}"),
            Self::Alive(link) => write!(f, "link {link} is alive"),
            Self::Gone(link) => write!(f, "link {link} finds its device gone"),
            Self::Work(link, task) => write!(f, "link {link} works: {task:?}"),
            Self::Finished(link, _) => write!(f, "link {link} has done its work"),
            Self::Woken(link) => write!(f, "link {link} is woken"),
            Self::LinkTick(link) => write!(f, "link {link} looks at the time"),
            Self::HintsAreHeard => write!(f, "hints are heard"),
            Self::Tick(_) => write!(f, "the delivery looks at the time"),
            Self::Arrives(event, _) => write!(f, "{} arrives late or again, number {}", event.id, event.number),
            Self::AttemptEnds(_, event, outcome) => {
                write!(f, "number {} of {:?} was tried: {outcome:?}", event.number, event.lane.0)
            }
            Self::Load(_, app, want) => write!(f, "lane {:?} of app {app} is read behind {}", want.lane.0, want.after),
            Self::Loaded(_, _, want, events) => {
                write!(f, "lane {:?} was read: {:?} events", want.lane.0, events.as_ref().map(Vec::len))
            }
            Self::Search(_, app, after) => write!(f, "the outbox of app {app} is searched behind {after:?}"),
            Self::Searched(_, _, page) => write!(f, "the search has found {page:?}"),
            Self::Settle(_, settled) => write!(f, "{} outcomes are settled", settled.len()),
            Self::IsSettled(_, done) => write!(f, "the outbox knows: {done:?}"),
            Self::Mood(mood) => write!(f, "the receivers' mood: {mood:?}"),
            Self::Jump(by_ms) => write!(f, "the clock jumps by {by_ms} ms"),
            Self::Restart => write!(f, "the server is killed and starts again"),
            Self::Sweep => write!(f, "sessions that nobody holds are looked for"),
            Self::End => write!(f, "faults are over"),
        }
    }
}
