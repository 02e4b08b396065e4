//! What devices are shown: what is behind a cursor, and conversations as they stand now (rule R8).

use unsaid_protocol::UserId;

use super::{
    World,
    actors::{ADMIN, APP, app, body, by_admin, by_client, message, name, user},
};
use crate::chat::{
    Command, ConversationView, DeleteAccount, DeleteMessages, Done, Door, Import, MessageFlags, Modify, Origin,
    RequestId, Send, SyncKind, Updates, UpdatesQuery,
};

fn behind(who: &str, life: i64, after: i64) -> UpdatesQuery {
    UpdatesQuery { app: APP, user: user(who), life, after, events_max: 10, bytes_max: usize::MAX }
}

impl World {
    async fn updates(&self, query: UpdatesQuery) -> Option<Updates> {
        self.store.updates(query).await.expect("the store works")
    }

    /// A conversation of `who` with one other.
    async fn conversation(&self, who: &str, peer: &str) -> ConversationView {
        let view = self.store.conversations(APP, user(who), vec![user(peer)]).await.expect("the store works");
        view.expect("the account is there").conversations.remove(0)
    }
}

fn said(updates: &Updates) -> Vec<(i64, SyncKind, String)> {
    let said = updates.events.iter().map(|update| {
        let text = update.message.as_ref().map_or("-".to_owned(), |shown| shown.message.content.body.clone());
        (update.number, update.event.kind, text)
    });
    said.collect()
}

pub(super) async fn r8_what_is_behind_a_cursor_is_shown_as_it_is_now(mut world: World) {
    use SyncKind::{Message, Modify as Modified, Read, Recall};
    world.with(app(APP), &["alice", "bob"]).await;
    let first = world.sent("alice", "bob", 1).await;
    let second = world.sent("alice", "bob", 2).await;
    world.recall(by_client("alice", name("alice", "bob", &first))).await.expect("it is hers");
    let (door, origin) = (Door::Admin { account: user(ADMIN) }, Origin::LOCAL);
    let modify =
        Modify { name: name("alice", "bob", &second), door, body: Some(body("now")), custom_data: None, origin };
    world.done(Command::Modify(Box::new(modify))).await.expect("it is there");
    world.read("bob", "alice", None).await.expect("he may");
    world.sent("bob", "alice", 3).await;
    world.reopen().await;

    let updates = world.updates(behind("bob", 0, 0)).await.expect("all is known");
    let (now, third) = (body("now").json, body("text 3").json);
    let nothing = || "-".to_owned();
    let expected = [
        (1, Message, String::new()),
        (2, Message, now.clone()),
        (3, Recall, String::new()),
        (4, Modified, now),
        (5, Read, nothing()),
        (6, Message, third.clone()),
    ];
    assert_eq!(said(&updates), expected);
    assert_eq!((updates.number, updates.unread), (6, 0));
    // What is too long for one time is told piece by piece, and nothing is left out.
    let (mut pieces, mut after, mut times) = (Vec::new(), 0, 0);
    loop {
        let piece =
            world.updates(UpdatesQuery { bytes_max: 1, ..behind("bob", 0, after) }).await.expect("all is known");
        assert_eq!((piece.number, piece.conversations.len()), (6, 1));
        (after, times) = (piece.told_to(), times + 1);
        pieces.extend(said(&piece));
        if !piece.more {
            break;
        }
    }
    assert_eq!(pieces, said(&updates));
    assert!(times > 1, "one after the other");
    let [conversation] = &updates.conversations[..] else { panic!("one was touched: {updates:?}") };
    assert_eq!((conversation.peer.as_str(), conversation.unread, conversation.read_position), ("alice", 0, 2));
    assert_eq!(conversation.last.as_ref().expect("it has one").message.content.body, third);

    let updates = world.updates(behind("alice", 0, 5)).await.expect("all is known");
    assert_eq!(said(&updates), [(6, Message, third)]);
    assert_eq!((updates.unread, updates.conversations[0].peer_read_position), (1, 2));
    let updates = world.updates(behind("alice", 0, 6)).await.expect("nothing is missing");
    assert_eq!((updates.events.len(), updates.conversations.len()), (0, 0));
}

pub(super) async fn r8_a_cursor_of_another_life_or_of_the_future_is_of_no_use(world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    world.sent("alice", "bob", 1).await;
    assert_eq!(world.updates(behind("bob", 0, 2)).await, None);
    assert_eq!(world.updates(behind("nobody", 0, 0)).await, None);
    let too_few = UpdatesQuery { events_max: 0, ..behind("bob", 0, 0) };
    assert_eq!(world.updates(too_few).await, None);
    world
        .done(Command::DeleteAccount(DeleteAccount { app: APP, user: user("bob"), request: RequestId::NONE }))
        .await
        .expect("he is there");
    assert_eq!(world.updates(behind("bob", 1, 1)).await, None, "he is gone");
    world.import(APP, "bob").await;
    assert_eq!(world.updates(behind("bob", 0, 0)).await, None, "what was before is another's");
    let updates = world.updates(behind("bob", 1, 1)).await.expect("his own life");
    assert_eq!((updates.number, updates.events.len()), (1, 0));
}

pub(super) async fn r8_a_conversation_shows_its_last_message_and_marks(mut world: World) {
    world.with(app(APP), &["alice", "bob", "carol"]).await;
    let first = world.sent("alice", "bob", 1).await;
    world.wait_s(1);
    let deleted = world.sent("alice", "bob", 2).await;
    world.wait_s(1);
    let hidden = message("alice", "bob", 3);
    let flags = hidden.flags.with(MessageFlags::NOT_LAST);
    world.send(Send { flags, ..hidden }).await.expect("sent");
    let keys = vec![deleted.key];
    let delete = DeleteMessages { app: APP, operator: user("bob"), peer: user("alice"), keys };
    world.done(Command::DeleteMessages(delete)).await.expect("he may");
    let face =
        Import { app: APP, user: user("alice"), nick: Some("Alice".to_owned()), face_url: Some("a.png".to_owned()) };
    assert_eq!(world.done(Command::Import(face)).await, Ok(Done::Nothing));
    world.reopen().await;

    let of_bob = world.conversation("bob", "alice").await;
    assert_eq!((of_bob.nick.as_str(), of_bob.face_url.as_str(), of_bob.unread), ("Alice", "a.png", 2));
    let last = of_bob.last.expect("one is left to show");
    assert_eq!((last.message.key, &last.from, &last.to), (first.key, &user("alice"), &user("bob")));
    let of_alice = world.conversation("alice", "bob").await;
    assert_eq!(of_alice.last.expect("she has deleted nothing").message.key, deleted.key);
    let with_carol = world.conversation("bob", "carol").await;
    assert_eq!((with_carol.last, with_carol.last_time_s, with_carol.unread), (None, 0, 0));
    let none: Vec<UserId> = vec![user("nobody")];
    let view = world.store.conversations(APP, user("bob"), none).await.expect("the store works");
    assert_eq!(view.expect("bob is there").conversations, [], "with whom is no account, there is no conversation");
}

pub(super) async fn r8_a_tombstone_says_who_took_it_back(mut world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    let (first, second) = (world.sent("alice", "bob", 1).await, world.sent("alice", "bob", 2).await);
    world.recall(by_client("alice", name("alice", "bob", &first))).await.expect("it is hers");
    world.recall(by_admin(name("alice", "bob", &second))).await.expect("an admin may");
    world.reopen().await;
    let by: Vec<_> = world.history("bob", "alice").await.iter().map(|message| message.recalled_by.clone()).collect();
    assert_eq!(by, [Some(user(ADMIN)), Some(user("alice"))]);
}

pub(super) async fn a_message_is_named_by_its_senders_clock(mut world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    let by_its_clock = Send { client_time_s: Some(1_234), ..message("alice", "bob", 1) };
    let sent = world.send(by_its_clock.clone()).await.expect("sent");
    assert!(sent.id.ends_with("-1234-1000"), "{}", sent.id);
    assert_eq!(world.send(by_its_clock).await, Ok(sent.clone()), "a repeat has the same name");
    let other = world.sent("alice", "bob", 2).await;
    assert!(other.id.ends_with(&format!("-{}-2000", other.key.time)), "{}", other.id);
    world.reopen().await;
    let updates = world.updates(behind("bob", 0, 0)).await.expect("known");
    let ids: Vec<_> = updates.events.iter().filter_map(|update| Some(update.message.as_ref()?.id.clone())).collect();
    assert_eq!(ids, [sent.id, other.id]);
}
