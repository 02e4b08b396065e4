//! A store that moves from its folder into a database: what is kept, what is refused, and what becomes of a move that was
//! interrupted.

use std::{fs, path::Path, sync::Arc, time::Duration};

use rusqlite::Connection;

use super::{super::open_database, Database, WHO};
use crate::{
    chat::{AuditFilter, Command, NoDevices, Role, Settlement, Tries},
    clock,
    store::{
        hints,
        postgres::{Far, MigrateError, Moved, OpenError, Postgres, PostgresOptions, Step, migrate},
        sqlite::{self, Sqlite, SqliteOptions},
        suite::{
            Kind, World,
            actors::{APP, app, app_with, by_admin, message, name, parked, settled, user},
            block_on,
            operators::{noted, token},
        },
    },
};

fn around(world: &World) -> clock::World {
    clock::World { clock: world.clock.clone(), entropy: world.entropy.clone() }
}

fn folder(world: &World) -> &Path {
    world.folder.as_ref().expect("it is in a folder").path()
}

/// Closes the store, and leaves its folder to others.
async fn leave(world: &mut World) {
    world.store.close().await.expect("what was accepted is finished");
    let (nothing, _) = super::super::open(None, None, &world.clock, &world.entropy);
    world.store = nothing;
}

fn try_move(world: &World, database: &Database) -> Result<Moved, MigrateError> {
    migrate(folder(world), &database.address(), &around(world), |_| ())
}

/// The same world on PostgreSQL.
fn arrived(world: &World, database: Database) -> World {
    let (store, hints) = open_database(&database, &world.clock, &world.entropy);
    let (clock, entropy) = (world.clock.clone(), world.entropy.clone());
    World { store, hints, clock, entropy, folder: None, pages_max: None, database: Some(database) }
}

/// Moves a world from its folder to PostgreSQL.
pub(in crate::store::suite) async fn moved(mut world: World) -> World {
    let epoch = world.store.epoch().to_owned();
    leave(&mut world).await;
    let database = Database::new();
    try_move(&world, &database).expect("it is moved");
    let arrived = arrived(&world, database);
    assert_eq!(arrived.store.epoch(), epoch, "the lanes go on");
    arrived
}

/// A server's try to open what is in the database.
fn opened(world: &World, database: &Database) -> Result<Postgres, OpenError> {
    let (sender, _receiver) = hints(Arc::new(NoDevices));
    let metrics = crate::metrics::Metrics::new().store;
    Postgres::open(&PostgresOptions { address: database.address(), writers: 1, metrics }, &around(world), &sender)
}

/// A server's try to open what is left in the folder.
fn opened_again(world: &World) -> Result<Sqlite, sqlite::OpenError> {
    let (sender, _receiver) = hints(Arc::new(NoDevices));
    let metrics = crate::metrics::Metrics::new().store;
    let options = SqliteOptions { folder: folder(world).to_owned(), pages_max: None, metrics };
    Sqlite::open(&options, world.clock.clone(), world.entropy.clone(), sender)
}

/// Alice and Bob, who has many messages; some are taken back, one callback is parked and one was tried. Operators have a token
/// and an audit log.
async fn filled() -> World {
    let world = World::new(Kind::Sqlite);
    world.with(app_with(|app| app.audit_days = 2), &WHO).await;
    world.done(Command::SaveToken(token("tok_a", Role::Viewer, 2))).await.expect("it is kept");
    for action in ["app.create", "app.change"] {
        world.done(noted(action, Some(APP), None)).await.expect("it is kept");
    }
    for number in 1..=300 {
        let sent = world.send(message("alice", "bob", number)).await.expect("it is sent");
        if number % 10 == 0 {
            world.recall(by_admin(name("alice", "bob", &sent))).await.expect("it is taken back");
        }
    }
    let owed = world.owed().await;
    let tries = Tries { attempts: 7, refusals: 2, unavailable_since: Some(world.clock.now()) };
    let due = world.clock.now().plus(Duration::from_secs(60));
    world.settle(vec![parked(&owed[0]), settled(&owed[1], Settlement::DueAgain { tries, due })]).await;
    world
}

fn disconnect(database: &Database) {
    database.run(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{}'",
        database.schema
    ));
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn c3_a_store_that_moved_to_postgres_owes_what_it_owed() {
    block_on(async {
        let world = filled().await;
        let (owed, backlog) = (world.owed().await, world.backlog().await);
        let (everything, recalled) = (world.everything(&WHO).await, world.history("bob", "alice").await);
        let log = || AuditFilter { entries_max: 100, ..AuditFilter::default() };
        let kept = (world.store.tokens().await.expect("readable"), world.audit(log()).await);
        assert_eq!((kept.0.len(), kept.1.entries.len()), (1, 2));
        let world = moved(world).await;
        assert_eq!((world.store.tokens().await.expect("readable"), world.audit(log()).await), kept);
        let in_3_days = world.clock.now().plus(Duration::from_secs(3 * 24 * 3600));
        assert_eq!(world.store.erase_audit_copies(in_3_days).await, Ok(30));
        assert_eq!((world.owed().await, world.backlog().await), (owed, backlog));
        assert_eq!((world.everything(&WHO).await, world.history("bob", "alice").await), (everything, recalled));
        // A row that is given twice would only be found out about by a conflict, and given again.
        let its = world.database.as_ref().expect("it is on PostgreSQL");
        let schema = &its.schema;
        let is_behind = format!("SELECT last_value >= (SELECT max(id) FROM {schema}.event) FROM {schema}.event_row");
        assert_eq!(its.run(&is_behind), ["t"]);
        // Numbers and places go on behind those that were given.
        let (place, ..) = *world.lane("bob").await.last().expect("much waits");
        world.sent("alice", "bob", 301).await;
        assert_eq!(world.lane("bob").await.last(), Some(&(place + 1, place + 1, place)));
        world.done(noted("app.delete", Some(APP), None)).await.expect("it is kept");
        assert_eq!(world.audit(log()).await.entries[0].id, kept.1.entries[0].id + 1);
        world.import(APP, "carol").await;
        let people = world.store.people(APP, ["alice", "bob", "carol"].map(user).into()).await.expect("readable");
        let serials: Vec<_> = people.iter().flatten().map(|person| person.account.serial).collect();
        assert!(serials[2] > serials[0].max(serials[1]), "{serials:?}");
        world.sent("alice", "carol", 1).await;
        assert_eq!((world.unread("bob").await, world.unread("carol").await), (271, 1));
    });
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn c3_a_move_to_postgres_that_was_interrupted_is_done_again_and_nobody_opens_it_before() {
    block_on(async {
        let mut world = filled().await;
        leave(&mut world).await;
        let database = Database::new();
        let cut = |Far { step, table, .. }: Far| {
            if (step, table) == (Step::Copied, "event") {
                disconnect(&database);
            }
        };
        let cut = migrate(folder(&world), &database.address(), &around(&world), cut);
        assert!(matches!(cut, Err(MigrateError::Target(_))), "{cut:?}");
        assert_eq!(database.run(&format!("SELECT count(*) FROM {}.message", database.schema)), ["300"]);
        let refused = opened(&world, &database);
        assert!(matches!(refused, Err(OpenError::Migrating)), "{refused:?}");

        // Another store is not mixed with it. The old server may go on, and what it stored then is moved, too.
        let mut other = filled().await;
        leave(&mut other).await;
        let changed = Connection::open(folder(&other).join("unsaid.db")).expect("a database");
        changed.execute("UPDATE meta SET value = 'another1' WHERE name = 'epoch'", []).expect("writable");
        drop(changed);
        let refused = try_move(&other, &database);
        assert!(matches!(refused, Err(MigrateError::OtherSource)), "{refused:?}");
        world.reopen_closed();
        world.sent("alice", "bob", 301).await;
        let owed = world.owed().await;
        leave(&mut world).await;
        let moved = try_move(&world, &database).expect("nothing is in its way");
        assert_eq!(moved.unread, 271);
        // The last step may be the one that was interrupted.
        let (schema, epoch) = (&database.schema, "SELECT 'migrating', value FROM");
        database.run(&format!("INSERT INTO {schema}.meta {epoch} {schema}.meta WHERE name = 'epoch'"));
        assert_eq!(try_move(&world, &database).expect("it has not ended"), moved);
        assert_eq!(arrived(&world, database).owed().await, owed);
    });
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn c3_a_move_to_postgres_that_lost_a_count_is_no_move() {
    block_on(async {
        let mut world = filled().await;
        leave(&mut world).await;
        let database = Database::new();
        let mut is_done = false;
        let spoil = |Far { step, table, .. }: Far| {
            if step == Step::ReadBack && !std::mem::replace(&mut is_done, true) {
                assert_eq!(table, "app");
                let one = "SET unread = unread + 1 WHERE name = 'bob'";
                let other = "SET unread = unread - 1 WHERE name = 'alice'";
                let table = format!("{}.account", database.schema);
                database.run(&format!("UPDATE {table} {one}; UPDATE {table} {other}"));
            }
        };
        let spoiled = migrate(folder(&world), &database.address(), &around(&world), spoil);
        assert!(matches!(spoiled, Err(MigrateError::Differs { table: "account", .. })), "{spoiled:?}");
        let refused = opened(&world, &database);
        assert!(matches!(refused, Err(OpenError::Migrating)), "{refused:?}");
        try_move(&world, &database).expect("it is copied again");
        assert_eq!(arrived(&world, database).unread("bob").await, 270);
    });
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn a_move_to_postgres_is_refused_where_something_would_be_lost() {
    block_on(async {
        let mut world = filled().await;
        let database = Database::new();
        let refused = try_move(&world, &database);
        assert!(matches!(&refused, Err(MigrateError::InUse(path)) if path == folder(&world)), "{refused:?}");
        leave(&mut world).await;

        let taken = World::new(Kind::Postgres);
        taken.with(app(APP), &WHO).await;
        let on_taken = || try_move(&world, taken.database.as_ref().expect("it is on PostgreSQL"));
        let refused = on_taken();
        assert!(matches!(refused, Err(MigrateError::Target(OpenError::InUse))), "{refused:?}");
        taken.store.close().await.expect("it closes");
        // PostgreSQL learns a little later that a server has gone.
        let its = taken.database.as_ref().expect("it is on PostgreSQL");
        disconnect(its);
        // The clocks and the chances of all worlds are the same.
        its.run(&format!("UPDATE {}.meta SET value = 'another1' WHERE name = 'epoch'", its.schema));
        let refused = loop {
            match on_taken() {
                Err(MigrateError::Target(OpenError::InUse)) => tokio::task::yield_now().await,
                refused => break refused,
            }
        };
        assert!(matches!(refused, Err(MigrateError::NotEmpty("app"))), "{refused:?}");

        let nothing = tempfile::tempdir().expect("a folder");
        let refused = migrate(nothing.path(), &database.address(), &around(&world), |_| ());
        assert!(matches!(refused, Err(MigrateError::NoStore(_))), "{refused:?}");
        assert_eq!(fs::read_dir(nothing.path()).expect("readable").count(), 0, "and nothing is made there");
        let old = tempfile::tempdir().expect("a folder");
        let mut connection = Connection::open(old.path().join("unsaid.db")).expect("a database");
        sqlite::bring_to(&mut connection, 6);
        drop(connection);
        let before = fs::read(old.path().join("unsaid.db")).expect("readable");
        let refused = migrate(old.path(), &database.address(), &around(&world), |_| ());
        assert!(matches!(refused, Err(MigrateError::OldSource { found: 6, .. })), "{refused:?}");
        assert!(fs::read(old.path().join("unsaid.db")).expect("readable") == before, "it is only read");
        drop(opened(&world, &database).expect("nothing that was refused has begun"));
    });
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn a_store_that_moved_to_postgres_is_opened_in_its_folder_only_on_purpose() {
    block_on(async {
        let mut world = filled().await;
        leave(&mut world).await;
        let (database, another) = (Database::new(), Database::new());
        try_move(&world, &database).expect("it is moved");
        let file = folder(&world).join("moved.txt");
        let refused = opened_again(&world).expect_err("it has moved");
        let said = refused.to_string();
        assert!(said.contains("was moved to PostgreSQL, database") && said.contains("moved.txt"), "{said}");
        let refused = try_move(&world, &another);
        assert!(
            matches!(&refused, Err(MigrateError::MovedBefore { file: named, .. }) if *named == file),
            "{refused:?}"
        );
        let refused = try_move(&world, &database);
        assert!(matches!(refused, Err(MigrateError::Done)), "{refused:?}");
        fs::remove_file(file).expect("it is there");
        drop(opened_again(&world).expect("a person wants it so"));
        drop(another);
    });
}
