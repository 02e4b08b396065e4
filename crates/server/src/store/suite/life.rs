//! Accounts that are deleted, come back, and are kicked (rest 3.3 and 3.5, rule R6).

use unsaid_protocol::error;

use super::{
    World,
    actors::{ADMIN, APP, app, by_admin, by_client, message, name, user},
};
use crate::chat::{Command, DeleteAccount, Kick};

async fn delete(world: &World, who: &str) -> Result<(), i32> {
    world.done(Command::DeleteAccount(DeleteAccount { app: APP, user: user(who) })).await.map(drop)
}

pub(super) async fn r6_a_deleted_account_begins_anew(mut world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    world.sent("alice", "bob", 1).await;
    world.sent("bob", "alice", 2).await;
    assert_eq!(delete(&world, "bob").await, Ok(()));
    assert_eq!(delete(&world, "bob").await, Err(error::ACCOUNT_NOT_FOUND.0));
    world.reopen().await;
    assert_eq!(world.store.unread(APP, user("bob")).await, Ok(None));
    assert_eq!(world.unread_from("alice", &["bob"]).await, [None]);
    assert_eq!(world.unread("alice").await, 1, "what it sent is still to be read");
    assert_eq!(world.history("alice", "bob").await.len(), 2, "and stays with those who got it");
    assert!(world.history("bob", "alice").await.is_empty());
    assert_eq!(world.send(message("alice", "bob", 3)).await, Err(90012));
    assert_eq!(world.send(message("bob", "alice", 3)).await, Err(90008));
    assert_eq!(world.read("alice", "bob", None).await, Ok(()));
    assert_eq!(world.unread("alice").await, 0);

    world.import(APP, "bob").await;
    assert_eq!(world.unread("bob").await, 0, "nothing of before is there");
    assert!(world.history("bob", "alice").await.is_empty());
    assert_eq!(world.store.recent(APP, user("bob")).await, Ok(Some(Vec::new())));
    let sent = world.sent("alice", "bob", 4).await;
    world.reopen().await;
    assert_eq!((world.unread("bob").await, world.history("bob", "alice").await.len()), (1, 1));
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &sent))).await, Ok(()));
    assert_eq!((world.unread("bob").await, world.history("alice", "bob").await.len()), (0, 3));
}

pub(super) async fn r4_what_was_sent_to_who_is_gone_can_be_recalled(world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    let (first, second) = (world.sent("alice", "bob", 1).await, world.sent("alice", "bob", 2).await);
    delete(&world, "bob").await.expect("it is there");
    world.deliver_all().await;
    assert_eq!(world.recall(by_admin(name("alice", "bob", &first))).await, Ok(()));
    let event = world.only_owed().await;
    assert_eq!((super::actors::json(&event)["UnreadMsgNum"].as_i64(), event.number), (Some(0), 3), "its lane goes on");
    delete(&world, "alice").await.expect("it is there");
    assert_eq!(world.recall(by_admin(name("alice", "bob", &second))).await, Ok(()));
    assert_eq!(world.lane("bob").await, [(3, 3, 2), (4, 4, 3)]);
    world.import(APP, "bob").await;
    assert_eq!((world.unread("bob").await, world.owed().await.len()), (0, 2));
}

pub(super) async fn an_admin_is_not_deleted(world: World) {
    world.with(app(APP), &["alice"]).await;
    assert_eq!(delete(&world, ADMIN).await, Err(error::ACCOUNT_PARAMETER.0));
    assert_eq!(world.unread(ADMIN).await, 0);
}

pub(super) async fn who_does_not_exist_is_not_kicked(world: World) {
    world.with(app(APP), &["alice"]).await;
    let kick = |who: &str| Command::Kick(Kick { app: APP, user: user(who) });
    assert!(world.done(kick("alice")).await.is_ok());
    assert_eq!(world.done(kick("nobody")).await, Err(error::ACCOUNT_NOT_FOUND.0));
}
