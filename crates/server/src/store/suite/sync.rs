//! Sync events: what the devices of an account have to learn (rules R3 and R8).

use super::{
    World,
    actors::{ADMIN, APP, app, body, by_admin, message, name, user},
};
use crate::chat::{Command, Direction, Door, MessageFlags, Modify, Origin, ReadAll, Receipt, SyncEvent, SyncKind};

/// The kinds and keys of an account's sync events behind a number.
async fn learned(world: &World, who: &str, after: i64) -> Vec<(i64, SyncKind, u32)> {
    let events = world.store.sync_events(APP, user(who), after, 100).await.expect("readable").expect("all are known");
    events.iter().map(|(number, event)| (*number, event.kind, event.key.seq)).collect()
}

pub(super) async fn r3_both_accounts_learn_of_sends_recalls_and_reads(mut world: World) {
    use SyncKind::{Message, Read, Recall};
    world.with(app(APP), &["alice", "bob", "carol"]).await;
    let first = world.sent("alice", "bob", 1).await;
    world.sent("bob", "alice", 2).await;
    world.sent("carol", "bob", 3).await;
    assert_eq!(world.recall(by_admin(name("alice", "bob", &first))).await, Ok(()));
    assert_eq!(world.recall(by_admin(name("alice", "bob", &first))).await, Err(20023));
    assert_eq!(world.read("alice", "bob", None).await, Ok(()));
    world.reopen().await;

    let expected = [(1, Message, 1), (2, Message, 2), (3, Recall, 1), (4, Read, 0)];
    assert_eq!(learned(&world, "alice", 0).await, expected);
    let expected = [(1, Message, 1), (2, Message, 2), (3, Message, 3), (4, Recall, 1), (5, Read, 0)];
    assert_eq!(learned(&world, "bob", 0).await, expected);
    assert_eq!(learned(&world, "bob", 3).await, expected[3..]);
    assert_eq!(learned(&world, "bob", 5).await, []);
    assert_eq!(learned(&world, "carol", 0).await, [(1, Message, 3)]);

    let recall = world.store.sync_events(APP, user("bob"), 3, 2).await.expect("readable").expect("two are known");
    let expected = SyncEvent { kind: Recall, peer: user("alice"), direction: Direction::LowToHigh, key: first.key };
    assert_eq!(recall[0].1, expected, "it refers to the message and holds no text");
}

pub(super) async fn r3_both_accounts_learn_of_modifications_receipts_and_reading_everything(mut world: World) {
    use SyncKind::{Message, Modify as Modified, Read, ReadAll as AllRead, Receipt as Acknowledged};
    world.with(app(APP), &["alice", "bob", "carol"]).await;
    let sent = world.sent("alice", "bob", 1).await;
    let (door, origin) = (Door::Admin { account: user(ADMIN) }, Origin::LOCAL);
    let modify = Modify { name: name("alice", "bob", &sent), door, body: Some(body("now")), custom_data: None, origin };
    let receipt = Receipt { app: APP, reader: user("bob"), peer: user("alice"), keys: vec![sent.key], origin };
    let read_all = ReadAll { app: APP, reader: user("bob"), origin };
    for _ in 0..2 {
        world.done(Command::Receipt(receipt.clone())).await.expect("it is acknowledged");
        world.done(Command::ReadAll(read_all.clone())).await.expect("all is read");
    }
    world.done(Command::Modify(Box::new(modify))).await.expect("it is modified");
    world.reopen().await;
    let expected = [(1, Message, 1), (2, Acknowledged, 1), (3, Read, 0), (4, Modified, 1)];
    assert_eq!(learned(&world, "alice", 0).await, expected);
    let expected = [(1, Message, 1), (2, Acknowledged, 1), (3, AllRead, 0), (4, Modified, 1)];
    assert_eq!(learned(&world, "bob", 0).await, expected);
    assert_eq!(learned(&world, "carol", 0).await, []);
}

pub(super) async fn r8_who_is_too_far_behind_is_told_so(world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    for number in 1..=5 {
        world.sent("alice", "bob", number).await;
    }
    let behind = async |after, most| world.store.sync_events(APP, user("bob"), after, most).await.expect("readable");
    assert_eq!(behind(0, 4).await, None);
    assert_eq!(behind(1, 4).await.map(|events| events.len()), Some(4));
}

pub(super) async fn r3_who_need_not_learn_learns_nothing(world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    let mut hidden = message("alice", "bob", 1);
    hidden.flags = hidden.flags.with(MessageFlags::HIDDEN_FROM_SENDER);
    world.send(hidden).await.expect("sent");
    world.sent("bob", "bob", 2).await;
    assert_eq!(learned(&world, "alice", 0).await, []);
    assert_eq!(learned(&world, "bob", 0).await, [(1, SyncKind::Message, 1), (2, SyncKind::Message, 2)], "once each");
}
