//! What is a state and not a count: it is noted when somebody asks for the metrics.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
};

use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info};
use unsaid_protocol::SdkAppId;

use super::{
    book::{Book, Entry, Kind, Measure},
    process,
};
use crate::{callback::FlowState, chat::Backlog, clock::Timestamp};

type Number = Gauge<u64, AtomicU64>;
type OfApp = [(&'static str, String); 1];
type OfAppAndWhy = [(&'static str, String); 2];

#[derive(Debug)]
pub struct Standing {
    waiting: Family<OfApp, Number>,
    waiting_bytes: Family<OfApp, Number>,
    parked: Family<OfApp, Number>,
    oldest: Family<OfApp, Gauge<f64, AtomicU64>>,
    breaker: Family<OfAppAndWhy, Number>,
    in_flight: Family<OfApp, Number>,
    sessions: Number,
    stories: Counter,
    stories_dropped: Counter,
    ready: Number,
    disk_free: Number,
    disk_free_min: Number,
    resident: Number,
    open_files: Number,
    open_files_max: Number,
    /// Since when the callback waits that waits longest, as the alarms have found it last.
    oldest_since: Arc<Mutex<BTreeMap<SdkAppId, Timestamp>>>,
}

/// The reasons for which a breaker is open.
const WHY: [&str; 2] = ["unavailable", "refusing"];

impl Standing {
    pub(super) fn new(book: &mut Book) -> Self {
        let standing = Self {
            waiting: Family::default(),
            waiting_bytes: Family::default(),
            parked: Family::default(),
            oldest: Family::default(),
            breaker: Family::default(),
            in_flight: Family::default(),
            sessions: Number::default(),
            stories: Counter::default(),
            stories_dropped: Counter::default(),
            ready: Number::default(),
            disk_free: Number::default(),
            disk_free_min: Number::default(),
            resident: Number::default(),
            open_files: Number::default(),
            open_files_max: Number::default(),
            oldest_since: Arc::default(),
        };
        standing.enter_callbacks(book);
        standing.enter_server(book);
        standing
    }

    fn enter_callbacks(&self, book: &mut Book) {
        let gauge = |name, unit, labels, about| Entry { name, kind: Kind::Gauge, unit, labels, about };
        let of_app: &[&str] = &["app"];
        let about = "Callbacks that wait for their delivery";
        book.enter(gauge("unsaid_backlog_events", Measure::Count, of_app, about), self.waiting.clone());
        let about = "The bodies of the callbacks that wait";
        book.enter(gauge("unsaid_backlog", Measure::Bytes, of_app, about), self.waiting_bytes.clone());
        let about = "How long the callback waits that waits longest, looked for every 15 s; 0 if none waits";
        book.enter(gauge("unsaid_backlog_oldest", Measure::Seconds, of_app, about), self.oldest.clone());
        let about = "Callbacks that are no longer tried until somebody asks for it (`unsaid replay`)";
        book.enter(gauge("unsaid_parked_events", Measure::Count, of_app, about), self.parked.clone());
        let about = "1 while the breaker is open for that reason, so that one callback at a time is tried: the endpoint is \
                     `unavailable`, or is `refusing` everything";
        book.enter(gauge("unsaid_breaker_open", Measure::Count, &["app", "why"], about), self.breaker.clone());
        let about = "Attempts that are under way";
        book.enter(gauge("unsaid_callbacks_in_flight", Measure::Count, of_app, about), self.in_flight.clone());
        let counter = |name, about| Entry { name, kind: Kind::Counter, unit: Measure::Count, labels: &[], about };
        let about = "Attempts that were taken down (`unsaid deliveries`)";
        book.enter(counter("unsaid_stories", about), self.stories.clone());
        let about = "Attempts that were not taken down, because the disk did not keep up or cannot be written to";
        book.enter(counter("unsaid_stories_dropped", about), self.stories_dropped.clone());
    }

    fn enter_server(&self, book: &mut Book) {
        let gauge = |name, unit, about| Entry { name, kind: Kind::Gauge, unit, labels: &[], about };
        let about = "Sessions that are connected";
        book.enter(gauge("unsaid_sessions", Measure::Count, about), self.sessions.clone());
        let about = "1 if /readyz says yes: the store answers within a second, and the disk has room";
        book.enter(gauge("unsaid_ready", Measure::Count, about), self.ready.clone());
        let about = "Room that is left on the disk of data_dir";
        book.enter(gauge("unsaid_disk_free", Measure::Bytes, about), self.disk_free.clone());
        let about = "With less room the server is not ready (limits.disk_free_min_mb)";
        book.enter(gauge("unsaid_disk_free_min", Measure::Bytes, about), self.disk_free_min.clone());
        let about = "Memory that the process takes";
        book.enter(gauge("process_resident_memory", Measure::Bytes, about), self.resident.clone());
        let about = "File descriptors that are open; a connection is one";
        book.enter(gauge("process_open_fds", Measure::Count, about), self.open_files.clone());
        let about = "File descriptors that may be open";
        book.enter(gauge("process_max_fds", Measure::Count, about), self.open_files_max.clone());
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        let about = "The version of this server";
        let entry = Entry { name: "unsaid_build", kind: Kind::Info, unit: Measure::Count, labels: &["version"], about };
        book.enter(entry, version);
    }

    /// What the alarms have seen: since when the callback waits that waits longest. Apps of which nothing waits are left
    /// out.
    pub fn oldest(&self, since: BTreeMap<SdkAppId, Timestamp>) {
        *self.oldest_since() = since;
    }

    pub(super) fn note_backlogs(&self, backlogs: &BTreeMap<SdkAppId, Backlog>, now: Timestamp) {
        let oldest_since = self.oldest_since();
        for (app, backlog) in backlogs {
            let label = of(*app);
            self.waiting.get_or_create(&label).set(backlog.waiting);
            self.waiting_bytes.get_or_create(&label).set(backlog.waiting_bytes);
            self.parked.get_or_create(&label).set(backlog.parked);
            let since = oldest_since.get(app).filter(|_| backlog.waiting > 0);
            let waits = since.map_or(0.0, |since| now.after(*since).as_secs_f64());
            self.oldest.get_or_create(&label).set(waits);
        }
    }

    pub(super) fn note_flows(&self, flows: &BTreeMap<SdkAppId, FlowState>) {
        for (app, flow) in flows {
            self.in_flight.get_or_create(&of(*app)).set(flow.in_flight as u64);
            let open = flow.breaker.as_ref().map(|breaker| breaker.why);
            for why in WHY {
                let [app] = of(*app);
                self.breaker.get_or_create(&[app, ("why", why.to_owned())]).set(u64::from(open == Some(why)));
            }
        }
    }

    pub(super) fn note_sessions(&self, sessions: usize) {
        self.sessions.set(sessions as u64);
    }

    /// Both only grow.
    pub(super) fn note_stories(&self, (written, dropped): (u64, u64)) {
        self.stories.inc_by(written.saturating_sub(self.stories.get()));
        self.stories_dropped.inc_by(dropped.saturating_sub(self.stories_dropped.get()));
    }

    pub(super) fn note_readiness(&self, is_ready: bool, disk_free_bytes: Option<u64>, disk_free_min_bytes: u64) {
        self.ready.set(u64::from(is_ready));
        self.disk_free.set(disk_free_bytes.unwrap_or(0));
        self.disk_free_min.set(disk_free_min_bytes);
    }

    pub(super) fn note_process(&self) {
        self.resident.set(process::resident_bytes().unwrap_or(0));
        self.open_files.set(process::open_files().unwrap_or(0));
        self.open_files_max.set(process::open_files_max().unwrap_or(0));
    }

    fn oldest_since(&self) -> MutexGuard<'_, BTreeMap<SdkAppId, Timestamp>> {
        self.oldest_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of(app: SdkAppId) -> OfApp {
    [("app", app.to_string())]
}
