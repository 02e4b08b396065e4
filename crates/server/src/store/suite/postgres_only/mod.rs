//! What the store on PostgreSQL alone can promise: what becomes of commands when connections are lost, and when others work on
//! the same tables. These tests need a server: `cargo xtask postgres` starts one, or `UNSAID_TEST_POSTGRES` says where one is.

mod away;
mod leases;
pub(super) mod migrate;
mod plans;
mod proxy;
mod shared;
mod tls;

use std::{env, sync::Arc};

use tokio_postgres::{NoTls, SimpleQueryMessage};
use unsaid_protocol::callback::Platform;

use self::proxy::{Cut, Proxy};
use super::{
    Kind, World,
    actors::{ADMIN, APP, app, body, by_admin, message, name, user},
    all, block_on,
};
use crate::{
    chat::{Command, Done, EndReason, Fault, Import, Kick, LogIn, NoDevices, Origin, RequestId, SessionId, Store},
    clock,
    store::{
        hints,
        postgres::{Postgres, PostgresAddress, PostgresOptions},
    },
};

const WHO: [&str; 2] = ["alice", "bob"];

/// Another server on the same tables.
fn another(world: &World, address: PostgresAddress, writers: usize) -> Postgres {
    let (sender, _receiver) = hints(Arc::new(NoDevices));
    let metrics = crate::metrics::Metrics::new().store;
    let around = clock::World { clock: world.clock.clone(), entropy: world.entropy.clone() };
    Postgres::open(&PostgresOptions { address, writers, metrics }, &around, &sender).expect("PostgreSQL runs")
}

fn database(world: &World) -> &Database {
    world.database.as_ref().expect("it is on PostgreSQL")
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn i1_one_bad_command_in_a_batch_spoils_no_other() {
    block_on(async {
        let mut world = World::new(Kind::Postgres);
        world.with(app(APP), &WHO).await;
        let commands = (1..=30).map(|number| {
            let mut one = message("alice", if number % 10 == 4 { "nobody" } else { "bob" }, number);
            if number % 10 == 7 {
                // No edge lets such a body through; here it breaks a rule in the middle of a transaction.
                one.body.json = "[".to_owned();
            }
            Command::Send(Box::new(one))
        });
        let answers = all(commands.map(|command| world.store.commit(command)).collect()).await;
        for (number, answer) in (1_u32..).zip(&answers) {
            match number % 10 {
                4 => assert!(matches!(answer, Ok(Err(refusal)) if refusal.code.0 == 90012), "{number}"),
                7 => assert!(matches!(answer, Err(Fault::Failed(_))), "{number}"),
                _ => assert!(matches!(answer, Ok(Ok(Done::Sent(_)))), "{number}"),
            }
        }
        world.reopen().await;
        assert_eq!((world.unread("bob").await, world.backlog().await.waiting), (24, 24));
    });
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn what_people_write_may_hold_what_text_cannot() {
    block_on(async {
        let world = World::new(Kind::Postgres);
        world.with(app(APP), &WHO).await;
        let mut one = message("alice", "bob", 1);
        (one.body, one.custom_data) = (body("a\u{0}b"), "c\u{0}d".to_owned());
        world.send(one.clone()).await.expect("it is sent");
        let history = world.history("bob", "alice").await;
        assert_eq!((&history[0].content.body, &history[0].content.custom_data), (&one.body.json, &one.custom_data));
    });
}

/// Alice and Bob; the connections go through a proxy, which cuts one while it commits.
fn a_recall_whose_commit_is_cut(cut: Cut) {
    block_on(async {
        let world = World::new(Kind::Postgres);
        world.with(app(APP), &WHO).await;
        let sent = world.sent("alice", "bob", 1).await;
        world.deliver_all().await;
        let proxy = Proxy::start(&database(&world).server);
        let store = another(&world, database(&world).address_at(&proxy.url()), 1);
        proxy.cut_next_commit(cut);
        let recall = Command::Recall(by_admin(name("alice", "bob", &sent)));
        let applied = store.commit(recall.clone()).await;
        assert!(matches!(applied, Ok(Ok(_))), "{applied:?}");
        assert_eq!(proxy.cuts(), 1, "a connection was cut");
        assert_eq!(world.lane("bob").await, [(2, 2, 1)], "its event is there once");
        let again = store.commit(recall).await.expect("the store works");
        assert_eq!(again.map_err(|refusal| refusal.code.0), Err(20023), "it is known to be recalled");
        store.close().await.expect("it closes");
    });
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn i1_a_commit_whose_answer_is_lost_is_not_done_twice() {
    a_recall_whose_commit_is_cut(Cut::BehindCommit);
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn i1_a_commit_that_never_arrived_is_done() {
    a_recall_whose_commit_is_cut(Cut::BeforeCommit);
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn i1_lost_connections_lose_nothing_that_was_acknowledged_and_do_nothing_twice() {
    block_on(async {
        let world = World::new(Kind::Postgres);
        world.with(app(APP), &WHO).await;
        for round in 0..20 {
            let sends = (1..=20).map(|number| Command::Send(Box::new(message("alice", "bob", round * 100 + number))));
            let waiting: Vec<_> = sends.map(|send| world.store.commit(send)).collect();
            let database = database(&world);
            let terminate = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = '{}' AND pid <> pg_backend_pid()",
                database.schema
            );
            let kill = {
                let server = database.server.clone();
                std::thread::spawn(move || drop(run(&server, &terminate)))
            };
            let answers = all(waiting).await;
            kill.join().expect("no panic");
            assert!(answers.iter().all(|answer| matches!(answer, Ok(Ok(Done::Sent(_))))), "{answers:?}");
        }
        assert_eq!(world.unread("bob").await, 400);
        let lane = world.lane("bob").await;
        assert_eq!(lane, (1..=400).map(|number| (number, number, number - 1)).collect::<Vec<_>>());
    });
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn an_account_that_two_servers_make_at_once_is_one() {
    block_on(async {
        let world = World::new(Kind::Postgres);
        world.with(app(APP), &WHO).await;
        let others = [another(&world, database(&world).address(), 2), another(&world, database(&world).address(), 2)];
        let import = |number: u32| {
            let user = user(&format!("user{}", number % 50));
            Command::Import(Import { app: APP, user, nick: None, face_url: None })
        };
        let commits = (0..200).map(|number| others[(number % 3 % 2) as usize].commit(import(number)));
        let answers = all(commits.collect()).await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok(Ok(_)))), "{answers:?}");
        for other in &others {
            other.close().await.expect("it closes");
        }
    });
}

/// Six devices, of which each has another fate.
#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn a_glance_says_how_far_accounts_have_come_and_why_sessions_have_ended() {
    block_on(async {
        let world = World::new(Kind::Postgres);
        let mut settings = app(APP);
        settings.callback.commands = [].into();
        world.with(settings, &WHO).await;
        let here = world.store.leases().expect("it is shared");
        let other = another(&world, database(&world).address(), 1);
        let id = |text: &str| SessionId(text.into());
        let log_in = async |store: &dyn Store, who: &str, session: &str, platform, resumes: Option<&str>| {
            let origin = Origin { platform, ..Origin::LOCAL };
            let (session, resumes) = (id(session), resumes.map(id));
            let signed_s = u64::from(world.clock.now().seconds()) + 1;
            let log_in = LogIn { app: APP, user: user(who), session, resumes, signed_s, origin };
            store.commit(Command::LogIn(log_in)).await.expect("the store works").expect("it may");
        };
        let names = [("alice", "s_stays"), ("alice", "s_resumed"), ("bob", "s_displaced"), ("carol", "s_kicked")];
        for ((who, session), platform) in
            names.into_iter().zip([Platform::Ios, Platform::Web, Platform::Web, Platform::Web])
        {
            log_in(&*world.store, who, session, platform, None).await;
        }
        let keys = names.iter().chain(&[("nobody", "s_never")]).map(|(who, session)| (APP, user(who), id(session)));
        let glances = here.glance(keys.clone().collect()).await.expect("the database answers");
        let ended: Vec<_> = glances.iter().map(|glance| glance.ended).collect();
        assert_eq!(ended, [None, None, None, None, Some(EndReason::AppBackend)]);
        assert!(glances.iter().all(|glance| glance.sync_number == 0));

        log_in(&other, "alice", "s_goes_on", Platform::Web, Some("s_resumed")).await;
        log_in(&other, "bob", "s_new", Platform::Web, None).await;
        let kick = Kick { app: APP, user: user("carol"), request: RequestId::NONE };
        other.commit(Command::Kick(kick)).await.expect("the store works").expect("it may");
        other.commit(Command::Send(Box::new(message("bob", "alice", 1)))).await.expect("it works").expect("it may");
        let glances = here.glance(keys.collect()).await.expect("the database answers");
        let numbers: Vec<_> = glances.iter().map(|glance| glance.sync_number).collect();
        assert_eq!(numbers, [1, 1, 1, 0, 0]);
        let ended: Vec<_> = glances.iter().map(|glance| glance.ended).collect();
        let [resumed, displaced, kicked] = [EndReason::Resumed, EndReason::OtherLogin, EndReason::AppBackend].map(Some);
        assert_eq!(ended, [None, resumed, displaced, kicked, kicked]);

        // Who was kicked and is back at once was kicked all the same; after a while, another device has come.
        world.clock.shift(2_000);
        log_in(&other, "carol", "s_back", Platform::Web, None).await;
        let carol = (APP, user("carol"), id("s_kicked"));
        let ended = async || here.glance(vec![carol.clone()]).await.expect("the database answers")[0].ended;
        assert_eq!(ended().await, kicked);
        world.clock.shift(120_000);
        assert_eq!(ended().await, displaced);
        assert_eq!(here.glance(Vec::new()).await.expect("the database answers"), []);
        other.close().await.expect("it closes");
    });
}

/// Eight people who write to each other through two servers with several writers each, and take back every other message;
/// nobody waits for anybody.
#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn r6_two_servers_on_one_database_count_right() {
    const PEOPLE: u32 = 8;
    block_on(async {
        let world = World::new(Kind::Postgres);
        let people: Vec<_> = (0..PEOPLE).map(|number| format!("user{number}")).collect();
        world.with(app(APP), &people.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let servers = [another(&world, database(&world).address(), 3), another(&world, database(&world).address(), 3)];
        let who = |number: u32| {
            let from = number % PEOPLE;
            (&people[from as usize], &people[((from + 1 + number / PEOPLE % (PEOPLE - 1)) % PEOPLE) as usize])
        };
        let mut recalled = 0;
        for round in 0..10 {
            let numbers = round * 200 + 1..=round * 200 + 200;
            let sends = numbers.clone().map(|number| {
                let (from, to) = who(number);
                let send = Command::Send(Box::new(message(from, to, number)));
                servers[(number % 2) as usize].commit(send)
            });
            let sent = all(sends.collect()).await;
            // Each is taken back by both servers at once: one of them succeeds.
            let recalls = numbers.zip(&sent).filter(|(number, _)| number % 2 == 0).flat_map(|(number, sent)| {
                let Ok(Ok(Done::Sent(sent))) = sent else { panic!("it is sent: {sent:?}") };
                let (from, to) = who(number);
                let recall = Command::Recall(by_admin(name(from, to, sent)));
                servers.iter().map(move |server| server.commit(recall.clone()))
            });
            let answers = all(recalls.collect()).await;
            for both in answers.chunks(2) {
                let done = both.iter().filter(|answer| matches!(answer, Ok(Ok(_)))).count();
                assert_eq!(done, 1, "{both:?}");
                recalled += done;
            }
        }
        assert_eq!(recalled, 1000);
        let mut total = 0;
        for person in &people {
            let unread = world.unread(person).await;
            let from = world.unread_from(person, &people.iter().map(String::as_str).collect::<Vec<_>>()).await;
            assert_eq!(from.into_iter().flatten().sum::<i64>(), unread, "{person}");
            let lane = world.lane(person).await;
            let gapless: Vec<_> = (1..=lane.len() as i64).map(|number| (number, number, number - 1)).collect();
            assert_eq!(lane, gapless, "{person}");
            total += unread;
        }
        assert_eq!((total, world.backlog().await.waiting), (1000, 3000));
        assert!(!people.contains(&ADMIN.to_owned()));
        for server in &servers {
            server.close().await.expect("it closes");
        }
    });
}

/// A schema of a test's own, which goes with it.
pub(super) struct Database {
    server: String,
    schema: String,
}

impl Database {
    pub(super) fn new() -> Self {
        let server = env::var("UNSAID_TEST_POSTGRES");
        Self::at(server.expect("UNSAID_TEST_POSTGRES has the address of a PostgreSQL; `cargo xtask postgres` sets it"))
    }

    /// On a server of the test's own.
    fn at(server: String) -> Self {
        let entropy = crate::clock::Entropy::system().expect("the system has randomness");
        let schema = format!("unsaid_test_{:016x}", entropy.next_u64());
        let database = Self { server, schema };
        database.run(&format!("CREATE SCHEMA {}", database.schema));
        database
    }

    /// Its address, as a server is given it.
    pub(super) fn address(&self) -> PostgresAddress {
        self.address_at(&self.server)
    }

    /// The same where something stands before the server.
    fn address_at(&self, server: &str) -> PostgresAddress {
        let sign = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{sign}options=-csearch_path%3D{}&application_name={}", self.schema, self.schema);
        url.parse().expect("an address of PostgreSQL")
    }

    /// Runs statements beside the store. Answers the first column of each row.
    fn run(&self, sql: &str) -> Vec<String> {
        let (server, sql) = (self.server.clone(), sql.to_owned());
        // On a thread of its own, for a test may be within a runtime.
        std::thread::spawn(move || run(&server, &sql)).join().expect("no panic")
    }
}

fn run(server: &str, sql: &str) -> Vec<String> {
    block_on_io(async {
        let (client, connection) = tokio_postgres::connect(server, NoTls).await.expect("PostgreSQL answers");
        let connection = tokio::spawn(connection);
        let answer = client.simple_query(sql).await.expect("PostgreSQL does it");
        drop(client);
        connection.await.expect("no panic").expect("it ends well");
        let first = |message: SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            SimpleQueryMessage::CommandComplete(_) | SimpleQueryMessage::RowDescription(_) | _ => None,
        };
        answer.into_iter().filter_map(first).collect()
    })
}

impl Drop for Database {
    fn drop(&mut self) {
        self.run(&format!("DROP SCHEMA {} CASCADE", self.schema));
    }
}

fn block_on_io<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime without threads").block_on(future)
}
