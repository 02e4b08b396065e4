//! Sends that the app backend is asked about: the check before, the commit after, and a send that failed (rule C2).

use serde_json::json;
use unsaid_protocol::{callback::CallbackCommand, error};

use super::{
    START, START_S, World,
    actors::{APP, Outcome, app, app_with, body, json as body_of, message},
};
use crate::chat::{Asked, Command, Done, Refusal, Send};

const WHO: [&str; 2] = ["alice", "bob"];

/// Stands for the hash of what was sent.
const HASH: i64 = 7;

fn after_the_question(send: Send, time_s: u32) -> Send {
    Send { asked: Some(Asked { time_s, content_hash: HASH }), ..send }
}

impl World {
    async fn check(&self, send: Send) -> Outcome<Done> {
        self.done(Command::CheckSend(Box::new(send))).await
    }

    async fn failed(&self, send: Send) -> Outcome<Done> {
        let refusal = Refusal::new(error::BEFORE_FAILED, "no answer");
        self.done(Command::SendFailed(Box::new(send), refusal)).await
    }
}

pub(super) async fn c2_a_check_says_the_key_and_changes_nothing(world: World) {
    world.with(app(APP), &WHO).await;
    let before = world.everything(&WHO).await;
    let Ok(Done::MaySend(draft)) = world.check(message("alice", "bob", 1)).await else { panic!("it may be sent") };
    assert_eq!(draft.key.time, START_S);
    for (from, to, code) in [("nobody", "bob", 90008), ("alice", "no one", 90012)] {
        assert_eq!(world.check(message(from, to, 1)).await, Err(code));
    }
    assert_eq!(world.everything(&WHO).await, before);
    // The answer took a while: what is stored is what was asked about.
    world.wait_s(2);
    let sent = world.send(after_the_question(message("alice", "bob", 1), draft.key.time)).await;
    assert_eq!(sent, Ok(draft));
}

pub(super) async fn c2_who_repeats_what_was_stored_is_not_asked_about(mut world: World) {
    world.with(app(APP), &WHO).await;
    let first = world.sent("alice", "bob", 1).await;
    world.reopen().await;
    world.wait_s(5);
    assert_eq!(world.check(message("alice", "bob", 1)).await, Ok(Done::Sent(first)));
}

pub(super) async fn c2_the_commit_has_the_last_word(mut world: World) {
    world.with(app(APP), &WHO).await;
    let Ok(Done::MaySend(draft)) = world.check(message("alice", "bob", 1)).await else { panic!("it may be sent") };
    let mut other = message("bob", "alice", 1);
    other.body = body("another one, with the same numbers");
    assert_eq!(world.send(other).await.map(|sent| sent.key), Ok(draft.key), "meanwhile the key was taken");
    let send = || after_the_question(message("alice", "bob", 1), draft.key.time);
    let stored = world.send(send()).await.expect("it is sent");
    assert_eq!(stored.key.time, START_S + 1, "the next free second");
    world.reopen().await;
    // Whatever replaced what it says, it is recognised by what was sent.
    let mut replaced = send();
    replaced.body = body("what the app backend made of it");
    assert_eq!(world.send(replaced).await, Ok(stored));
    assert_eq!(world.unread("bob").await, 1);
}

pub(super) async fn c1_a_send_that_failed_is_told_and_not_stored(mut world: World) {
    world.with(app(APP), &WHO).await;
    world.sent("alice", "bob", 9).await;
    world.deliver_all().await;
    let seen = (world.history("bob", "alice").await, world.unread("bob").await);
    world.clock.shift(2500);
    let send = after_the_question(message("alice", "bob", 1), START_S);
    assert_eq!(world.failed(send.clone()).await, Ok(Done::Nothing));
    world.reopen().await;
    assert_eq!((world.history("bob", "alice").await, world.unread("bob").await), seen);
    let event = world.only_owed().await;
    assert_eq!((event.command, event.lane.0.as_str()), (CallbackCommand::AfterSendMsg, "bob"));
    let mut told = body_of(&event);
    assert!(told["MsgId"].take().as_str().expect("text").ends_with(&format!("-{START_S}-1000")));
    assert_eq!(
        told,
        json!({
            "CallbackCommand": "C2C.CallbackAfterSendMsg", "From_Account": "alice", "To_Account": "bob",
            "MsgSeq": 1, "MsgRandom": 1000, "MsgTime": START_S, "MsgKey": format!("1_1000_{START_S}"), "MsgId": null,
            "OnlineOnlyFlag": 0, "SendMsgResult": 80003, "ErrorInfo": "no answer", "UnreadMsgNum": -1,
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "text 1"}}],
            "CloudCustomData": "custom 1", "EventTime": START.0 + 2500,
        })
    );
    // Its key is free: nothing was stored.
    assert_eq!(world.send(send).await.map(|sent| sent.key.time), Ok(START_S));
}

pub(super) async fn c1_a_send_that_failed_is_not_told_without_its_callback(world: World) {
    world.with(app(APP), &WHO).await;
    let mut forbidden = message("alice", "bob", 1);
    forbidden.forbidden_callbacks = vec![CallbackCommand::AfterSendMsg];
    assert_eq!(world.failed(forbidden).await, Ok(Done::Nothing));
    world.with(app_with(|app| app.callback.commands.clear()), &[]).await;
    assert_eq!(world.failed(message("alice", "bob", 1)).await, Ok(Done::Nothing));
    assert!(world.owed().await.is_empty());
    assert_eq!(world.failed(message("nobody", "bob", 1)).await, Err(90008));
}
