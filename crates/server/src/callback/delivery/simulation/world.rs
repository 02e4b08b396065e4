//! The world around a [`Delivery`]: what happens in it, when, and what must not.

use std::collections::{BTreeMap, BTreeSet};

use unsaid_protocol::{UserId, callback::CallbackCommand, element::MsgBody};

use super::{super::*, APPS, Mix, leases::Leasing};
use crate::{
    apps::{EndpointSettings, Origin as AppOrigin, Secret},
    chat::{Command, EventId, Import, Lifetime, MessageFlags, NoDevices, Origin, Send, Store},
    clock::Clock,
    simulation::{
        judge::{Judge, Owed, Repeats, Servers},
        receiver::{self, Bad, Mood},
    },
    store::{HintReceiver, hints, memory::Memory},
};

const START: Timestamp = Timestamp(1_800_000_000_000);
const USERS: [&str; 5] = ["a*b", "alice", "bob", "x y", "~"];

/// By then everything has come to rest, too old or not.
const MOST: Duration = Duration::from_secs(4 * 86_400);

pub(super) struct World {
    entropy: Entropy,
    pub(super) mix: Mix,
    store: Memory,
    hints: HintReceiver,
    apps: Arc<Apps>,
    clock: Clock,
    base: Instant,
    pub(super) at: Duration,
    queue: BTreeMap<(Duration, u64), Happening>,
    queued: u64,
    pub(super) servers: Vec<Server>,
    /// Who holds each shard, where there are several servers.
    pub(super) holders: Vec<usize>,
    /// How often a server was killed.
    pub(super) restarts: u32,
    mood: Mood,
    /// Events that cannot be delivered.
    pub(super) bad: BTreeMap<EventId, Bad>,
    pub(super) judge: Judge,
}

/// One of the servers that share the store.
pub(super) struct Server {
    pub(super) delivery: Delivery,
    pub(super) share: Share,
    life: u32,
    ticks: usize,
}

/// One life of a server, for what may come after its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Life {
    pub(super) server: usize,
    life: u32,
}

#[derive(Debug)]
pub(super) enum Happening {
    Commit(usize),
    HintsAreHeard,
    /// Of a server that may be gone.
    AttemptEnds(Life, Arc<OwedEvent>, Outcome),
    Load(Life, SdkAppId, Want),
    Search(Life, SdkAppId, Option<Lane>),
    Settle(Life, Vec<Settled>),
    SettledIsHeard(Life, Result<(), Fault>),
    Look(Life, SdkAppId, Lane, i64),
    Mood(Mood),
    Restart,
    Back,
    Tick(Life),
    Leases(Leasing),
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
        let judge = match mix.servers {
            1 => Judge::new(Servers::One, Repeats::Never),
            _ => Judge::new(Servers::Several, Repeats::Possible),
        };
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
            servers: Vec::new(),
            holders: Vec::new(),
            restarts: 0,
            bad: BTreeMap::new(),
            judge,
        };
        (0..world.mix.servers).for_each(|server| world.begin(server, 0));
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
        self.plan_leases(end_ms);
        self.happens_in(
            end_ms,
            Happening::Mood(if self.mix.ends_well { Mood::Answers } else { self.mix.receivers[0] }),
        );
        if !self.mix.receivers.contains(&Mood::Answers) || self.mix.ends_well {
            self.happens_in(end_ms + 600_000, Happening::Mood(Mood::Answers));
        }
    }

    /// A server starts. Alone it delivers everything, else nothing yet.
    pub(super) fn begin(&mut self, server: usize, life: u32) {
        let share = if self.mix.servers == 1 { Share::whole() } else { self.nothing() };
        let mut delivery = Delivery::new(Arc::clone(&self.apps), self.entropy.clone(), share);
        delivery.apps_changed(self.moment());
        let begun = Server { delivery, share, life, ticks: 0 };
        if server == self.servers.len() {
            self.servers.push(begun)
        } else {
            self.servers[server] = begun
        }
        self.tick_at(server, self.at);
    }

    fn tick_at(&mut self, server: usize, at: Duration) {
        self.servers[server].ticks += 1;
        self.happens_at(at, Happening::Tick(self.life(server)));
    }

    pub(super) fn life(&self, server: usize) -> Life {
        Life { server, life: self.servers[server].life }
    }

    fn lives(&self, life: Life) -> bool {
        self.servers[life.server].life == life.life
    }

    /// A number below `end`; 0 if that is 0.
    pub(super) fn draw(&self, end: u32) -> u32 {
        self.entropy.next_u32() % end.max(1)
    }

    pub(super) fn happens_in(&mut self, ms: u32, happening: Happening) {
        self.happens_at(self.at + Duration::from_millis(u64::from(ms)), happening);
    }

    fn happens_at(&mut self, at: Duration, happening: Happening) {
        self.queued += 1;
        self.queue.insert((at, self.queued), happening);
    }

    pub(super) fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), instant: self.base + self.at }
    }

    /// Until nothing happens any more but the looking for something.
    pub(super) async fn go_on(&mut self) {
        while let Some(((at, _), happening)) = self.queue.pop_first() {
            assert!(at < MOST, "it does not come to rest: {:?}", self.store.backlog().await);
            let passed = i64::try_from(at.as_millis() - self.at.as_millis()).expect("short");
            self.clock.shift(passed);
            self.at = at;
            if matches!(happening, Happening::Tick(_)) && self.is_at_rest().await {
                return;
            }
            self.happen(happening).await;
            let moment = self.moment();
            for server in 0..self.servers.len() {
                let actions = self.servers[server].delivery.actions(moment);
                actions.into_iter().for_each(|action| self.act(server, action));
                if self.servers[server].ticks == 0 {
                    let wakes = self.servers[server].delivery.wakes(moment) - self.base;
                    self.tick_at(server, wakes.max(self.at + Duration::from_millis(1)));
                }
            }
        }
    }

    async fn is_at_rest(&self) -> bool {
        let only_ticks = self.queue.values().all(|next| matches!(next, Happening::Tick(_)));
        let settled = self.servers.iter().all(|server| server.delivery.is_settled());
        only_ticks && settled && self.store.backlog().await.expect("it works").waiting == 0
    }

    async fn happen(&mut self, happening: Happening) {
        let moment = self.moment();
        match happening {
            Happening::Commit(number) => self.commit(number).await,
            Happening::HintsAreHeard => self.hear_hints(),
            Happening::AttemptEnds(of, event, outcome) if self.lives(of) => {
                self.attempt_ends(of.server, &event, &outcome)
            }
            Happening::Load(of, app, want) if self.lives(of) => {
                let events = if self.store_fails() {
                    Err(Fault::Full)
                } else {
                    self.store.lane(app, want.lane.clone(), want.after, want.events_max).await
                };
                self.servers[of.server].delivery.loaded(app, &want, events, moment);
            }
            Happening::Search(of, app, after) if self.lives(of) => self.search(of.server, app, after).await,
            // What was on its way to the store arrives there, whether or not the server still lives.
            Happening::Settle(of, settled) => {
                let settled = self.not_refused(of.server, settled);
                let done = if self.store_fails() { Err(Fault::Full) } else { self.store.settle(settled).await };
                self.happens_in(self.draw(5), Happening::SettledIsHeard(of, done));
            }
            Happening::SettledIsHeard(of, done) if self.lives(of) => match done {
                Ok(()) => {
                    self.hear_hints();
                    self.servers[of.server].delivery.settled();
                }
                Err(fault) => self.servers[of.server].delivery.not_settled(&fault, moment),
            },
            Happening::Look(of, app, lane, place) if self.lives(of) => {
                self.servers[of.server].delivery.look(app, &lane, place, moment);
            }
            Happening::Leases(leasing) => self.lease(&leasing),
            Happening::Tick(of) if self.lives(of) => self.servers[of.server].ticks -= 1,
            Happening::Mood(mood) => self.mood = mood,
            Happening::Restart => self.restart(),
            Happening::Back => {
                for (server, app) in (0..self.servers.len()).flat_map(|server| APPS.map(|app| (server, app))) {
                    self.servers[server].delivery.back(app, moment);
                    self.judge.is_back(server, app, self.at);
                }
            }
            Happening::Tick(..)
            | Happening::Look(..)
            | Happening::AttemptEnds(..)
            | Happening::Load(..)
            | Happening::Search(..)
            | Happening::SettledIsHeard(..) => {}
        }
    }

    fn store_fails(&self) -> bool {
        self.draw(100) < self.mix.store_fails_in_100
    }

    async fn search(&mut self, server: usize, app: SdkAppId, after: Option<Lane>) {
        let after = after.unwrap_or_else(|| Lane(String::new()));
        let page = self.store.lanes(Some((app, after)), limits::OUTBOX_SCAN_LANES).await;
        let of_app =
            |page: Vec<(SdkAppId, Lane)>| page.into_iter().filter(|(of, _)| *of == app).map(|(_, lane)| lane).collect();
        let page = if self.store_fails() { Err(Fault::Full) } else { page.map(of_app) };
        let moment = self.moment();
        self.servers[server].delivery.searched(app, page, moment);
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
            self.judge.owes(&event);
            self.bad.extend(bad.map(|bad| (event.id, bad)));
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
            // Any of the servers may have taken the command.
            let server = self.draw(self.mix.servers as u32) as usize;
            let moment = self.moment();
            self.servers[server].delivery.hinted(events, lost, moment);
        }
    }

    fn act(&mut self, server: usize, action: Action) {
        let of = self.life(server);
        match action {
            Action::Attempt(event) => self.attempt_starts(of, event),
            Action::Load(app, want) => self.happens_in(self.draw(5), Happening::Load(of, app, want)),
            Action::Search(app, after) => self.happens_in(self.draw(5), Happening::Search(of, app, after)),
            Action::PassOn(app, lane, place) => self.pass_on(app, &lane, place),
            Action::Settle(settled) => self.happens_in(self.draw(5), Happening::Settle(of, settled)),
        }
    }

    fn attempt_starts(&mut self, of: Life, event: Arc<OwedEvent>) {
        self.judge.starts(of.server, &event, self.at);
        let bad = self.bad.get(&event.id).copied();
        let (outcome, takes_ms) = receiver::answer(self.mood, bad, |end| self.draw(end));
        if self.mood != Mood::Gone {
            self.judge.arrives(&event, outcome == Outcome::Delivered);
        }
        self.happens_in(takes_ms, Happening::AttemptEnds(of, event, outcome));
    }

    fn attempt_ends(&mut self, server: usize, event: &OwedEvent, outcome: &Outcome) {
        self.judge.ends(server, event, outcome, self.at);
        let moment = self.moment();
        self.servers[server].delivery.attempted(event, outcome, moment);
    }

    /// The server is killed: what it had in mind is lost, and what the receiver got stays with it.
    fn restart(&mut self) {
        self.restarts += 1;
        let server = self.draw(self.mix.servers as u32) as usize;
        self.judge.killed(server, APPS, self.at);
        while self.hints.ready().is_some() {}
        let life = self.servers[server].life + 1;
        self.begin(server, life);
        self.is_taken_over(server);
    }

    pub(super) async fn all_is_well_in_the_end(&self) {
        let backlog = self.store.backlog().await;
        let backlog = backlog.expect("it works");
        assert_eq!(backlog.waiting, 0);
        let (in_store, not_accepted) = (backlog.parked as usize, self.judge.not_accepted().count());
        // A killed server may have parked what the receiver had taken before.
        assert!(
            in_store == not_accepted || ((self.restarts > 0 || self.mix.servers > 1) && in_store > not_accepted),
            "{in_store} {not_accepted}"
        );
        for (id, owed) in self.judge.not_accepted() {
            assert!(self.may_park(id, owed), "{owed:?} was neither delivered nor refused");
        }
    }

    /// What a receiver never refused is delivered; but one that crashes it may hold what is behind it in its lane until
    /// that is too old, if there are no others to tell it by.
    fn may_park(&self, id: &EventId, owed: &Owed) -> bool {
        self.bad.contains_key(id) || !owed.refusals.is_empty() || self.mix.crashing_in_100 > 0
    }
}

fn user(name: &str) -> UserId {
    UserId::new(name).expect("a valid name")
}
