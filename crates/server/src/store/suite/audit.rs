//! Audit copies: what recalled messages said, kept for as long as the app says (rule R3).

use super::{
    START, World,
    actors::{APP, app, app_with, by_admin, name},
};
use crate::clock::Timestamp;

const WHO: [&str; 2] = ["alice", "bob"];
const DAY_S: i64 = 24 * 3600;

pub(super) async fn r3_an_audit_copy_is_kept_until_its_day(mut world: World) {
    world.with(app_with(|app| app.audit_days = 2), &WHO).await;
    for number in [1, 2] {
        let sent = world.sent("alice", "bob", number).await;
        assert_eq!(world.recall(by_admin(name("alice", "bob", &sent))).await, Ok(()));
        world.wait_s(DAY_S);
    }
    world.reopen().await;
    assert!(world.history("bob", "alice").await.iter().all(|message| message.content.body.is_empty()));
    let erased = |at_ms| world.store.erase_audit_copies(Timestamp(START.0 + at_ms));
    assert_eq!(erased(2 * DAY_S * 1000 - 1).await, Ok(0));
    assert_eq!(erased(2 * DAY_S * 1000).await, Ok(1));
    assert_eq!(erased(3 * DAY_S * 1000).await, Ok(1));
    assert_eq!(erased(9 * DAY_S * 1000).await, Ok(0));
}

pub(super) async fn r3_without_audit_days_no_copy_is_kept(world: World) {
    world.with(app(APP), &WHO).await;
    let sent = world.sent("alice", "bob", 1).await;
    assert_eq!(world.recall(by_admin(name("alice", "bob", &sent))).await, Ok(()));
    assert_eq!(world.store.erase_audit_copies(Timestamp(i64::MAX)).await, Ok(0));
}
