//! Several servers on one database.

use std::sync::Barrier;

use super::{
    super::{
        Kind, World,
        actors::{APP, app, by_admin, message, name, read_all},
        all, block_on,
    },
    Database, another, database,
};
use crate::{
    chat::{Command, Done, NoDevices, Store},
    clock::{self, Clock, Entropy},
    store::{
        hints,
        postgres::{Postgres, PostgresOptions},
    },
};

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn servers_that_start_at_once_on_an_empty_database_all_come_up() {
    const SERVERS: usize = 6;
    let (database, barrier) = (Database::new(), Barrier::new(SERVERS));
    let open = || {
        let (sender, _receiver) = hints(std::sync::Arc::new(NoDevices));
        let entropy = Entropy::system().expect("the system has randomness");
        let world = clock::World { clock: Clock::system(), entropy };
        let metrics = crate::metrics::Metrics::new().store;
        let options = PostgresOptions { address: database.address(), writers: 1, metrics };
        barrier.wait();
        let store = Postgres::open(&options, &world, &sender).expect("it comes up");
        block_on(store.close()).expect("it closes");
        store.epoch().to_owned()
    };
    let mut epochs: Vec<_> = std::thread::scope(|scope| {
        let servers: Vec<_> = (0..SERVERS).map(|_| scope.spawn(open)).collect();
        servers.into_iter().map(|server| server.join().expect("no panic")).collect()
    });
    epochs.dedup();
    assert_eq!(epochs.len(), 1, "one of them made the store: {epochs:?}");
}

/// Four people who send, recall and read through two servers with several writers each; nobody waits for anybody.
#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn r6_totals_are_what_the_messages_say_whoever_sends_recalls_and_reads_at_once() {
    const PEOPLE: [&str; 4] = ["ann", "bob", "cat", "dan"];
    block_on(async {
        let world = World::new(Kind::Postgres);
        world.with(app(APP), &PEOPLE).await;
        let servers = [another(&world, database(&world).address(), 3), another(&world, database(&world).address(), 3)];
        let who = |number: u32| {
            let from = (number % 4) as usize;
            (PEOPLE[from], PEOPLE[(from + 1 + (number / 4 % 3) as usize) % 4])
        };
        let mut before: Vec<Command> = Vec::new();
        for round in 0..15 {
            let numbers = round * 100 + 1..=round * 100 + 100;
            let sends = numbers.clone().map(|number| {
                let (from, to) = who(number);
                Command::Send(Box::new(message(from, to, number)))
            });
            let reads = numbers.clone().step_by(7).map(|number| {
                let (from, to) = who(number);
                read_all(to, from)
            });
            // What was sent in the round before is taken back among the sends of this one.
            let recalls = std::mem::take(&mut before);
            let mut commands: Vec<_> = sends.chain(reads).chain(recalls).collect();
            commands.sort_by_cached_key(|_| world.entropy.next_u64());
            let commits = commands.into_iter().zip([0, 1].into_iter().cycle());
            let answers = all(commits.map(|(command, server)| servers[server].commit(command)).collect()).await;
            for answer in answers {
                let done = answer.expect("it is done").expect("nothing is refused");
                if let Done::Sent(sent) = done
                    && sent.key.seq % 2 == 0
                {
                    let (from, to) = who(sent.key.seq);
                    before.push(Command::Recall(by_admin(name(from, to, &sent))));
                }
            }
            world.wait_s(1);
        }
        let schema = &database(&world).schema;
        let side = |side: &str, direction: u8| {
            format!(
                "SELECT c.{side} AS name, c.{side}_unread AS said,
                        (SELECT count(*) FROM {schema}.message AS m
                         WHERE m.low = c.low AND m.high = c.high AND m.direction = {direction}
                               AND m.position > c.{side}_read_position AND m.flags & 3 = 1) AS counted
                 FROM {schema}.conversation AS c"
            )
        };
        let wrong = database(&world).run(&format!(
            "WITH side AS ({} UNION ALL {}), total AS (SELECT name, sum(said) AS said FROM side GROUP BY name)
             SELECT 'conversation of ' || name || ': ' || said || ' but ' || counted FROM side WHERE said <> counted
             UNION ALL
             SELECT 'account ' || name || ': ' || unread || ' but ' || said FROM {schema}.account JOIN total USING (name)
             WHERE unread <> said",
            side("low", 1),
            side("high", 0)
        ));
        assert_eq!(wrong, Vec::<String>::new());
        let mut unread = 0;
        for person in PEOPLE {
            unread += world.unread(person).await;
            let lane = world.lane(person).await;
            assert!(lane.iter().zip(1..).all(|((number, ..), expected)| *number == expected), "{person}: {lane:?}");
        }
        assert!(unread > 0, "not everything was read or recalled");
        for server in &servers {
            server.close().await.expect("it closes");
        }
    });
}
