//! How much is read for a command, whatever the tables hold: plans are made while they are empty, and stay.

use super::{
    super::{
        Kind, World,
        actors::{ADMIN, APP, app, by_admin, message, name, read_all, settled, user},
        block_on,
    },
    another, database,
};
use crate::chat::{Command, Done, HistoryQuery, Lane, Settlement, Store};

/// Tables that grow with accounts and messages.
const LARGE: &str = "'account', 'conversation', 'message', 'sync_event', 'event', 'outbox', 'session', 'blocked'";

/// Of one index, by all of this work; the conversation alone has ten times as many.
const ROWS_READ_MAX: u32 = 2_000;

/// What every server does all the time.
async fn usual_work(world: &World, store: &dyn Store, first: u32) {
    for number in first..first + 10 {
        let sent = store.commit(Command::Send(Box::new(message("alice", "bob", number)))).await;
        let Ok(Ok(Done::Sent(sent))) = sent else { panic!("it is sent: {sent:?}") };
        let recall = by_admin(name("alice", "bob", &sent));
        store.commit(Command::Recall(recall)).await.expect("the store works").expect("it is recalled");
        let read = read_all("bob", "alice");
        store.commit(read).await.expect("the store works").expect("it is read");
        store.unread(APP, user("bob")).await.expect("the store works");
        store.unread_from(APP, user("bob"), vec![user("alice")]).await.expect("the store works");
        let page = HistoryQuery { messages_max: 20, ..HistoryQuery::all(APP, user("bob"), user("alice")) };
        store.history(page).await.expect("the store works");
        store.conversations(APP, user("bob"), vec![user("alice")]).await.expect("the store works");
        store.sync_events(APP, user("bob"), 0, 10).await.expect("the store works");
        store.people(APP, vec![user("alice"), user("bob")]).await.expect("the store works");
        store.sessions(APP, vec![user("alice"), user("bob")]).await.expect("the store works");
        store.lanes(None, 10).await.expect("the store works");
        let owed = store.lane(APP, Lane::of_account(&user("bob")), 0, 100).await.expect("the store works");
        let settled = owed.iter().map(|event| settled(event, Settlement::Delivered));
        store.settle(settled.collect()).await.expect("the store works");
        world.wait_s(1);
    }
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn no_command_reads_more_the_more_there_is() {
    block_on(async {
        let world = World::new(Kind::Postgres);
        world.with(app(APP), &["alice", "bob", ADMIN]).await;
        let store = another(&world, database(&world).address(), 1);
        // Plans that hold for any parameters are made at the sixth time.
        usual_work(&world, &store, 1).await;
        let schema = &database(&world).schema;
        let app = APP.0;
        database(&world).run(&format!(
            "INSERT INTO {schema}.account (app, name, serial)
                 SELECT {app}, 'user' || number, -number FROM generate_series(1, 20000) AS number;
             UPDATE {schema}.conversation SET position = 50000, low_read_position = 50000, high_read_position = 50000
                 WHERE low = 'alice' AND high = 'bob';
             INSERT INTO {schema}.conversation
                 SELECT {app}, 'bob', 'user' || number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
                 FROM generate_series(1, 20000) AS number;
             INSERT INTO {schema}.message
                 SELECT {app}, 'alice', 'bob', number, number, 1700000000 + number, 0, 1, 1000 + number, 0, 0, '', '', '', '[]', ''
                 FROM generate_series(1, 20000) AS number;
             INSERT INTO {schema}.sync_event
                 SELECT {app}, 'user' || number, 1, 0, 0, 'bob', 1, 1, 1 FROM generate_series(1, 20000) AS number"
        ));
        usual_work(&world, &store, 100).await;
        // What a connection has read is told when it ends.
        store.close().await.expect("it closes");
        world.store.close().await.expect("it closes");
        drop(store);
        let World { store, database: Some(database), .. } = world else { unreachable!("it is on PostgreSQL") };
        drop(store);
        let schema = &database.schema;
        let open = format!("SELECT pid FROM pg_stat_activity WHERE application_name = '{schema}'");
        while !database.run(&open).is_empty() {
            tokio::task::yield_now().await;
        }
        let one_by_one = format!(
            "SELECT relname FROM pg_stat_user_tables
             WHERE schemaname = '{schema}' AND relname IN ({LARGE}) AND seq_tup_read > {ROWS_READ_MAX}"
        );
        assert_eq!(database.run(&one_by_one), Vec::<String>::new(), "tables that were read from end to end");
        let along = format!(
            "SELECT indexrelname || ' ' || idx_tup_read FROM pg_stat_user_indexes
             WHERE schemaname = '{schema}' AND relname IN ({LARGE}) AND idx_tup_read > {ROWS_READ_MAX}"
        );
        assert_eq!(database.run(&along), Vec::<String>::new(), "indexes of which too much was read");
        let used = format!("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = '{schema}'");
        assert!(database.run(&used)[0].parse::<i64>().expect("a number") > 100, "what is read is counted");
    });
}
