//! Modifying: what a message says is replaced, and nothing else of it (rule C1, rest 4.8).

use serde_json::json;
use unsaid_protocol::{callback::CallbackCommand, element::MsgBody};

use super::{
    START, START_S, World,
    actors::{ADMIN, APP, Outcome, app, app_with, body, by_admin, json as body_of, message, name, user},
};
use crate::chat::{Command, Door, Message, MessageFlags, MessageName, Modify, Origin, Sent};

const WHO: [&str; 3] = ["alice", "bob", "carol"];

/// By the admin; the custom data stays.
fn modify(name: MessageName, text: &str) -> Modify {
    let door = Door::Admin { account: user(ADMIN) };
    Modify { name, door, body: Some(body(text)), custom_data: None, origin: Origin::LOCAL }
}

fn by(account: &str, modify: Modify) -> Modify {
    Modify { door: Door::Client { account: user(account) }, ..modify }
}

impl World {
    async fn modify(&self, modify: Modify) -> Outcome {
        self.done(Command::Modify(Box::new(modify))).await.map(drop)
    }

    /// The only message that alice and bob have, which both see alike.
    async fn only_message(&self) -> Message {
        let (alice, mut bob) = (self.history("alice", "bob").await, self.history("bob", "alice").await);
        assert_eq!((bob.len(), &alice), (1, &bob));
        bob.remove(0)
    }
}

pub(super) async fn c1_a_modification_replaces_what_is_given(mut world: World) {
    world.with(app(APP), &WHO).await;
    let sent = world.sent("alice", "bob", 1).await;
    let before = world.only_message().await;
    assert_eq!(world.modify(modify(name("alice", "bob", &sent), "now")).await, Ok(()));
    world.reopen().await;
    let after = world.only_message().await;
    assert_eq!((after.content.body, &*after.content.custom_data), (body("now").json, "custom 1"));
    let modified = before.flags.with(MessageFlags::MODIFIED);
    assert_eq!((after.position, after.key, after.flags), (before.position, before.key, modified));

    let custom_data = Some("v2".to_owned());
    let alone = Modify { body: None, custom_data, ..modify(name("alice", "bob", &sent), "") };
    assert_eq!(world.modify(by("alice", alone)).await, Ok(()));
    let after = world.only_message().await;
    assert_eq!((after.content.body, &*after.content.custom_data), (body("now").json, "v2"));
    assert_eq!((world.unread("bob").await, world.unread("alice").await), (1, 0));
}

pub(super) async fn r3_a_tombstone_keeps_the_types_that_a_modification_gave(world: World) {
    world.with(app(APP), &WHO).await;
    let sent = world.sent("alice", "bob", 1).await;
    let face = r#"[{"MsgType":"TIMFaceElem","MsgContent":{"Index":1}}]"#.to_owned();
    let face = serde_json::value::RawValue::from_string(face).expect("JSON");
    let body = Some(MsgBody::parse(&face).expect("a body"));
    assert_eq!(world.modify(Modify { body, ..modify(name("alice", "bob", &sent), "") }).await, Ok(()));
    assert_eq!(world.recall(by_admin(name("alice", "bob", &sent))).await, Ok(()));
    let tombstone = world.only_message().await;
    assert_eq!((&*tombstone.content.types, &*tombstone.content.body), ("TIMFaceElem", ""));
}

pub(super) async fn c1_the_event_of_a_modification(world: World) {
    world.with(app_with(|app| app.callback.commands = [CallbackCommand::AfterModifyMsg].into()), &WHO).await;
    let sent = world.sent("alice", "bob", 1).await;
    world.clock.shift(2500);
    assert_eq!(world.modify(modify(name("alice", "bob", &sent), "now")).await, Ok(()));
    let event = world.only_owed().await;
    assert_eq!((event.command, event.lane.0.as_str()), (CallbackCommand::AfterModifyMsg, "bob"));
    assert_eq!(
        body_of(&event),
        json!({
            "CallbackCommand": "C2C.CallbackAfterModifyMsg", "Operator_Account": ADMIN,
            "From_Account": "alice", "To_Account": "bob",
            "MsgSeq": 1, "MsgRandom": 1000, "MsgTime": START_S, "MsgKey": sent.key.to_string(),
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "now"}}],
            "CloudCustomData": "custom 1", "EventTime": START.0 + 2500,
        })
    );
    world.deliver_all().await;
    world.with(app_with(|app| app.callback.commands.clear()), &[]).await;
    assert_eq!(world.modify(modify(name("alice", "bob", &sent), "later")).await, Ok(()));
    assert!(world.owed().await.is_empty(), "the switch is off");
}

pub(super) async fn r2_a_modification_is_refused_as_a_recall_is_and_changes_nothing(world: World) {
    world.with(app(APP), &WHO).await;
    let (recalled, there) = (world.sent("alice", "bob", 1).await, world.sent("alice", "bob", 2).await);
    assert_eq!(world.recall(by_admin(name("alice", "bob", &recalled))).await, Ok(()));
    let before = world.everything(&WHO).await;
    let case = |from, to, sent: &Sent| modify(name(from, to, sent), "now");
    for (modify, expected) in [
        (case("nobody", "no one", &there), 90008),
        (case("alice", "no one", &there), 90003),
        (case("alice", "carol", &there), 20022),
        // The pair in the other direction names nothing.
        (case("bob", "alice", &there), 20022),
        // A client does not learn whether somebody else's message exists or was recalled.
        (by("bob", case("alice", "bob", &there)), 20022),
        (by("carol", case("alice", "bob", &recalled)), 20022),
        (by("alice", case("alice", "bob", &recalled)), 20023),
        (case("alice", "bob", &recalled), 20023),
        // What stays counts with what is new; that it was recalled comes first.
        (case("alice", "bob", &there), 93000),
        (case("alice", "bob", &recalled), 20023),
    ] {
        let long = expected == 93000;
        let modify = if long { Modify { custom_data: Some("x".repeat(8192)), body: None, ..modify } } else { modify };
        assert_eq!(world.modify(modify.clone()).await, Err(expected), "{modify:?}");
    }
    assert_eq!(world.everything(&WHO).await, before);
    // At any age, by both doors: the window is the recall's.
    world.wait_s(10_000);
    assert_eq!(world.modify(by("alice", case("alice", "bob", &there))).await, Ok(()));
}

pub(super) async fn c2_a_repeat_of_a_modified_message_is_recognised(mut world: World) {
    world.with(app(APP), &WHO).await;
    let sent = world.sent("alice", "bob", 1).await;
    assert_eq!(world.modify(modify(name("alice", "bob", &sent), "now")).await, Ok(()));
    world.reopen().await;
    world.wait_s(5);
    assert_eq!(world.sent("alice", "bob", 1).await, sent);
    assert_eq!(world.only_message().await.content.body, body("now").json, "a repeat changes nothing");
    // What it says now was never sent: whoever sends that sends another message.
    let mut other = message("alice", "bob", 1);
    other.body = body("now");
    assert_ne!(world.send(other).await, Ok(sent));
}
