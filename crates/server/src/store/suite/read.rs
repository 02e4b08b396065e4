//! Reading: a report's time becomes a place in the order of commits (rule R6).

use serde_json::json;
use unsaid_protocol::callback::CallbackCommand;

use super::{
    START, START_S, World,
    actors::{app_with, by_admin, json as body_of, name},
};
use crate::apps::App;

const WHO: [&str; 3] = ["alice", "bob", "carol"];

/// An app that is told of read reports alone.
fn app() -> App {
    app_with(|app| app.callback.commands = [CallbackCommand::AfterMsgReport].into())
}

pub(super) async fn r6_what_is_stored_in_the_same_second_after_a_report_is_unread(mut world: World) {
    world.with(app(), &WHO).await;
    world.sent("alice", "bob", 1).await;
    assert_eq!(world.read("bob", "alice", Some(START_S)).await, Ok(()));
    world.sent("alice", "bob", 2).await;
    world.reopen().await;
    assert_eq!(world.unread("bob").await, 1);
    // Only another report reads it, though it is of the same second.
    assert_eq!(world.read("bob", "alice", Some(START_S)).await, Ok(()));
    assert_eq!(world.unread("bob").await, 0);
}

pub(super) async fn r6_a_report_covers_its_second_and_what_was_before(mut world: World) {
    world.with(app(), &WHO).await;
    for number in 0..5 {
        world.sent("alice", "bob", number + 1).await;
        world.wait_s(1);
    }
    world.reopen().await;
    for (time_s, unread) in [(START_S - 1, 5), (START_S, 4), (START_S + 2, 2), (START_S + 9, 0)] {
        assert_eq!(world.read("bob", "alice", Some(time_s)).await, Ok(()));
        assert_eq!(world.unread("bob").await, unread, "{time_s}");
        assert_eq!(world.unread_from("bob", &["alice"]).await, [Some(unread)]);
    }
    // Beyond everything that is stored, a report still covers only what is stored.
    world.sent("alice", "bob", 9).await;
    assert_eq!(world.unread("bob").await, 1);
}

pub(super) async fn r6_a_read_mark_never_moves_back(mut world: World) {
    world.with(app(), &WHO).await;
    let early = world.sent("alice", "bob", 1).await;
    world.wait_s(10);
    world.sent("alice", "bob", 2).await;
    assert_eq!(world.read("bob", "alice", None).await, Ok(()));
    world.deliver_all().await;
    world.reopen().await;
    assert_eq!(world.read("bob", "alice", Some(START_S)).await, Ok(()));
    assert_eq!(world.unread("bob").await, 0);
    // The clock is set back: what comes now is older by its time, but later in the order of commits.
    world.wait_s(-100);
    world.sent("alice", "bob", 3).await;
    assert_eq!(world.unread("bob").await, 1);
    assert_eq!(world.recall(by_admin(name("alice", "bob", &early))).await, Ok(()));
    assert_eq!(world.unread("bob").await, 1);
    assert!(world.owed().await.is_empty());
}

pub(super) async fn r6_a_report_without_a_time_reads_everything(world: World) {
    world.with(app(), &WHO).await;
    world.sent("alice", "bob", 1).await;
    world.wait_s(-50);
    world.sent("alice", "bob", 2).await;
    assert_eq!(world.read("bob", "alice", None).await, Ok(()));
    assert_eq!(world.unread("bob").await, 0);
}

pub(super) async fn r6_reading_does_not_touch_other_conversations(mut world: World) {
    world.with(app(), &WHO).await;
    for (from, to) in [("alice", "bob"), ("carol", "bob"), ("bob", "alice"), ("bob", "bob")] {
        world.sent(from, to, 1).await;
        world.sent(from, to, 2).await;
    }
    world.reopen().await;
    assert_eq!(world.read("bob", "alice", None).await, Ok(()));
    assert_eq!(world.unread_from("bob", &WHO).await, [Some(0), Some(2), Some(2)]);
    assert_eq!((world.unread("bob").await, world.unread("alice").await), (4, 2));
}

pub(super) async fn c1_a_report_owes_an_event_only_if_the_mark_moved(mut world: World) {
    world.with(app(), &WHO).await;
    assert_eq!(world.read("bob", "alice", None).await, Ok(()), "there is nothing to read yet");
    world.sent("alice", "bob", 1).await;
    world.sent("carol", "bob", 1).await;
    assert_eq!(world.read("bob", "alice", Some(START_S - 1)).await, Ok(()));
    assert_eq!(world.read("alice", "bob", None).await, Ok(()), "she has received nothing");
    assert!(world.owed().await.is_empty());

    world.clock.shift(2500);
    assert_eq!(world.read("bob", "alice", None).await, Ok(()));
    world.reopen().await;
    assert_eq!(world.read("bob", "alice", None).await, Ok(()));
    assert_eq!(world.read("bob", "alice", Some(START_S)).await, Ok(()));
    let event = world.only_owed().await;
    assert_eq!(event.lane.0, "bob");
    assert_eq!(
        body_of(&event),
        json!({
            "CallbackCommand": "C2C.CallbackAfterMsgReport", "Report_Account": "bob", "Peer_Account": "alice",
            "LastReadTime": START_S + 2, "UnreadMsgNum": 1, "EventTime": START.0 + 2500,
        })
    );
}

pub(super) async fn accounts_that_were_not_imported_read_nothing(world: World) {
    world.with(app(), &WHO).await;
    assert_eq!(world.read("nobody", "no one", None).await, Err(90008));
    assert_eq!(world.read("bob", "no one", None).await, Err(90003));
}
