//! What the writer does for a batch, on the thread of whoever asks.

use std::sync::Arc;

use rusqlite::OpenFlags;
use serde_json::value::RawValue;
use tempfile::TempDir;
use unsaid_protocol::{SdkAppId, UserId, callback::CallbackCommand, element::MsgBody};

use super::{batch::Batch, connect, known::Known, outbox, prepare_writer, prepared::Prepared, schema};
use crate::{
    apps::EndpointSettings,
    chat::{
        Command, Done, Door, Import, Lifetime, MessageFlags, MessageName, Origin, OwedEvent, Recall, Send, Settled,
        Settlement,
    },
    clock::{Entropy, Timestamp},
    pieces::{Work, app},
};

const ACCOUNTS: u32 = 200;

/// Commands to a transaction, which is what a busy server comes to.
const TOGETHER: usize = 64;

const NOW: Timestamp = Timestamp(1_764_500_000_000);

/// A store on the disk without its threads.
struct Hand {
    prepared: Prepared<'static>,
    known: Known,
    entropy: Entropy,
    _folder: TempDir,
}

pub(crate) fn send(times: u32) -> Work {
    let mut hand = Hand::new();
    let sends = sends(times);
    Box::new(move || drop(hand.all(&sends)))
}

pub(crate) fn recall(times: u32) -> Work {
    let mut hand = Hand::new();
    let recalls = hand.recalls(times);
    Box::new(move || {
        let (_, owed) = hand.all(&recalls);
        assert_eq!(owed.len(), recalls.len());
    })
}

pub(crate) fn settle(times: u32) -> Work {
    let mut hand = Hand::new();
    let recalls = hand.recalls(times);
    let (_, owed) = hand.all(&recalls);
    let settled =
        |event: OwedEvent| Settled { app: event.app, lane: event.lane, place: event.place, to: Settlement::Delivered };
    let settled: Vec<Settled> = owed.into_iter().map(settled).collect();
    Box::new(move || {
        for some in settled.chunks(TOGETHER) {
            hand.transact(|batch| some.iter().try_for_each(|one| outbox::settle(batch, one)).expect("the store works"));
        }
        assert_eq!(hand.known.backlogs.values().map(|backlog| backlog.waiting).sum::<u64>(), 0);
    })
}

impl Hand {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut connection = connect(&folder.path().join("pieces.db"), flags).expect("it can be made");
        prepare_writer(&connection, None).expect("it is as the writer's");
        schema::migrate(&mut connection).expect("an empty store can be migrated");
        let entropy = Entropy::seeded([3; 32]);
        // Until the process ends: nothing else runs in it.
        let prepared = Prepared::of(Box::leak(Box::new(connection)));
        let mut hand = Self { prepared, known: Known::nothing(), entropy, _folder: folder };
        let mut app = app();
        app.callback.commands = [CallbackCommand::AfterMsgWithDraw].into();
        app.callback.endpoint = Some(EndpointSettings::new("https://backend.example/im".to_owned()));
        let mut commands = vec![Command::SaveApp(Arc::new(app))];
        let import = |user| Command::Import(Import { app: app_id(), user, nick: None, face_url: None });
        commands.extend((0..ACCOUNTS).map(|number| import(user(number))));
        hand.all(&commands);
        hand
    }

    /// Sends so many messages; the recalls of them.
    fn recalls(&mut self, count: u32) -> Vec<Command> {
        let sends = sends(count);
        let (done, _) = self.all(&sends);
        let recall = |(send, done): (&Command, Done)| {
            let (Command::Send(send), Done::Sent(sent)) = (send, done) else { panic!("a send says what was sent") };
            let name = MessageName { app: send.app, from: send.from.clone(), to: send.to.clone(), key: sent.key };
            let door = Door::Admin { account: user(0) };
            Command::Recall(Recall { name, door, origin: Origin::LOCAL })
        };
        sends.iter().zip(done).map(recall).collect()
    }

    /// What they did, and what is owed for it.
    fn all(&mut self, commands: &[Command]) -> (Vec<Done>, Vec<OwedEvent>) {
        let (mut done, mut owed) = (Vec::new(), Vec::new());
        for some in commands.chunks(TOGETHER) {
            owed.extend(self.transact(|batch| {
                for command in some {
                    done.push(command.apply(batch).expect("the store works").expect("it is allowed"));
                }
            }));
        }
        (done, owed)
    }

    fn transact(&mut self, work: impl FnOnce(&mut Batch<'_, '_>)) -> Vec<OwedEvent> {
        let mut batch = Batch::begin(&self.prepared, &self.known, NOW, &self.entropy).expect("it begins");
        work(&mut batch);
        let mut committed = batch.commit().expect("it is stored");
        committed.apply_to(&mut self.known);
        std::mem::take(&mut committed.owed)
    }
}

fn app_id() -> SdkAppId {
    app().sdkappid
}

fn user(number: u32) -> UserId {
    UserId::new(&format!("user{number}")).expect("a valid name")
}

/// Between accounts that have mostly not written to each other.
fn sends(count: u32) -> Vec<Command> {
    let body = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"message"}}]"#;
    let body = RawValue::from_string(body.to_owned()).expect("it is JSON");
    let body = MsgBody::parse(&body).expect("it is a body");
    let send = |number: u32| Send {
        app: app_id(),
        from: user(number % ACCOUNTS),
        to: user((number / ACCOUNTS + 7 * number + 1) % ACCOUNTS),
        seq: number,
        random: number,
        body: body.clone(),
        custom_data: String::new(),
        push_info: String::new(),
        lifetime: Lifetime::Stored,
        flags: MessageFlags::COUNTED,
        client_time_s: None,
        forbidden_callbacks: Vec::new(),
        origin: Origin::LOCAL,
        by_client: false,
        asked: None,
    };
    (0..count).map(|number| Command::Send(Box::new(send(number)))).collect()
}
