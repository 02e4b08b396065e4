//! A copy of the embedded store that is made while it is written to, and a store that is made of one.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::Connection;
use unsaid_protocol::{MsgKey, callback::CallbackCommand};

use super::{
    Kind, World,
    actors::{APP, app, app_with, body, by_admin, json, message, name},
    all, block_on, open,
};
use crate::{
    chat::{Command, CopyProgress, Done, Fault, MessageFlags, Send},
    store::{
        FolderError,
        sqlite::{OpenError, RestoreError, restore},
    },
};

const WHO: [&str; 3] = ["alice", "bob", "carol"];

/// Messages that are sent before; some megabytes, and so as many pieces of a copy.
const SENT: u32 = 1000;

async fn filled() -> World {
    let world = World::new(Kind::Sqlite);
    let recalls_only = app_with(|app| app.callback.commands = [CallbackCommand::AfterMsgWithDraw].into());
    world.with(recalls_only, &WHO).await;
    for first in (1..SENT).step_by(250) {
        all((first..first + 250).map(|number| world.store.commit(long(number))).collect()).await;
    }
    world
}

/// Alice and carol write to bob.
fn long(number: u32) -> Command {
    Command::Send(Box::new(Send { body: body(&"long ".repeat(1200)), ..message(from(number), "bob", number) }))
}

fn from(number: u32) -> &'static str {
    if number.is_multiple_of(2) { "alice" } else { "carol" }
}

async fn keys(world: &World, with: MessageFlags) -> BTreeSet<MsgKey> {
    let mut keys = BTreeSet::new();
    for peer in ["alice", "carol"] {
        let history = world.history("bob", peer).await;
        keys.extend(history.iter().filter(|message| message.flags.contains(with)).map(|message| message.key));
    }
    keys
}

/// A world whose store is made of a backup.
fn restored(backup: &Path) -> World {
    let world = World::new(Kind::Sqlite);
    let folder = tempfile::tempdir().expect("a folder for the test");
    restore(backup, folder.path(), &world.entropy).expect("it is whole");
    let (store, hints) = open(Some(&folder), None, &world.clock, &world.entropy);
    World { store, hints, folder: Some(folder), ..world }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()).collect()
}

#[test]
fn i1_a_backup_under_load_is_whole_and_has_all_that_was_acknowledged() {
    block_on(async {
        let world = filled().await;
        let folder = tempfile::tempdir().expect("a folder for the test");
        let (to, progress) = (folder.path().join("backup.db"), Arc::new(CopyProgress::default()));
        let before = keys(&world, MessageFlags::from_bits(0)).await;
        let mut rounds = 0;
        let load = async {
            for number in SENT + 1.. {
                let sent = world.store.commit(long(number)).await;
                let Ok(Ok(Done::Sent(sent))) = sent else { panic!("it is sent: {sent:?}") };
                if number % 3 == 0 {
                    assert_eq!(world.recall(by_admin(name(from(number), "bob", &sent))).await, Ok(()));
                }
                rounds += 1;
            }
        };
        let bytes = tokio::select! {
            bytes = world.store.backup(to.clone(), Arc::clone(&progress)) => bytes.expect("it is made"),
            () = load => unreachable!("it has no end"),
        };
        assert!(rounds > 5, "{rounds}");
        assert_eq!((bytes, bytes), (fs::metadata(&to).expect("it is there").len(), progress.bytes().0));
        assert_eq!(files(folder.path()), std::slice::from_ref(&to), "one file, and nothing else");
        let sound =
            Connection::open(&to).expect("a database").query_row("PRAGMA integrity_check", [], |row| row.get(0));
        assert_eq!(sound, Ok("ok".to_owned()));

        let copy = restored(&to);
        let (sent, recalled) =
            (keys(&copy, MessageFlags::from_bits(0)).await, keys(&copy, MessageFlags::RECALLED).await);
        assert!(sent.is_superset(&before), "everything that was acknowledged before");
        assert!(sent.len() > before.len(), "and what was copied while it was written");
        let unread: i64 =
            copy.unread_from("bob", &["alice", "carol"]).await.into_iter().map(|one| one.expect("it exists")).sum();
        assert_eq!((copy.unread("bob").await, unread), (unread, (sent.len() - recalled.len()) as i64));
        let told: BTreeSet<MsgKey> = copy
            .owed()
            .await
            .iter()
            .map(|event| json(event)["MsgKey"].as_str().expect("text").parse().expect("a key"))
            .collect();
        assert_eq!(told, recalled, "no recall without its event, no event without its recall");
        copy.sent("alice", "bob", 1_000_000).await;
    });
}

#[test]
fn c3_a_restored_store_has_another_epoch_and_takes_no_stores_place() {
    block_on(async {
        let world = World::new(Kind::Sqlite);
        world.with(app(APP), &WHO).await;
        let folder = tempfile::tempdir().expect("a folder for the test");
        let to = folder.path().join("backup.db");
        world.store.backup(to.clone(), Arc::default()).await.expect("it is made");
        let again = world.store.backup(to.clone(), Arc::default()).await;
        assert!(matches!(again, Err(Fault::Failed(_))), "what is there is not overwritten: {again:?}");
        let copy = restored(&to);
        assert_ne!(copy.store.epoch(), world.store.epoch());

        let taken = copy.folder.as_ref().expect("it has one").path().to_owned();
        let refused = restore(&to, &taken, &world.entropy);
        assert!(matches!(refused, Err(RestoreError::Open(OpenError::Folder(FolderError::Locked(_))))), "{refused:?}");
        let epoch = copy.store.epoch().to_owned();
        copy.store.close().await.expect("it closes");
        let World { store, folder: kept, .. } = copy;
        drop(store);
        let refused = restore(&to, &taken, &world.entropy);
        assert!(matches!(&refused, Err(RestoreError::NotEmpty { .. })), "{refused:?}");
        let (same, _) = open(kept.as_ref(), None, &world.clock, &world.entropy);
        assert_eq!(same.epoch(), epoch, "what is there stays as it is");
    });
}

#[test]
fn what_is_no_whole_backup_makes_no_store() {
    block_on(async {
        let world = filled().await;
        let folder = tempfile::tempdir().expect("a folder for the test");
        let (whole, broken, fresh) =
            (folder.path().join("whole"), folder.path().join("broken"), folder.path().join("fresh"));
        world.store.backup(whole.clone(), Arc::default()).await.expect("it is made");
        let bytes = fs::read(&whole).expect("readable");
        let mut torn = bytes.clone();
        torn[bytes.len() / 2..bytes.len() / 2 + 100_000].fill(7);
        for content in [&b"no database at all"[..], &bytes[..bytes.len() / 2], &torn, b""] {
            fs::write(&broken, content).expect("writable");
            let refused = restore(&broken, &fresh, &world.entropy);
            assert!(matches!(refused, Err(RestoreError::NotWhole { .. })), "{refused:?}");
            assert_eq!(files(&fresh), [fresh.join("lock")], "nothing that a server would take for a store");
        }
        let refused = restore(&folder.path().join("none"), &fresh, &world.entropy);
        assert!(matches!(refused, Err(RestoreError::Backup { .. })), "{refused:?}");
        restore(&whole, &fresh, &world.entropy).expect("that one is whole");
    });
}

#[test]
fn one_backup_is_made_at_a_time() {
    block_on(async {
        let world = filled().await;
        let folder = tempfile::tempdir().expect("a folder for the test");
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        let made = all([&first, &second].map(|to| world.store.backup(to.clone(), Arc::default())).into()).await;
        assert!(matches!(&made[..], [Ok(_), Err(Fault::Failed(why))] if why.contains("wait")), "{made:?}");
        assert_eq!(files(folder.path()), [first]);
    });
}

#[test]
fn a_backup_that_is_not_finished_leaves_nothing() {
    block_on(async {
        let world = filled().await;
        let folder = tempfile::tempdir().expect("a folder for the test");
        let backup = || world.store.backup(folder.path().join("backup"), Arc::default());
        // While these are stored the writer takes nothing else, so it finds what follows together.
        let commits = || all((2000..2250).map(|number| world.store.commit(long(number))).collect());

        let nobody = async { drop(futures_util::poll!(&mut backup())) };
        futures_util::join!(commits(), nobody);
        world.sent("alice", "bob", 3000).await;
        let (_, unfinished, closed) = futures_util::join!(commits(), backup(), world.store.close());
        assert_eq!((unfinished, closed), (Err(Fault::Stopping), Ok(())));
        assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    });
}
