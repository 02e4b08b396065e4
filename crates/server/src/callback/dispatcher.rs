//! The dispatcher: one task that starts attempts, and tells the outbox what came of them.
//!
//! What is delivered when is decided in `delivery/`, which does no I/O; this is its rim. It learns of events by hints,
//! which may be lost, and by searching the outbox, which holds them all. It never waits for the network or the store
//! itself: attempts, loads, searches and settlements are tasks that report back to it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use unsaid_protocol::SdkAppId;

use super::{
    Callbacks, Outcome, Unavailable,
    attempt::{Attempts, Call, Report},
    delivery::{Action, Delivery, FlowState, Moment, Want},
    endpoints::Endpoints,
    record::record,
};
use crate::{
    apps::Apps,
    bus::{Bus, Look, Looks, Said},
    chat::{Fault, Lane, OwedEvent, Store},
    clock::{Clock, World},
    cluster::{self, Turn},
    limits,
    metrics::CallbackMetrics,
    store::HintReceiver,
    story::Stories,
};

/// What a dispatcher is made of.
#[derive(Debug)]
pub struct DispatcherParts {
    pub apps: Arc<Apps>,
    pub callbacks: Callbacks,
    pub ways: Ways,
    pub world: World,
}

/// By which a dispatcher hears what there is to deliver.
#[derive(Debug)]
pub struct Ways {
    /// Of what was committed here.
    pub hints: HintReceiver,
    /// Which part of what is owed is delivered here.
    pub turn: Turn,
    /// What other servers are told of their lanes, and what they tell of those that are delivered here.
    pub bus: Bus,
    pub looks: Looks,
}

/// Delivers what is owed, until it is stopped.
pub struct Dispatcher {
    store: Arc<dyn Store>,
    apps: Arc<Apps>,
    attempts: Arc<Attempts>,
    hints: HintReceiver,
    turn: Turn,
    bus: Bus,
    looks: Looks,
    stories: Stories,
    metrics: CallbackMetrics,
    clock: Clock,
    delivery: Delivery,
    endpoints: Arc<Endpoints>,
    news: mpsc::Receiver<News>,
    tell: mpsc::Sender<News>,
    requests: mpsc::Receiver<Request>,
    tasks: TaskTracker,
    /// When each app was last warned of, for each outcome.
    warned: HashMap<(SdkAppId, &'static str), Instant>,
}

/// The way to a dispatcher that runs.
#[derive(Clone, Debug)]
pub struct DispatcherHandle {
    requests: mpsc::Sender<Request>,
}

/// What a task reports.
enum News {
    Attempted(Arc<OwedEvent>, Report),
    Loaded(SdkAppId, Want, Result<Vec<OwedEvent>, Fault>),
    Searched(SdkAppId, Result<Vec<Lane>, Fault>),
    Settled(Result<(), Fault>),
}

/// What others ask.
#[derive(Debug)]
enum Request {
    Back(SdkAppId),
    State(SdkAppId, oneshot::Sender<Option<FlowState>>),
    States(oneshot::Sender<BTreeMap<SdkAppId, FlowState>>),
}

/// How long an app is not warned of again for the same outcome: one that is down would fill the log with its events.
const WARN_PAUSE: Duration = Duration::from_secs(1);

/// Requests that wait; who asks then waits for a place.
const REQUESTS_MAX: usize = 64;

impl DispatcherHandle {
    /// Says that an app's endpoint is back: what waits for it is tried at once (rule C9).
    pub async fn back(&self, app: SdkAppId) {
        // A dispatcher that is gone delivers nothing; the next one does not wait.
        let _ = self.requests.send(Request::Back(app)).await;
    }

    /// How an app's events stand; none while it has not been seen, or the server stops.
    pub async fn state(&self, app: SdkAppId) -> Option<FlowState> {
        let (answer, state) = oneshot::channel();
        self.requests.send(Request::State(app, answer)).await.ok()?;
        state.await.ok().flatten()
    }

    /// How the events of all apps stand; of none, if the server stops.
    pub async fn states(&self) -> BTreeMap<SdkAppId, FlowState> {
        let (answer, states) = oneshot::channel();
        // A dispatcher that is gone answers nothing.
        let _ = self.requests.send(Request::States(answer)).await;
        states.await.unwrap_or_default()
    }
}

impl Dispatcher {
    pub fn new(store: Arc<dyn Store>, parts: DispatcherParts) -> (Self, DispatcherHandle) {
        let DispatcherParts { apps, callbacks, ways, world: World { clock, entropy } } = parts;
        let Ways { hints, mut turn, bus, looks } = ways;
        let Callbacks { attempts, endpoints, stories, metrics, .. } = callbacks;
        let (tell, news) = mpsc::channel(limits::APP_ATTEMPTS_MAX);
        let (sender, requests) = mpsc::channel(REQUESTS_MAX);
        let share = turn.share();
        let dispatcher = Self {
            store,
            turn,
            bus,
            looks,
            delivery: Delivery::new(Arc::clone(&apps), entropy, share),
            apps,
            attempts,
            hints,
            stories,
            metrics,
            clock,
            endpoints,
            news,
            tell,
            requests,
            tasks: TaskTracker::new(),
            warned: HashMap::new(),
        };
        (dispatcher, DispatcherHandle { requests: sender })
    }

    /// Runs until `stop`. Attempts that are under way are finished, and the outbox is told of them.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut news = Vec::new();
        let mut changes = self.apps.changes();
        self.delivery.apps_changed(self.moment());
        loop {
            let moment = self.moment();
            let actions = self.delivery.actions(moment);
            actions.into_iter().for_each(|action| self.act(action));
            if let Some(version) = self.delivery.has_let_go() {
                self.turn.has_let_go(version);
            }
            let wakes = self.delivery.wakes(moment);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = self.news.recv_many(&mut news, limits::APP_ATTEMPTS_MAX) => {
                    news.drain(..).for_each(|news| self.hear(news));
                }
                news = self.turn.news() => self.take_turn(news),
                Some(events) = self.hints.next() => self.take_hints(events),
                look = self.looks.next() => self.take_looks(look),
                Some(request) = self.requests.recv() => self.answer(request),
                Ok(()) = changes.changed() => self.delivery.apps_changed(self.moment()),
                () = tokio::time::sleep_until(wakes) => {}
            }
        }
        self.finish().await;
    }

    fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), instant: self.clock.instant() }
    }

    /// Waits for the attempts, then for the outbox.
    async fn finish(mut self) {
        self.tasks.close();
        while !self.tasks.is_empty() || !self.news.is_empty() || !self.delivery.is_settled() {
            let moment = self.moment();
            let actions = self.delivery.last_actions(moment);
            actions.into_iter().for_each(|action| self.act(action));
            tokio::select! {
                biased;
                Some(news) = self.news.recv() => self.hear(news),
                () = tokio::time::sleep(limits::SETTLE_DELAY) => {}
            }
        }
    }

    fn take_turn(&mut self, news: cluster::News) {
        match news {
            cluster::News::Share(share) => self.delivery.share_changed(share, self.moment()),
            cluster::News::Back(app) => self.delivery.back(app, self.moment()),
        }
    }

    fn take_hints(&mut self, events: Vec<OwedEvent>) {
        let missed = self.hints.take_missed();
        self.delivery.hinted(events, missed, self.moment());
    }

    fn take_looks(&mut self, look: Option<Look>) {
        let moment = self.moment();
        if self.looks.take_missed() {
            self.delivery.hinted(Vec::new(), true, moment);
        }
        let mut next = look;
        while let Some(Look { app, lane, place }) = next {
            self.delivery.look(app, &lane, place, moment);
            next = self.looks.ready();
        }
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Back(app) => self.delivery.back(app, self.moment()),
            // Who asked may be gone.
            Request::State(app, answer) => drop(answer.send(self.delivery.state(app, self.moment()))),
            Request::States(answer) => drop(answer.send(self.delivery.states(self.moment()))),
        }
    }

    fn hear(&mut self, news: News) {
        let moment = self.moment();
        match news {
            News::Attempted(event, report) => {
                self.log(&event, &report);
                report.count(event.app, event.command, &self.metrics);
                if report.outcome == Outcome::Delivered {
                    self.metrics.delivered(event.command, moment.now.after(event.age_from));
                }
                self.delivery.attempted(&event, &report.outcome, moment);
                let attempt = event.tries.attempts + 1;
                self.stories.attempted(record(&Call::from(&*event), event.lane.clone(), attempt, report, moment.now));
            }
            News::Loaded(app, want, events) => self.delivery.loaded(app, &want, events, moment),
            News::Searched(app, page) => self.delivery.searched(app, page, moment),
            // The next server finds them in the outbox and repeats them.
            News::Settled(Ok(()) | Err(Fault::Stopping)) => {
                self.catch_up_with_hints();
                self.delivery.settled();
            }
            News::Settled(Err(fault)) => self.delivery.not_settled(&fault, moment),
        }
    }

    /// The first failure of an event is worth a warning, unless another one has just said the same.
    fn log(&mut self, event: &OwedEvent, report: &Report) {
        let (app, id, command) = (event.app, &event.id, event.command);
        let (outcome, attempts) = (report.outcome.name(), event.tries.attempts + 1);
        let total_ms = report.total.as_secs_f64() * 1e3;
        let (why, request) = (&report.outcome, event.origin.request);
        if report.outcome != Outcome::Delivered && attempts == 1 && self.may_warn(app, outcome) {
            tracing::warn!(%app, %id, %request, %command, attempts, outcome, total_ms, "callback not delivered: {why}");
        } else {
            tracing::debug!(%app, %id, %request, %command, attempts, outcome, total_ms, "callback: {why}");
        }
    }

    fn may_warn(&mut self, app: SdkAppId, outcome: &'static str) -> bool {
        let now = self.clock.instant();
        let last = self.warned.entry((app, outcome)).or_insert(now - WARN_PAUSE);
        let may = now - *last >= WARN_PAUSE;
        if may {
            *last = now;
        }
        may
    }

    /// Takes the hints that are here. Before a lane is let go, those of its events have to be known, or a late one would
    /// look like a new event and be delivered again.
    fn catch_up_with_hints(&mut self) {
        for _ in 0..limits::HINT_BATCHES_MAX {
            let Some(events) = self.hints.ready() else {
                return;
            };
            self.take_hints(events);
        }
    }

    /// Begins what is to be done, as a task that reports. Only a dispatcher that is gone does not hear it.
    fn act(&mut self, action: Action) {
        let (store, tell) = (Arc::clone(&self.store), self.tell.clone());
        match action {
            Action::Attempt(event) => {
                let endpoint = self.endpoints.of(event.app);
                let attempts = Arc::clone(&self.attempts);
                self.tasks.spawn(async move {
                    let report = match endpoint {
                        Ok(endpoint) => attempts.call(&endpoint, &Call::from(&*event)).await,
                        Err(why) => no_endpoint(why),
                    };
                    let _ = tell.send(News::Attempted(event, report)).await;
                });
            }
            Action::Load(app, want) => {
                self.tasks.spawn(async move {
                    let events = store.lane(app, want.lane.clone(), want.after, want.events_max).await;
                    let _ = tell.send(News::Loaded(app, want, events)).await;
                });
            }
            Action::Search(app, after) => {
                self.tasks.spawn(async move {
                    let after = after.unwrap_or_else(|| Lane(String::new()));
                    let page = store.lanes(Some((app, after)), limits::OUTBOX_SCAN_LANES).await;
                    let page = page.map(|page| of_app(page, app));
                    let _ = tell.send(News::Searched(app, page)).await;
                });
            }
            Action::PassOn(app, lane, place) => self.bus.say(Said::Look { app, lane, place }),
            Action::Settle(settled) => {
                self.tasks.spawn(async move {
                    let done = store.settle(settled).await;
                    let _ = tell.send(News::Settled(done)).await;
                });
            }
        }
    }
}

/// The lanes of other apps stand behind those of the app.
fn of_app(page: Vec<(SdkAppId, Lane)>, app: SdkAppId) -> Vec<Lane> {
    page.into_iter().take_while(|(of, _)| *of == app).map(|(_, lane)| lane).collect()
}

fn no_endpoint(why: String) -> Report {
    Report::without_call(Outcome::Unavailable(Unavailable::NoEndpoint(why)))
}

#[cfg(test)]
mod tests {
    use unsaid_protocol::{UserId, callback::CallbackCommand, element::MsgBody};

    use super::*;
    use crate::{
        apps::{App, EndpointSettings, Origin as AppOrigin, Secret},
        callback::{CallbacksParts, Connector, EndpointRules},
        chat::{Command, Import, Lifetime, MessageFlags, NoDevices, Origin, Send, Settled, Settlement, Tries},
        clock::{Entropy, Timestamp},
        metrics::Metrics,
        store::{hints, memory::Memory},
        story::StorySettings,
    };

    const APP: SdkAppId = SdkAppId(1_400_000_001);

    fn user(name: &str) -> UserId {
        UserId::new(name).expect("a valid name")
    }

    /// A dispatcher that does only what a test calls, over a store in which alice can write to bob.
    async fn dispatcher() -> Dispatcher {
        let (clock, entropy) = (Clock::standing_at(Timestamp(1_800_000_000_000)), Entropy::seeded([1; 32]));
        let (sender, hints) = hints(Arc::new(NoDevices));
        let store = Arc::new(Memory::new(clock.clone(), entropy.clone(), sender));
        let mut app = App::new(APP, Secret::new("0123456789abcdef"), AppOrigin::Runtime);
        app.callback.commands = CallbackCommand::AFTER.into();
        let url = "https://backend.example/im".to_owned();
        app.callback.endpoint = Some(EndpointSettings::new(url));
        let (app, apps) = (Arc::new(app), Arc::new(Apps::default()));
        apps.put(&app);
        let connector = Arc::new(Connector::new(crate::live::Live::new(EndpointRules::default())));
        let nothing = StorySettings { keep: Duration::ZERO, records_max: 0 };
        let stories = Stories::open(std::path::Path::new(""), nothing, clock.clone());
        let world = World { clock: clock.clone(), entropy: entropy.clone() };
        let parts = CallbacksParts {
            apps: Arc::clone(&apps),
            connector,
            stories,
            metrics: Metrics::new().callbacks,
            world,
            leases: None,
        };
        let callbacks = Callbacks::new(parts, store.epoch());
        let (_, turn) = crate::cluster::turn(crate::cluster::Share::whole());
        let ways = Ways { hints, turn, bus: Bus::none(), looks: Looks::none() };
        let world = World { clock, entropy };
        let (mut dispatcher, _) = Dispatcher::new(store, DispatcherParts { apps, callbacks, ways, world });
        dispatcher.commit(Command::SaveApp(app)).await;
        for name in ["alice", "bob"] {
            dispatcher.commit(Command::Import(Import { app: APP, user: user(name), nick: None, face_url: None })).await;
        }
        dispatcher.delivery.apps_changed(dispatcher.moment());
        dispatcher
    }

    impl Dispatcher {
        async fn commit(&mut self, command: Command) {
            self.store.commit(command).await.expect("the store works").expect("it is allowed");
        }

        /// An event in the lane of bob.
        async fn send(&mut self, number: u32) {
            let raw =
                serde_json::value::to_raw_value(&serde_json::json!([{"MsgType": "TIMTextElem", "MsgContent": {}}]));
            self.commit(Command::Send(Box::new(Send {
                app: APP,
                from: user("alice"),
                to: user("bob"),
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
            })))
            .await;
        }

        async fn hear_next(&mut self) {
            let news = self.news.recv().await.expect("a task is under way");
            self.hear(news);
        }

        /// Does what is to be done but the attempts, of which it tells.
        fn begin(&mut self) -> Vec<Arc<OwedEvent>> {
            let (attempts, others): (Vec<_>, Vec<_>) = self
                .delivery
                .actions(self.moment())
                .into_iter()
                .partition(|action| matches!(action, Action::Attempt(_)));
            others.into_iter().for_each(|action| self.act(action));
            attempts
                .into_iter()
                .filter_map(|action| if let Action::Attempt(event) = action { Some(event) } else { None })
                .collect()
        }

        /// The next event that would be tried.
        async fn next_attempt(&mut self) -> Arc<OwedEvent> {
            loop {
                if let Some(event) = self.begin().pop() {
                    return event;
                }
                self.hear_next().await;
            }
        }

        /// Until the outbox has been told everything.
        async fn settle(&mut self) {
            while !self.delivery.is_settled() {
                let actions = self.delivery.last_actions(self.moment());
                actions.into_iter().for_each(|action| self.act(action));
                self.hear_next().await;
            }
        }
    }

    fn delivered() -> Report {
        Report::without_call(Outcome::Delivered)
    }

    #[tokio::test]
    async fn c3_a_late_hint_does_not_deliver_an_event_again() {
        let mut dispatcher = dispatcher().await;
        dispatcher.send(1).await;
        // The search is faster than the hint.
        let event = dispatcher.next_attempt().await;
        dispatcher.hear(News::Attempted(event, delivered()));
        dispatcher.settle().await;
        while let Some(events) = dispatcher.hints.ready() {
            dispatcher.take_hints(events);
        }
        assert!(dispatcher.begin().is_empty());
    }

    #[tokio::test]
    async fn c5_events_whose_hints_were_lost_are_found_and_keep_their_order() {
        let mut dispatcher = dispatcher().await;
        dispatcher.begin();
        // The outbox is searched, and found to hold nothing, which waits to be heard.
        let early = dispatcher.news.recv().await.expect("a search is under way");
        for number in 0..=limits::HINT_BATCHES_MAX {
            dispatcher.send(u32::try_from(number).expect("few")).await;
        }
        // The last one found no place among the hints; the others are skipped.
        while dispatcher.hints.ready().is_some() {}
        dispatcher.send(u32::MAX).await;
        let events = dispatcher.hints.next().await.expect("the last one");
        dispatcher.take_hints(events);
        dispatcher.hear(early);
        for number in 1..=3 {
            let event = dispatcher.next_attempt().await;
            assert_eq!(event.number, number);
            dispatcher.hear(News::Attempted(event, delivered()));
        }
    }

    #[tokio::test]
    async fn c6_what_was_never_tried_does_not_wait_for_a_clock_that_was_set_back() {
        let mut dispatcher = dispatcher().await;
        dispatcher.send(1).await;
        // It is not told of, but found.
        while dispatcher.hints.ready().is_some() {}
        dispatcher.clock.shift(-5 * 3_600_000);
        let event = tokio::time::timeout(Duration::from_secs(10), dispatcher.next_attempt()).await;
        assert_eq!(event.expect("it is tried").number, 1);
    }

    /// When the endpoint is said to be back.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Back {
        Never,
        /// Before this server holds the lane, or has looked for any.
        Early,
        /// When the lane is found, and its events are not read yet.
        Meanwhile,
    }

    #[tokio::test]
    async fn c9_what_is_read_soon_after_the_endpoint_is_back_does_not_wait() {
        for back in [Back::Never, Back::Early, Back::Meanwhile] {
            let mut dispatcher = dispatcher().await;
            let moment = dispatcher.moment();
            let share = cluster::Share { term: 1, ..cluster::Share::nothing(moment.instant) };
            dispatcher.delivery.share_changed(share, moment);
            dispatcher.send(1).await;
            let event = dispatcher.hints.next().await.expect("it is told of").remove(0);
            let tries = Tries { attempts: 1, refusals: 0, unavailable_since: None };
            let to = Settlement::DueAgain { tries, due: dispatcher.clock.now().plus(Duration::from_secs(20)) };
            let settled = Settled { app: APP, lane: event.lane.clone(), place: event.place, to };
            dispatcher.store.settle(vec![settled]).await.expect("the store works");
            let told = |dispatcher: &mut Dispatcher, now| {
                if back == now {
                    dispatcher.delivery.back(APP, moment);
                }
            };
            told(&mut dispatcher, Back::Early);
            // Nothing is held here yet, and nothing is found.
            dispatcher.begin();
            dispatcher.hear_next().await;
            let until = Some(moment.instant + limits::LEASE);
            let whole = cluster::Share { version: 2, term: 1, until, ..cluster::Share::whole() };
            dispatcher.delivery.share_changed(whole, moment);
            // Now it is found.
            dispatcher.begin();
            dispatcher.hear_next().await;
            told(&mut dispatcher, Back::Meanwhile);
            let tried = tokio::time::timeout(Duration::from_millis(300), dispatcher.next_attempt()).await;
            assert_eq!(tried.is_ok(), back != Back::Never);
        }
    }

    #[tokio::test]
    async fn what_was_committed_after_the_lease_had_ended_is_passed_on() {
        let mut dispatcher = dispatcher().await;
        dispatcher.begin();
        dispatcher.hear_next().await;
        dispatcher.send(1).await;
        let events = dispatcher.hints.next().await.expect("it is told of");
        let (lane, place) = (events[0].lane.clone(), events[0].place);
        dispatcher.take_hints(events);
        let moment = dispatcher.moment();
        let share = cluster::Share { term: 1, ..cluster::Share::nothing(moment.instant) };
        dispatcher.delivery.share_changed(share, moment);
        let actions = dispatcher.delivery.actions(dispatcher.moment());
        let passed_on = |action: &Action| matches!(action, Action::PassOn(APP, of, at) if *of == lane && *at == place);
        assert!(actions.iter().any(passed_on) && !actions.iter().any(|action| matches!(action, Action::Attempt(_))));
    }

    #[tokio::test]
    async fn c11_an_app_without_an_endpoint_is_not_called() {
        let mut dispatcher = dispatcher().await;
        dispatcher.send(1).await;
        let app = dispatcher.apps.get(APP).expect("it is there");
        dispatcher.apps.put(&Arc::new(App { disabled: true, ..App::clone(&app) }));
        while dispatcher.store.backlog().await.expect("readable").parked == 0 {
            assert!(dispatcher.begin().is_empty());
            if !dispatcher.delivery.is_settled() {
                dispatcher.settle().await;
            } else {
                dispatcher.hear_next().await;
            }
        }
    }
}
