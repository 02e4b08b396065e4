//! What the embedded store alone can promise: groups of commands, a full disk, the lock of its folder, and that a
//! recalled text is gone from its files.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::Connection;

use super::{
    Kind, World,
    actors::{APP, app, app_with, body, by_admin, by_client, fault, message, name, settled, user},
    all, block_on,
};
use crate::{
    chat::{Applied, Backlog, Command, Done, EventId, Fault, Import, MessageFlags, NoDevices, Send, Settlement},
    clock::{Clock, Entropy, Timestamp},
    store::{
        FolderError, hints,
        sqlite::{OpenError, Sqlite, SqliteOptions, bring_to, versions},
    },
};

const WHO: [&str; 2] = ["alice", "bob"];

fn sqlite() -> World {
    World::new(Kind::Sqlite)
}

fn send(send: Send) -> Command {
    Command::Send(Box::new(send))
}

fn is_sent(answer: &Result<Applied, Fault>) -> bool {
    matches!(answer, Ok(Ok(Done::Sent(_))))
}

#[test]
fn i1_one_bad_command_in_a_batch_spoils_no_other() {
    block_on(async {
        let mut world = sqlite();
        world.with(app(APP), &WHO).await;
        let commands = (1..=30).map(|number| {
            let mut one = message("alice", if number % 10 == 4 { "nobody" } else { "bob" }, number);
            if number % 10 == 7 {
                // No edge lets such a body through; here it breaks a rule in the middle of a transaction.
                one.body.json = "[".to_owned();
            }
            send(one)
        });
        let answers = all(commands.map(|command| world.store.commit(command)).collect()).await;
        for (number, answer) in (1_u32..).zip(&answers) {
            match number % 10 {
                4 => assert!(matches!(answer, Ok(Err(refusal)) if refusal.code.0 == 90012), "{number}"),
                7 => assert!(matches!(answer, Err(Fault::Failed(_))), "{number}"),
                _ => assert!(is_sent(answer), "{number}"),
            }
        }
        let mut hinted: Vec<_> = world.hinted().into_iter().map(|event| event.place).collect();
        world.reopen().await;
        assert_eq!((world.unread("bob").await, world.history("bob", "alice").await.len()), (24, 24));
        let places: Vec<_> = world.lane("bob").await.iter().map(|(place, ..)| *place).collect();
        assert_eq!(places, (1..=24).collect::<Vec<_>>());
        hinted.sort_unstable();
        assert_eq!(hinted, places, "what was rolled back was hinted at no more than once");
    });
}

#[test]
fn i1_commands_of_a_batch_see_each_other_in_their_order() {
    block_on(async {
        let mut world = sqlite();
        let import = |name: &str| {
            Command::Import(Import { app: APP, user: user(name), nick: None, face_url: Some("face".to_owned()) })
        };
        let read = crate::chat::Read {
            app: APP,
            reader: user("bob"),
            peer: user("alice"),
            time_s: None,
            origin: crate::chat::Origin::LOCAL,
        };
        let key = unsaid_protocol::MsgKey { seq: 2, random: 2000, time: super::START_S };
        let named = crate::chat::MessageName { app: APP, from: user("alice"), to: user("bob"), key };
        let commands = [
            import("bob"),
            Command::SaveApp(app(APP).into()),
            import("alice"),
            send(message("alice", "bob", 1)),
            import("bob"),
            send(message("alice", "bob", 1)),
            Command::Recall(by_admin(named.clone())),
            Command::Read(read),
            send(message("alice", "bob", 2)),
            send(message("alice", "bob", 2)),
            Command::Recall(by_client("alice", named.clone())),
            Command::Recall(by_admin(named)),
        ];
        let answers = all(commands.into_iter().map(|command| world.store.commit(command)).collect()).await;
        let codes: Vec<_> =
            answers.into_iter().map(|answer| answer.expect("stored").map_or_else(|no| no.code.0, |_| 0)).collect();
        assert_eq!(codes, [60006, 0, 0, 90012, 0, 0, 20022, 0, 0, 0, 0, 20023]);
        world.reopen().await;
        assert_eq!(world.unread("bob").await, 0);
        assert_eq!(world.lane("bob").await, [(1, 1, 0), (2, 2, 1), (3, 3, 2), (4, 4, 3)]);
    });
}

#[test]
fn i1_a_full_disk_loses_nothing_that_was_acknowledged() {
    block_on(async {
        let mut world = World::with_pages_max(Kind::Sqlite, Some(100));
        world.with(app(APP), &WHO).await;
        let mut acknowledged: Vec<u32> = Vec::new();
        let mut full = 0;
        for round in 0..20 {
            let sends = (1..=20).map(|number| {
                let mut one = message("alice", "bob", round * 100 + number);
                one.body = body(&"long ".repeat(400));
                one
            });
            let answers = all(sends.map(|one| world.store.commit(send(one))).collect()).await;
            for (number, answer) in (1..).zip(answers) {
                match answer {
                    Ok(applied) => acknowledged.push(applied.map(|_| round * 100 + number).expect("allowed")),
                    Err(why) => {
                        assert_eq!(why, Fault::Full);
                        full += 1;
                    }
                }
            }
        }
        assert!(full > 100 && acknowledged.len() > 20, "{full}");
        let told = world.hinted();
        assert_eq!(told.len(), acknowledged.len(), "nobody hears of what was not stored");

        // Reads go on, before and after a restart without room, and once there is room again so do commands.
        for pages_max in [Some(100), None] {
            let mut history: Vec<_> = world.history("bob", "alice").await.iter().map(|found| found.key.seq).collect();
            history.sort_unstable();
            assert_eq!(history, acknowledged);
            assert_eq!(world.unread("bob").await, acknowledged.len() as i64);
            assert_eq!(world.lane("bob").await.len(), acknowledged.len());
            world.pages_max = pages_max;
            world.reopen().await;
        }
        let key = world.history("bob", "alice").await[0].key;
        let recall = by_admin(crate::chat::MessageName { app: APP, from: user("alice"), to: user("bob"), key });
        assert_eq!(world.recall(recall).await, Ok(()));
        world.sent("alice", "bob", 9999).await;
        assert_eq!(world.owed().await.len(), acknowledged.len() + 2);
    });
}

#[test]
fn i1_a_full_disk_takes_again_once_there_is_room() {
    block_on(async {
        let world = World::with_pages_max(Kind::Sqlite, Some(100));
        world.with(app(APP), &WHO).await;
        let mut number = 0;
        let answer = loop {
            number += 1;
            let mut one = message("alice", "bob", number);
            one.body = body(&"long ".repeat(800));
            let answer = world.store.commit(send(one)).await;
            if !is_sent(&answer) {
                break answer;
            }
        };
        assert_eq!(fault(answer), Fault::Full);
        // What is delivered makes room.
        world.deliver_all().await;
        world.sent("alice", "bob", number).await;
    });
}

#[test]
fn a_folder_belongs_to_one_server() {
    block_on(async {
        let world = sqlite();
        let folder = world.folder.as_ref().expect("it has one").path().to_owned();
        let (sender, _receiver) = hints(Arc::new(NoDevices));
        let second = Sqlite::open(
            &SqliteOptions { folder: folder.clone(), pages_max: None, metrics: crate::metrics::Metrics::new().store },
            Clock::system(),
            Entropy::seeded([2; 32]),
            sender,
        );
        assert!(matches!(second, Err(OpenError::Folder(FolderError::Locked(path))) if path == folder));
    });
}

#[test]
fn a_folder_belongs_to_a_server_until_its_last_command_is_stored() {
    block_on(async {
        let mut world = sqlite();
        world.with(app(APP), &WHO).await;
        let commits = (1..=2000).map(|number| world.store.commit(send(message("alice", "bob", number))));
        let mut commits: Vec<_> = commits.collect();
        // Every command is handed over; nobody waits for the answers, and the store is not closed.
        let hand_over = std::future::poll_fn(|context| {
            commits.iter_mut().for_each(|commit| drop(commit.as_mut().poll(context)));
            std::task::Poll::Ready(())
        });
        // Without this the runtime would stop it after some of them.
        tokio::task::unconstrained(hand_over).await;
        drop(commits);
        world.reopen_closed();
        assert_eq!((world.unread("bob").await, world.backlog().await.waiting), (2000, 2000));
    });
}

#[test]
fn c3_a_store_of_each_version_is_brought_on_with_all_that_it_owes() {
    for version in versions() {
        brought_on_from(version);
    }
}

/// What version 1 wrote, as that version has it.
fn brought_on_from(version: i64) {
    block_on(async {
        let mut world = sqlite();
        world.with(app(APP), &["alice", "bob"]).await;
        world.sent("alice", "bob", 1).await;
        world.store.close().await.expect("it closes");
        // What stands in the folder is replaced by what version 1 wrote.
        let settings = serde_json::to_string(&app(APP)).expect("it serializes");
        for name in ["unsaid.db", "unsaid.db-wal", "unsaid.db-shm"] {
            let _ = fs::remove_file(file(&world, name));
        }
        let mut connection = Connection::open(file(&world, "unsaid.db")).expect("a database");
        bring_to(&mut connection, 1);
        connection.execute("INSERT INTO app (app, settings) VALUES (?1, ?2)", (APP.0, settings)).expect("an app");
        connection
            .execute_batch(&format!(
                "INSERT INTO account (app, user, serial, unread, lane_place, lane_last, sync_number, sync_last)
                 VALUES ({APP}, 'alice', 1, 0, 0, 0, 0, 0), ({APP}, 'bob', 2, 3, 4, 4, 0, 0);
                 INSERT INTO parked VALUES ({APP}, 'bob', 2, 2, 1, 'evt_old_2', 'C2C.CallbackAfterMsgWithDraw', '127.0.0.1',
                                            'RESTAPI', 1799999999000, 3, 1799999999500, 'refused', x'7b7d');
                 INSERT INTO outbox VALUES
                     ({APP}, 'bob', 4, 4, 3, 'evt_old_4', 'C2C.CallbackAfterSendMsg', '127.0.0.1', 'RESTAPI',
                      1800000000000, 0, 0, 1800000000000, x'7b20207d'),
                     ({APP}, 'bob', 3, 3, 1, 'evt_old_3', 'C2C.CallbackAfterMsgWithDraw', '127.0.0.1', 'RESTAPI',
                      1799999999900, 5, 1, 1800000000100, x'7b207d');"
            ))
            .expect("rows of version 1");
        bring_to(&mut connection, version);
        drop(connection);
        world.reopen_closed();
        let owed = world.owed().await;
        let seen: Vec<_> =
            owed.iter().map(|event| (event.id.0.as_str(), event.number, event.previous, &*event.body)).collect();
        assert_eq!(seen, [("evt_old_3", 3, 1, &b"{ }"[..]), ("evt_old_4", 4, 3, b"{  }")]);
        assert_eq!((owed[0].tries.attempts, owed[0].tries.refusals, owed[0].due), (5, 1, Timestamp(1_800_000_000_100)));
        assert_eq!(world.backlog().await, Backlog { waiting: 2, waiting_bytes: 7, parked: 1 });
        let id = EventId("evt_old_2".to_owned());
        let kept = world.store.event(APP, id).await.expect("the store works").expect("it is parked");
        assert_eq!(kept.parked_place(), Some(2));
        world.sent("alice", "bob", 2).await;
        assert_eq!(world.lane("bob").await, [(3, 3, 1), (4, 4, 3), (5, 5, 4)]);
        world.deliver_all().await;
    });
}

/// What was recalled, delivered or erased is in no file. While the server runs, the write-ahead log may still hold pages as
/// they were before: they are overwritten when the log begins anew, and gone once it was emptied, as when the last
/// connection closes.
#[test]
fn r3_nothing_of_a_recalled_text_stays_in_the_files() {
    for text in ["unsaid-0123456789".to_owned(), "unsaid-0123456789 ".repeat(430)] {
        block_on(async {
            let mut world = sqlite();
            world.with(app_with(|app| app.audit_days = 1), &WHO).await;
            for number in 1..=40 {
                let mut one = message("alice", "bob", number);
                (one.body, one.custom_data) = (body(&text), "unsaid-custom".to_owned());
                let sent = world.send(one).await.expect("it is sent");
                world.sent("alice", "bob", 100 + number).await;
                assert_eq!(world.recall(by_client("alice", name("alice", "bob", &sent))).await, Ok(()));
            }
            let history = world.history("bob", "alice").await;
            let recalled = history.iter().filter(|message| message.flags.contains(MessageFlags::RECALLED)).count();
            assert_eq!((history.len(), recalled), (80, 40));
            let owed = world.owed().await;
            let delivered: Vec<_> = owed.iter().map(|event| settled(event, Settlement::Delivered)).collect();
            checkpoint(&file(&world, "unsaid.db"));
            assert!(holds(&file(&world, "unsaid.db"), "unsaid-"), "the waiting events hold their own copy");
            world.settle(delivered).await;
            world.store.erase_audit_copies(Timestamp(i64::MAX)).await.expect("the store works");
            world.reopen().await;
            world.store.close().await.expect("it closes");
            checkpoint(&file(&world, "unsaid.db"));
            assert!(!holds(&file(&world, "unsaid.db"), "unsaid-"), "{} bytes", text.len());
            assert!(!holds(&file(&world, "unsaid.db-wal"), "unsaid-"));
            assert!(holds(&file(&world, "unsaid.db"), "text 140"), "what was not recalled is there");
        });
    }
}

fn file(world: &World, name: &str) -> PathBuf {
    world.folder.as_ref().expect("it keeps something").path().join(name)
}

/// Copies the log into the database and empties it.
fn checkpoint(path: &Path) {
    let connection = Connection::open(path).expect("it is a database");
    connection.busy_timeout(std::time::Duration::from_secs(5)).expect("a time");
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).expect("it works");
    assert_eq!(busy, 0, "nobody reads");
}

fn holds(path: &Path, text: &str) -> bool {
    // The log is removed when the last connection closes.
    fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}
