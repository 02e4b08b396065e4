//! PostgreSQL is not there, or not any more.

use std::time::Duration;

use unsaid_testkit::postgres::{Postgres as Server, Shutdown};

use super::{
    super::{
        Kind, World,
        actors::{APP, app, by_admin, message, name},
        all, block_on,
    },
    Database, WHO, another, database,
    proxy::{Cut, Proxy},
};
use crate::{
    chat::{Command, Done, NoDevices, Store},
    clock,
    store::{
        hints,
        postgres::{OpenError, Postgres, PostgresAddress, PostgresOptions, renew_epoch},
    },
};

/// What is said when a store cannot be opened.
fn refused(world: &World, address: PostgresAddress) -> OpenError {
    let (sender, _receiver) = hints(std::sync::Arc::new(NoDevices));
    let around = clock::World { clock: world.clock.clone(), entropy: world.entropy.clone() };
    let options = PostgresOptions { address, writers: 1, metrics: crate::metrics::Metrics::new().store };
    Postgres::open(&options, &around, &sender).expect_err("it cannot be opened")
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn a_store_that_is_too_new_is_refused_and_stays_as_it_is() {
    let mut world = World::new(Kind::Postgres);
    database(&world).run("SELECT 1");
    let set = |name: &str, version: &str| {
        let schema = &database(&world).schema;
        database(&world).run(&format!("UPDATE {schema}.meta SET value = '{version}' WHERE name = '{name}'"));
    };
    set("version", "99");
    set("oldest_reader", "98");
    let error = refused(&world, database(&world).address());
    assert!(matches!(error, OpenError::TooNew { found: 99, oldest: 98, .. }), "{error}");
    assert!(error.to_string().contains("use a newer server"), "{error}");
    // One that this server can still read.
    set("oldest_reader", "1");
    world.reopen_closed();
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn a_database_that_cannot_be_used_is_named_at_the_start() {
    let world = World::new(Kind::Postgres);
    for (url, says) in [
        ("postgres://ann:s3cret@127.0.0.1:1/unsaid", "refused"),
        ("postgres://ann:s3cret@no.such.host.invalid/unsaid?sslmode=disable", "cannot be reached"),
    ] {
        let error = refused(&world, url.parse().expect("an address")).to_string();
        assert!(error.contains(says) && !error.contains("s3cret"), "{error}");
    }
    let nobody = database(&world).server.replacen("postgres@", "nobody-of-this-name@", 1);
    let error = refused(&world, database(&world).address_at(&nobody)).to_string();
    assert!(error.contains("nobody-of-this-name"), "{error}");
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn i1_what_comes_while_postgresql_is_away_is_done_when_it_is_back() {
    block_on(async {
        let world = World::new(Kind::Postgres);
        world.with(app(APP), &WHO).await;
        let proxy = Proxy::start(&database(&world).server);
        let store = another(&world, database(&world).address_at(&proxy.url()), 2);
        let sends = |from: u32| {
            let sends = (from..from + 20).map(|number| Command::Send(Box::new(message("alice", "bob", number))));
            all(sends.map(|send| store.commit(send)).collect())
        };
        let is_sent = |answers: &[Result<_, _>]| answers.iter().all(|answer| matches!(answer, Ok(Ok(Done::Sent(_)))));
        assert!(is_sent(&sends(1).await));
        proxy.go_away();
        let unread = store.unread(APP, super::user("bob")).await;
        assert!(unread.is_err(), "who asks is told: {unread:?}");
        let back = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            proxy.come_back();
        };
        let (answers, ()) = futures_util::join!(sends(21), back);
        assert!(is_sent(&answers), "{answers:?}");
        assert_eq!(store.unread(APP, super::user("bob")).await, Ok(Some(40)));
        assert_eq!(world.lane("bob").await.len(), 40);
        store.close().await.expect("it closes");
    });
}

/// PostgreSQL gives the name of a transaction anew that was under way when it crashed, and the disk had not heard of. The commit of
/// another is not taken for ours.
#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn i1_what_was_being_committed_when_postgresql_crashed_is_stored_before_it_is_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    // Where there is none, the others have no address either.
    let server = Server::start(folder.path()).expect("PostgreSQL is there");
    block_on(async {
        let world = World::on(Database::at(server.url()));
        world.with(app(APP), &WHO).await;
        database(&world).run("ALTER SYSTEM SET wal_writer_delay = '10s'");
        database(&world).run("SELECT pg_reload_conf()");
        let proxy = Proxy::start(&server.url());
        let store = another(&world, database(&world).address_at(&proxy.url()), 1);
        proxy.cut_next_commit(Cut::WithServer);
        let crash = async {
            while proxy.cuts() == 0 {
                tokio::task::yield_now().await;
            }
            server.restart(Shutdown::Immediate);
            for _ in 0..50 {
                database(&world).run("SELECT pg_current_xact_id()");
            }
            proxy.come_back();
        };
        let send = Command::Send(Box::new(message("alice", "bob", 1)));
        let (sent, ()) = futures_util::join!(store.commit(send), crash);
        assert!(matches!(sent, Ok(Ok(Done::Sent(_)))), "{sent:?}");
        assert_eq!(store.unread(APP, super::user("bob")).await, Ok(Some(1)), "it is there, once");
        store.close().await.expect("it closes");
    });
}

/// One server is stopped (SIGSTOP, a machine that sleeps) in the middle of a transaction in which Bob's rows are locked.
#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn i1_a_server_that_is_stopped_holds_up_others_for_seconds_only() {
    block_on(async {
        let world = World::new(Kind::Postgres);
        world.with(app(APP), &WHO).await;
        let sent = world.sent("alice", "bob", 1).await;
        world.deliver_all().await;
        let proxy = Proxy::start(&database(&world).server);
        let stopped = another(&world, database(&world).address_at(&proxy.url()), 1);
        proxy.cut_next_commit(Cut::Held);
        let recall = Command::Recall(by_admin(name("alice", "bob", &sent)));
        let clock = clock::Clock::system();
        let began = clock.instant();
        let (of_stopped, _) = futures_util::join!(stopped.commit(recall.clone()), async {
            while proxy.cuts() == 0 {
                tokio::task::yield_now().await;
            }
            world.sent("bob", "alice", 2).await
        });
        let took = began.elapsed();
        assert!(took < Duration::from_secs(9), "it took {took:?}");
        // Its transaction was ended; it finds that out, and does it anew.
        assert!(matches!(of_stopped, Ok(Ok(_))), "{of_stopped:?}");
        assert_eq!(world.lane("bob").await, [(2, 2, 1)]);
        stopped.close().await.expect("it closes");
    });
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn c3_a_restored_database_begins_another_life_once_nobody_uses_it() {
    block_on(async {
        let mut world = World::new(Kind::Postgres);
        world.with(app(APP), &WHO).await;
        let (epoch, address) = (world.store.epoch().to_owned(), database(&world).address());
        let refused = renew_epoch(&address, &world.entropy);
        assert!(matches!(refused, Err(OpenError::InUse)), "{refused:?}");
        world.store.close().await.expect("it closes");
        let (nothing, _) = super::super::open(None, None, &world.clock, &world.entropy);
        drop(std::mem::replace(&mut world.store, nothing));
        // Its connections end a moment later.
        let renewed = loop {
            match renew_epoch(&address, &world.entropy) {
                Err(OpenError::InUse) => tokio::task::yield_now().await,
                renewed => break renewed.expect("nobody uses it"),
            }
        };
        world.reopen_closed();
        assert_ne!(renewed, epoch);
        assert_eq!(world.store.epoch(), renewed);
        assert_eq!(world.unread("bob").await, 0, "and all that it had is there");
    });
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn c3_a_database_without_a_store_is_not_restored() {
    let database = super::Database::new();
    let entropy = clock::Entropy::seeded([1; 32]);
    let refused = renew_epoch(&database.address(), &entropy);
    assert!(matches!(refused, Err(OpenError::NoStore)), "{refused:?}");
    let tables = database.run(&format!("SELECT tablename FROM pg_tables WHERE schemaname = '{}'", database.schema));
    assert_eq!(tables, Vec::<String>::new(), "nothing is made");
}
