//! Sending: what is counted, who sees it, and what a repeat is (rules R2 and R6, C1 and C2).

use serde_json::json;
use unsaid_protocol::callback::CallbackCommand;

use super::{
    START, START_S, World,
    actors::{APP, all_of, app, app_with, body, by_client, json as body_of, message, name},
};
use crate::chat::{Lifetime, MessageFlags};

const WHO: [&str; 2] = ["alice", "bob"];

pub(super) async fn r3_what_is_hidden_from_its_sender_is_in_the_history_of_the_recipient(mut world: World) {
    world.with(app(APP), &WHO).await;
    let mut hidden = message("alice", "bob", 1);
    hidden.flags = hidden.flags.with(MessageFlags::HIDDEN_FROM_SENDER);
    let sent = world.send(hidden).await.expect("it is sent");
    world.sent("alice", "bob", 2).await;
    for recalled in [false, true] {
        let seqs = |messages: Vec<crate::chat::Message>| -> Vec<u32> {
            messages.iter().map(|message| message.key.seq).collect()
        };
        assert_eq!(seqs(world.history("bob", "alice").await), [2, 1]);
        assert_eq!(seqs(world.history("alice", "bob").await), [2]);
        if !recalled {
            assert_eq!(world.recall(by_client("alice", name("alice", "bob", &sent))).await, Ok(()));
            world.reopen().await;
        }
    }
    assert_eq!(world.unread("bob").await, 1);
}

pub(super) async fn r6_a_message_counts_unless_it_must_not(mut world: World) {
    world.with(app(APP), &["alice", "bob", "carol"]).await;
    let mut silent = message("alice", "bob", 1);
    silent.flags = MessageFlags::NOT_LAST;
    world.send(silent).await.expect("it is sent");
    assert_eq!(world.unread("bob").await, 0);
    let mut last = message("alice", "bob", 2);
    last.flags = last.flags.with(MessageFlags::NOT_LAST);
    world.send(last).await.expect("it is sent");
    world.sent("carol", "bob", 3).await;
    world.sent("bob", "alice", 4).await;
    world.reopen().await;
    assert_eq!(world.unread("bob").await, 2);
    assert_eq!((world.unread("alice").await, world.unread("carol").await), (1, 0));
    let from = world.unread_from("bob", &["alice", "carol", "bob", "nobody"]).await;
    assert_eq!(from, [Some(1), Some(1), Some(0), None]);
    assert_eq!(world.store.unread(APP, super::actors::user("nobody")).await, Ok(None));
}

pub(super) async fn r6_a_message_to_oneself_is_counted_once(mut world: World) {
    world.with(app(APP), &WHO).await;
    world.sent("alice", "alice", 1).await;
    world.sent("alice", "bob", 1).await;
    world.reopen().await;
    assert_eq!(world.unread("alice").await, 1);
    assert_eq!(world.unread_from("alice", &WHO).await, [Some(1), Some(0)]);
    assert_eq!(world.history("alice", "alice").await.len(), 1);
    assert_eq!(world.read("alice", "alice", None).await, Ok(()));
    assert_eq!((world.unread("alice").await, world.unread("bob").await), (0, 1));
}

pub(super) async fn r2_a_repeat_gets_the_first_key_and_changes_nothing(mut world: World) {
    world.with(app(APP), &WHO).await;
    let first = world.sent("alice", "bob", 1).await;
    assert_eq!(first.key.to_string(), format!("1_1000_{START_S}"));
    world.hinted();
    let before = world.everything(&WHO).await;
    world.wait_s(7);
    world.reopen().await;
    assert_eq!(world.sent("alice", "bob", 1).await, first);
    assert_eq!(world.everything(&WHO).await, before);
    assert!(world.hinted().is_empty());
}

pub(super) async fn r2_a_repeat_of_a_recalled_message_stays_recalled(mut world: World) {
    world.with(app(APP), &WHO).await;
    let first = world.sent("alice", "bob", 1).await;
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &first))).await, Ok(()));
    world.reopen().await;
    assert_eq!(world.sent("alice", "bob", 1).await, first);
    let history = world.history("bob", "alice").await;
    assert_eq!(history.len(), 1);
    assert!(history[0].flags.contains(MessageFlags::RECALLED) && history[0].content.body.is_empty());
    assert_eq!(world.unread("bob").await, 0);
}

pub(super) async fn r2_other_content_gets_the_next_free_second(mut world: World) {
    world.with(app(APP), &WHO).await;
    let first = world.sent("alice", "bob", 1).await;
    let mut other_text = message("alice", "bob", 1);
    other_text.body = body("other");
    let mut other_data = message("alice", "bob", 1);
    other_data.custom_data = String::new();
    let second = world.send(other_text.clone()).await.expect("it is sent");
    let third = world.send(other_data.clone()).await.expect("it is sent");
    assert_eq!([first.key.time, second.key.time, third.key.time], [START_S, START_S + 1, START_S + 2]);
    assert_eq!((second.key.seq, second.key.random), (first.key.seq, first.key.random));
    // Each of them is found again by its content.
    world.wait_s(1);
    world.reopen().await;
    assert_eq!(world.send(other_data).await, Ok(third));
    assert_eq!(world.send(other_text).await, Ok(second));
    assert_eq!(world.sent("alice", "bob", 1).await, first);
    assert_eq!(world.unread("bob").await, 3);
}

pub(super) async fn r2_both_ends_of_a_conversation_share_its_keys(mut world: World) {
    world.with(app(APP), &WHO).await;
    let there = world.sent("alice", "bob", 1).await;
    // The same numbers and content from the other end are no repeat, and no second message of that key.
    let back = world.sent("bob", "alice", 1).await;
    assert_eq!((there.key.time, back.key.time), (START_S, START_S + 1));
    world.reopen().await;
    assert_eq!(world.recall(by_client("bob", name("bob", "alice", &back))).await, Ok(()));
    assert_eq!((world.unread("alice").await, world.unread("bob").await), (0, 1));
}

pub(super) async fn c2_a_repeat_is_recognised_for_120_s(mut world: World) {
    world.with(app(APP), &WHO).await;
    let first = world.sent("alice", "bob", 1).await;
    world.clock.shift(120_999);
    world.reopen().await;
    assert_eq!(world.sent("alice", "bob", 1).await, first);
    world.clock.shift(1);
    let second = world.sent("alice", "bob", 1).await;
    assert_eq!(second.key.time, START_S + 121);
    assert_eq!(world.unread("bob").await, 2);
}

pub(super) async fn c1_the_event_of_a_send(world: World) {
    world.with(app(APP), &WHO).await;
    let sent = world.sent("alice", "bob", 1).await;
    let event = world.only_owed().await;
    assert_eq!((event.command, event.lane.0.as_str()), (CallbackCommand::AfterSendMsg, "bob"));
    assert_eq!(
        body_of(&event),
        json!({
            "CallbackCommand": "C2C.CallbackAfterSendMsg",
            "From_Account": "alice", "To_Account": "bob",
            "MsgSeq": 1, "MsgRandom": 1000, "MsgTime": START_S, "MsgKey": sent.key.to_string(), "MsgId": sent.id,
            "OnlineOnlyFlag": 0, "SendMsgResult": 0, "ErrorInfo": "send msg succeed", "UnreadMsgNum": 1,
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "text 1"}}],
            "CloudCustomData": "custom 1", "EventTime": START.0,
        })
    );
}

pub(super) async fn c1_an_event_that_the_sender_forbids_is_not_owed(world: World) {
    world
        .with(app_with(|app| app.callback.commands.retain(|command| *command != CallbackCommand::AfterMsgReport)), &WHO)
        .await;
    let mut quiet = message("alice", "bob", 1);
    quiet.forbidden_callbacks = vec![CallbackCommand::AfterSendMsg];
    let sent = world.send(quiet).await.expect("it is sent");
    assert_eq!(world.read("bob", "alice", None).await, Ok(()));
    assert!(world.owed().await.is_empty());
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &sent))).await, Ok(()));
    assert_eq!(world.only_owed().await.command, CallbackCommand::AfterMsgWithDraw);
}

pub(super) async fn accounts_that_were_not_imported_neither_send_nor_receive(world: World) {
    world.with(app(APP), &WHO).await;
    for lifetime in [Lifetime::Stored, Lifetime::OnlineOnly] {
        for (from, to, code) in [("nobody", "no one", 90008), ("nobody", "bob", 90008), ("alice", "Bob", 90012)] {
            let mut send = message(from, to, 1);
            send.lifetime = lifetime;
            assert_eq!(world.send(send).await, Err(code), "{from} to {to}");
        }
    }
    assert!(world.owed().await.is_empty());
}

pub(super) async fn history_is_paged_without_gap_or_repeat(mut world: World) {
    world.with(app(APP), &WHO).await;
    // Several in a second, with numbers against their order, from both ends.
    for number in 0..23 {
        let (from, to) = if number % 3 == 0 { ("bob", "alice") } else { ("alice", "bob") };
        world.sent(from, to, 100 - number).await;
        world.wait_s(i64::from(number % 4 == 0));
    }
    world.reopen().await;
    let whole = world.history("alice", "bob").await;
    assert_eq!(whole.len(), 23);
    let places: Vec<_> = whole.iter().map(|message| (message.key.time, message.key.seq)).collect();
    assert!(places.is_sorted_by(|newer, older| newer > older));
    for messages_max in [1, 4, 23, 24] {
        let mut query = all_of("alice", "bob");
        query.messages_max = messages_max;
        let mut pages = Vec::new();
        loop {
            let page = world.store.history(query.clone()).await.expect("the store works");
            assert!(page.len() <= messages_max as usize);
            let Some(last) = page.last() else {
                break;
            };
            query.before = Some(last.key);
            pages.extend(page);
        }
        assert_eq!(pages, whole);
    }
    let mut range = all_of("alice", "bob");
    (range.min_time_s, range.max_time_s) = (START_S + 1, START_S + 2);
    let some = world.store.history(range).await.expect("the store works");
    let expect: Vec<_> =
        whole.into_iter().filter(|message| (START_S + 1..=START_S + 2).contains(&message.key.time)).collect();
    assert_eq!((some.len(), some), (8, expect));
}
