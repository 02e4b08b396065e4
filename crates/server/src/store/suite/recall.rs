//! Recalls: who may, what is refused, and what a tombstone is (rules R1 to R4).

use super::{
    START_S, World,
    actors::{ADMIN, APP, app, app_with, by_admin, by_client, message, name, user},
    all,
};
use crate::chat::{Command, Door, Lifetime, MessageFlags, Origin, Recall};
use unsaid_protocol::{MsgKey, SdkAppId};

const WHO: [&str; 2] = ["alice", "bob"];

pub(super) async fn r1_a_client_recalls_until_the_window_has_passed(mut world: World) {
    world.with(app(APP), &WHO).await;
    let (first, second) = (world.sent("alice", "bob", 1).await, world.sent("alice", "bob", 2).await);
    // Whole seconds count, however late in their second.
    world.clock.shift(120_999);
    world.reopen().await;
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &first))).await, Ok(()));
    world.clock.shift(1);
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &second))).await, Err(20016));
    assert_eq!(world.recall(by_admin(name("alice", "bob", &second))).await, Ok(()));
}

pub(super) async fn r1_the_window_is_the_apps(world: World) {
    world.with(app_with(|app| app.recall_window_s = 0), &WHO).await;
    let first = world.sent("alice", "bob", 1).await;
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &first))).await, Ok(()));
    let second = world.sent("alice", "bob", 2).await;
    world.wait_s(1);
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &second))).await, Err(20016));
    // A changed setting holds from the next command on.
    world.with(app_with(|app| app.recall_window_s = 1), &[]).await;
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &second))).await, Ok(()));
}

pub(super) async fn r1_an_admin_recalls_at_any_age(mut world: World) {
    world.with(app(APP), &WHO).await;
    let sent = world.sent("alice", "bob", 1).await;
    world.wait_s(10 * 365 * 24 * 3600);
    world.reopen().await;
    assert_eq!(world.recall(by_admin(name("alice", "bob", &sent))).await, Ok(()));
    // A clock that was set back makes no message too old.
    let later = world.sent("alice", "bob", 2).await;
    world.wait_s(-3600);
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &later))).await, Ok(()));
}

pub(super) async fn r2_refusals_come_in_their_order(world: World) {
    world.with(app(APP), &["alice", "bob", "carol"]).await;
    let recalled = world.sent("alice", "bob", 1).await;
    let old = world.sent("alice", "bob", 2).await;
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &recalled))).await, Ok(()));
    world.wait_s(121);
    let new = world.sent("alice", "bob", 3).await;

    for (from, to, sent, by, expect) in [
        // The app first, then the message: only where it is missing are its accounts looked up, From before To.
        ("nobody", "no one", &new, None, 90008),
        ("alice", "no one", &new, None, 90003),
        ("alice", "carol", &new, None, 20022),
        // The pair in the other direction names nothing.
        ("bob", "alice", &new, None, 20022),
        ("bob", "alice", &new, Some("bob"), 20022),
        ("alice", "alice", &new, None, 20022),
        // A client does not learn whether somebody else's message exists, is old or was recalled.
        ("alice", "bob", &new, Some("bob"), 20022),
        ("alice", "bob", &new, Some("carol"), 20022),
        ("alice", "bob", &old, Some("bob"), 20022),
        ("alice", "bob", &recalled, Some("bob"), 20022),
        ("nobody", "bob", &new, Some("carol"), 90008),
        // Recalled comes before too old.
        ("alice", "bob", &recalled, Some("alice"), 20023),
        ("alice", "bob", &recalled, None, 20023),
        ("alice", "bob", &old, Some("alice"), 20016),
    ] {
        let name = name(from, to, sent);
        let recall = by.map_or_else(|| by_admin(name.clone()), |account| by_client(account, name.clone()));
        assert_eq!(world.recall(recall).await, Err(expect), "{name:?} by {by:?}");
    }
    let mut elsewhere = name("alice", "bob", &new);
    elsewhere.app = SdkAppId(7);
    assert_eq!(world.recall(by_admin(elsewhere)).await, Err(60006));
    for key in [
        MsgKey { seq: new.key.seq + 1, ..new.key },
        MsgKey { random: new.key.random + 1, ..new.key },
        MsgKey { time: new.key.time + 1, ..new.key },
    ] {
        let mut other = name("alice", "bob", &new);
        other.key = key;
        assert_eq!(world.recall(by_admin(other)).await, Err(20022), "{key}");
    }
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &new))).await, Ok(()));
}

pub(super) async fn r2_what_is_refused_changes_nothing(mut world: World) {
    world.with(app(APP), &["alice", "bob", "carol"]).await;
    let (recalled, old) = (world.sent("alice", "bob", 1).await, world.sent("alice", "bob", 2).await);
    assert_eq!(world.recall(by_admin(name("alice", "bob", &recalled))).await, Ok(()));
    world.wait_s(121);
    world.hinted();
    let before = world.everything(&["alice", "bob", "carol"]).await;
    for (recall, code) in [
        (by_client("alice", name("alice", "bob", &old)), 20016),
        (by_client("bob", name("alice", "bob", &old)), 20022),
        (by_admin(name("bob", "alice", &old)), 20022),
        (by_admin(name("alice", "bob", &recalled)), 20023),
        (by_admin(name("alice", "nobody", &old)), 90003),
    ] {
        assert_eq!(world.recall(recall).await, Err(code));
    }
    assert_eq!(world.everything(&["alice", "bob", "carol"]).await, before);
    assert!(world.hinted().is_empty());
}

pub(super) async fn r2_a_key_shared_by_recipients_names_one_message_of_each(mut world: World) {
    world.with(app(APP), &["alice", "bob", "carol"]).await;
    let to_bob = world.sent("alice", "bob", 1).await;
    let to_carol = world.sent("alice", "carol", 1).await;
    assert_eq!(to_bob.key, to_carol.key);
    assert_eq!(world.recall(by_client("alice", name("alice", "carol", &to_carol))).await, Ok(()));
    world.reopen().await;
    assert_eq!((world.unread("bob").await, world.unread("carol").await), (1, 0));
    assert!(!world.history("bob", "alice").await[0].flags.contains(MessageFlags::RECALLED));
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &to_bob))).await, Ok(()));
}

pub(super) async fn r2_an_online_only_message_cannot_be_recalled(mut world: World) {
    world.with(app(APP), &WHO).await;
    let mut send = message("alice", "bob", 1);
    send.lifetime = Lifetime::OnlineOnly;
    let sent = world.send(send.clone()).await.expect("it is sent");
    assert_eq!(sent.key.time, START_S);
    assert_eq!((world.unread("bob").await, world.history("bob", "alice").await), (0, Vec::new()));
    // It is never stored, so a repeat is another message, and owes another event.
    assert_eq!(world.send(send).await, Ok(sent.clone()));
    assert_eq!(world.owed().await.len(), 2);
    world.reopen().await;
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &sent))).await, Err(20022));
    assert_eq!(world.recall(by_admin(name("alice", "bob", &sent))).await, Err(20022));
    assert_eq!(world.owed().await.len(), 2);
}

pub(super) async fn r2_apps_are_apart(world: World) {
    let other = SdkAppId(1_400_000_002);
    world.with(app(APP), &WHO).await;
    world.with(app(other), &WHO).await;
    let sent = world.sent("alice", "bob", 1).await;
    let mut elsewhere = name("alice", "bob", &sent);
    elsewhere.app = other;
    assert_eq!(world.recall(by_admin(elsewhere.clone())).await, Err(20022));
    let mut same = message("alice", "bob", 1);
    same.app = other;
    assert_eq!(world.send(same).await.expect("it is sent").key, sent.key);
    assert_eq!(world.recall(by_admin(elsewhere)).await, Ok(()));
    assert_eq!(world.unread("bob").await, 1);
    assert_eq!(world.store.unread(other, user("bob")).await, Ok(Some(0)));
}

pub(super) async fn r3_a_tombstone_keeps_its_place_and_types_and_loses_its_text(mut world: World) {
    world.with(app(APP), &WHO).await;
    for number in 1..=3 {
        world.sent("alice", "bob", number).await;
        world.wait_s(1);
    }
    let before = world.history("bob", "alice").await;
    let recall = Recall {
        name: crate::chat::MessageName { app: APP, from: user("alice"), to: user("bob"), key: before[1].key },
        door: Door::Admin { account: user(ADMIN) },
        origin: Origin::LOCAL,
    };
    assert_eq!(world.recall(recall).await, Ok(()));
    world.reopen().await;
    let mut expect = before.clone();
    expect[1].flags = expect[1].flags.with(MessageFlags::RECALLED);
    expect[1].recalled_by = Some(user(ADMIN));
    expect[1].content.body.clear();
    expect[1].content.custom_data.clear();
    assert_eq!(expect[1].content.types, "TIMTextElem");
    for (operator, peer) in [("bob", "alice"), ("alice", "bob")] {
        assert_eq!(world.history(operator, peer).await, expect);
    }
}

pub(super) async fn r3_unread_falls_only_if_the_message_was_unread(mut world: World) {
    world.with(app(APP), &["alice", "bob", "carol"]).await;
    let read = world.sent("alice", "bob", 1).await;
    assert_eq!(world.read("bob", "alice", None).await, Ok(()));
    let unread = world.sent("alice", "bob", 2).await;
    let mut silent = message("alice", "bob", 3);
    silent.flags = MessageFlags::default();
    let silent = world.send(silent).await.expect("it is sent");
    world.sent("carol", "bob", 4).await;
    world.reopen().await;
    assert_eq!(world.unread("bob").await, 2);
    for (sent, total) in [(&read, 2), (&silent, 2), (&unread, 1)] {
        assert_eq!(world.recall(by_client("alice", name("alice", "bob", sent))).await, Ok(()));
        assert_eq!(world.unread("bob").await, total, "{}", sent.key);
    }
    assert_eq!(world.unread_from("bob", &["alice", "carol"]).await, [Some(0), Some(1)]);
}

pub(super) async fn r4_one_event_for_a_recall_that_succeeded(mut world: World) {
    world
        .with(
            app_with(|app| {
                app.callback.commands = [unsaid_protocol::callback::CallbackCommand::AfterMsgWithDraw].into()
            }),
            &WHO,
        )
        .await;
    let sent = world.sent("alice", "bob", 1).await;
    assert!(world.owed().await.is_empty());
    assert_eq!(world.recall(by_client("bob", name("alice", "bob", &sent))).await, Err(20022));
    assert!(world.owed().await.is_empty(), "no event without its recall");
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &sent))).await, Ok(()));
    world.reopen().await;
    for _ in 0..3 {
        assert_eq!(world.recall(by_admin(name("alice", "bob", &sent))).await, Err(20023));
    }
    let event = world.only_owed().await;
    world.deliver_all().await;
    assert_eq!(world.recall(by_admin(name("alice", "bob", &sent))).await, Err(20023));
    assert!(world.owed().await.is_empty(), "{event:?}");
}

pub(super) async fn r4_without_the_switch_there_is_no_event(mut world: World) {
    for change in [
        |app: &mut crate::apps::App| app.callback.commands.clear(),
        |app: &mut crate::apps::App| app.callback.endpoint = None,
    ] {
        world.with(app_with(change), &WHO).await;
        let sent = world.sent("alice", "bob", 1).await;
        assert_eq!(world.recall(by_admin(name("alice", "bob", &sent))).await, Ok(()));
        assert!(world.owed().await.is_empty() && world.hinted().is_empty());
        world.wait_s(1000);
    }
}

pub(super) async fn r4_of_recalls_at_once_one_succeeds(mut world: World) {
    world.with(app(APP), &WHO).await;
    let sent = world.sent("alice", "bob", 1).await;
    world.deliver_all().await;
    let named = name("alice", "bob", &sent);
    let recalls = [by_client("alice", named.clone()), by_admin(named)];
    let recalls = recalls.iter().cycle().take(40).cloned();
    let answers = all(recalls.map(|recall| world.store.commit(Command::Recall(recall))).collect()).await;
    let codes: Vec<_> = answers.into_iter().map(|answer| answer.expect("the store works")).collect();
    assert_eq!(codes.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(codes.iter().filter_map(|answer| answer.as_ref().err()).all(|refusal| refusal.code.0 == 20023));
    assert_eq!(world.owed().await.len(), 1);
    world.reopen().await;
    assert_eq!((world.owed().await.len(), world.unread("bob").await), (1, 0));
}
