//! The model test: random commands mean the same to SQLite as to the reference model, and to both what the rules say.
//!
//! The commands of a step go to SQLite all at once, so that they share transactions, and to the model one by one. A
//! third opinion comes from [`Ledger`], which knows nothing but a list of what was said. After every step totals,
//! counts, outbox and history are compared. `UNSAID_TEST_FULL=1` runs many more cases.

use std::{cell::RefCell, env, sync::Arc};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use unsaid_protocol::{SdkAppId, error};

use super::{
    Kind, World,
    actors::{all_of, app, body, message, settled, user},
    all, block_on,
    ledger::{Ledger, Seen},
};
use crate::{
    apps::{LaneBy, RecallBody},
    chat::{
        Applied, Command, Done, Door, EventId, HistoryQuery, Import, Lane, Lifetime, Message, MessageFlags,
        MessageName, Modify, Origin, OwedEvent, ParkedFilter, Read, ReadAll, Recall, Receipt, Refusal, Replay,
        Settlement, Store, Tries, What,
    },
    clock::Timestamp,
};

/// Accounts, some of which are there from the beginning.
const NAMES: [&str; 6] = ["a*b", "x y", ".", "alice", "bob", "~"];
const IMPORTED: usize = 4;

const APPS: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    /// Commands that are handed over at once.
    Commands(Vec<Op>),
    /// The clock moves by so many milliseconds.
    Shift(i64),
    /// What became of some event of the outbox.
    Settle {
        event: prop::sample::Index,
        verdict: u8,
    },
    /// Parked events of an app, or delivered ones of so many milliseconds ago and later, are sent again.
    Replay {
        app: usize,
        delivered: Option<i64>,
    },
    /// Delivered events that are older are erased.
    Prune {
        ago_ms: i64,
    },
    Reopen,
}

#[derive(Clone, Debug)]
struct Op {
    app: usize,
    from: usize,
    to: usize,
    kind: OpKind,
}

#[derive(Clone, Debug)]
enum OpKind {
    Send {
        number: u32,
        text: u8,
        flags: u8,
        online_only: bool,
        forbidden: bool,
        way: Way,
    },
    /// Of a message that was sent; `door` and `swapped` say who asks, and for what.
    Recall {
        message: prop::sample::Index,
        door: u8,
        swapped: bool,
    },
    Read {
        ago_s: Option<i64>,
    },
    ReadAll,
    /// Of a message that was sent; `door` says who asks, `text` and `custom_data` what is replaced.
    Modify {
        message: prop::sample::Index,
        door: u8,
        text: Option<u8>,
        custom_data: Option<u8>,
    },
    /// The recipient of the first of these messages acknowledges all of them, or its sender does.
    Receipt {
        messages: Vec<prop::sample::Index>,
        swapped: bool,
    },
    Import,
    SaveApp {
        variant: u8,
    },
}

/// How far a send goes: it is stored, only checked, or told as failed.
#[derive(Clone, Copy, Debug)]
enum Way {
    Store,
    Check,
    Fail,
}

fn op() -> impl Strategy<Value = Op> {
    let way = prop_oneof![8 => Just(Way::Store), 1 => Just(Way::Check), 1 => Just(Way::Fail)];
    let send = (0_u32..3, 0_u8..3, 0_u8..16, prop::bool::weighted(0.1), prop::bool::weighted(0.1), way).prop_map(
        |(number, text, flags, online_only, forbidden, way)| OpKind::Send {
            number,
            text,
            flags,
            online_only,
            forbidden,
            way,
        },
    );
    let modify = (any::<prop::sample::Index>(), 0_u8..4, prop::option::of(0_u8..3), prop::option::of(0_u8..3))
        .prop_map(|(message, door, text, custom_data)| OpKind::Modify { message, door, text, custom_data });
    let messages = prop::collection::vec(any::<prop::sample::Index>(), 1..4);
    let receipt =
        (messages, prop::bool::weighted(0.1)).prop_map(|(messages, swapped)| OpKind::Receipt { messages, swapped });
    let recall = (any::<prop::sample::Index>(), 0_u8..4, prop::bool::weighted(0.1))
        .prop_map(|(message, door, swapped)| OpKind::Recall { message, door, swapped });
    let read = prop::option::of(-3_i64..130).prop_map(|ago_s| OpKind::Read { ago_s });
    let kind = prop_oneof![
        10 => send,
        6 => recall,
        4 => read,
        1 => Just(OpKind::ReadAll),
        2 => modify,
        2 => receipt,
        1 => Just(OpKind::Import),
        1 => (0_u8..16).prop_map(|variant| OpKind::SaveApp { variant }),
    ];
    (0..APPS, 0..NAMES.len(), 0..NAMES.len(), kind).prop_map(|(app, from, to, kind)| Op { app, from, to, kind })
}

fn step() -> impl Strategy<Value = Step> {
    let shifts = prop::sample::select(vec![1, 500, 1000, 1000, 60_000, 119_000, 120_000, 121_000, -1500, -90_000]);
    prop_oneof![
        60 => prop::collection::vec(op(), 1..10).prop_map(Step::Commands),
        20 => shifts.prop_map(Step::Shift),
        20 => (any::<prop::sample::Index>(), 0_u8..4).prop_map(|(event, verdict)| Step::Settle { event, verdict }),
        4 => (0..APPS, prop::option::of(0_i64..200_000)).prop_map(|(app, delivered)| Step::Replay { app, delivered }),
        2 => (0_i64..200_000).prop_map(|ago_ms| Step::Prune { ago_ms }),
        1 => Just(Step::Reopen),
    ]
}

#[test]
fn i1_random_commands_mean_the_same_to_all_stores() {
    let full = env::var_os("UNSAID_TEST_FULL").is_some_and(|value| value == "1");
    let mut runner = TestRunner::new(Config { cases: if full { 1500 } else { 200 }, ..Config::default() });
    let twins = RefCell::new(Twins::new());
    let outcome = runner.run(&prop::collection::vec(step(), 1..14), |steps| {
        block_on(twins.borrow_mut().case(&steps));
        Ok(())
    });
    if let Err(why) = outcome {
        panic!("{why}");
    }
}

/// The two stores, told the same. They live through all cases; each case has apps of its own.
struct Twins {
    model: World,
    sqlite: World,
    first_app: u32,
    ledger: Ledger,
}

impl Twins {
    fn new() -> Self {
        let sqlite = World::new(Kind::Sqlite);
        let mut model = World::new(Kind::Memory);
        // They share one clock.
        let (store, hints) = super::open(None, None, &sqlite.clock, &sqlite.entropy);
        (model.store, model.hints, model.clock) = (store, hints, sqlite.clock.clone());
        Self { model, sqlite, first_app: 1, ledger: Ledger::default() }
    }

    async fn case(&mut self, steps: &[Step]) {
        self.first_app += APPS as u32;
        self.ledger = Ledger::default();
        let mut prepare = Vec::new();
        for index in 0..APPS {
            prepare.push(Command::SaveApp(Arc::new(app(self.app(index)))));
            prepare.extend(NAMES[..IMPORTED].iter().map(|name| self.import(index, name)));
        }
        self.tell(prepare).await;
        for step in steps {
            match step {
                Step::Commands(ops) => self.commands(ops).await,
                Step::Shift(by_ms) => self.sqlite.clock.shift(*by_ms),
                Step::Settle { event, verdict } => self.settle(event, *verdict).await,
                Step::Replay { app, delivered } => self.replay(*app, *delivered).await,
                Step::Prune { ago_ms } => self.prune(*ago_ms).await,
                Step::Reopen => self.sqlite.reopen().await,
            }
            self.compare().await;
        }
        self.compare_histories().await;
        self.clear().await;
    }

    fn app(&self, index: usize) -> SdkAppId {
        SdkAppId(self.first_app + u32::try_from(index).expect("few"))
    }

    fn import(&self, index: usize, name: &str) -> Command {
        Command::Import(Import { app: self.app(index), user: user(name), nick: None, face_url: None })
    }

    /// Tells commands that need no ledger.
    async fn tell(&mut self, commands: Vec<Command>) {
        for command in commands {
            self.ledger.note(&command, &Ok(Done::Nothing), self.sqlite.clock.now());
            assert_eq!(self.model.done(command.clone()).await, Ok(Done::Nothing));
            assert_eq!(self.sqlite.done(command).await, Ok(Done::Nothing));
        }
    }

    /// To the model one by one, since what a later one names an earlier one may send; then to SQLite all at once.
    async fn commands(&mut self, ops: &[Op]) {
        let now = self.sqlite.clock.now();
        let (mut commands, mut expected) = (Vec::new(), Vec::new());
        for op in ops {
            let Some(command) = self.command(op) else {
                continue;
            };
            let applied = self.model.store.commit(command.clone()).await.expect("the model works");
            self.ledger.note(&command, &applied, now);
            commands.push(command);
            expected.push(applied);
        }
        let answers = all(commands.iter().map(|command| self.sqlite.store.commit(command.clone())).collect()).await;
        let answers: Vec<Applied> = answers.into_iter().map(|answer| answer.expect("SQLite works")).collect();
        assert_eq!(answers, expected, "{commands:?}");
    }

    fn command(&self, op: &Op) -> Option<Command> {
        let sdkappid = self.app(op.app);
        let (from, to) = (NAMES[op.from], NAMES[op.to]);
        Some(match &op.kind {
            OpKind::Send { number, text, flags, online_only, forbidden, way } => {
                let mut send = message(from, to, *number);
                (send.app, send.body) = (sdkappid, body(&format!("text {text}")));
                // Flag 2 is a tombstone's.
                send.flags = MessageFlags::from_bits((flags & !2) | (flags >> 1 & 1));
                send.lifetime = if *online_only { Lifetime::OnlineOnly } else { Lifetime::Stored };
                if *forbidden {
                    send.forbidden_callbacks = vec![unsaid_protocol::callback::CallbackCommand::AfterSendMsg];
                }
                let send = Box::new(send);
                match way {
                    Way::Store => Command::Send(send),
                    Way::Check => Command::CheckSend(send),
                    Way::Fail => Command::SendFailed(send, Refusal::new(error::BEFORE_FAILED, "no answer")),
                }
            }
            OpKind::Recall { message, door, swapped } => {
                let mut name = self.ledger.any(sdkappid, message)?;
                let door = door_of(*door, from, &name);
                if *swapped {
                    (name.from, name.to) = (user(to), name.from);
                }
                Command::Recall(Recall { name, door, origin: Origin::LOCAL })
            }
            OpKind::Read { ago_s } => {
                let now_s = i64::from(self.sqlite.clock.now().seconds());
                let time_s = ago_s.map(|ago_s| u32::try_from(now_s - ago_s).expect("a moment"));
                let (reader, peer) = (user(from), user(to));
                Command::Read(Read { app: sdkappid, reader, peer, time_s, origin: Origin::LOCAL })
            }
            OpKind::ReadAll => Command::ReadAll(ReadAll { app: sdkappid, reader: user(from), origin: Origin::LOCAL }),
            OpKind::Modify { message, door, text, custom_data } => {
                let name = self.ledger.any(sdkappid, message)?;
                let door = door_of(*door, from, &name);
                let body = text.map(|text| body(&format!("text {text}")));
                let custom_data = custom_data.map(|custom_data| format!("custom {custom_data}"));
                Command::Modify(Box::new(Modify { name, door, body, custom_data, origin: Origin::LOCAL }))
            }
            OpKind::Receipt { messages, swapped } => {
                let names: Option<Vec<_>> = messages.iter().map(|message| self.ledger.any(sdkappid, message)).collect();
                let names = names?;
                let (mut reader, mut peer) = (names[0].to.clone(), names[0].from.clone());
                if *swapped {
                    std::mem::swap(&mut reader, &mut peer);
                }
                let keys = names.iter().map(|name| name.key).collect();
                Command::Receipt(Receipt { app: sdkappid, reader, peer, keys, origin: Origin::LOCAL })
            }
            OpKind::Import => self.import(op.app, from),
            OpKind::SaveApp { variant } => Command::SaveApp(Arc::new(app_variant(sdkappid, *variant))),
        })
    }

    async fn settle(&self, event: &prop::sample::Index, verdict: u8) {
        let owed = self.owed(&*self.model.store).await;
        if owed.is_empty() {
            return;
        }
        let event = event.get(&owed);
        let (tries, now) = (
            Tries { attempts: event.tries.attempts + 1, refusals: 1, unavailable_since: None },
            self.sqlite.clock.now(),
        );
        let to = match verdict {
            0 => Settlement::DueAgain { tries, due: now.plus(std::time::Duration::from_secs(1)) },
            1 => Settlement::Parked { tries, at: now, reason: "refused".into() },
            _ => Settlement::Delivered,
        };
        for world in [&self.model, &self.sqlite] {
            world.settle(vec![settled(event, to.clone())]).await;
        }
    }

    async fn replay(&mut self, app: usize, delivered: Option<i64>) {
        let now = self.sqlite.clock.now();
        let what = match delivered {
            Some(ago_ms) => What::Delivered { since: Timestamp(now.0 - ago_ms), rows: None },
            None => What::Parked { filter: ParkedFilter::default(), after: None },
        };
        let replay = Command::Replay(Replay { app: self.app(app), what });
        let applied = self.model.store.commit(replay.clone()).await;
        assert_eq!(self.sqlite.store.commit(replay).await, applied);
    }

    async fn prune(&self, ago_ms: i64) {
        let before = Timestamp(self.sqlite.clock.now().0 - ago_ms);
        for world in [&self.model, &self.sqlite] {
            let mut after = Some(0);
            while let Some(row) = after {
                after = world.store.prune_events(before, row).await.expect("the store works").next;
            }
        }
    }

    async fn compare(&self) {
        let owed = self.owed(&*self.model.store).await;
        assert_eq!(self.owed(&*self.sqlite.store).await, owed);
        assert_eq!(self.sqlite.backlog().await, self.model.backlog().await);
        let waiting_bytes = owed.iter().map(|event| event.body.len() as u64).sum::<u64>();
        assert_eq!(self.sqlite.backlog().await.waiting_bytes, waiting_bytes);
        for index in 0..APPS {
            for name in NAMES {
                self.compare_unread(self.app(index), name).await;
            }
        }
    }

    /// Rule R6: the total is the sum over conversations and the count of unread messages.
    async fn compare_unread(&self, sdkappid: SdkAppId, name: &str) {
        let peers: Vec<_> = NAMES.map(user).into();
        let counted = NAMES.map(|peer| self.ledger.unread(sdkappid, peer, name));
        for world in [&self.model, &self.sqlite] {
            let total = world.store.unread(sdkappid, user(name)).await.expect("the store works");
            let known = self.ledger.accounts.contains(&(sdkappid, user(name)));
            assert_eq!(total, known.then(|| counted.iter().sum()), "{name}");
            let from = world.store.unread_from(sdkappid, user(name), peers.clone()).await.expect("the store works");
            let expect = NAMES
                .iter()
                .zip(counted)
                .map(|(peer, count)| self.ledger.accounts.contains(&(sdkappid, user(peer))).then_some(count));
            assert_eq!(from, expect.collect::<Vec<_>>(), "{name}");
        }
    }

    async fn compare_histories(&self) {
        for index in 0..APPS {
            for operator in NAMES {
                for peer in NAMES {
                    let query = HistoryQuery { app: self.app(index), ..all_of(operator, peer) };
                    let expect = self.ledger.history(&query);
                    for world in [&self.model, &self.sqlite] {
                        let whole = history(&*world.store, &query).await;
                        let seen: Vec<_> = whole.iter().map(Seen::from).collect();
                        assert_eq!(seen, expect, "{operator} and {peer}");
                        assert_eq!(pages(&*world.store, query.clone()).await, whole);
                        assert_eq!(whole, history(&*self.model.store, &query).await);
                    }
                }
            }
        }
    }

    /// The outbox of this case's apps, apart from the names of events.
    async fn owed(&self, store: &dyn Store) -> Vec<OwedEvent> {
        let before = (SdkAppId(self.first_app - 1), Lane::after_all());
        let mut events = Vec::new();
        for (app, lane) in store.lanes(Some(before), 1000).await.expect("the store works") {
            events.extend(store.lane(app, lane, 0, 1000).await.expect("the store works"));
        }
        events.iter_mut().for_each(|event| event.id = EventId(String::new()));
        events
    }

    /// Leaves nothing to the cases that follow.
    async fn clear(&mut self) {
        for app in 0..APPS {
            self.replay(app, None).await;
        }
        let owed = self.owed(&*self.model.store).await;
        let mut erased = Vec::new();
        for world in [&self.model, &self.sqlite] {
            world.settle(owed.iter().map(|event| settled(event, Settlement::Delivered)).collect()).await;
            let then = self.sqlite.clock.now().plus(std::time::Duration::from_secs(24 * 3600));
            erased.push(world.store.erase_audit_copies(then).await);
        }
        assert_eq!(erased[0], erased[1]);
        self.prune(i64::from(i32::MIN)).await;
    }
}

/// Who asks for a message: `one`, its sender, or the admin.
fn door_of(door: u8, one: &str, name: &MessageName) -> Door {
    match door {
        0 => Door::Client { account: user(one) },
        1 | 2 => Door::Client { account: name.from.clone() },
        _ => Door::Admin { account: user(super::actors::ADMIN) },
    }
}

fn app_variant(sdkappid: SdkAppId, variant: u8) -> crate::apps::App {
    let mut app = app(sdkappid);
    let pick = |bit: u8| variant & bit != 0;
    app.lane = if pick(1) { LaneBy::Conversation } else { LaneBy::Account };
    app.recall_window_s = if pick(2) { 1 } else { 120 };
    app.recall_body = if pick(4) { RecallBody::Detail } else { RecallBody::All };
    app.audit_days = u16::from(pick(8));
    app
}

async fn history(store: &dyn Store, query: &HistoryQuery) -> Vec<Message> {
    let mut messages = store.history(query.clone()).await.expect("the store works");
    // A history need not tell it.
    messages.iter_mut().for_each(|message| message.content.hash = 0);
    messages
}

async fn pages(store: &dyn Store, mut query: HistoryQuery) -> Vec<Message> {
    query.messages_max = 3;
    let mut pages: Vec<Message> = Vec::new();
    loop {
        let page = history(store, &query).await;
        let Some(last) = page.last() else {
            return pages;
        };
        query.before = Some(last.key);
        pages.extend(page);
    }
}
