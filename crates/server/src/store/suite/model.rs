//! The model test: random commands mean the same to a durable store as to the reference model, and to both what the rules
//! say.
//!
//! The commands of a step go to the durable store all at once, so that they share transactions, and to the model one by one. A
//! third opinion comes from [`Ledger`], which knows nothing but a list of what was said. After every step totals,
//! counts, outbox and history are compared. `UNSAID_TEST_FULL=1` runs many more cases.

use std::{cell::RefCell, env, sync::Arc};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use unsaid_protocol::SdkAppId;

use super::{
    Kind, World,
    actors::{all_of, app, settled, user},
    all, block_on,
    ledger::Ledger,
    ops::{APPS, Around, IMPORTED, NAMES, Op, Step, step},
    postgres_only::migrate::moved,
    said::Seen,
};
use crate::{
    chat::{
        Applied, Command, ConversationsView, Done, EventId, HistoryQuery, Import, Lane, Message, OwedEvent,
        ParkedFilter, Replay, Settlement, Store, Tries, Updates, UpdatesQuery, What,
    },
    clock::Timestamp,
};

#[test]
fn i1_random_commands_mean_the_same_to_sqlite() {
    check(Kind::Sqlite);
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn i1_random_commands_mean_the_same_to_postgres() {
    check(Kind::Postgres);
}

/// Each case has a store of its own, which moves in the middle.
#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn c3_random_commands_mean_the_same_to_a_store_that_moves_to_postgres() {
    let steps = || prop::collection::vec(step(), 1..14);
    let outcome = runner(20, 300).run(&(steps(), steps()), |(before, after)| {
        block_on(async {
            let mut twins = Twins::new(Kind::Sqlite);
            twins.begin().await;
            twins.go(&before).await;
            twins.durable = moved(twins.durable).await;
            twins.compare().await;
            twins.compare_histories().await;
            twins.compare_views().await;
            twins.go(&after).await;
            twins.compare_histories().await;
            twins.compare_views().await;
        });
        Ok(())
    });
    if let Err(why) = outcome {
        panic!("{why}");
    }
}

fn runner(cases: u32, cases_of_full: u32) -> TestRunner {
    let full = env::var_os("UNSAID_TEST_FULL").is_some_and(|value| value == "1");
    TestRunner::new(Config { cases: if full { cases_of_full } else { cases }, ..Config::default() })
}

fn check(kind: Kind) {
    let mut runner = runner(200, 1500);
    let twins = RefCell::new(Twins::new(kind));
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
    durable: World,
    first_app: u32,
    ledger: Ledger,
}

impl Twins {
    fn new(kind: Kind) -> Self {
        let durable = World::new(kind);
        let mut model = World::new(Kind::Memory);
        // They share one clock.
        let (store, hints) = super::open(None, None, &durable.clock, &durable.entropy);
        (model.store, model.hints, model.clock) = (store, hints, durable.clock.clone());
        Self { model, durable, first_app: 1, ledger: Ledger::default() }
    }

    async fn case(&mut self, steps: &[Step]) {
        self.begin().await;
        self.go(steps).await;
        self.compare_histories().await;
        self.compare_views().await;
        self.clear().await;
    }

    async fn begin(&mut self) {
        self.first_app += APPS as u32;
        self.ledger = Ledger::default();
        let mut prepare = Vec::new();
        for index in 0..APPS {
            prepare.push(Command::SaveApp(Arc::new(app(self.app(index)))));
            prepare.extend(NAMES[..IMPORTED].iter().map(|name| self.import(index, name)));
        }
        self.tell(prepare).await;
    }

    async fn go(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Commands(ops) => self.commands(ops).await,
                Step::Shift(by_ms) => self.durable.clock.shift(*by_ms),
                Step::Settle { event, verdict } => self.settle(event, *verdict).await,
                Step::Replay { app, delivered } => self.replay(*app, *delivered).await,
                Step::Prune { ago_ms } => self.prune(*ago_ms).await,
                Step::Reopen => self.durable.reopen().await,
            }
            self.compare().await;
        }
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
            self.ledger.note(&command, &Ok(Done::Nothing), self.durable.clock.now());
            assert_eq!(self.model.done(command.clone()).await, Ok(Done::Nothing));
            assert_eq!(self.durable.done(command).await, Ok(Done::Nothing));
        }
    }

    /// To the model one by one, since what a later one names an earlier one may send; then to the other one all at once.
    async fn commands(&mut self, ops: &[Op]) {
        let now = self.durable.clock.now();
        let (mut commands, mut expected) = (Vec::new(), Vec::new());
        for op in ops {
            let around = Around { app: self.app(op.app), now_s: now.seconds(), ledger: &self.ledger };
            let Some(command) = op.command(&around) else {
                continue;
            };
            let applied = self.model.store.commit(command.clone()).await.expect("the model works");
            self.ledger.note(&command, &applied, now);
            commands.push(command);
            expected.push(applied);
        }
        let answers = all(commands.iter().map(|command| self.durable.store.commit(command.clone())).collect()).await;
        let answers: Vec<Applied> = answers.into_iter().map(|answer| answer.expect("the store works")).collect();
        assert_eq!(answers, expected, "{commands:?}");
    }

    async fn settle(&self, event: &prop::sample::Index, verdict: u8) {
        let owed = self.owed(&*self.model.store).await;
        if owed.is_empty() {
            return;
        }
        let event = event.get(&owed);
        let (tries, now) = (
            Tries { attempts: event.tries.attempts + 1, refusals: 1, unavailable_since: None },
            self.durable.clock.now(),
        );
        let to = match verdict {
            0 => Settlement::DueAgain { tries, due: now.plus(std::time::Duration::from_secs(1)) },
            1 => Settlement::Parked { tries, at: now, reason: "refused".into() },
            _ => Settlement::Delivered,
        };
        for world in [&self.model, &self.durable] {
            world.settle(vec![settled(event, to.clone())]).await;
        }
    }

    async fn replay(&mut self, app: usize, delivered: Option<i64>) {
        let now = self.durable.clock.now();
        let what = match delivered {
            Some(ago_ms) => What::Delivered { since: Timestamp(now.0 - ago_ms), rows: None },
            None => What::Parked { filter: ParkedFilter::default(), after: None },
        };
        let replay = Command::Replay(Replay { app: self.app(app), what });
        let applied = self.model.store.commit(replay.clone()).await;
        assert_eq!(self.durable.store.commit(replay).await, applied);
    }

    async fn prune(&self, ago_ms: i64) {
        let before = Timestamp(self.durable.clock.now().0 - ago_ms);
        for world in [&self.model, &self.durable] {
            let mut after = Some(0);
            while let Some(row) = after {
                after = world.store.prune_events(before, row).await.expect("the store works").next;
            }
        }
    }

    async fn compare(&self) {
        let owed = self.owed(&*self.model.store).await;
        assert_eq!(self.owed(&*self.durable.store).await, owed);
        assert_eq!(self.durable.backlog().await, self.model.backlog().await);
        let waiting_bytes = owed.iter().map(|event| event.body.len() as u64).sum::<u64>();
        assert_eq!(self.durable.backlog().await.waiting_bytes, waiting_bytes);
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
        for world in [&self.model, &self.durable] {
            let total = world.store.unread(sdkappid, user(name)).await.expect("the store works");
            let known = self.ledger.is_there(sdkappid, &user(name));
            assert_eq!(total, known.then(|| counted.iter().sum()), "{name}");
            let from = world.store.unread_from(sdkappid, user(name), peers.clone()).await.expect("the store works");
            let expect = NAMES
                .iter()
                .zip(counted)
                .map(|(peer, count)| self.ledger.is_there(sdkappid, &user(peer)).then_some(count));
            assert_eq!(from, expect.collect::<Vec<_>>(), "{name}");
            let recent = world.store.recent(sdkappid, user(name)).await.expect("the store works");
            let mut recent = recent.map(|recent| recent.into_iter().map(|one| (one.peer, one.last_time_s)).collect());
            recent.iter_mut().for_each(|recent: &mut Vec<_>| recent.sort());
            assert_eq!(recent, known.then(|| self.ledger.recent(sdkappid, &user(name))), "{name}");
            let sessions = world.store.sessions(sdkappid, vec![user(name)]).await.expect("the store works");
            assert_eq!(sessions, self.model.store.sessions(sdkappid, vec![user(name)]).await.expect("the model works"));
            let blocks = world.store.blocks(sdkappid, user(name), peers.clone()).await.expect("the store works");
            let is_blocked = |one: &str, other: &str| self.ledger.blocked.contains(&(sdkappid, user(one), user(other)));
            assert_eq!(blocks, NAMES.map(|peer| (is_blocked(name, peer), is_blocked(peer, name))), "{name}");
        }
    }

    async fn compare_histories(&self) {
        for index in 0..APPS {
            for operator in NAMES {
                for peer in NAMES {
                    let query = HistoryQuery { app: self.app(index), ..all_of(operator, peer) };
                    let expect = self.ledger.history(&query);
                    for world in [&self.model, &self.durable] {
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

    /// What devices are shown: of both stores the same, and what the ledger counts out.
    async fn compare_views(&self) {
        for (app, name) in (0..APPS).flat_map(|index| NAMES.map(|name| (self.app(index), name))) {
            let person = self.model.store.people(app, vec![user(name)]).await.expect("the model works").remove(0);
            let life = person.map_or(0, |person| person.account.life);
            let (reader, bytes_max) = (user(name), usize::MAX);
            let query = UpdatesQuery { app, user: reader, life, after: 0, events_max: 10_000, bytes_max };
            let peers: Vec<_> = NAMES.map(user).into();
            let mut views = Vec::new();
            for world in [&self.model, &self.durable] {
                let updates = world.store.updates(query.clone()).await.expect("the store works");
                let view = world.store.conversations(app, user(name), peers.clone()).await.expect("the store works");
                views.push((updates.map(without_hashes), view.map(forget_hashes)));
            }
            assert_eq!(views[0], views[1], "{name}");
            let Some(view) = &views[0].1 else {
                assert!(!self.ledger.is_there(app, &user(name)));
                continue;
            };
            for conversation in &view.conversations {
                let peer = &conversation.peer;
                assert_eq!(conversation.unread, self.ledger.unread(app, peer, name), "{name} of {peer}");
                let last = conversation.last.as_ref().map(|last| last.message.key);
                assert_eq!(last, self.ledger.last(app, &user(name), peer), "{name} of {peer}");
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
        for world in [&self.model, &self.durable] {
            world.settle(owed.iter().map(|event| settled(event, Settlement::Delivered)).collect()).await;
            let then = self.durable.clock.now().plus(std::time::Duration::from_secs(24 * 3600));
            erased.push(world.store.erase_audit_copies(then).await);
        }
        assert_eq!(erased[0], erased[1]);
        self.prune(i64::from(i32::MIN)).await;
    }
}

/// What is shown need not tell the hash of a content.
fn without_hashes(mut updates: Updates) -> Updates {
    let shown = updates.events.iter_mut().filter_map(|update| update.message.as_mut());
    shown.for_each(|shown| shown.message.content.hash = 0);
    let last = updates.conversations.iter_mut().filter_map(|conversation| conversation.last.as_mut());
    last.for_each(|shown| shown.message.content.hash = 0);
    updates
}

fn forget_hashes(mut view: ConversationsView) -> ConversationsView {
    let last = view.conversations.iter_mut().filter_map(|conversation| conversation.last.as_mut());
    last.for_each(|shown| shown.message.content.hash = 0);
    view
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
