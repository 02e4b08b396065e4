//! How many recalls a store takes and settles a second: the embedded one, and PostgreSQL where `UNSAID_TEST_POSTGRES` says
//! where it is. It holds nothing; it is for a look before and after a
//! change: `cargo test --release -p unsaid --lib recalls_a_second -- --ignored --nocapture`.

use std::time::Duration;

use unsaid_protocol::callback::CallbackCommand;

use super::{
    Kind, World,
    actors::{APP, app_with, by_admin, message, name, settled, user},
    all, block_on,
};
use crate::{
    chat::{Command, Done, Lane, Settlement},
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

async fn timed(work: impl Future<Output = ()>) -> Duration {
    let clock = Clock::system();
    let began = clock.instant();
    work.await;
    clock.instant() - began
}
