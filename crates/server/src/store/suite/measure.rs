//! How many recalls a store takes and settles a second: the embedded one, and PostgreSQL where `UNSAID_TEST_POSTGRES` says
//! where it is. It holds nothing; it is for a look before and after a
//! change: `cargo test --release -p unsaid --lib recalls_a_second -- --ignored --nocapture`.

use std::time::Duration;

use unsaid_protocol::callback::CallbackCommand;

use super::{
    Kind, World,
    actors::{APP, app, app_with, body, by_admin, message, name, settled, user},
    all, block_on,
};
use crate::{
    chat::{Command, Done, Lane, Send, Settlement},
    clock::Clock,
};

const BATCH: u32 = 256;
const BATCHES: u32 = 200;
const PEOPLE: u32 = 500;

#[test]
#[ignore = "it measures, and wants the machine for itself"]
fn recalls_a_second() {
    measure(Kind::Sqlite);
    if std::env::var_os("UNSAID_TEST_POSTGRES").is_some() {
        measure(Kind::Postgres);
    }
}

fn measure(kind: Kind) {
    block_on(async {
        let world = World::new(kind);
        let people: Vec<_> = (0..PEOPLE).map(|number| format!("user{number}")).collect();
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        let recalls_only = app_with(|app| app.callback.commands = [CallbackCommand::AfterMsgWithDraw].into());
        world.with(recalls_only, &people).await;
        let (mut recalling, mut settling) = (Duration::ZERO, Duration::ZERO);
        for batch in 0..BATCHES {
            let who = |number: u32| {
                let from = (batch * BATCH + number) % PEOPLE;
                (people[from as usize], people[((from * 7 + number) % PEOPLE) as usize])
            };
            let sends = (0..BATCH).map(|number| {
                let (from, to) = who(number);
                world.store.commit(Command::Send(Box::new(message(from, to, batch * BATCH + number + 1))))
            });
            let sent = all(sends.collect()).await;
            let recalls = (0..BATCH).zip(&sent).map(|(number, sent)| {
                let Ok(Ok(Done::Sent(sent))) = sent else { panic!("a send says what was sent: {sent:?}") };
                let (from, to) = who(number);
                Command::Recall(by_admin(name(from, to, sent)))
            });
            let recalls: Vec<_> = recalls.collect();
            recalling += timed(async {
                all(recalls.into_iter().map(|recall| world.store.commit(recall)).collect()).await;
            })
            .await;
            let mut delivered = Vec::new();
            for person in &people {
                let lane = Lane::of_account(&user(person));
                let owed = world.store.lane(APP, lane, 0, BATCH).await.expect("the store works");
                delivered.extend(owed.iter().map(|event| settled(event, Settlement::Delivered)));
            }
            assert_eq!(delivered.len(), BATCH as usize);
            settling += timed(world.settle(delivered)).await;
        }
        let a_second = |took: Duration| f64::from(BATCH * BATCHES) / took.as_secs_f64();
        println!("{kind:?}: {:.0} recalls a second, {:.0} settled a second", a_second(recalling), a_second(settling));
    });
}

/// How long commands wait that come one by one while a large store is copied, and while it is not. So large it is:
/// `UNSAID_MEASURE_MB`.
#[test]
#[ignore = "it measures, and wants the machine for itself"]
fn waits_during_a_backup() {
    block_on(async {
        let world = World::new(Kind::Sqlite);
        world.with(app_with(|app| app.callback.commands = [].into()), &["alice", "bob"]).await;
        let store_mb: u32 = std::env::var("UNSAID_MEASURE_MB").map_or(300, |text| text.parse().expect("a number"));
        let long = |number: u32| {
            let body = body(&"long ".repeat(1500));
            Command::Send(Box::new(Send { body, ..message("alice", "bob", number) }))
        };
        for first in (1..store_mb * 100).step_by(500) {
            all((first..first + 500).map(|number| world.store.commit(long(number))).collect()).await;
        }
        let clock = Clock::system();
        let wait = async |number: u32| {
            let began = clock.instant();
            world
                .store
                .commit(Command::Send(Box::new(message("bob", "alice", number))))
                .await
                .expect("it is stored")
                .expect("sent");
            clock.instant() - began
        };
        let mut usual = Vec::new();
        for number in 0..500 {
            usual.push(wait(1_000_000 + number).await);
        }
        let folder = tempfile::tempdir().expect("a folder");
        let mut meanwhile = Vec::new();
        let began = clock.instant();
        let load = async {
            for number in 0.. {
                meanwhile.push(wait(2_000_000 + number).await);
            }
        };
        let bytes = tokio::select! {
            bytes = world.store.backup(folder.path().join("copy"), std::sync::Arc::default()) => bytes.expect("it is made"),
            () = load => unreachable!("it has no end"),
        };
        println!("{} MB in {:.1} s", bytes / 1_000_000, (clock.instant() - began).as_secs_f64());
        for (name, mut waits) in [("usually", usual), ("meanwhile", meanwhile)] {
            waits.sort_unstable();
            let of = |share: usize| waits[(waits.len() - 1) * share / 1000].as_secs_f64() * 1000.0;
            println!(
                "{name}: {} commits, 50 % {:.1} ms, 99 % {:.1} ms, most {:.1} ms",
                waits.len(),
                of(500),
                of(990),
                of(1000)
            );
        }
    });
}

/// How much room messages and recalls take: 100,000 messages of 100 letters between 1000 people, each with its callback.
/// `cargo test --release -p unsaid --lib room_that_messages_take -- --ignored --nocapture`.
#[test]
#[ignore = "it measures"]
fn room_that_messages_take() {
    const MESSAGES: u32 = 100_000;
    block_on(async {
        let world = World::new(Kind::Sqlite);
        let people: Vec<_> = (0..1000).map(|number| format!("user{number}")).collect();
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        world.with(app(APP), &people).await;
        let who =
            |number: u32| (people[(number % 1000) as usize], people[((number * 7 + number / 1000) % 1000) as usize]);
        let room = async |what: &str| {
            let copy = tempfile::tempdir().expect("a folder").path().with_extension("copy");
            let bytes = world.store.backup(copy.clone(), std::sync::Arc::default()).await.expect("it is made");
            let file = rusqlite::Connection::open(&copy).expect("a database");
            let page = |what: &str| {
                file.query_row(&format!("PRAGMA {what}"), [], |row| row.get::<_, u32>(0)).expect("readable")
            };
            let used = u64::from(page("page_count") - page("freelist_count")) * u64::from(page("page_size"));
            std::fs::remove_file(copy).expect("it was made");
            println!(
                "{what}: {} MB, of them {} MB in use, {} bytes a message",
                bytes / 1_000_000,
                used / 1_000_000,
                used / u64::from(MESSAGES)
            );
        };
        let mut sent = Vec::new();
        for first in (0..MESSAGES).step_by(250) {
            let sends = (first..first + 250).map(|number| {
                let (from, to) = who(number);
                let text = "ten letters".repeat(9);
                let one = Send { body: body(&text), custom_data: String::new(), ..message(from, to, number + 1) };
                world.store.commit(Command::Send(Box::new(one)))
            });
            sent.extend(all(sends.collect()).await);
        }
        room("sent, nothing delivered").await;
        world.deliver_all().await;
        room("sent, all delivered").await;
        let mut recalls = Vec::new();
        for (number, sent) in (0..MESSAGES).zip(&sent) {
            let Ok(Ok(Done::Sent(sent))) = sent else { panic!("a send says what was sent: {sent:?}") };
            let (from, to) = who(number);
            recalls.push(Command::Recall(by_admin(name(from, to, sent))));
            if recalls.len() == 250 {
                all(recalls.drain(..).map(|recall| world.store.commit(recall)).collect()).await;
            }
        }
        world.deliver_all().await;
        room("all recalled, all delivered in the last week").await;
    });
}

async fn timed(work: impl Future<Output = ()>) -> Duration {
    let clock = Clock::system();
    let began = clock.instant();
    work.await;
    clock.instant() - began
}
