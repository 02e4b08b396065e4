//! What one account deletes from its view, whom it blocks, and what is erased with time (rest 4.10, 6.2, 7; rule R6).

use unsaid_protocol::error;

use super::{
    START_S, World,
    actors::{APP, app, by_admin, message, name, user},
};
use crate::chat::{
    Block, Command, DeleteAccount, DeleteConversation, DeleteMessages, Done, Pair, Prunable, Prune, RequestId, Sent,
    SyncKind,
};

async fn delete(world: &World, operator: &str, peer: &str, sent: &[&Sent]) {
    let keys = sent.iter().map(|sent| sent.key).collect();
    let delete = DeleteMessages { app: APP, operator: user(operator), peer: user(peer), keys };
    world.done(Command::DeleteMessages(delete)).await.expect("both are there");
}

async fn delete_conversation(world: &World, operator: &str, peer: &str, clear_history: bool) {
    let delete = DeleteConversation { app: APP, operator: user(operator), peer: user(peer), clear_history };
    world.done(Command::DeleteConversation(delete)).await.expect("both are there");
}

async fn recent(world: &World, who: &str) -> Vec<(String, u32)> {
    let recent = world.store.recent(APP, user(who)).await.expect("readable").expect("it is there");
    let mut recent: Vec<_> = recent.into_iter().map(|recent| (recent.peer.to_string(), recent.last_time_s)).collect();
    recent.sort();
    recent
}

pub(super) async fn r6_a_deleted_message_leaves_the_view_and_the_count_of_one(mut world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    let (first, second) = (world.sent("alice", "bob", 1).await, world.sent("alice", "bob", 2).await);
    for _ in 0..2 {
        delete(&world, "bob", "alice", &[&first]).await;
        world.reopen().await;
        assert_eq!((world.unread("bob").await, world.history("bob", "alice").await.len()), (1, 1));
    }
    assert_eq!(world.history("alice", "bob").await.len(), 2, "the other one keeps it");
    delete(&world, "alice", "bob", &[&first, &second]).await;
    assert_eq!((world.unread("bob").await, world.history("alice", "bob").await.len()), (1, 0));
    let heard = world.store.sync_events(APP, user("bob"), 2, 10).await.expect("readable").expect("known");
    assert_eq!(heard.iter().map(|(_, event)| event.kind).collect::<Vec<_>>(), [SyncKind::Delete]);
    world.deliver_all().await;
    assert_eq!(world.recall(by_admin(name("alice", "bob", &first))).await, Ok(()), "it can still be taken from both");
    assert_eq!(world.unread("bob").await, 1, "it did not count any more");
    assert_eq!(world.only_owed().await.number, 3);
}

pub(super) async fn r6_a_deleted_conversation_counts_no_more_and_comes_back_with_the_next_message(mut world: World) {
    world.with(app(APP), &["alice", "bob", "carol"]).await;
    world.sent("alice", "bob", 1).await;
    world.sent("carol", "bob", 2).await;
    delete_conversation(&world, "bob", "alice", false).await;
    world.reopen().await;
    assert_eq!((world.unread("bob").await, world.history("bob", "alice").await.len()), (1, 1));
    assert_eq!(recent(&world, "bob").await, [("carol".to_owned(), START_S)]);
    assert_eq!(recent(&world, "alice").await, [("bob".to_owned(), START_S)], "the other one keeps it");
    delete_conversation(&world, "bob", "alice", true).await;
    assert!(world.history("bob", "alice").await.is_empty());
    world.wait_s(7);
    world.sent("alice", "bob", 3).await;
    world.reopen().await;
    assert_eq!((world.unread("bob").await, world.history("bob", "alice").await.len()), (2, 1));
    assert_eq!(recent(&world, "bob").await, [("alice".to_owned(), START_S + 7), ("carol".to_owned(), START_S)]);
    let mut silent = message("carol", "bob", 4);
    silent.flags = silent.flags.with(crate::chat::MessageFlags::NOT_LAST);
    world.send(silent).await.expect("sent");
    assert!(recent(&world, "bob").await.contains(&("carol".to_owned(), START_S)), "NoLastMsg does not touch it");
}

pub(super) async fn c1_a_blocked_client_is_refused_and_an_admin_is_not(mut world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    let block = |blocked| Command::Block(Block { app: APP, user: user("bob"), others: vec![user("alice")], blocked });
    assert_eq!(world.done(block(true)).await, Ok(Done::Each(vec![error_code(0)])));
    world.reopen().await;
    let by_client = |number| crate::chat::Send { by_client: true, ..message("alice", "bob", number) };
    assert_eq!(world.send(by_client(1)).await, Err(error::BLOCKED.0));
    assert!(world.send(message("alice", "bob", 2)).await.is_ok());
    assert!(world.send(crate::chat::Send { by_client: true, ..message("bob", "alice", 3) }).await.is_ok());
    let check = Command::CheckSend(Box::new(by_client(4)));
    assert_eq!(world.done(check).await, Err(error::BLOCKED.0), "nobody is asked about it");
    world.done(block(false)).await.expect("it is taken off");
    assert!(world.send(by_client(1)).await.is_ok());
    assert_eq!(world.store.blocklist(APP, user("bob")).await, Ok(Vec::new()));
}

fn error_code(code: i32) -> unsaid_protocol::ErrorCode {
    unsaid_protocol::ErrorCode(code)
}

pub(super) async fn a_blocklist_has_at_most_so_many(world: World) {
    world.with(app(APP), &["bob"]).await;
    let names: Vec<String> = (0..1001).map(|number| format!("user{number}")).collect();
    for name in &names {
        world.import(APP, name).await;
    }
    let others = names.iter().map(|name| user(name)).collect();
    let done = world.done(Command::Block(Block { app: APP, user: user("bob"), others, blocked: true })).await;
    let Ok(Done::Each(codes)) = done else { panic!("it says what came of each: {done:?}") };
    assert_eq!(codes.iter().filter(|code| code.0 == 0).count(), 1000);
    assert_eq!(codes[1000], error::BLOCKLIST_FULL);
}

pub(super) async fn r6_what_is_erased_with_time_leaves_the_count(mut world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    let old = world.sent("alice", "bob", 1).await;
    world.sent("bob", "alice", 2).await;
    world.wait_s(100);
    world.sent("alice", "bob", 3).await;
    let (pair, _) = Pair::of(&user("alice"), &user("bob"));
    let before_s = START_S + 50;
    let prunable = async |world: &World, before_s| {
        let Prunable { pairs, next } = world.store.prunable(APP, None, before_s, 10).await.expect("readable");
        assert_eq!(next, None);
        pairs
    };
    assert_eq!(prunable(&world, START_S).await, []);
    assert_eq!(prunable(&world, before_s).await, std::slice::from_ref(&pair));
    let prune = || Command::Prune(Prune { app: APP, pair: pair.clone(), before_s });
    assert_eq!(world.done(prune()).await, Ok(Done::Pruned(2)));
    assert_eq!(world.done(prune()).await, Ok(Done::Pruned(0)));
    world.reopen().await;
    assert_eq!(prunable(&world, before_s).await, []);
    assert_eq!((world.unread("bob").await, world.unread("alice").await), (1, 0));
    assert_eq!(world.history("bob", "alice").await.len(), 1);
    assert_eq!(world.recall(by_admin(name("alice", "bob", &old))).await, Err(20022), "it is no longer kept");
}

pub(super) async fn a_conversation_leaves_the_list_with_its_last_message(mut world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    world.sent("alice", "bob", 1).await;
    world.wait_s(10);
    world.sent("alice", "bob", 2).await;
    world.wait_s(10);
    let mut silent = message("alice", "bob", 3);
    silent.flags = silent.flags.with(crate::chat::MessageFlags::NOT_LAST);
    world.send(silent).await.expect("sent");
    let (pair, _) = Pair::of(&user("alice"), &user("bob"));
    let prune = async |world: &World, before_s| {
        let done = world.done(Command::Prune(Prune { app: APP, pair: pair.clone(), before_s })).await;
        assert_eq!(done, Ok(Done::Pruned(1)));
    };
    prune(&world, START_S + 1).await;
    world.reopen().await;
    assert_eq!(recent(&world, "bob").await, [("alice".to_owned(), START_S + 10)], "one is left that touched it");
    prune(&world, START_S + 11).await;
    world.reopen().await;
    assert_eq!((recent(&world, "bob").await, recent(&world, "alice").await), (Vec::new(), Vec::new()));
    assert_eq!(world.history("bob", "alice").await.len(), 1, "what does not touch it does not hold it");
    world.sent("bob", "alice", 4).await;
    assert_eq!(recent(&world, "alice").await, [("bob".to_owned(), START_S + 20)]);
}

pub(super) async fn what_neither_can_see_any_more_is_erased(world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    world.sent("alice", "bob", 1).await;
    delete_conversation(&world, "bob", "alice", true).await;
    let prunable = async || world.store.prunable(APP, None, 0, 10).await.expect("readable").pairs;
    assert_eq!(prunable().await, [], "one still sees it");
    let delete = Command::DeleteAccount(DeleteAccount { app: APP, user: user("alice"), request: RequestId::NONE });
    world.done(delete).await.expect("it is there");
    let pairs = prunable().await;
    assert_eq!(pairs.len(), 1);
    let prune = Command::Prune(Prune { app: APP, pair: pairs[0].clone(), before_s: 0 });
    assert_eq!(world.done(prune).await, Ok(Done::Pruned(1)));
}
