//! One message to many, and messages that were sent elsewhere (rest 4.2 and 4.3).

use unsaid_protocol::{MsgKey, error};

use super::{
    START_S, World,
    actors::{APP, app, by_admin, message, user},
};
use crate::chat::{Batched, Command, Done, ImportMessage, MessageFlags, MessageName, SendBatch};

async fn batch(world: &World, from: &str, to: &[&str], number: u32) -> Batched {
    let batch = SendBatch { send: message(from, from, number), to: to.iter().copied().map(user).collect() };
    let done = world.done(Command::SendBatch(Box::new(batch))).await.expect("the sender is there");
    let Done::Batched(batched) = done else { panic!("a batch says who has it: {done:?}") };
    batched
}

async fn import(world: &World, number: u32, time_s: u32, flags: MessageFlags) -> Result<(), i32> {
    let send = crate::chat::Send { flags, ..message("alice", "bob", number) };
    world.done(Command::ImportMessage(Box::new(ImportMessage { send, time_s }))).await.map(drop)
}

pub(super) async fn r2_a_batch_has_one_key_and_each_of_it_is_recalled_by_itself(mut world: World) {
    world.with(app(APP), &["alice", "bob", "carol"]).await;
    let sent = batch(&world, "alice", &["bob", "nobody", "carol", "bob"], 1).await;
    assert_eq!((sent.count, sent.failed), (2, vec![(user("nobody"), error::ACCOUNT_NOT_FOUND)]));
    assert!(world.owed().await.is_empty(), "C1: a batch owes no callback");
    assert_eq!((world.unread("bob").await, world.unread("carol").await), (1, 1));
    let name = |to: &str| MessageName { app: APP, from: user("alice"), to: user(to), key: sent.sent.key };
    assert_eq!(world.recall(by_admin(name("bob"))).await, Ok(()));
    world.reopen().await;
    assert_eq!((world.unread("bob").await, world.unread("carol").await), (0, 1));
    assert_eq!(world.recall(by_admin(name("carol"))).await, Ok(()));
    assert_eq!(world.owed().await.len(), 2);
}

pub(super) async fn r2_a_batch_that_is_repeated_reaches_only_those_who_did_not_have_it(world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    let first = batch(&world, "alice", &["bob", "carol"], 1).await;
    world.import(APP, "carol").await;
    world.wait_s(5);
    let second = batch(&world, "alice", &["bob", "carol"], 1).await;
    assert_eq!((second.sent.key, second.count, second.failed), (first.sent.key, 2, Vec::new()));
    assert_eq!((world.unread("bob").await, world.unread("carol").await), (1, 1));
}

pub(super) async fn r2_a_batch_takes_a_second_in_which_its_key_is_free_for_all(world: World) {
    world.with(app(APP), &["alice", "bob", "carol"]).await;
    let mut other = message("alice", "carol", 1);
    other.custom_data = "other".to_owned();
    world.send(other).await.expect("sent");
    let sent = batch(&world, "alice", &["bob", "carol"], 1).await;
    assert_eq!(sent.sent.key.time, START_S + 1);
    assert_eq!(world.history("bob", "alice").await[0].key, world.history("carol", "alice").await[0].key);
}

pub(super) async fn c1_an_import_owes_nothing_and_the_first_one_stays(mut world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    assert_eq!(import(&world, 1, 1000, MessageFlags::COUNTED).await, Ok(()));
    let send = crate::chat::Send { custom_data: "other".to_owned(), ..message("bob", "alice", 1) };
    let again = ImportMessage { send, time_s: 1000 };
    assert_eq!(world.done(Command::ImportMessage(Box::new(again))).await, Ok(Done::Nothing));
    world.reopen().await;
    let history = world.history("bob", "alice").await;
    assert_eq!((history.len(), &*history[0].content.custom_data), (1, "custom 1"));
    assert_eq!(history[0].key, MsgKey { seq: 1, random: 1000, time: 1000 });
    assert_eq!((world.unread("bob").await, world.unread("alice").await, world.owed().await.len()), (1, 0, 0));
}

pub(super) async fn r6_imported_history_is_never_unread_and_hides_nothing_from_a_report(world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    world.sent("alice", "bob", 1).await;
    assert_eq!(import(&world, 2, 1000, MessageFlags::HISTORY).await, Ok(()));
    assert_eq!(world.unread("bob").await, 1);
    assert_eq!(world.read("bob", "alice", Some(2000)).await, Ok(()));
    assert_eq!(world.unread("bob").await, 1, "a report of long ago does not cover what was sent today");
    assert_eq!(world.read("bob", "alice", None).await, Ok(()));
    assert_eq!(world.unread("bob").await, 0);
    let heard = world.store.sync_events(APP, user("alice"), 0, 100).await.expect("readable").expect("known");
    assert_eq!(heard.len(), 2, "the send and the report: nobody hears of history");
}
