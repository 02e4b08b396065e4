//! What the stories promise of their file, without a server around them.

use std::{fs, path::Path, time::Duration};

use bytes::Bytes;
use rusqlite::Connection;
use unsaid_protocol::{SdkAppId, callback::CallbackCommand};

use super::*;
use crate::{
    chat::{Lane, Origin},
    clock::Timestamp,
};

const APP: SdkAppId = SdkAppId(1_400_000_000);
const DAY: Duration = Duration::from_secs(86_400);
const NOON: Timestamp = Timestamp(1_700_000_000_000);

fn open(folder: &Path, clock: &Clock) -> Stories {
    Stories::open(folder, StorySettings { keep: 3 * DAY, records_max: 1_000_000 }, clock.clone())
}

fn attempt(number: u64, at: Timestamp) -> AttemptRecord {
    AttemptRecord {
        at,
        event: EventId(format!("evt_{number:026}")),
        app: APP,
        lane: Lane(format!("user-{number}")),
        command: CallbackCommand::AfterMsgWithDraw,
        attempt: 1,
        replay: false,
        origin: Origin::LOCAL,
        class: "delivered",
        outcome: "delivered",
        message: None,
        kept: false,
        phases: Phases::default(),
        address: None,
        status: Some(200),
        answer: Bytes::new(),
        body: Bytes::from(format!(r#"{{"MsgKey":"{number}_2_3","UnreadMsgNum":4}}"#)),
    }
}

/// Takes down so many attempts, and waits until each was written or dropped.
async fn take_down(stories: &Stories, clock: &Clock, count: u64) {
    let (written, dropped) = stories.counts();
    let end = written + dropped + count;
    for number in 0..count {
        stories.attempted(attempt(number, clock.now()));
    }
    until(clock, || {
        let (written, dropped) = stories.counts();
        written + dropped >= end
    })
    .await;
}

async fn until(clock: &Clock, mut reached: impl FnMut() -> bool) {
    let began = clock.instant();
    while !reached() {
        assert!(began.elapsed() < Duration::from_secs(20), "it did not come");
        tokio::task::yield_now().await;
    }
}

fn records(folder: &Path) -> i64 {
    let file = Connection::open(folder.join("stories.db")).expect("it opens");
    file.query_row("SELECT count(*) FROM attempt", [], |row| row.get(0)).expect("it is whole")
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_old_attempts_go_though_nothing_new_comes() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::standing_at(NOON));
    let stories = open(folder.path(), &clock);
    // More than one piece, then a few: by then the erasing at the start is over, and cannot be what erases them.
    for count in [5000, 100] {
        take_down(&stories, &clock, count).await;
        clock.shift(4 * 86_400_000);
        stories.prune();
        until(&clock, || records(folder.path()) == 0).await;
    }
    stories.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_attempts_that_grew_old_while_no_server_ran_go_at_the_start() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::standing_at(NOON));
    let stories = open(folder.path(), &clock);
    take_down(&stories, &clock, 100).await;
    stories.close().await;
    clock.shift(4 * 86_400_000);
    let stories = open(folder.path(), &clock);
    until(&clock, || records(folder.path()) == 0).await;
    stories.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_what_was_erased_is_not_in_the_file() {
    const SAID: &str = r#"{"ErrorCode":7,"said":"a secret text"}"#;
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::standing_at(NOON));
    let stories = open(folder.path(), &clock);
    for number in 0..1000 {
        let answer = Bytes::from_static(SAID.as_bytes());
        stories.attempted(AttemptRecord { class: "refused", answer, ..attempt(number, clock.now()) });
    }
    until(&clock, || stories.counts().0 == 1000).await;
    clock.shift(4 * 86_400_000);
    stories.prune();
    until(&clock, || records(folder.path()) == 0).await;
    stories.close().await;
    let bytes = fs::read(folder.path().join("stories.db")).expect("readable");
    assert!(!bytes.windows(13).any(|window| window == b"a secret text"));
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_a_file_that_is_only_locked_is_not_put_aside() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::system());
    let stories = open(folder.path(), &clock);
    take_down(&stories, &clock, 100).await;
    stories.close().await;
    let other = Connection::open(folder.path().join("stories.db")).expect("it opens");
    other.execute_batch("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE").expect("nobody else has it");
    let stories = open(folder.path(), &clock);
    take_down(&stories, &clock, 1).await;
    assert_eq!(stories.counts(), (0, 1), "what cannot be written is counted");
    drop(other);
    stories.close().await;
    assert!(!folder.path().join("stories.db.broken").exists());
    assert_eq!(records(folder.path()), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_a_file_that_turns_out_broken_is_put_aside_and_stories_go_on() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::system());
    let stories = open(folder.path(), &clock);
    take_down(&stories, &clock, 3000).await;
    stories.close().await;
    // Its first pages and its last ones are whole, so that it opens.
    let path = folder.path().join("stories.db");
    let mut bytes = fs::read(&path).expect("readable");
    let half = bytes.len() / 2;
    bytes[8192..half].fill(0xaa);
    fs::write(&path, bytes).expect("writable");
    let stories = open(folder.path(), &clock);
    // Whoever reads has the broken one open now, and may or may not find something in it.
    let _ = stories.of_event(APP, attempt(1, NOON).event).await;
    until(&clock, || {
        stories.attempted(attempt(1, clock.now()));
        stories.counts().0 > 0
    })
    .await;
    assert!(folder.path().join("stories.db.broken").exists());
    let found = stories.of_event(APP, attempt(1, NOON).event).await.expect("it is readable");
    assert!(!found.is_empty(), "readers see the new file");
    stories.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_a_writer_that_is_held_up_drops_and_counts_and_nobody_waits() {
    let (folder, clock) = (tempfile::tempdir().expect("a folder"), Clock::system());
    let stories = open(folder.path(), &clock);
    take_down(&stories, &clock, 1).await;
    let other = Connection::open(folder.path().join("stories.db")).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    let offered = 3 * limits::STORY_QUEUE_RECORDS_MAX as u64;
    let began = clock.instant();
    for number in 0..offered {
        stories.attempted(attempt(number, clock.now()));
    }
    // The writer waits a second for the lock; whoever waited for it would have, too.
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(stories.counts().1 > 0, "{:?}", stories.counts());
    other.execute_batch("COMMIT").expect("it was begun");
    until(&clock, || stories.counts().0 + stories.counts().1 == offered + 1).await;
    stories.close().await;
}
