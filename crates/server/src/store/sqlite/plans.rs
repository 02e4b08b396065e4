//! Tests of how the store finds what it asks for: along a key or an index, so that no statement costs more because more
//! waits or is parked. They count what SQLite does, and measure no time.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use rusqlite::{
    Connection, StatementStatus,
    trace::{TraceEvent, TraceEventCodes},
};
use serde_json::value::RawValue;
use unsaid_protocol::{SdkAppId, UserId, callback::CallbackCommand, element::MsgBody};

use super::{batch::Batch, known::Known, outbox, prepared::Prepared, prune, query, schema};
use crate::{
    apps::{App, EndpointSettings, Origin as AppOrigin, Secret},
    chat::{
        Applied, Command, Done, Door, EventId, Import, Lane, Lifetime, MessageFlags, MessageName, Origin, OwedEvent,
        ParkedFilter, Recall, Replay, Send, Settled, Settlement, Tries, What,
    },
    clock::{Entropy, Timestamp},
    limits,
};

const APP: SdkAppId = SdkAppId(1_400_000_001);
const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// A store without threads, and what its statements did.
struct Watched {
    connection: Connection,
    known: Known,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    statements: BTreeSet<String>,
    /// Of SQLite's machine: grows with each row that is looked at.
    steps: i64,
}

/// What `fill` does is not seen.
fn watched(fill: impl FnOnce(&Connection)) -> Watched {
    let mut connection = Connection::open_in_memory().expect("memory");
    schema::migrate(&mut connection).expect("an empty store can be migrated");
    fill(&connection);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let sees = Arc::clone(&seen);
    let codes = TraceEventCodes::SQLITE_TRACE_STMT | TraceEventCodes::SQLITE_TRACE_PROFILE;
    connection
        .trace_v2(
            codes,
            Some(move |event: TraceEvent<'_>| {
                let mut seen = sees.lock().expect("nobody panics with it");
                match event {
                    TraceEvent::Stmt(_, sql) => drop(seen.statements.insert(sql.to_owned())),
                    TraceEvent::Profile(statement, _) => {
                        seen.steps += i64::from(statement.get_status(StatementStatus::VmStep));
                    }
                    TraceEvent::Row(_) | TraceEvent::Close(_) | _ => {}
                }
            }),
        )
        .expect("it can be watched");
    let known = Known::nothing();
    Watched { connection, known, seen }
}

impl Watched {
    /// One transaction, as the writer makes it.
    fn transact<T>(&mut self, work: impl FnOnce(&mut Batch<'_, '_>) -> T) -> T {
        let entropy = Entropy::seeded([1; 32]);
        let prepared = Prepared::of(&self.connection);
        let mut batch = Batch::begin(&prepared, &self.known, NOW, &entropy).expect("it begins");
        let done = work(&mut batch);
        let mut committed = batch.commit().expect("it is stored");
        committed.apply_to(&mut self.known);
        done
    }

    fn commit(&mut self, command: &Command) -> Done {
        let applied: Applied = self.transact(|batch| command.apply(batch)).expect("the store works");
        applied.expect("it is allowed")
    }

    fn settle(&mut self, event: &OwedEvent, to: Settlement) {
        let settled = Settled { app: event.app, lane: event.lane.clone(), place: event.place, to };
        self.transact(|batch| outbox::settle(batch, &settled)).expect("the store works");
    }

    fn lane(&self, lane: &str) -> Vec<OwedEvent> {
        query::lane(&self.connection, APP, &Lane(lane.to_owned()), 0, 1000).expect("the store works")
    }

    /// What SQLite's machine did for it, with statements that are prepared anew, since they count from then on.
    fn steps(&mut self, work: impl FnOnce(&mut Self)) -> i64 {
        self.connection.flush_prepared_statement_cache();
        self.seen.lock().expect("nobody panics with it").steps = 0;
        work(self);
        self.seen.lock().expect("nobody panics with it").steps
    }
}

fn user(name: &str) -> UserId {
    UserId::new(name).expect("a valid name")
}

fn app() -> App {
    let mut app = App::new(APP, Secret::new("0123456789abcdef"), AppOrigin::Runtime);
    app.callback.commands = CallbackCommand::AFTER.into();
    app.callback.endpoint = Some(EndpointSettings::new("https://backend.example/im".to_owned()));
    app
}

fn message(number: u32) -> Send {
    let body = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"text"}}]"#;
    Send {
        app: APP,
        from: user("alice"),
        to: user("bob"),
        seq: number,
        random: number,
        body: MsgBody::parse(&RawValue::from_string(body.to_owned()).expect("JSON")).expect("a body"),
        custom_data: String::new(),
        push_info: String::new(),
        lifetime: Lifetime::Stored,
        flags: MessageFlags::COUNTED,
        client_time_s: None,
        forbidden_callbacks: Vec::new(),
        origin: Origin::LOCAL,
        by_client: false,
        asked: None,
    }
}

/// Everything that concerns events, once: they are owed, settled in each way, looked for, sent again and erased.
fn live(store: &mut Watched) {
    store.commit(&Command::SaveApp(Arc::new(app())));
    for name in ["alice", "bob"] {
        store.commit(&Command::Import(Import { app: APP, user: user(name), nick: None, face_url: None }));
    }
    for number in 1..=3 {
        let Done::Sent(sent) = store.commit(&Command::Send(Box::new(message(number)))) else {
            panic!("a send says what was sent");
        };
        let name = MessageName { app: APP, from: user("alice"), to: user("bob"), key: sent.key };
        let door = Door::Client { account: user("alice") };
        store.commit(&Command::Recall(Recall { name, door, origin: Origin::LOCAL }));
    }
    let owed = store.lane("bob");
    let tries = Tries { attempts: 1, refusals: 1, unavailable_since: Some(NOW) };
    let aside = Settlement::Parked { tries, at: NOW, reason: "refused".into() };
    store.settle(&owed[0], Settlement::Delivered);
    store.settle(&owed[1], Settlement::DueAgain { tries, due: NOW });
    store.settle(&owed[1], Settlement::Delivered);
    store.settle(&owed[2], aside.clone());
    store.settle(&owed[5], aside);
    look(store, &owed);
    let parked = What::Parked { filter: ParkedFilter::default(), after: None };
    for what in [parked, What::Delivered { since: NOW, rows: None }] {
        let done = store.commit(&Command::Replay(Replay { app: APP, what }));
        assert!(matches!(&done, Done::Replayed(replayed) if replayed.count > 0), "{done:?}");
    }
    let pruned = store.transact(|batch| outbox::prune(batch, NOW.plus(Duration::from_secs(1)), 0));
    assert_eq!(pruned.expect("the store works").erased, 0, "all of them wait again");
}

fn look(store: &Watched, owed: &[OwedEvent]) {
    let connection = &store.connection;
    assert_eq!(query::lanes(connection, None, 10).expect("the store works").len(), 1);
    assert_eq!(query::oldest(connection, APP, None, 10).expect("the store works").since, Some(NOW));
    for event in owed {
        query::event(connection, APP, &event.id).expect("the store works");
        let filter = ParkedFilter { id: Some(event.id.clone()), ..ParkedFilter::default() };
        query::parked(connection, APP, &filter, None, 10).expect("the store works");
    }
}

#[test]
fn every_statement_goes_along_a_key_or_an_index() {
    let mut store = watched(|_| {});
    live(&mut store);
    store.known = Known::read(&store.connection).expect("the store works");
    let statements = std::mem::take(&mut store.seen.lock().expect("nobody panics with it").statements);
    let mut explained = 0;
    for sql in statements.iter().filter(|sql| !["BEGIN", "COMMIT", "--"].iter().any(|word| sql.starts_with(word))) {
        for step in plan(&store.connection, sql) {
            assert!(is_bounded(&step), "{step}, in {sql}");
            explained += 1;
        }
    }
    assert!(explained > 30, "{explained}");
}

/// It is done for all conversations, again and again.
#[test]
fn looking_for_what_is_to_be_erased_costs_a_conversation_with_nothing_no_search() {
    let mut store = watched(|_| {});
    live(&mut store);
    store.seen.lock().expect("nobody panics with it").statements.clear();
    assert_eq!(prune::prunable(&store.connection, APP, None, 0, 10).expect("the store works").pairs, []);
    let statements = std::mem::take(&mut store.seen.lock().expect("nobody panics with it").statements);
    assert!(statements.iter().any(|sql| sql.contains("FROM conversation")), "{statements:?}");
    assert!(!statements.iter().any(|sql| sql.contains("FROM message")), "{statements:?}");
}

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect(sql);
    let unbound: Vec<Option<i64>> = vec![None; statement.parameter_count()];
    let steps = statement.query_map(rusqlite::params_from_iter(unbound), |row| row.get(3)).expect(sql);
    steps.map(|step| step.expect("text")).collect()
}

/// Whether a step costs no more however many accounts, messages and events an app has. There are few apps.
fn is_bounded(step: &str) -> bool {
    let of_few = ["SCAN app", "SCAN backlog", "SCAN CONSTANT ROW", "SCAN (subquery"];
    let scans = step.starts_with("SCAN ") && !of_few.iter().any(|few| step.starts_with(few));
    !scans && !step.contains("(app=?)") && !step.contains("TEMP B-TREE") && !step.contains("AUTOMATIC")
}

/// So many events of as many lanes, waiting or parked.
fn fill(connection: &Connection, table: &str, count: u32) {
    let columns = match table {
        "outbox" => "bytes, has_text, previous, attempts, refusals, age_from_ms, due_ms",
        _ => "attempts, parked_ms, reason",
    };
    let values = match table {
        "outbox" => "2, 0, 0, 0, 0, 1, 1",
        _ => "3, 1, 'refused'",
    };
    connection
        .execute_batch(&format!(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})
             INSERT INTO event (id, name, app, lane, number, command, client_ip, platform, created_ms, body)
             SELECT n, 'evt_' || n, {APP}, 'user' || n, 1, 'C2C.CallbackAfterMsgWithDraw', '127.0.0.1', 'RESTAPI', 1, x'7b7d'
             FROM n;
             INSERT INTO {table} (app, lane, place, event, replay, {columns})
             SELECT app, lane, number, id, 0, {values} FROM event;"
        ))
        .expect("rows");
}

#[test]
fn c6_a_start_looks_at_nothing_that_waits() {
    let start = |count| {
        let mut store = watched(|connection| fill(connection, "outbox", count));
        store.steps(|store| {
            schema::migrate(&mut store.connection).expect("it is of this version");
            schema::epoch(&store.connection, &Entropy::seeded([1; 32])).expect("the store works");
            store.known = Known::read(&store.connection).expect("the store works");
            assert_eq!(store.known.event_row, i64::from(count));
        })
    };
    assert_eq!(start(10_000), start(1));
}

#[test]
fn c6_a_replay_of_one_event_looks_at_few_of_those_that_are_parked() {
    let mut store = watched(|connection| fill(connection, "parked", 3 * limits::PARKED_PIECE_ROWS));
    let id = EventId::new(NOW, 7777, 1);
    store.connection.execute("UPDATE event SET name = ?1 WHERE id = 7777", [&id.0]).expect("a row");
    let filters = [
        ParkedFilter { id: Some(id), ..ParkedFilter::default() },
        ParkedFilter { lane: Some(Lane("user1".to_owned())), ..ParkedFilter::default() },
    ];
    for filter in filters {
        let steps = store.steps(|store| {
            let what = What::Parked { filter: filter.clone(), after: None };
            let found =
                query::kept(&store.connection, APP, &what, limits::REPLAY_PIECE_EVENTS).expect("the store works");
            assert_eq!((found.events.len(), found.next), (1, None));
        });
        assert!(steps < 1000, "{steps} for {filter:?}");
    }
}

#[test]
fn c6_what_a_filter_passes_over_is_looked_at_in_pieces() {
    let mut store = watched(|connection| fill(connection, "parked", 2 * limits::PARKED_PIECE_ROWS + 1));
    let last = "UPDATE parked SET parked_ms = 9 WHERE lane = (SELECT max(lane) FROM parked)";
    assert_eq!(store.connection.execute(last, []).expect("a row"), 1);
    let filter = ParkedFilter { since: Some(Timestamp(9)), ..ParkedFilter::default() };
    let (mut found, mut next) = (Vec::new(), Some(What::Parked { filter, after: None }));
    while let Some(what) = next {
        let mut piece = None;
        let steps = store.steps(|store| {
            piece = query::kept(&store.connection, APP, &what, limits::REPLAY_PIECE_EVENTS).ok();
        });
        let piece = piece.expect("the store works");
        assert!(steps < 50 * i64::from(limits::PARKED_PIECE_ROWS), "{steps}");
        found.push(piece.events.len());
        next = piece.next;
    }
    assert_eq!(found, [0, 0, 1]);
}

#[test]
fn c8_an_event_from_before_the_log_is_found_among_all_that_are_parked() {
    let store = watched(|connection| fill(connection, "parked", 2 * limits::PARKED_PIECE_ROWS));
    let old = EventId("evt_9999".to_owned());
    let found = query::event(&store.connection, APP, &old).expect("the store works").expect("it is parked");
    assert_eq!((&found.id, found.parked_place()), (&old, Some(1)));
    let unknown = EventId("evt_unknown".to_owned());
    assert_eq!(query::event(&store.connection, APP, &unknown).expect("the store works"), None);
}
