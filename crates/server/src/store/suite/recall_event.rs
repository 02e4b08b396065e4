//! What the backend is told of a recall (rules R5 to R7).

use std::net::IpAddr;

use serde_json::json;
use unsaid_protocol::callback::{CallbackCommand, Platform};

use super::{
    START, START_S, World,
    actors::{APP, app, app_with, by_admin, by_client, json as body_of, name},
};
use crate::{
    apps::RecallBody,
    chat::{Origin, RequestId, Tries},
};

const WHO: [&str; 2] = ["alice", "bob"];

pub(super) async fn r5_the_app_chooses_the_fields_of_the_body(mut world: World) {
    let key = format!("1_1000_{START_S}");
    let mut named = json!({
        "CallbackCommand": "C2C.CallbackAfterMsgWithDraw",
        "From_Account": "alice", "To_Account": "bob", "MsgKey": key,
    });
    let mut expect = |fields: &[(&str, serde_json::Value)]| {
        let mut expect = std::mem::take(&mut named);
        named = expect.clone();
        fields.iter().for_each(|(field, value)| expect[*field] = value.clone());
        expect
    };
    let (unread, time) = (("UnreadMsgNum", json!(1)), ("EventTime", json!(START.0 + 1)));
    let detail = [
        ("Operator_Account", json!("administrator")),
        ("MsgSeq", json!(1)),
        ("MsgRandom", json!(1000)),
        ("MsgTime", json!(START_S)),
    ];
    for (fields, expect) in [
        (RecallBody::All, expect(&[unread.clone(), time.clone()])),
        (RecallBody::Unread, expect(std::slice::from_ref(&unread))),
        (RecallBody::Time, expect(std::slice::from_ref(&time))),
        (RecallBody::Detail, expect(&[&[unread, time][..], &detail].concat())),
    ] {
        world = World::new(if world.folder.is_some() { super::Kind::Sqlite } else { super::Kind::Memory });
        world.with(app_with(|app| app.recall_body = fields), &WHO).await;
        let sent = world.sent("alice", "bob", 1).await;
        world.sent("alice", "bob", 2).await;
        world.deliver_all().await;
        world.clock.shift(1);
        assert_eq!(world.recall(by_admin(name("alice", "bob", &sent))).await, Ok(()));
        let mut body = body_of(&world.only_owed().await);
        if fields == RecallBody::Detail {
            let id = body.as_object_mut().expect("an object").remove("MsgId");
            assert_eq!(id, Some(json!(sent.id)), "the same as the send was answered");
        }
        assert_eq!(body, expect, "{fields:?}");
    }
}

pub(super) async fn r5_a_recall_of_a_message_to_oneself(mut world: World) {
    world.with(app(APP), &["alice"]).await;
    let sent = world.sent("alice", "alice", 1).await;
    world.deliver_all().await;
    world.reopen().await;
    assert_eq!(world.unread("alice").await, 1);
    assert_eq!(world.recall(by_client("alice", name("alice", "alice", &sent))).await, Ok(()));
    let event = world.only_owed().await;
    let body = body_of(&event);
    assert_eq!((&body["From_Account"], &body["To_Account"]), (&json!("alice"), &json!("alice")));
    assert_eq!((&body["UnreadMsgNum"], event.lane.0.as_str()), (&json!(0), "alice"));
    assert_eq!(world.history("alice", "alice").await.len(), 1);
}

pub(super) async fn r6_the_body_has_the_total_right_after_the_recall(mut world: World) {
    world.with(app(APP), &["alice", "bob", "carol"]).await;
    let first = world.sent("alice", "bob", 1).await;
    let second = world.sent("alice", "bob", 2).await;
    world.sent("carol", "bob", 3).await;
    world.sent("bob", "alice", 4).await;
    world.deliver_all().await;
    world.reopen().await;
    for sent in [&first, &second] {
        assert_eq!(world.recall(by_client("alice", name("alice", "bob", sent))).await, Ok(()));
        world.sent("carol", "bob", 5 + sent.key.seq).await;
    }
    let owed = world.owed().await;
    // Two of carol's messages stand between and behind them: 3-1, +1, 3-1, +1.
    let told: Vec<_> = owed.iter().map(|event| body_of(event)["UnreadMsgNum"].as_i64().expect("a number")).collect();
    assert_eq!(told, [2, 3, 2, 3]);
    assert_eq!(world.unread("bob").await, 3);
    assert_eq!(world.unread_from("bob", &["alice", "carol"]).await, [Some(0), Some(3)]);
}

pub(super) async fn r7_the_event_keeps_where_the_recall_came_from(mut world: World) {
    world.with(app(APP), &WHO).await;
    let sent = world.sent("alice", "bob", 1).await;
    world.deliver_all().await;
    let origins = [
        Origin {
            client_ip: IpAddr::from([203, 0, 113, 9]),
            platform: Platform::Ipad,
            request: RequestId::of_number(-7),
        },
        Origin {
            client_ip: "2001:db8::7".parse().expect("an address"),
            platform: Platform::Unknown,
            request: RequestId::NONE,
        },
    ];
    let mut recall = by_client("alice", name("alice", "bob", &sent));
    recall.origin = origins[0];
    assert_eq!(world.recall(recall).await, Ok(()));
    let sent = world.sent("alice", "bob", 2).await;
    let mut recall = by_admin(name("alice", "bob", &sent));
    recall.origin = origins[1];
    assert_eq!(world.recall(recall).await, Ok(()));

    let before = world.owed().await;
    world.reopen().await;
    let owed = world.owed().await;
    assert_eq!(owed, before, "an event is read as it was written");
    let recalls: Vec<_> = owed.iter().filter(|event| event.command == CallbackCommand::AfterMsgWithDraw).collect();
    assert_eq!(recalls.iter().map(|event| event.origin).collect::<Vec<_>>(), origins);
    assert!(recalls.iter().all(|event| (event.created, event.due, event.tries) == (START, START, Tries::default())));
    assert_ne!(recalls[0].id, recalls[1].id);
}
