//! The reference model: maps under a lock, and nothing that is hard to see through. It keeps nothing when it ends; the
//! suite compares the other stores with it.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
};

use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::HintSender;
use crate::{
    apps::App,
    chat::{
        Account, Applied, Backlog, Command, Content, Conversation, Direction, EventId, Fault, Found, HistoryQuery,
        Holder, KeptEvent, Lane, Later, Message, MessageFlags, MessageName, Oldest, OwedEvent, Pair, ParkedFilter,
        Place, Pruned, ReadUpTo, Repeat, Rows, Settled, Settlement, Standing, Store, SyncEvent, Tx, What,
    },
    clock::{Clock, Entropy, Timestamp},
};

/// Where an event stands: its app, its lane, its place.
type Stand = (SdkAppId, Lane, i64);

type Conversations<T> = BTreeMap<(SdkAppId, Pair), T>;

/// A store that lives in memory.
#[derive(Debug)]
pub struct Memory {
    state: Mutex<State>,
    clock: Clock,
    entropy: Entropy,
    hints: HintSender,
}

/// Everything that is stored. Two stores that were told the same are equal in this.
#[derive(Debug, Default)]
pub(super) struct State {
    apps: BTreeMap<SdkAppId, Arc<App>>,
    pub(super) accounts: BTreeMap<(SdkAppId, UserId), Account>,
    profiles: BTreeMap<(SdkAppId, UserId), (String, String)>,
    pub(super) conversations: Conversations<Conversation>,
    pub(super) messages: Conversations<BTreeMap<MsgKey, Message>>,
    sync_events: BTreeMap<(SdkAppId, UserId, i64), SyncEvent>,
    /// What was owed, by the row that its name tells, as long as it is kept.
    log: BTreeMap<i64, KeptEvent>,
    event_row: i64,
    outbox: BTreeMap<Stand, OwedEvent>,
    parked: BTreeMap<Stand, (OwedEvent, Timestamp, Arc<str>)>,
    audit_copies: Vec<(MessageName, Content, Timestamp)>,
    closed: bool,
}

impl Memory {
    pub fn new(clock: Clock, entropy: Entropy, hints: HintSender) -> Self {
        Self { state: Mutex::default(), clock, entropy, hints }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the state")
    }

    fn answer<T: Send + 'static>(&self, ask: impl FnOnce(&mut State) -> T) -> Later<'_, T> {
        let answer = ask(&mut self.state());
        Box::pin(std::future::ready(Ok(answer)))
    }
}

impl Store for Memory {
    fn commit(&self, command: Command) -> Later<'_, Applied> {
        let mut state = self.state();
        if state.closed {
            return Box::pin(std::future::ready(Err(Fault::Stopping)));
        }
        let now = self.clock.now();
        let mut tx = MemoryTx { state: &mut state, now, entropy: &self.entropy, owed: Vec::new() };
        let applied = command.apply(&mut tx);
        let owed = tx.owed;
        self.hints.committed(owed);
        Box::pin(std::future::ready(applied))
    }

    fn settle(&self, settled: Vec<Settled>) -> Later<'_, ()> {
        self.answer(|state| settled.into_iter().for_each(|settled| state.settle(settled)))
    }

    fn apps(&self) -> Later<'_, Vec<App>> {
        self.answer(|state| state.apps.values().map(|app| App::clone(app)).collect())
    }

    fn unread(&self, app: SdkAppId, user: UserId) -> Later<'_, Option<i64>> {
        self.answer(|state| state.accounts.get(&(app, user)).map(|account| account.unread))
    }

    fn unread_from(&self, app: SdkAppId, user: UserId, peers: Vec<UserId>) -> Later<'_, Vec<Option<i64>>> {
        self.answer(|state| {
            let count = |peer: UserId| {
                let (pair, direction) = Pair::of(&peer, &user);
                state.accounts.contains_key(&(app, peer)).then(|| {
                    let conversation = state.conversations.get(&(app, pair)).copied();
                    conversation.unwrap_or_default().recipient(direction).unread
                })
            };
            peers.into_iter().map(count).collect()
        })
    }

    fn history(&self, query: HistoryQuery) -> Later<'_, Vec<Message>> {
        self.answer(|state| state.history(&query))
    }

    fn sync_events(
        &self,
        app: SdkAppId,
        user: UserId,
        after: i64,
        events_max: u32,
    ) -> Later<'_, Option<Vec<(i64, SyncEvent)>>> {
        self.answer(|state| {
            let range = (app, user.clone(), after.saturating_add(1))..=(app, user, i64::MAX);
            let events: Vec<_> =
                state.sync_events.range(range).map(|((_, _, number), event)| (*number, event.clone())).collect();
            (events.len() <= events_max as usize).then_some(events)
        })
    }

    fn lanes(&self, after: Option<(SdkAppId, Lane)>, lanes_max: u32) -> Later<'_, Vec<(SdkAppId, Lane)>> {
        self.answer(|state| {
            let mut lanes: Vec<_> = state.outbox.keys().map(|(app, lane, _)| (*app, lane.clone())).collect();
            lanes.dedup();
            lanes.retain(|lane| after.as_ref().is_none_or(|after| lane > after));
            lanes.truncate(lanes_max as usize);
            lanes
        })
    }

    fn lane(&self, app: SdkAppId, lane: Lane, after: i64, events_max: u32) -> Later<'_, Vec<OwedEvent>> {
        self.answer(|state| {
            let range = (app, lane.clone(), after.saturating_add(1))..=(app, lane, i64::MAX);
            state.outbox.range(range).take(events_max as usize).map(|(_, event)| event.clone()).collect()
        })
    }

    fn backlogs(&self) -> Later<'_, BTreeMap<SdkAppId, Backlog>> {
        self.answer(|state| state.backlogs())
    }

    fn oldest(&self, app: SdkAppId, after: Option<Lane>, lanes_max: u32) -> Later<'_, Oldest> {
        self.answer(|state| {
            let of_app = state.outbox.iter().filter(|((of, ..), _)| *of == app);
            let mut heads: Vec<_> = of_app.map(|((_, lane, _), event)| (lane.clone(), event.age_from)).collect();
            heads.dedup_by(|later, earlier| later.0 == earlier.0);
            heads.retain(|(lane, _)| after.as_ref().is_none_or(|after| lane > after));
            let full = heads.len() >= lanes_max as usize;
            heads.truncate(lanes_max as usize);
            let next = heads.last().filter(|_| full).map(|(lane, _)| lane.clone());
            Oldest { since: heads.into_iter().map(|(_, since)| since).min(), next }
        })
    }

    fn parked(
        &self,
        app: SdkAppId,
        filter: ParkedFilter,
        after: Option<(Lane, i64)>,
        events_max: u32,
    ) -> Later<'_, Vec<KeptEvent>> {
        self.answer(|state| state.parked(app, &filter, after.as_ref(), events_max))
    }

    fn event(&self, app: SdkAppId, id: EventId) -> Later<'_, Option<KeptEvent>> {
        self.answer(|state| {
            let kept = state.log.values().find(|kept| kept.app == app && kept.id == id);
            kept.map(|kept| KeptEvent { standing: state.standing(kept), ..kept.clone() })
        })
    }

    fn prune_events(&self, before: Timestamp, _: i64) -> Later<'_, Pruned> {
        self.answer(|state| {
            let old = state.log.values().filter(|kept| kept.created < before);
            let gone: Vec<i64> =
                old.filter(|kept| state.standing(kept) == Standing::Delivered).map(|kept| kept.row).collect();
            gone.iter().for_each(|row| drop(state.log.remove(row)));
            Pruned { erased: gone.len() as u64, next: None }
        })
    }

    fn erase_audit_copies(&self, now: Timestamp) -> Later<'_, u64> {
        self.answer(|state| {
            let before = state.audit_copies.len();
            state.audit_copies.retain(|(_, _, until)| *until > now);
            (before - state.audit_copies.len()) as u64
        })
    }

    fn epoch(&self) -> &'static str {
        "memory"
    }

    fn broken(&self) -> Pin<Box<dyn Future<Output = Fault> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    fn close(&self) -> Later<'_, ()> {
        self.answer(|state| state.closed = true)
    }
}

impl State {
    fn settle(&mut self, settled: Settled) {
        let key = (settled.app, settled.lane, settled.place);
        match settled.to {
            Settlement::Delivered => {
                if let Some(event) = self.outbox.remove(&key)
                    && event.command.holds_text()
                {
                    self.log.retain(|_, kept| kept.id != event.id);
                }
            }
            Settlement::DueAgain { tries, due } => {
                if let Some(event) = self.outbox.get_mut(&key) {
                    (event.tries, event.due) = (tries, due);
                }
            }
            Settlement::Parked { tries, at, reason } => {
                let Some(mut event) = self.outbox.remove(&key) else {
                    return;
                };
                event.tries = tries;
                if !event.replay {
                    self.close_gap(&event);
                }
                self.parked.insert(key, (event, at, reason));
            }
        }
    }

    /// Whoever follows a parked event follows what the parked one followed. Nobody does where the park is settled late,
    /// after something behind it was delivered.
    fn close_gap(&mut self, parked: &OwedEvent) {
        let behind = (parked.app, parked.lane.clone(), parked.place)..=(parked.app, parked.lane.clone(), i64::MAX);
        let mend = |follows: &mut i64| {
            if *follows == parked.number {
                *follows = parked.previous;
            }
        };
        if let Some((_, next)) = self.outbox.range_mut(behind).find(|(_, event)| !event.replay) {
            mend(&mut next.previous);
            return;
        }
        match parked.lane.holder() {
            Holder::Conversation(pair) => {
                if let Some(conversation) = self.conversations.get_mut(&(parked.app, pair)) {
                    mend(&mut conversation.lane.last);
                }
            }
            Holder::Account(user) => {
                if let Some(account) = self.accounts.get_mut(&(parked.app, user)) {
                    mend(&mut account.lane.last);
                }
            }
        }
    }

    fn backlogs(&self) -> BTreeMap<SdkAppId, Backlog> {
        let mut backlogs: BTreeMap<SdkAppId, Backlog> = BTreeMap::new();
        for ((app, ..), event) in &self.outbox {
            let backlog = backlogs.entry(*app).or_default();
            backlog.waiting += 1;
            backlog.waiting_bytes += event.body.len() as u64;
        }
        for (app, ..) in self.parked.keys() {
            backlogs.entry(*app).or_default().parked += 1;
        }
        backlogs
    }

    fn standing(&self, kept: &KeptEvent) -> Standing {
        if let Some(event) = self.outbox.values().find(|event| event.id == kept.id) {
            return Standing::Waiting { place: event.place, tries: event.tries, due: event.due };
        }
        match self.parked.values().find(|(event, ..)| event.id == kept.id) {
            Some((event, at, reason)) => parked_standing(event, *at, reason),
            None => Standing::Delivered,
        }
    }

    fn parked(
        &self,
        app: SdkAppId,
        filter: &ParkedFilter,
        after: Option<&(Lane, i64)>,
        events_max: u32,
    ) -> Vec<KeptEvent> {
        let of_app = self.parked.iter().filter(|((of, ..), _)| *of == app);
        let behind =
            of_app.filter(|((_, lane, place), _)| after.is_none_or(|after| (lane, place) > (&after.0, &after.1)));
        let kept = behind.map(|(_, (event, at, reason))| {
            let kept = self.log.values().find(|kept| kept.id == event.id).expect("what is parked is kept");
            (KeptEvent { standing: parked_standing(event, *at, reason), ..kept.clone() }, *at)
        });
        kept.filter(|(event, at)| filter.covers(event, *at)).map(|(event, _)| event).take(events_max as usize).collect()
    }

    fn history(&self, query: &HistoryQuery) -> Vec<Message> {
        let (pair, _) = Pair::of(&query.operator, &query.peer);
        let Some(messages) = self.messages.get(&(query.app, pair.clone())) else {
            return Vec::new();
        };
        let before = query.before.map(|key| messages.get(&key).map_or(Place::before_key(key), place));
        let mut found: Vec<_> = messages
            .values()
            .filter(|message| (query.min_time_s..=query.max_time_s).contains(&message.key.time))
            .filter(|message| before.is_none_or(|before| place(message) < before))
            .filter(|message| message.is_visible(&pair, &query.operator))
            .cloned()
            .collect();
        found.sort_by_key(|message| std::cmp::Reverse(place(message)));
        found.truncate(query.messages_max as usize);
        found
    }
}

fn parked_standing(event: &OwedEvent, at: Timestamp, reason: &Arc<str>) -> Standing {
    Standing::Parked { place: event.place, attempts: event.tries.attempts, at, reason: Arc::clone(reason) }
}

fn place(message: &Message) -> Place {
    Place { time_s: message.key.time, seq: message.key.seq, position: message.position }
}

struct MemoryTx<'a> {
    state: &'a mut State,
    now: Timestamp,
    entropy: &'a Entropy,
    owed: Vec<OwedEvent>,
}

impl MemoryTx<'_> {
    fn messages(&mut self, app: SdkAppId, pair: &Pair) -> &mut BTreeMap<MsgKey, Message> {
        self.state.messages.entry((app, pair.clone())).or_default()
    }
}

impl Tx for MemoryTx<'_> {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn event_id(&mut self) -> EventId {
        self.state.event_row += 1;
        EventId::new(self.now, self.state.event_row, self.entropy.next_u32())
    }

    fn app(&mut self, app: SdkAppId) -> Result<Option<Arc<App>>, Fault> {
        Ok(self.state.apps.get(&app).cloned())
    }

    fn save_app(&mut self, app: &Arc<App>) -> Result<(), Fault> {
        self.state.apps.insert(app.sdkappid, Arc::clone(app));
        Ok(())
    }

    fn account(&mut self, app: SdkAppId, user: &UserId) -> Result<Option<Account>, Fault> {
        Ok(self.state.accounts.get(&(app, user.clone())).copied())
    }

    fn save_account(&mut self, app: SdkAppId, user: &UserId, account: &Account) -> Result<(), Fault> {
        self.state.accounts.insert((app, user.clone()), *account);
        Ok(())
    }

    fn new_account(&mut self, app: SdkAppId, user: &UserId) -> Result<(), Fault> {
        let serial = self.state.accounts.len() as i64 + 1;
        self.save_account(app, user, &Account { serial, ..Account::default() })
    }

    fn save_profile(
        &mut self,
        app: SdkAppId,
        user: &UserId,
        nick: Option<&str>,
        face_url: Option<&str>,
    ) -> Result<(), Fault> {
        let profile = self.state.profiles.entry((app, user.clone())).or_default();
        profile.0 = nick.map_or_else(|| profile.0.clone(), str::to_owned);
        profile.1 = face_url.map_or_else(|| profile.1.clone(), str::to_owned);
        Ok(())
    }

    fn conversation(&mut self, app: SdkAppId, pair: &Pair) -> Result<Option<Conversation>, Fault> {
        Ok(self.state.conversations.get(&(app, pair.clone())).copied())
    }

    fn save_conversation(&mut self, app: SdkAppId, pair: &Pair, conversation: &Conversation) -> Result<(), Fault> {
        self.state.conversations.insert((app, pair.clone()), *conversation);
        Ok(())
    }

    fn message(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Option<Message>, Fault> {
        Ok(self.messages(app, pair).get(&key).cloned())
    }

    fn repeats(
        &mut self,
        app: SdkAppId,
        pair: &Pair,
        seq: u32,
        random: u32,
        since_s: u32,
    ) -> Result<Vec<Repeat>, Fault> {
        let range = MsgKey { seq, random, time: since_s }..=MsgKey { seq, random, time: u32::MAX };
        let repeat = |message: &Message| Repeat {
            time_s: message.key.time,
            direction: message.direction,
            content_hash: message.content.hash,
        };
        Ok(self.messages(app, pair).range(range).map(|(_, message)| repeat(message)).collect())
    }

    fn insert_message(&mut self, app: SdkAppId, pair: &Pair, message: &Message) -> Result<(), Fault> {
        self.messages(app, pair).insert(message.key, message.clone());
        Ok(())
    }

    fn entomb(&mut self, name: &MessageName, audit_until: Option<Timestamp>) -> Result<(), Fault> {
        let (pair, _) = Pair::of(&name.from, &name.to);
        let message = self.messages(name.app, &pair).get_mut(&name.key).expect("the command has found it before");
        let copy = message.content.clone();
        message.flags = message.flags.with(MessageFlags::RECALLED);
        message.content.body.clear();
        message.content.custom_data.clear();
        if let Some(until) = audit_until {
            self.state.audit_copies.push((name.clone(), copy, until));
        }
        Ok(())
    }

    fn read_up_to(
        &mut self,
        app: SdkAppId,
        pair: &Pair,
        direction: Direction,
        mark: i64,
        time_s: u32,
    ) -> Result<ReadUpTo, Fault> {
        let received = || |message: &&Message| message.direction == direction && message.position > mark;
        let messages = self.messages(app, pair);
        let covered = messages.values().filter(received()).filter(|message| message.key.time <= time_s);
        let position = covered.map(|message| message.position).max().unwrap_or(mark);
        let unread = messages.values().filter(received()).filter(|message| message.is_unread(position));
        Ok(ReadUpTo { position, unread_after: unread.count() as i64 })
    }

    fn add_sync_event(&mut self, app: SdkAppId, user: &UserId, number: i64, event: &SyncEvent) -> Result<(), Fault> {
        self.state.sync_events.insert((app, user.clone(), number), event.clone());
        Ok(())
    }

    fn owe(&mut self, event: OwedEvent) -> Result<(), Fault> {
        let row = event.id.row().expect("this transaction has named it");
        let OwedEvent { id, app, lane, number, command, body, origin, created, .. } = event.clone();
        let standing = Standing::Delivered;
        self.state.log.insert(row, KeptEvent { row, id, app, lane, number, command, body, origin, created, standing });
        self.owe_again(row, event)
    }

    fn backlog(&mut self, app: SdkAppId) -> Result<Backlog, Fault> {
        Ok(self.state.backlogs().get(&app).copied().unwrap_or_default())
    }

    fn kept(&mut self, app: SdkAppId, what: &What, events_max: u32) -> Result<Found, Fault> {
        Ok(match what {
            What::Parked { filter, after, until } => {
                let mut events = self.state.parked(app, filter, after.as_ref(), events_max);
                let full = events.len() >= events_max as usize;
                let last = events.last().and_then(|event| Some((event.lane.clone(), event.parked_place()?)));
                events.retain(|event| event.parked_at() <= *until);
                let again = |last| What::Parked { filter: filter.clone(), after: Some(last), until: *until };
                Found { events, next: last.filter(|_| full).map(again) }
            }
            What::Delivered { since, rows } => {
                let through = self.state.log.last_key_value().map_or(0, |(row, _)| *row);
                let rows = rows.unwrap_or(Rows { after: 0, through });
                let log = self.state.log.range(rows.after + 1..=rows.through.max(rows.after)).map(|(_, kept)| kept);
                let wanted = |kept: &&KeptEvent| {
                    kept.app == app
                        && kept.created >= *since
                        && !kept.command.holds_text()
                        && self.state.standing(kept) == Standing::Delivered
                };
                let events: Vec<_> = log.filter(wanted).take(events_max as usize).cloned().collect();
                let next = events.last().filter(|_| events.len() >= events_max as usize);
                let next =
                    next.map(|last| What::Delivered { since: *since, rows: Some(Rows { after: last.row, ..rows }) });
                Found { events, next }
            }
        })
    }

    fn unpark(&mut self, app: SdkAppId, lane: &Lane, place: i64) -> Result<(), Fault> {
        self.state.parked.remove(&(app, lane.clone(), place));
        Ok(())
    }

    fn owe_again(&mut self, _: i64, event: OwedEvent) -> Result<(), Fault> {
        self.owed.push(event.clone());
        self.state.outbox.insert((event.app, event.lane.clone(), event.place), event);
        Ok(())
    }
}
