//! What is kept for operators: tokens, the audit log; apps that are erased, events that are thrown away.

use std::net::{IpAddr, Ipv4Addr};

use unsaid_protocol::SdkAppId;

use super::{
    World,
    actors::{APP, app, app_with, by_admin, name, parked, user},
};
use crate::{
    apps::App,
    chat::{
        AuditFilter, AuditPage, Backlog, Command, Discard, Done, EraseApp, EventId, Lane, Note, Noted, Role, Standing,
        Token,
    },
    clock::Timestamp,
};

const WHO: [&str; 2] = ["alice", "bob"];
const OTHER: SdkAppId = SdkAppId(1_400_000_002);

pub(super) fn token(id: &str, role: Role, created: i64) -> Token {
    let (id, name) = (id.to_owned(), format!("the token {id}"));
    Token { id, name, role, digest: [7; 32], created: Timestamp(created), created_by: "first".to_owned() }
}

fn note(action: &'static str, app: Option<SdkAppId>) -> Note {
    let client_ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Note { actor: "first".to_owned(), client_ip, action, app, what: format!("what of {action}") }
}

pub(super) fn noted(action: &'static str, app: Option<SdkAppId>, change: Option<Command>) -> Command {
    Command::Noted(Box::new(Noted { note: note(action, app), change }))
}

impl World {
    pub(super) async fn audit(&self, filter: AuditFilter) -> AuditPage {
        self.store.audit(AuditFilter { entries_max: filter.entries_max.max(1), ..filter }).await.expect("readable")
    }

    async fn actions(&self, filter: AuditFilter) -> Vec<String> {
        let page = self.audit(AuditFilter { entries_max: 100, ..filter }).await;
        page.entries.into_iter().map(|entry| entry.action).collect()
    }

    /// Answers how many pieces it took.
    async fn erase(&self, app: SdkAppId) -> usize {
        for piece in 1.. {
            if self.done(Command::EraseApp(EraseApp { app })).await == Ok(Done::Erased(0)) {
                return piece;
            }
        }
        unreachable!("it ends")
    }
}

pub(super) async fn tokens_are_kept_until_they_are_revoked(mut world: World) {
    let (one, two) = (token("tok_b", Role::Operator, 1), token("tok_a", Role::Viewer, 2));
    for token in [&two, &one] {
        assert_eq!(world.done(Command::SaveToken(token.clone())).await, Ok(Done::Nothing));
    }
    world.reopen().await;
    assert_eq!(world.store.tokens().await.expect("readable"), [one.clone(), two]);
    world.done(Command::RevokeToken("tok_a".to_owned())).await.expect("it is revoked");
    assert_eq!(world.store.tokens().await.expect("readable"), [one]);
}

pub(super) async fn a_note_is_kept_with_its_change_and_not_without(mut world: World) {
    world.with(app(APP), &WHO).await;
    let renamed = App { name: "renamed".to_owned(), ..app(APP) };
    let change = Command::SaveApp(renamed.clone().into());
    assert_eq!(world.done(noted("app.change", Some(APP), Some(change))).await, Ok(Done::Nothing));
    let refused = Command::Discard(Discard { app: APP, id: EventId("evt_none".to_owned()) });
    world.done(noted("event.discard", Some(APP), Some(refused))).await.expect_err("there is no such event");
    world.reopen().await;
    assert_eq!(world.store.apps().await.expect("readable"), [renamed]);
    let page = world.audit(AuditFilter { entries_max: 10, ..AuditFilter::default() }).await;
    assert_eq!(page.entries.len(), 1, "what was refused is not noted");
    let entry = &page.entries[0];
    assert_eq!((entry.at, entry.app, entry.client_ip.as_str()), (super::START, Some(APP), "127.0.0.1"));
    assert_eq!((entry.actor.as_str(), entry.what.as_str()), ("first", "what of app.change"));
}

pub(super) async fn the_audit_log_is_read_backwards_by_filter_and_page(world: World) {
    for (action, app) in [("app.create", Some(APP)), ("app.key.add", Some(OTHER)), ("token.create", None)] {
        world.done(noted(action, app, None)).await.expect("it is noted");
        world.wait_s(1);
    }
    let all = AuditFilter::default;
    assert_eq!(world.actions(all()).await, ["token.create", "app.key.add", "app.create"]);
    let by = |action: &str| AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
    assert_eq!(world.actions(by("app")).await, ["app.key.add", "app.create"]);
    assert_eq!(world.actions(by("app.key")).await, ["app.key.add"]);
    assert!(world.actions(by("ap")).await.is_empty());
    assert_eq!(world.actions(AuditFilter { app: Some(APP), ..all() }).await, ["app.create"]);
    assert!(world.actions(AuditFilter { actor: Some("second".to_owned()), ..all() }).await.is_empty());
    let second = Some(Timestamp(super::START.0 + 1000));
    assert_eq!(world.actions(AuditFilter { since: second, until: second, ..all() }).await, ["app.key.add"]);
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = world.audit(AuditFilter { before, entries_max: 2, ..all() }).await;
        seen.extend(page.entries.into_iter().map(|entry| entry.action));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["token.create", "app.key.add", "app.create"]);
}

pub(super) async fn the_audit_log_is_shortened_at_its_beginning(world: World) {
    for action in ["app.create", "app.change"] {
        world.done(noted(action, None, None)).await.expect("it is noted");
        world.wait_s(1);
    }
    let erase = Command::EraseNotes(Timestamp(super::START.0 + 1000));
    assert_eq!(world.done(erase.clone()).await, Ok(Done::Erased(1)));
    assert_eq!(world.done(erase).await, Ok(Done::Erased(0)));
    assert_eq!(world.actions(AuditFilter::default()).await, ["app.change"]);
}

pub(super) async fn c11_an_app_is_erased_with_all_that_it_has_and_no_other_is_touched(mut world: World) {
    world.with(app_with(|app| app.audit_days = 9), &WHO).await;
    world.with(app(OTHER), &WHO).await;
    for number in 1..=20 {
        let sent = world.sent("alice", "bob", number).await;
        world.recall(by_admin(name("alice", "bob", &sent))).await.expect("it is recalled");
    }
    let owed = world.owed().await;
    world.settle(owed.iter().take(3).map(parked).collect()).await;
    let others = world.store.apps().await.expect("readable");
    world.erase(APP).await;
    world.reopen().await;
    assert_eq!(world.store.apps().await.expect("readable"), others[1..]);
    assert_eq!(world.store.backlogs().await.expect("readable").get(&APP), None);
    assert!(world.owed().await.is_empty());
    assert_eq!(world.store.erase_audit_copies(Timestamp(i64::MAX)).await, Ok(0));
    for (of, is_there) in [(APP, false), (OTHER, true)] {
        let exist = world.store.exist(of, WHO.map(user).into()).await.expect("readable");
        assert_eq!(exist, [is_there; 2]);
        let people = world.store.people(of, WHO.map(user).into()).await.expect("readable");
        assert!(people.iter().all(|person| person.is_some() == is_there));
    }
    for event in owed {
        assert_eq!(world.store.event(APP, event.id).await.expect("readable"), None);
    }
    // Its number can be used again; nothing of before is in it.
    world.with(app(APP), &WHO).await;
    assert!(world.history("bob", "alice").await.is_empty());
    world.sent("alice", "bob", 1).await;
    assert_eq!(world.store.unread(APP, user("bob")).await, Ok(Some(1)));
    assert_eq!(world.store.backlog().await.expect("readable").waiting, 1);
}

pub(super) async fn c6_a_parked_event_that_is_thrown_away_is_gone(mut world: World) {
    world.with(app(APP), &WHO).await;
    for number in 1..=2 {
        world.sent("alice", "bob", number).await;
    }
    let owed = world.owed().await;
    let discard = |id: &EventId| Command::Discard(Discard { app: APP, id: id.clone() });
    world.done(discard(&owed[0].id)).await.expect_err("it waits, and is not parked");
    world.settle(owed.iter().map(parked).collect()).await;
    assert_eq!(world.done(discard(&owed[0].id)).await, Ok(Done::Nothing));
    world.done(discard(&owed[0].id)).await.expect_err("it is gone");
    world.reopen().await;
    assert_eq!(world.store.event(APP, owed[0].id.clone()).await.expect("readable"), None);
    let other = world.store.event(APP, owed[1].id.clone()).await.expect("readable").expect("it stays");
    assert!(matches!(other.standing, Standing::Parked { .. }));
    assert_eq!(world.store.backlog().await, Ok(Backlog { parked: 1, ..Backlog::default() }));
}

pub(super) async fn lanes_are_counted_and_show_their_head(world: World) {
    world.with(app(APP), &["alice", "bob"]).await;
    for number in 1..=3 {
        world.sent("alice", "bob", number).await;
    }
    world.sent("bob", "alice", 9).await;
    let owed = world.owed().await;
    let heads = world.store.lane_heads(APP, None, 10).await.expect("readable");
    let told: Vec<_> = heads.iter().map(|lane| (lane.head.lane.0.as_str(), lane.waiting)).collect();
    assert_eq!(told, [("alice", 1), ("bob", 3)]);
    assert!(heads.iter().all(|lane| owed.contains(&lane.head) && lane.head.number == 1));
    let behind = world.store.lane_heads(APP, Some(Lane("alice".to_owned())), 1).await.expect("readable");
    assert_eq!(behind, heads[1..]);
    assert!(world.store.lane_heads(OTHER, None, 10).await.expect("readable").is_empty());
}
