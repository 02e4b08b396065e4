//! The outbox: lanes, what becomes of events, hints, and what survives a restart (invariants 1 and 2, rules C3 to C6).

use std::sync::Arc;

use unsaid_protocol::{SdkAppId, callback::CallbackCommand};

use super::{
    START, World,
    actors::{APP, app, app_with, by_admin, fault, message, name, parked, settled, user},
    all,
};
use crate::{
    apps::{LaneBy, Secret, SecretKey},
    chat::{Command, Fault, Lane, Settlement, Tries},
};

const WHO: [&str; 3] = ["alice", "bob", "x y"];

pub(super) async fn c5_the_lane_is_the_account_whose_unread_is_reported(mut world: World) {
    world.with(app(APP), &WHO).await;
    let sent = world.sent("alice", "bob", 1).await;
    world.sent("x y", "bob", 2).await;
    world.reopen().await;
    world.sent("bob", "x y", 3).await;
    assert_eq!(world.recall(by_admin(name("alice", "bob", &sent))).await, Ok(()));
    assert_eq!(world.read("bob", "x y", None).await, Ok(()));
    assert_eq!(world.lane("bob").await, [(1, 1, 0), (2, 2, 1), (3, 3, 2), (4, 4, 3)]);
    assert_eq!(world.lane("x y").await, [(1, 1, 0)]);
    let commands: Vec<_> = world.owed().await.iter().map(|event| (event.lane.0.clone(), event.command)).collect();
    use CallbackCommand::{AfterMsgReport, AfterMsgWithDraw, AfterSendMsg};
    assert_eq!(
        commands,
        [
            ("bob", AfterSendMsg),
            ("bob", AfterSendMsg),
            ("bob", AfterMsgWithDraw),
            ("bob", AfterMsgReport),
            ("x y", AfterSendMsg)
        ]
        .map(|(lane, command)| (lane.to_owned(), command))
    );
}

pub(super) async fn c5_the_lane_is_the_conversation_where_the_app_says_so(mut world: World) {
    world.with(app_with(|app| app.lane = LaneBy::Conversation), &WHO).await;
    let sent = world.sent("bob", "alice", 1).await;
    world.sent("x y", "bob", 2).await;
    world.sent("x y", "x y", 2).await;
    world.reopen().await;
    assert_eq!(world.recall(by_admin(name("bob", "alice", &sent))).await, Ok(()));
    assert_eq!(world.read("bob", "x y", None).await, Ok(()));
    world.sent("alice", "bob", 3).await;
    assert_eq!(world.lane("alice\tbob").await, [(1, 1, 0), (2, 2, 1), (3, 3, 2)]);
    assert_eq!(world.lane("bob\tx y").await, [(1, 1, 0), (2, 2, 1)]);
    assert_eq!(world.lane("x y\tx y").await, [(1, 1, 0)]);
    // Accounts have lanes of their own, which begin where they have begun.
    world.with(app(APP), &[]).await;
    world.sent("alice", "bob", 4).await;
    assert_eq!(world.lane("bob").await, [(1, 1, 0)]);
}

pub(super) async fn c3_what_is_delivered_leaves_the_outbox(mut world: World) {
    world.with(app(APP), &WHO).await;
    for number in 1..=3 {
        world.sent("alice", "bob", number).await;
    }
    let owed = world.owed().await;
    world.settle(vec![settled(&owed[0], Settlement::Delivered)]).await;
    world.reopen().await;
    assert_eq!(world.lane("bob").await, [(2, 2, 1), (3, 3, 2)], "who follows a delivered event still follows it");
    assert_eq!(world.counts().await, (2, 0));
    world.deliver_all().await;
    world.reopen().await;
    world.sent("alice", "bob", 4).await;
    assert_eq!(world.lane("bob").await, [(4, 4, 3)]);
}

pub(super) async fn c3_settling_twice_or_what_is_not_there_changes_nothing(world: World) {
    world.with(app(APP), &WHO).await;
    world.sent("alice", "bob", 1).await;
    let event = world.only_owed().await;
    let again =
        || Settlement::DueAgain { tries: Tries { attempts: 1, refusals: 0, unavailable_since: None }, due: START };
    world.settle(vec![parked(&event), parked(&event), settled(&event, again())]).await;
    world.settle(vec![settled(&event, Settlement::Delivered), parked(&event), settled(&event, again())]).await;
    world.settle(Vec::new()).await;
    assert_eq!(world.counts().await, (0, 1));
    assert!(world.owed().await.is_empty());
}

pub(super) async fn c3_a_closed_store_takes_nothing(mut world: World) {
    world.with(app(APP), &WHO).await;
    world.store.close().await.expect("it closes");
    let send = Command::Send(Box::new(message("alice", "bob", 1)));
    assert_eq!(fault(world.store.commit(send).await), Fault::Stopping);
    world.reopen_closed();
    assert_eq!(world.unread("bob").await, 0);
}

pub(super) async fn c6_what_is_due_again_stays_with_its_tries(mut world: World) {
    world.with(app(APP), &WHO).await;
    world.sent("alice", "bob", 1).await;
    world.sent("alice", "bob", 2).await;
    let mut expect = world.owed().await;
    let (tries, due) = (
        Tries { attempts: 5, refusals: 2, unavailable_since: None },
        START.plus(std::time::Duration::from_millis(1234)),
    );
    world.settle(vec![settled(&expect[0], Settlement::DueAgain { tries, due })]).await;
    world.reopen().await;
    (expect[0].tries, expect[0].due) = (tries, due);
    assert_eq!(world.owed().await, expect);
}

pub(super) async fn c6_who_follows_a_parked_event_follows_its_predecessor(mut world: World) {
    world.with(app(APP), &WHO).await;
    for number in 1..=5 {
        world.sent("alice", "bob", number).await;
    }
    let owed = world.owed().await;
    world.settle(vec![settled(&owed[0], Settlement::Delivered), parked(&owed[1]), parked(&owed[2])]).await;
    world.reopen().await;
    assert_eq!(world.lane("bob").await, [(4, 4, 1), (5, 5, 4)]);
    assert_eq!(world.counts().await, (2, 2));
}

pub(super) async fn c6_who_comes_after_a_parked_event_follows_its_predecessor(mut world: World) {
    world.with(app(APP), &WHO).await;
    for number in 1..=3 {
        world.sent("alice", "bob", number).await;
    }
    let owed = world.owed().await;
    world.settle(vec![settled(&owed[0], Settlement::Delivered), parked(&owed[1]), parked(&owed[2])]).await;
    world.reopen().await;
    world.sent("alice", "bob", 4).await;
    world.sent("alice", "bob", 5).await;
    assert_eq!(world.lane("bob").await, [(4, 4, 1), (5, 5, 4)]);
    // Where nothing was delivered before, nothing is followed.
    world.sent("alice", "x y", 6).await;
    let first = world.owed().await.pop().expect("x y sorts last");
    world.settle(vec![parked(&first)]).await;
    world.sent("alice", "x y", 7).await;
    assert_eq!(world.lane("x y").await, [(2, 2, 0)]);
}

/// Settlements are told by tasks of their own, so a park may reach the outbox after what was delivered behind it.
pub(super) async fn c6_a_park_that_is_settled_late_mends_only_who_follows_it(world: World) {
    world.with(app(APP), &WHO).await;
    for to in ["bob", "x y"] {
        for number in 1..=3 {
            world.sent("alice", to, number).await;
        }
    }
    let owed = world.owed().await;
    let (bob, other) = owed.split_at(3);
    world.settle(vec![settled(&bob[1], Settlement::Delivered)]).await;
    world.settle(vec![parked(&bob[0])]).await;
    assert_eq!(world.lane("bob").await, [(3, 3, 2)], "the third follows the second, which was delivered");

    let delivered = [&other[1], &other[2]].map(|event| settled(event, Settlement::Delivered));
    world.settle(delivered.into()).await;
    world.settle(vec![parked(&other[0])]).await;
    world.sent("alice", "x y", 4).await;
    assert_eq!(world.lane("x y").await, [(4, 4, 3)], "and what comes later follows the last one");
}

pub(super) async fn c6_lanes_of_conversations_are_mended_too(mut world: World) {
    world.with(app_with(|app| app.lane = LaneBy::Conversation), &WHO).await;
    for number in 1..=3 {
        world.sent("x y", "bob", number).await;
    }
    let owed = world.owed().await;
    world.settle(vec![settled(&owed[0], Settlement::Delivered), parked(&owed[1])]).await;
    assert_eq!(world.lane("bob\tx y").await, [(3, 3, 1)]);
    world.settle(vec![parked(&owed[2])]).await;
    world.reopen().await;
    world.sent("bob", "x y", 4).await;
    assert_eq!(world.lane("bob\tx y").await, [(4, 4, 1)]);
}

pub(super) async fn i2_hints_tell_what_the_outbox_holds(mut world: World) {
    world.with(app(APP), &WHO).await;
    let sends = (1..=60).map(|number| message("alice", if number % 2 == 0 { "bob" } else { "x y" }, number));
    let commits = sends.map(|send| world.store.commit(Command::Send(Box::new(send)))).collect();
    assert!(all(commits).await.iter().all(|answer| matches!(answer, Ok(Ok(_)))));
    let mut hinted = world.hinted();
    assert!(!world.hints.take_missed());
    hinted.sort_by(|one, other| (&one.lane, one.place).cmp(&(&other.lane, other.place)));
    assert_eq!(hinted, world.owed().await);
    // Nobody is told twice, and a settlement is no event.
    world.deliver_all().await;
    world.reopen().await;
    assert!(world.hinted().is_empty());
}

pub(super) async fn i2_the_outbox_is_searched_lane_by_lane(mut world: World) {
    let other = SdkAppId(1_400_000_002);
    let names = ["~", "a*b", ".", "A", "bob", "bob b", "x y"];
    for sdkappid in [APP, other] {
        world.with(app(sdkappid), &names).await;
        for to in names {
            for number in 1..=3 {
                let mut send = message("bob", to, number);
                send.app = sdkappid;
                world.send(send).await.expect("it is sent");
            }
        }
    }
    world.reopen().await;
    let mut expect = Vec::new();
    for sdkappid in [APP, other] {
        let mut sorted = names;
        sorted.sort_unstable();
        expect.extend(sorted.map(|name| (sdkappid, Lane::of_account(&user(name)))));
    }
    for lanes_max in [1, 3, 13, 14, 15] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = world.store.lanes(after.take(), lanes_max).await.expect("the store works");
            assert!(page.len() <= lanes_max as usize);
            after = page.last().cloned();
            found.extend(page);
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, expect);
    }
    let behind = world.store.lanes(Some((APP, Lane::after_all())), 1).await.expect("the store works");
    assert_eq!(behind, expect[7..8]);
    let lane = |after, events_max| world.store.lane(APP, Lane("a*b".to_owned()), after, events_max);
    let places = |events: Vec<crate::chat::OwedEvent>| events.iter().map(|event| event.place).collect::<Vec<_>>();
    assert_eq!(places(lane(0, 2).await.expect("the store works")), [1, 2]);
    assert_eq!(places(lane(2, 2).await.expect("the store works")), [3]);
    assert!(lane(3, 2).await.expect("the store works").is_empty());
}

pub(super) async fn apps_and_numbers_survive(mut world: World) {
    let mut saved = app(APP);
    saved.name = "the first".to_owned();
    saved.keys.push(SecretKey::new(Secret::new("fedcba9876543210")));
    (saved.recall_window_s, saved.audit_days, saved.lane) = (7, 3, LaneBy::Conversation);
    saved.admins = vec![user("root"), user("x y")];
    world.with(app(SdkAppId(1_400_000_002)), &[]).await;
    world.with(app(APP), &[]).await;
    world.with(saved.clone(), &["alice"]).await;
    world.reopen().await;
    assert_eq!(world.store.apps().await, Ok(vec![saved.clone(), app(SdkAppId(1_400_000_002))]));
    // Its admins are accounts; and an account that comes later has a serial of its own.
    assert_eq!((world.unread("root").await, world.unread("x y").await), (0, 0));
    let epoch = world.store.epoch().to_owned();
    world.import(APP, "bob").await;
    world.import(APP, "alice").await;
    let mut ids = Vec::new();
    for from in ["alice", "bob", "root", "administrator"] {
        ids.push(world.sent(from, "alice", 1).await.id);
    }
    world.reopen().await;
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), world.store.epoch()), (4, epoch.as_str()));
    let again = Command::SaveApp(Arc::new(saved));
    assert_eq!(world.done(again).await.map(drop), Ok(()));
    assert_eq!(world.sent("bob", "alice", 1).await.id, world.sent("bob", "alice", 1).await.id);
}
