//! Accounts that are deleted, come back, and are kicked (rest 3.3 and 3.5, rule R6).

use unsaid_protocol::error;

use super::{
    START_S, World,
    actors::{ADMIN, APP, app, by_admin, by_client, message, name, user},
};
use crate::chat::{
    Block, Command, DeleteAccount, DeleteConversation, DeleteMessages, Done, ImportMessage, Kick, RequestId, SendBatch,
};

async fn delete(world: &World, who: &str) -> Result<(), i32> {
    world
        .done(Command::DeleteAccount(DeleteAccount { app: APP, user: user(who), request: RequestId::NONE }))
        .await
        .map(drop)
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

/// However the recipient lost the first one: deleted with its account, with the conversation, or alone.
pub(super) async fn r2_a_repeat_of_what_the_recipient_has_no_more_is_sent_anew(mut world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    let mut keys = vec![world.sent("alice", "bob", 1).await.key];
    for way in 0..3 {
        match way {
            0 => {
                delete(&world, "bob").await.expect("it is there");
                world.import(APP, "bob").await;
            }
            1 => {
                let (operator, peer) = (user("bob"), user("alice"));
                let clear = DeleteConversation { app: APP, operator, peer, clear_history: true };
                world.done(Command::DeleteConversation(clear)).await.expect("both are there");
            }
            _ => {
                let (operator, peer, keys) = (user("bob"), user("alice"), keys.clone());
                let clear = DeleteMessages { app: APP, operator, peer, keys };
                world.done(Command::DeleteMessages(clear)).await.expect("both are there");
            }
        }
        assert_eq!(world.unread("bob").await, 0);
        world.reopen().await;
        let again = world.sent("alice", "bob", 1).await;
        assert_eq!(again.key.time, START_S + way + 1, "it takes the next free second");
        assert_eq!((world.unread("bob").await, world.history("bob", "alice").await.len()), (1, 1));
        assert_eq!(world.sent("alice", "bob", 1).await, again, "and that one is repeated");
        keys.push(again.key);
    }
    assert_eq!(world.history("alice", "bob").await.len(), 4);
}

pub(super) async fn r2_a_repeat_of_what_its_sender_has_no_more_is_a_repeat(world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    let first = world.sent("alice", "bob", 1).await;
    let (operator, peer) = (user("alice"), user("bob"));
    let clear = DeleteConversation { app: APP, operator, peer, clear_history: true };
    world.done(Command::DeleteConversation(clear)).await.expect("both are there");
    assert_eq!(world.sent("alice", "bob", 1).await, first);
    delete(&world, "alice").await.expect("it is there");
    world.import(APP, "alice").await;
    assert_eq!(world.sent("alice", "bob", 1).await, first);
    assert_eq!(world.unread("bob").await, 1);
}

pub(super) async fn r2_a_recall_is_not_undone_by_a_repeat_for_a_new_life(world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    let first = world.sent("alice", "bob", 1).await;
    assert_eq!(world.recall(by_client("alice", name("alice", "bob", &first))).await, Ok(()));
    delete(&world, "bob").await.expect("it is there");
    world.import(APP, "bob").await;
    assert_eq!(world.sent("alice", "bob", 1).await, first);
    assert!(world.history("bob", "alice").await.is_empty());
}

pub(super) async fn r2_a_repeated_batch_reaches_who_has_it_no_more(world: World) {
    world.with(app(APP), &["alice", "bob", "carol"]).await;
    let batch = || {
        let to = ["bob", "carol"].map(user).to_vec();
        Command::SendBatch(Box::new(SendBatch { send: message("alice", "alice", 1), to }))
    };
    world.done(batch()).await.expect("sent");
    delete(&world, "carol").await.expect("it is there");
    world.import(APP, "carol").await;
    let Ok(Done::Batched(again)) = world.done(batch()).await else { panic!("it is sent") };
    assert_eq!((again.sent.key.time, again.count), (START_S + 1, 2), "the key of who gets it now");
    assert_eq!((world.unread("bob").await, world.unread("carol").await), (1, 1));
}

pub(super) async fn r2_an_import_takes_the_place_of_what_nobody_sees(mut world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    let import = async |world: &World, text: &str| {
        let send = crate::chat::Send { custom_data: text.to_owned(), ..message("alice", "bob", 1) };
        world.done(Command::ImportMessage(Box::new(ImportMessage { send, time_s: 1000 }))).await
    };
    let texts = async |world: &World, of: &str, with: &str| {
        let history = world.history(of, with).await;
        history.into_iter().map(|message| message.content.custom_data).collect::<Vec<_>>()
    };
    assert_eq!(import(&world, "one").await, Ok(Done::Nothing));
    delete(&world, "bob").await.expect("it is there");
    world.import(APP, "bob").await;
    assert_eq!(import(&world, "two").await, Err(90006), "alice still sees the first one, so the key is taken");
    assert_eq!((texts(&world, "alice", "bob").await, world.unread("bob").await), (vec!["one".to_owned()], 0));
    delete(&world, "alice").await.expect("it is there");
    world.import(APP, "alice").await;
    assert_eq!(import(&world, "three").await, Ok(Done::Nothing));
    world.reopen().await;
    for (of, with) in [("alice", "bob"), ("bob", "alice")] {
        assert_eq!(texts(&world, of, with).await, ["three"]);
    }
    assert_eq!((world.unread("bob").await, import(&world, "four").await), (1, Ok(Done::Nothing)));
    assert_eq!(texts(&world, "bob", "alice").await, ["three"], "the first one of this life stays");
}

pub(super) async fn who_is_blocked_stays_so_in_a_new_life(mut world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    let block = |who: &str, other: &str| {
        Command::Block(Block { app: APP, user: user(who), others: vec![user(other)], blocked: true })
    };
    for (who, other) in [("bob", "alice"), ("alice", "bob")] {
        world.done(block(who, other)).await.expect("both are there");
    }
    delete(&world, "alice").await.expect("it is there");
    world.import(APP, "alice").await;
    world.reopen().await;
    let blocks = world.store.blocks(APP, user("bob"), vec![user("alice")]).await;
    assert_eq!(blocks, Ok(vec![(true, false)]), "alice's own list is gone, and bob's stays");
    let send = crate::chat::Send { by_client: true, ..message("alice", "bob", 1) };
    assert_eq!(world.send(send).await, Err(error::BLOCKED.0));
}

pub(super) async fn it_is_known_who_was_ever_there(mut world: World) {
    world.with(app(APP), &["alice"]).await;
    for deleted in [false, true] {
        if deleted {
            delete(&world, "alice").await.expect("it is there");
        }
        world.reopen().await;
        let people = world.store.people(APP, vec![user("alice"), user("nobody")]).await.expect("the store works");
        let deleted_or_not = people.iter().map(|person| person.as_ref().map(|person| person.account.deleted));
        assert_eq!(deleted_or_not.collect::<Vec<_>>(), [Some(deleted), None]);
    }
}

pub(super) async fn an_admin_is_not_deleted(world: World) {
    world.with(app(APP), &["alice"]).await;
    assert_eq!(delete(&world, ADMIN).await, Err(error::ACCOUNT_PARAMETER.0));
    assert_eq!(world.unread(ADMIN).await, 0);
}

pub(super) async fn who_does_not_exist_is_not_kicked(world: World) {
    world.with(app(APP), &["alice"]).await;
    let kick = |who: &str| Command::Kick(Kick { app: APP, user: user(who), request: RequestId::NONE });
    assert!(world.done(kick("alice")).await.is_ok());
    assert_eq!(world.done(kick("nobody")).await, Err(error::ACCOUNT_NOT_FOUND.0));
}
