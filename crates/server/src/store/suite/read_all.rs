//! Reading everything (rules R6 and C1).

use serde_json::json;
use unsaid_protocol::{SdkAppId, callback::CallbackCommand};

use super::{
    START, World,
    actors::{APP, Outcome, app, app_with, by_admin, json as body_of, message, name, user},
    all,
};
use crate::{
    apps::{App, LaneBy},
    chat::{Command, Origin, ReadAll},
};

/// Bob stands between the others, so that he is at either end of a pair.
const WHO: [&str; 4] = ["alice", "bob", "carol", "x y"];

fn read_all(reader: &str) -> Command {
    Command::ReadAll(ReadAll { app: APP, reader: user(reader), origin: Origin::LOCAL })
}

/// An app that is told of nothing else.
fn quiet(change: impl FnOnce(&mut App)) -> App {
    app_with(|app| {
        app.callback.commands = [CallbackCommand::AfterMsgReadAll, CallbackCommand::AfterMsgReport].into();
        change(app);
    })
}

impl World {
    async fn read_all(&self, reader: &str) -> Outcome {
        self.done(read_all(reader)).await.map(drop)
    }
}

pub(super) async fn r6_reading_everything_leaves_nothing_unread(mut world: World) {
    world.with(quiet(|_| ()), &WHO).await;
    let early = world.sent("alice", "bob", 1).await;
    for (from, to) in [("carol", "bob"), ("x y", "bob"), ("bob", "bob"), ("bob", "alice"), ("carol", "alice")] {
        world.sent(from, to, 1).await;
    }
    assert_eq!((world.unread("bob").await, world.unread("alice").await), (4, 2));
    assert_eq!(world.read_all("bob").await, Ok(()));
    world.reopen().await;
    assert_eq!(world.unread("bob").await, 0);
    assert_eq!(world.unread_from("bob", &WHO).await, [Some(0); 4]);
    assert_eq!(
        world.unread_from("alice", &WHO).await,
        [Some(0), Some(1), Some(1), Some(0)],
        "others have read nothing"
    );

    // Every mark has moved: a report finds nothing more to read, and a recall nothing to take back.
    world.deliver_all().await;
    for peer in WHO {
        assert_eq!(world.read("bob", peer, None).await, Ok(()));
    }
    assert!(world.owed().await.is_empty());
    assert_eq!(world.recall(by_admin(name("alice", "bob", &early))).await, Ok(()));
    assert_eq!(world.unread("bob").await, 0);
    world.sent("alice", "bob", 2).await;
    assert_eq!(world.unread("bob").await, 1, "what comes in the same second afterwards is unread");
}

pub(super) async fn c1_reading_everything_is_told_once(world: World) {
    for lane in [LaneBy::Account, LaneBy::Conversation] {
        world.with(quiet(|app| app.lane = lane), &WHO).await;
        assert_eq!(world.read_all("bob").await, Ok(()));
        assert!(world.owed().await.is_empty(), "there was nothing to read");
        world.sent("alice", "bob", 1).await;
        world.sent("carol", "bob", 1).await;
        let now = world.clock.now();
        assert!(now >= START);
        for _ in 0..2 {
            assert_eq!(world.read_all("bob").await, Ok(()));
        }
        let event = world.only_owed().await;
        assert_eq!(event.lane.0, "bob", "it belongs to no conversation");
        assert_eq!(
            body_of(&event),
            json!({
                "CallbackCommand": "C2C.CallbackAfterMsgReadAll", "Report_Account": "bob", "EventTime": now.0,
                "GroupReadInfo": [],
            })
        );
        world.deliver_all().await;
        world.wait_s(1000);
    }
    assert_eq!(world.read_all("nobody").await, Err(90008));
}

pub(super) async fn r6_reading_everything_sees_what_was_sent_at_the_same_time(mut world: World) {
    world.with(quiet(|_| ()), &WHO).await;
    let send = |from: &str, number| Command::Send(Box::new(message(from, "bob", number)));
    let commands =
        vec![send("alice", 1), send("carol", 1), read_all("bob"), send("x y", 1), read_all("bob"), send("alice", 2)];
    for answer in all(commands.into_iter().map(|command| world.store.commit(command)).collect()).await {
        answer.expect("the store works").expect("it is allowed");
    }
    world.reopen().await;
    assert_eq!(world.unread("bob").await, 1);
    assert_eq!(world.unread_from("bob", &WHO).await, [Some(1), Some(0), Some(0), Some(0)]);
}

pub(super) async fn r6_reading_everything_touches_no_other_app(world: World) {
    world.with(app(APP), &WHO).await;
    let other = SdkAppId(APP.0 + 1);
    world.with(app(other), &WHO).await;
    let mut send = message("alice", "bob", 1);
    send.app = other;
    world.send(send).await.expect("it is sent");
    world.sent("alice", "bob", 1).await;
    assert_eq!(world.read_all("bob").await, Ok(()));
    assert_eq!(world.store.unread(other, user("bob")).await, Ok(Some(1)));
}
