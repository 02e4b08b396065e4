//! What the tests say: who sends what to whom, and what is seen of it. Everything goes through [`Store`], as it does
//! in a server.

use std::sync::Arc;

use serde_json::{Value, value::RawValue};
use unsaid_protocol::{SdkAppId, UserId, callback::CallbackCommand, element::MsgBody};

use super::World;
use crate::{
    apps::{App, EndpointSettings, Origin as AppOrigin, Secret},
    chat::{
        Backlog, Command, Done, Door, Fault, HistoryQuery, Import, Lane, Lifetime, Message, MessageFlags, MessageName,
        Origin, OwedEvent, Read, Recall, Send, Sent, Settled, Settlement, Tries,
    },
};

/// The app of the tests.
pub(super) const APP: SdkAppId = SdkAppId(1_400_000_001);

/// The admin that every app has.
pub(super) const ADMIN: &str = "administrator";

pub(super) fn user(name: &str) -> UserId {
    UserId::new(name).expect("a valid name")
}

/// An app whose switches are all on.
pub(super) fn app(sdkappid: SdkAppId) -> App {
    let mut app = App::new(sdkappid, Secret::new("0123456789abcdef"), AppOrigin::Runtime);
    app.callback.commands = CallbackCommand::AFTER.into();
    let url = "https://backend.example/im".to_owned();
    app.callback.endpoint = Some(EndpointSettings::new(url));
    app
}

/// The tests' app, with something changed.
pub(super) fn app_with(change: impl FnOnce(&mut App)) -> App {
    let mut app = app(APP);
    change(&mut app);
    app
}

pub(super) fn body(text: &str) -> MsgBody {
    let text = Value::from(text);
    let json = format!(r#"[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":{text}}}}}]"#);
    MsgBody::parse(&RawValue::from_string(json).expect("JSON")).expect("a body")
}

/// A message that counts, with numbers made of `number`.
pub(super) fn message(from: &str, to: &str, number: u32) -> Send {
    Send {
        app: APP,
        from: user(from),
        to: user(to),
        seq: number,
        random: number * 1000,
        body: body(&format!("text {number}")),
        custom_data: format!("custom {number}"),
        push_info: String::new(),
        lifetime: Lifetime::Stored,
        flags: MessageFlags::COUNTED,
        client_time_s: None,
        forbidden_callbacks: Vec::new(),
        origin: Origin::LOCAL,
        by_client: false,
        asked: None,
    }
}

pub(super) fn name(from: &str, to: &str, sent: &Sent) -> MessageName {
    MessageName { app: APP, from: user(from), to: user(to), key: sent.key }
}

pub(super) fn by_client(account: &str, name: MessageName) -> Recall {
    Recall { name, door: Door::Client { account: user(account) }, origin: Origin::LOCAL }
}

pub(super) fn by_admin(name: MessageName) -> Recall {
    Recall { name, door: Door::Admin { account: user(ADMIN) }, origin: Origin::LOCAL }
}

/// All that is stored.
pub(super) fn read_all(reader: &str, peer: &str) -> Command {
    let (reader, peer) = (user(reader), user(peer));
    Command::Read(Read { app: APP, reader, peer, time_s: None, origin: Origin::LOCAL })
}

/// The body of an event.
pub(super) fn json(event: &OwedEvent) -> Value {
    serde_json::from_slice(&event.body).expect("a body is JSON")
}

pub(super) fn settled(event: &OwedEvent, to: Settlement) -> Settled {
    Settled { app: event.app, lane: event.lane.clone(), place: event.place, to }
}

pub(super) fn parked(event: &OwedEvent) -> Settled {
    let tries = Tries { attempts: 3, refusals: 3, unavailable_since: None };
    settled(event, Settlement::Parked { tries, at: event.created, reason: "refused".into() })
}

/// Done, or the code of the refusal.
pub(super) type Outcome<T = ()> = Result<T, i32>;

impl World {
    /// Saves the app and imports the accounts.
    pub(super) async fn with(&self, app: App, users: &[&str]) {
        let sdkappid = app.sdkappid;
        self.done(Command::SaveApp(Arc::new(app))).await.expect("an app is saved");
        for name in users {
            self.import(sdkappid, name).await;
        }
    }

    pub(super) async fn import(&self, app: SdkAppId, name: &str) {
        let import = Import { app, user: user(name), nick: Some(format!("nick of {name}")), face_url: None };
        self.done(Command::Import(import)).await.expect("an account is imported");
    }

    pub(super) async fn done(&self, command: Command) -> Outcome<Done> {
        let applied = self.store.commit(command).await.expect("the store works");
        applied.map_err(|refusal| refusal.code.0)
    }

    pub(super) async fn send(&self, send: Send) -> Outcome<Sent> {
        let done = self.done(Command::Send(Box::new(send))).await?;
        let Done::Sent(sent) = done else { panic!("a send says what was sent: {done:?}") };
        Ok(sent)
    }

    /// A message that is sent without more ado.
    pub(super) async fn sent(&self, from: &str, to: &str, number: u32) -> Sent {
        self.send(message(from, to, number)).await.expect("a message is sent")
    }

    pub(super) async fn recall(&self, recall: Recall) -> Outcome {
        self.done(Command::Recall(recall)).await.map(drop)
    }

    pub(super) async fn read(&self, reader: &str, peer: &str, time_s: Option<u32>) -> Outcome {
        let read = Read { app: APP, reader: user(reader), peer: user(peer), time_s, origin: Origin::LOCAL };
        self.done(Command::Read(read)).await.map(drop)
    }

    /// The account's total.
    pub(super) async fn unread(&self, name: &str) -> i64 {
        self.store.unread(APP, user(name)).await.expect("the store works").expect("the account exists")
    }

    /// What `name` has not read of what each of the peers sent.
    pub(super) async fn unread_from(&self, name: &str, peers: &[&str]) -> Vec<Option<i64>> {
        let peers = peers.iter().copied().map(user).collect();
        self.store.unread_from(APP, user(name), peers).await.expect("the store works")
    }

    /// Everything that `operator` sees of its conversation with `peer`, newest first.
    pub(super) async fn history(&self, operator: &str, peer: &str) -> Vec<Message> {
        self.store.history(all_of(operator, peer)).await.expect("the store works")
    }

    /// The outbox, lane by lane.
    pub(super) async fn owed(&self) -> Vec<OwedEvent> {
        let mut events = Vec::new();
        for (app, lane) in self.store.lanes(None, 1000).await.expect("the store works") {
            events.extend(self.store.lane(app, lane, 0, 1000).await.expect("the store works"));
        }
        events
    }

    /// What the outbox holds of one lane: place, number, previous.
    pub(super) async fn lane(&self, lane: &str) -> Vec<(i64, i64, i64)> {
        let events = self.store.lane(APP, Lane(lane.to_owned()), 0, 1000).await.expect("the store works");
        events.iter().map(|event| (event.place, event.number, event.previous)).collect()
    }

    /// The outbox's only event.
    pub(super) async fn only_owed(&self) -> OwedEvent {
        let mut owed = self.owed().await;
        assert_eq!(owed.len(), 1, "{owed:?}");
        owed.remove(0)
    }

    /// The bodies of what the outbox holds.
    pub(super) async fn owed_bytes(&self) -> u64 {
        self.owed().await.iter().map(|event| event.body.len() as u64).sum()
    }

    /// Delivers whatever the outbox holds.
    pub(super) async fn deliver_all(&self) {
        let owed = self.owed().await;
        self.settle(owed.iter().map(|event| settled(event, Settlement::Delivered)).collect()).await;
    }

    pub(super) async fn settle(&self, settled: Vec<Settled>) {
        self.store.settle(settled).await.expect("the store works");
    }

    /// How many events wait, and how many are parked.
    pub(super) async fn counts(&self) -> (u64, u64) {
        let backlog = self.backlog().await;
        (backlog.waiting, backlog.parked)
    }

    pub(super) async fn backlog(&self) -> Backlog {
        self.store.backlog().await.expect("the store works")
    }

    /// What the hints have told since this was asked last.
    pub(super) fn hinted(&mut self) -> Vec<OwedEvent> {
        let mut events = Vec::new();
        while let Some(more) = self.hints.ready() {
            events.extend(more);
        }
        events
    }

    /// Everything that a command could have changed for these accounts, as text.
    pub(super) async fn everything(&self, users: &[&str]) -> String {
        let mut seen = String::new();
        for one in users {
            let total = self.store.unread(APP, user(one)).await;
            seen += &format!("{one}: {total:?} {:?}\n", self.unread_from(one, users).await);
            for other in users {
                seen += &format!("{:?}\n", self.history(one, other).await);
            }
        }
        seen + &format!("{:?} {:?}", self.owed().await, self.backlog().await)
    }
}

/// The whole history of a conversation.
pub(super) fn all_of(operator: &str, peer: &str) -> HistoryQuery {
    HistoryQuery {
        app: APP,
        operator: user(operator),
        peer: user(peer),
        min_time_s: 0,
        max_time_s: u32::MAX,
        before: None,
        messages_max: 1000,
    }
}

/// What a command that was not stored says.
pub(super) fn fault<T>(answer: Result<T, Fault>) -> Fault {
    match answer {
        Ok(_) => panic!("it was stored"),
        Err(fault) => fault,
    }
}
