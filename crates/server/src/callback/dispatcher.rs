//! The dispatcher: one task that holds the lanes of all apps, starts attempts, and tells the outbox what came of them.
//!
//! It learns of events by hints, which may be lost, and by searching the outbox, which holds them all. It never waits
//! for the network or the store itself: attempts, loads and settlements are tasks that report back to it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use unsaid_protocol::SdkAppId;

use super::{
    Connector, Outcome, Unavailable,
    attempt::{Attempts, Report},
    endpoint::Endpoint,
    lanes::{Lanes, Verdict, Want, wait},
    schedule::{self, Next},
};
use crate::{
    apps::Apps,
    chat::{Fault, Lane, OwedEvent, Settled, Settlement, Store, Tries},
    clock::{Clock, Entropy},
    limits,
    store::HintReceiver,
};

/// What a dispatcher is made of.
#[derive(Debug)]
pub struct DispatcherParts {
    pub apps: Arc<Apps>,
    pub connector: Arc<Connector>,
    pub hints: HintReceiver,
    pub clock: Clock,
    pub entropy: Entropy,
}

/// Delivers what is owed, until it is stopped.
pub struct Dispatcher {
    store: Arc<dyn Store>,
    apps: Arc<Apps>,
    attempts: Arc<Attempts>,
    hints: HintReceiver,
    clock: Clock,
    entropy: Entropy,
    lanes: HashMap<SdkAppId, Lanes>,
    endpoints: HashMap<SdkAppId, Arc<Endpoint>>,
    news: mpsc::Receiver<News>,
    tell: mpsc::Sender<News>,
    search: Search,
    /// Until when nothing is loaded, because a load has failed.
    loads_pause: Option<Instant>,
    /// Whether the outbox is being told; the next settlement waits, so that they are told in their order.
    settling: bool,
    /// What the outbox has to be told, and since when.
    unsettled: Vec<Settled>,
    unsettled_since: Option<Instant>,
    tasks: TaskTracker,
}

/// What a task reports.
enum News {
    Attempted(Arc<OwedEvent>, Report),
    Loaded(SdkAppId, Want, Result<Vec<OwedEvent>, Fault>),
    Searched(Result<Vec<(SdkAppId, Lane)>, Fault>),
    Settled(Vec<(SdkAppId, Lane, usize)>),
}

/// Where the search of the outbox stands.
enum Search {
    Running,
    Paused { until: Instant },
}

/// How long the search pauses when every lane is known: a safety net only.
const SEARCH_PAUSE_COMPLETE: Duration = Duration::from_secs(30);

/// How long a settlement that the store did not take waits.
const SETTLE_AGAIN: Duration = Duration::from_secs(1);

/// Loads of lanes that are started in one go.
const LOADS_MAX: usize = 64;

impl Dispatcher {
    pub fn new(store: Arc<dyn Store>, parts: DispatcherParts) -> Self {
        let DispatcherParts { apps, connector, hints, clock, entropy } = parts;
        let attempts = Arc::new(Attempts { connector, clock: clock.clone(), epoch: store.epoch().to_owned() });
        let (tell, news) = mpsc::channel(limits::APP_ATTEMPTS_MAX);
        Self {
            store,
            apps,
            attempts,
            hints,
            search: Search::Paused { until: clock.instant() },
            clock,
            entropy,
            loads_pause: None,
            settling: false,
            lanes: HashMap::new(),
            endpoints: HashMap::new(),
            news,
            tell,
            unsettled: Vec::new(),
            unsettled_since: None,
            tasks: TaskTracker::new(),
        }
    }

    /// Runs until `stop`. Attempts that are under way are finished, and the outbox is told of them.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut news = Vec::new();
        loop {
            self.search();
            self.load();
            self.start_attempts();
            self.settle_if_due();
            let wakes = self.wakes();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = self.news.recv_many(&mut news, limits::APP_ATTEMPTS_MAX) => {
                    news.drain(..).for_each(|news| self.hear(news));
                }
                Some(events) = self.hints.next() => self.take_hints(events),
                () = tokio::time::sleep_until(wakes) => {}
            }
        }
        self.finish().await;
    }

    /// Waits for the attempts, then for the outbox.
    async fn finish(mut self) {
        self.tasks.close();
        while !self.tasks.is_empty() || !self.news.is_empty() || !self.unsettled.is_empty() {
            self.settle();
            tokio::select! {
                biased;
                Some(news) = self.news.recv() => {
                    if !matches!(news, News::Searched(_)) {
                        self.hear(news);
                    }
                }
                () = self.tasks.wait() => {}
            }
        }
    }

    fn take_hints(&mut self, events: Vec<OwedEvent>) {
        // A lost hint stands before these, so it has to be known before them.
        if self.hints.take_missed() {
            self.lanes.values_mut().for_each(Lanes::hints_missed);
            // A search that is under way has begun too early to count; it is followed by another one.
            self.search_within(Duration::ZERO);
        }
        for event in events {
            self.lanes.entry(event.app).or_default().hint(event);
        }
        if !self.lanes.values().all(Lanes::is_complete) {
            self.search_within(limits::OUTBOX_SCAN_PAUSE);
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Attempted(event, report) => self.attempted(&event, &report),
            News::Loaded(app, want, Ok(events)) => {
                let (now, instant) = (self.clock.now(), self.clock.instant());
                let due = |event: &OwedEvent| wait(event.due.after(now), instant, schedule::PAUSE_LONGEST);
                self.lanes.entry(app).or_default().loaded(&want, events, due);
            }
            News::Loaded(app, want, Err(fault)) => {
                tracing::warn!(%fault, "a lane could not be read; it is tried again");
                self.loads_pause = Some(self.clock.instant() + limits::OUTBOX_SCAN_PAUSE);
                self.lanes.entry(app).or_default().not_loaded(&want);
            }
            News::Searched(found) => self.searched(found),
            News::Settled(lanes) => {
                self.settling = false;
                self.catch_up_with_hints();
                for (app, lane, count) in lanes {
                    self.lanes.entry(app).or_default().settled(&lane, count);
                }
            }
        }
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

    /// Decides what follows an attempt.
    fn attempted(&mut self, event: &OwedEvent, report: &Report) {
        let refusals = event.tries.refusals + u32::from(matches!(report.outcome, Outcome::Refused(_)));
        let tries = Tries { attempts: event.tries.attempts + 1, refusals, ..event.tries };
        self.log(event, tries, report);
        let now = self.clock.now();
        let (verdict, to) = match schedule::next(&report.outcome, tries, self.entropy.fraction()) {
            Next::Done => (Verdict::Delivered, Settlement::Delivered),
            Next::Again(pause) => {
                let due = self.clock.instant() + pause;
                (Verdict::Again(due), Settlement::DueAgain { tries, due: now.plus(pause) })
            }
            Next::Park => {
                let reason: Arc<str> = report.outcome.to_string().into();
                tracing::warn!(app = %event.app, id = %event.id, command = %event.command, "callback parked: {reason}");
                (Verdict::Parked, Settlement::Parked { tries, at: now, reason })
            }
        };
        self.lanes.get_mut(&event.app).expect("its lane is in flight").finished(event, tries, verdict);
        self.unsettled.push(Settled { app: event.app, lane: event.lane.clone(), place: event.place, to });
        self.unsettled_since.get_or_insert(self.clock.instant());
    }

    /// The first failure of an event is worth a warning; the ones that follow repeat it.
    fn log(&self, event: &OwedEvent, tries: Tries, report: &Report) {
        let (app, id, command) = (event.app, &event.id, event.command);
        let (outcome, attempts) = (report.outcome.name(), tries.attempts);
        let total_ms = report.total.as_secs_f64() * 1e3;
        let connect_ms = report.connect.map(|times| (times.resolve + times.connect + times.tls).as_secs_f64() * 1e3);
        let why = &report.outcome;
        if report.outcome != Outcome::Delivered && attempts == 1 {
            tracing::warn!(%app, %id, %command, attempts, outcome, total_ms, connect_ms, "callback not delivered: {why}");
        } else {
            tracing::debug!(%app, %id, %command, attempts, outcome, total_ms, connect_ms, "callback: {why}");
        }
    }

    /// Starts attempts, as many as each app may have under way.
    fn start_attempts(&mut self) {
        if !self.may_attempt() {
            return;
        }
        let now = self.clock.instant();
        let Self { lanes, endpoints, apps, attempts, tasks, tell, .. } = self;
        for (app, lanes) in lanes.iter_mut() {
            while lanes.in_flight() < limits::APP_ATTEMPTS_MAX
                && let Some(event) = lanes.next(now)
            {
                let endpoint = endpoint(endpoints, apps, *app, attempts);
                let (attempts, tell) = (Arc::clone(attempts), tell.clone());
                tasks.spawn(async move {
                    let report = match endpoint {
                        Ok(endpoint) => attempts.run(&endpoint, &event).await,
                        Err(why) => no_endpoint(why),
                    };
                    // Only a dispatcher that is gone does not hear it.
                    let _ = tell.send(News::Attempted(event, report)).await;
                });
            }
        }
    }

    /// While the outbox takes nothing, what it has to be told is kept in memory.
    fn may_attempt(&self) -> bool {
        self.unsettled.len() < limits::UNSETTLED_MAX
    }

    fn load(&mut self) {
        let now = self.clock.instant();
        if self.loads_pause.is_some_and(|until| until > now) {
            return;
        }
        self.loads_pause = None;
        for (app, lanes) in &mut self.lanes {
            for want in lanes.wants(LOADS_MAX) {
                let (store, tell, app) = (Arc::clone(&self.store), self.tell.clone(), *app);
                self.tasks.spawn(async move {
                    let events = store.lane(app, want.lane.clone(), want.after, want.events_max).await;
                    let _ = tell.send(News::Loaded(app, want, events)).await;
                });
            }
        }
    }

    /// Looks for lanes that no hint told of: at the start, after a lost hint, where memory was short, now and then.
    fn search(&mut self) {
        let Search::Paused { until } = &self.search else {
            return;
        };
        if *until > self.clock.instant() {
            return;
        }
        for app in self.apps.list() {
            self.lanes.entry(app.sdkappid).or_default();
        }
        self.lanes.values_mut().for_each(Lanes::search_begins);
        self.search_on(None);
    }

    /// The search that pauses goes on no later than this.
    fn search_within(&mut self, pause: Duration) {
        if let Search::Paused { until } = &mut self.search {
            *until = (*until).min(self.clock.instant() + pause);
        }
    }

    fn search_on(&mut self, after: Option<(SdkAppId, Lane)>) {
        self.search = Search::Running;
        let (store, tell) = (Arc::clone(&self.store), self.tell.clone());
        self.tasks.spawn(async move {
            let found = store.lanes(after, limits::OUTBOX_SCAN_LANES).await;
            let _ = tell.send(News::Searched(found)).await;
        });
    }

    fn searched(&mut self, found: Result<Vec<(SdkAppId, Lane)>, Fault>) {
        let found = match found {
            Ok(found) => found,
            Err(fault) => {
                tracing::warn!(%fault, "the outbox could not be searched; it is tried again");
                self.search = Search::Paused { until: self.clock.instant() + limits::OUTBOX_SCAN_PAUSE };
                return;
            }
        };
        let ended = found.len() < limits::OUTBOX_SCAN_LANES as usize;
        let mut last = None;
        for (app, lane) in found {
            let lanes = self.lanes.entry(app).or_default();
            lanes.found(&lane);
            last = Some((app, lane));
            if !lanes.has_room() {
                // Its other lanes need not be looked at now.
                lanes.overflow();
                last = Some((app, Lane::after_all()));
            }
        }
        if !ended {
            self.search_on(last);
            return;
        }
        self.lanes.values_mut().for_each(Lanes::search_ended);
        let complete = self.lanes.values().all(Lanes::is_complete);
        let pause = if complete { SEARCH_PAUSE_COMPLETE } else { limits::OUTBOX_SCAN_PAUSE };
        self.search = Search::Paused { until: self.clock.instant() + pause };
    }

    fn settle_if_due(&mut self) {
        let due = self.unsettled_since.is_some_and(|since| since + limits::SETTLE_DELAY <= self.clock.instant());
        if due || self.unsettled.len() >= limits::SETTLE_BATCH_MAX {
            self.settle();
        }
    }

    /// Tells the outbox. What it does not take is told again; until then the lanes are kept, so nothing is repeated.
    fn settle(&mut self) {
        if self.unsettled.is_empty() || self.settling {
            return;
        }
        self.settling = true;
        self.unsettled_since = None;
        let settled = std::mem::take(&mut self.unsettled);
        let mut counts: HashMap<(SdkAppId, Lane), usize> = HashMap::new();
        for settled in &settled {
            *counts.entry((settled.app, settled.lane.clone())).or_default() += 1;
        }
        let (store, tell) = (Arc::clone(&self.store), self.tell.clone());
        self.tasks.spawn(async move {
            while let Err(fault) = store.settle(settled.clone()).await {
                if fault == Fault::Stopping {
                    // The next server finds them in the outbox and repeats them.
                    let _ = tell.send(News::Settled(Vec::new())).await;
                    return;
                }
                tracing::warn!(%fault, "the outbox could not be told what was delivered; it is tried again");
                tokio::time::sleep(SETTLE_AGAIN).await;
            }
            let lanes = counts.into_iter().map(|((app, lane), count)| (app, lane, count)).collect();
            let _ = tell.send(News::Settled(lanes)).await;
        });
    }

    /// When there is something to do that nobody reports.
    fn wakes(&self) -> Instant {
        let search = match &self.search {
            Search::Paused { until } => Some(*until),
            Search::Running => None,
        };
        let settle = self.unsettled_since.filter(|_| !self.settling).map(|since| since + limits::SETTLE_DELAY);
        let lanes = self.lanes.values().filter(|_| self.may_attempt());
        let again = lanes.filter(|lanes| lanes.in_flight() < limits::APP_ATTEMPTS_MAX);
        let again = again.filter_map(Lanes::wakes).min();
        let idle = self.clock.instant() + SEARCH_PAUSE_COMPLETE;
        [search, settle, again, self.loads_pause].into_iter().flatten().min().unwrap_or(idle)
    }
}

/// The endpoint of an app as its settings are at this moment.
fn endpoint(
    endpoints: &mut HashMap<SdkAppId, Arc<Endpoint>>,
    apps: &Apps,
    app: SdkAppId,
    attempts: &Attempts,
) -> Result<Arc<Endpoint>, String> {
    let settings = apps.get(app).ok_or("the app does not exist")?;
    if let Some(endpoint) = endpoints.get(&app)
        && Arc::ptr_eq(&endpoint.app, &settings)
    {
        return Ok(Arc::clone(endpoint));
    }
    let endpoint = Arc::new(Endpoint::new(settings, &attempts.connector)?);
    endpoints.insert(app, Arc::clone(&endpoint));
    Ok(endpoint)
}

fn no_endpoint(why: String) -> Report {
    Report { outcome: Outcome::Unavailable(Unavailable::NoEndpoint(why)), connect: None, total: Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use unsaid_protocol::{UserId, callback::CallbackCommand};

    use super::*;
    use crate::{
        apps::{App, EndpointSettings, Origin as AppOrigin, Secret},
        callback::EndpointRules,
        chat::{Command, Import, Lifetime, MessageFlags, Origin, Send},
        clock::Timestamp,
        store::{hints, memory::Memory},
    };

    const APP: SdkAppId = SdkAppId(1_400_000_001);

    fn user(name: &str) -> UserId {
        UserId::new(name).expect("a valid name")
    }

    /// A dispatcher that does only what a test calls, over a store in which alice can write to bob.
    async fn dispatcher() -> Dispatcher {
        let (clock, entropy) = (Clock::standing_at(Timestamp(1_800_000_000_000)), Entropy::seeded([1; 32]));
        let (sender, hints) = hints();
        let store = Arc::new(Memory::new(clock.clone(), entropy.clone(), sender));
        let mut app = App::new(APP, Secret::new("0123456789abcdef"), AppOrigin::Runtime);
        app.callback.commands = CallbackCommand::AFTER.into();
        let url = "https://backend.example/im".to_owned();
        app.callback.endpoint = Some(EndpointSettings { url, token: None, ca_pem: None });
        let (app, apps) = (Arc::new(app), Arc::new(Apps::default()));
        apps.put(&app);
        let connector = Arc::new(Connector::new(EndpointRules::default(), clock.clone()));
        let mut dispatcher = Dispatcher::new(store, DispatcherParts { apps, connector, hints, clock, entropy });
        dispatcher.commit(Command::SaveApp(app)).await;
        for name in ["alice", "bob"] {
            dispatcher.commit(Command::Import(Import { app: APP, user: user(name), nick: None, face_url: None })).await;
        }
        dispatcher.lanes.entry(APP).or_default();
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
            let body = unsaid_protocol::element::MsgBody::parse(&raw.expect("JSON")).expect("a body");
            self.commit(Command::Send(Box::new(Send {
                app: APP,
                from: user("alice"),
                to: user("bob"),
                seq: number,
                random: number,
                body,
                custom_data: String::new(),
                lifetime: Lifetime::Stored,
                flags: MessageFlags::COUNTED,
                forbidden_callbacks: Vec::new(),
                origin: Origin::LOCAL,
            })))
            .await;
        }

        async fn hear_next(&mut self) {
            let news = self.news.recv().await.expect("a task is under way");
            self.hear(news);
        }

        async fn hear_hints(&mut self) {
            let events = self.hints.next().await.expect("something was committed");
            self.take_hints(events);
        }

        /// The place of the event that would be tried now.
        fn next(&mut self) -> Option<Arc<OwedEvent>> {
            let now = self.clock.instant();
            self.lanes.get_mut(&APP).expect("it is there").next(now)
        }
    }

    fn delivered() -> Report {
        Report { outcome: Outcome::Delivered, connect: None, total: Duration::ZERO }
    }

    #[tokio::test]
    async fn c3_a_late_hint_does_not_deliver_an_event_again() {
        let mut dispatcher = dispatcher().await;
        dispatcher.send(1).await;
        // The search is faster than the hint.
        dispatcher.search();
        dispatcher.hear_next().await;
        dispatcher.load();
        dispatcher.hear_next().await;
        let event = dispatcher.next().expect("it was found");
        dispatcher.hear(News::Attempted(event, delivered()));
        dispatcher.settle();
        dispatcher.hear_next().await;
        while let Some(events) = dispatcher.hints.ready() {
            dispatcher.take_hints(events);
        }
        assert_eq!(dispatcher.next(), None);
    }

    #[tokio::test]
    async fn c5_a_search_that_began_before_a_hint_was_lost_does_not_count() {
        let mut dispatcher = dispatcher().await;
        dispatcher.search();
        // The outbox is searched, and what it was found to hold waits to be heard.
        let early = dispatcher.news.recv().await.expect("a search is under way");
        for _ in 0..=limits::HINT_BATCHES_MAX {
            dispatcher.send(1).await;
            dispatcher.clock.shift(121_000);
        }
        // The last one found no place among the hints. The others are skipped, so that only a search can know of them.
        while dispatcher.hints.ready().is_some() {}
        dispatcher.send(2).await;
        dispatcher.hear_hints().await;
        dispatcher.search();
        dispatcher.hear(early);
        assert!(!dispatcher.lanes[&APP].is_complete());
    }

    #[tokio::test]
    async fn c3_settlements_are_told_one_after_the_other() {
        let mut dispatcher = dispatcher().await;
        dispatcher.search();
        dispatcher.hear_next().await;
        for number in [1, 2] {
            dispatcher.send(number).await;
            dispatcher.hear_hints().await;
        }
        for _ in 0..2 {
            let event = dispatcher.next().expect("the lane is free");
            dispatcher.hear(News::Attempted(event, delivered()));
            dispatcher.settle();
        }
        assert_eq!(dispatcher.unsettled.len(), 1, "the second waits for the first");
        dispatcher.hear_next().await;
        dispatcher.settle();
        assert!(dispatcher.unsettled.is_empty());
    }

    #[tokio::test]
    async fn a_load_that_failed_is_not_repeated_at_once() {
        let mut dispatcher = dispatcher().await;
        dispatcher.send(1).await;
        dispatcher.hear_hints().await;
        let wants = dispatcher.lanes.get_mut(&APP).expect("it is there").wants(1);
        dispatcher.hear(News::Loaded(APP, wants[0].clone(), Err(Fault::Full)));
        dispatcher.load();
        assert!(dispatcher.tasks.is_empty());
        dispatcher.loads_pause = Some(dispatcher.clock.instant());
        dispatcher.load();
        assert_eq!(dispatcher.tasks.len(), 1);
    }
}
