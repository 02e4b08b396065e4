//! The reference model: maps under a lock, and nothing that is hard to see through. It keeps nothing when it ends; the
//! suite compares the other stores with it.

#[cfg(test)]
mod again;
mod tx;
mod view;

use std::{
    collections::BTreeMap,
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
};

use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use self::tx::MemoryTx;
use super::HintSender;
use crate::{
    apps::App,
    chat::{
        self, Account, Applied, AuditEntry, AuditFilter, AuditPage, Backlog, Command, Content, Conversation,
        ConversationsView, CopyProgress, EventId, Fault, HistoryQuery, Holder, KeptEvent, Lane, LaneHead, Later,
        Message, MessageName, Oldest, OwedEvent, Pair, ParkedFilter, ParkedPiece, Person, Place, Prunable, Pruned,
        Recent, Session, SessionKey, Settled, Settlement, Side, Standing, Store, SyncEvent, Token, Updates,
        UpdatesQuery, View,
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
    /// Whose blocklist, who is on it, and since which second.
    blocked: BTreeMap<(SdkAppId, UserId, UserId), u32>,
    pub(super) conversations: Conversations<Conversation>,
    pub(super) messages: Conversations<BTreeMap<MsgKey, Message>>,
    sessions: BTreeMap<SessionKey, Session>,
    sync_events: BTreeMap<(SdkAppId, UserId, i64), SyncEvent>,
    /// What was owed, by the row that its name tells, as long as it is kept.
    log: BTreeMap<i64, KeptEvent>,
    event_row: i64,
    outbox: BTreeMap<Stand, OwedEvent>,
    parked: BTreeMap<Stand, (OwedEvent, Timestamp, Arc<str>)>,
    tokens: Vec<Token>,
    audit: Vec<AuditEntry>,
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
        let mut tx = MemoryTx::new(&mut state, now, &self.entropy);
        let applied = command.apply(&mut tx);
        let (owed, heard) = (tx.owed, tx.heard);
        self.hints.heard(&heard);
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
        self.answer(|state| state.live(app, &user).map(|account| account.unread))
    }

    fn unread_from(&self, app: SdkAppId, user: UserId, peers: Vec<UserId>) -> Later<'_, Vec<Option<i64>>> {
        self.answer(|state| {
            let count = |peer: UserId| {
                let (pair, _) = Pair::of(&peer, &user);
                state.live(app, &peer).map(|_| state.side(app, &pair, &user).unread)
            };
            peers.into_iter().map(count).collect()
        })
    }

    fn exist(&self, app: SdkAppId, users: Vec<UserId>) -> Later<'_, Vec<bool>> {
        self.answer(|state| users.iter().map(|user| state.live(app, user).is_some()).collect())
    }

    fn recent(&self, app: SdkAppId, user: UserId) -> Later<'_, Option<Vec<Recent>>> {
        self.answer(|state| {
            state.live(app, &user)?;
            let pairs = state.conversations.keys().filter(|(of, pair)| *of == app && pair.has(&user));
            let recent = pairs.map(|(_, pair)| {
                let peer = if pair.low == user { pair.high.clone() } else { pair.low.clone() };
                Recent { peer, last_time_s: state.side(app, pair, &user).last_time_s }
            });
            Some(recent.filter(|recent| recent.last_time_s > 0).collect())
        })
    }

    fn blocklist(&self, app: SdkAppId, user: UserId) -> Later<'_, Vec<(UserId, u32)>> {
        self.answer(|state| state.blocklist(app, &user))
    }

    fn blocks(&self, app: SdkAppId, user: UserId, others: Vec<UserId>) -> Later<'_, Vec<(bool, bool)>> {
        self.answer(|state| {
            let blocks = |one: &UserId, other: &UserId| state.blocked.contains_key(&(app, one.clone(), other.clone()));
            others.iter().map(|other| (blocks(&user, other), blocks(other, &user))).collect()
        })
    }

    fn prunable(
        &self,
        app: SdkAppId,
        after: Option<Pair>,
        before_s: u32,
        conversations_max: u32,
    ) -> Later<'_, Prunable> {
        self.answer(|state| {
            let pairs = state.conversations.keys().filter(|(of, _)| *of == app).map(|(_, pair)| pair);
            let behind = pairs.filter(|pair| after.as_ref().is_none_or(|after| *pair > after));
            let looked_at: Vec<_> = behind.take(conversations_max as usize).cloned().collect();
            let next = looked_at.last().filter(|_| looked_at.len() == conversations_max as usize).cloned();
            let pairs = looked_at.into_iter().filter(|pair| {
                let cleared = |user| state.side(app, pair, user).cleared_position;
                let cleared = cleared(&pair.low).min(cleared(&pair.high));
                let messages = state.messages.get(&(app, pair.clone()));
                let mut messages = messages.into_iter().flat_map(BTreeMap::values);
                messages.any(|message| message.key.time < before_s || message.position <= cleared)
            });
            Prunable { pairs: pairs.collect(), next }
        })
    }

    fn updates(&self, query: UpdatesQuery) -> Later<'_, Option<Updates>> {
        Box::pin(std::future::ready(chat::updates(&mut *self.state(), &query)))
    }

    fn conversations(&self, app: SdkAppId, user: UserId, peers: Vec<UserId>) -> Later<'_, Option<ConversationsView>> {
        Box::pin(std::future::ready(chat::conversations(&mut *self.state(), app, &user, &peers)))
    }

    fn people(&self, app: SdkAppId, users: Vec<UserId>) -> Later<'_, Vec<Option<Person>>> {
        self.answer(|state| users.iter().map(|user| state.known(app, user)).collect())
    }

    fn sessions(&self, app: SdkAppId, users: Vec<UserId>) -> Later<'_, Vec<Vec<Session>>> {
        self.answer(|state| users.iter().map(|user| state.sessions(app, user)).collect())
    }

    fn all_sessions(&self, after: Option<SessionKey>, sessions_max: u32) -> Later<'_, Vec<(SessionKey, Session)>> {
        self.answer(|state| {
            let behind = state.sessions.iter().filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
            behind.take(sessions_max as usize).map(|(key, session)| (key.clone(), session.clone())).collect()
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
        Box::pin(std::future::ready(View::sync_events(&mut *self.state(), app, &user, after, events_max)))
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

    fn lane_heads(&self, app: SdkAppId, after: Option<Lane>, lanes_max: u32) -> Later<'_, Vec<LaneHead>> {
        self.answer(|state| {
            let mut heads: Vec<LaneHead> = Vec::new();
            for event in state.outbox.values().filter(|event| event.app == app) {
                match heads.last_mut() {
                    Some(last) if last.head.lane == event.lane => last.waiting += 1,
                    _ => heads.push(LaneHead { waiting: 1, head: event.clone() }),
                }
            }
            heads.retain(|head| after.as_ref().is_none_or(|after| head.head.lane > *after));
            heads.truncate(lanes_max as usize);
            heads
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
    ) -> Later<'_, ParkedPiece> {
        self.answer(|state| state.parked(app, &filter, after.as_ref(), events_max))
    }

    fn event(&self, app: SdkAppId, id: EventId) -> Later<'_, Option<KeptEvent>> {
        self.answer(|state| {
            let kept = state.log.values().find(|kept| kept.app == app && kept.id == id);
            kept.map(|kept| KeptEvent { standing: state.standing(kept), ..kept.clone() })
        })
    }

    fn tokens(&self) -> Later<'_, Vec<Token>> {
        self.answer(|state| state.tokens.clone())
    }

    fn audit(&self, filter: AuditFilter) -> Later<'_, AuditPage> {
        self.answer(|state| {
            let latest = state.audit.iter().rev();
            let behind = latest.filter(|entry| filter.before.is_none_or(|before| entry.id < before));
            let entries: Vec<_> =
                behind.filter(|entry| filter.covers(entry)).take(filter.entries_max as usize).cloned().collect();
            let full = entries.len() >= filter.entries_max as usize;
            AuditPage { next: entries.last().filter(|_| full).map(|entry| entry.id), entries }
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

    fn backup(&self, _: PathBuf, _: Arc<CopyProgress>) -> Later<'_, u64> {
        Box::pin(std::future::ready(Err(Fault::Failed("a store in memory keeps nothing".into()))))
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
    fn live(&self, app: SdkAppId, user: &UserId) -> Option<&Account> {
        self.accounts.get(&(app, user.clone())).filter(|account| !account.deleted)
    }

    /// A conversation as the present life of one of its accounts sees it.
    fn side(&self, app: SdkAppId, pair: &Pair, user: &UserId) -> Side {
        let conversation = self.conversations.get(&(app, pair.clone())).copied().unwrap_or_default();
        let life = self.accounts.get(&(app, user.clone())).map_or(0, |account| account.life);
        let side = *conversation.side(pair, user);
        if side.life == life { side } else { Side::of_life(life, conversation.position) }
    }

    fn known(&self, app: SdkAppId, user: &UserId) -> Option<Person> {
        let account = *self.accounts.get(&(app, user.clone()))?;
        let (nick, face_url) = self.profiles.get(&(app, user.clone())).cloned().unwrap_or_default();
        Some(Person { account, nick, face_url })
    }

    /// The sessions of an account, the one that logged in first first.
    fn sessions(&self, app: SdkAppId, user: &UserId) -> Vec<Session> {
        let of_user = self.sessions.iter().filter(|((of, who, _), _)| (*of, who) == (app, user));
        let mut sessions: Vec<_> = of_user.map(|(_, session)| session.clone()).collect();
        sessions.sort_by(|one, other| (one.since, &one.id).cmp(&(other.since, &other.id)));
        sessions
    }

    fn blocklist(&self, app: SdkAppId, user: &UserId) -> Vec<(UserId, u32)> {
        let of_user = self.blocked.iter().filter(|((of, who, _), _)| (*of, who) == (app, user));
        of_user.map(|((_, _, other), since)| (other.clone(), *since)).collect()
    }

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

    /// Rows that are erased with an app.
    fn rows_of_app(&self, app: SdkAppId) -> u64 {
        let accounts = self.accounts.keys().filter(|(of, _)| *of == app).count();
        let others = self.outbox.keys().chain(self.parked.keys()).filter(|(of, ..)| *of == app).count();
        (accounts + others) as u64
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
    ) -> ParkedPiece {
        let of_app = self.parked.iter().filter(|((of, ..), _)| *of == app);
        let behind =
            of_app.filter(|((_, lane, place), _)| after.is_none_or(|after| (lane, place) > (&after.0, &after.1)));
        let kept = behind.map(|(_, (event, at, reason))| {
            let kept = self.log.values().find(|kept| kept.id == event.id).expect("what is parked is kept");
            (KeptEvent { standing: parked_standing(event, *at, reason), ..kept.clone() }, *at)
        });
        let covered = kept.filter(|(event, at)| filter.covers(event, *at)).map(|(event, _)| event);
        let events: Vec<_> = covered.take(events_max as usize).collect();
        let last = events.last().filter(|_| events.len() >= events_max as usize);
        let next = last.and_then(|event| Some((event.lane.clone(), event.parked_place()?)));
        ParkedPiece { events, next }
    }

    fn history(&self, query: &HistoryQuery) -> Vec<Message> {
        let (pair, _) = Pair::of(&query.operator, &query.peer);
        let (Some(messages), Some(_)) =
            (self.messages.get(&(query.app, pair.clone())), self.live(query.app, &query.operator))
        else {
            return Vec::new();
        };
        let cleared = self.side(query.app, &pair, &query.operator).cleared_position;
        let before = query.before.map(|key| messages.get(&key).map_or(Place::before_key(key), place));
        let mut found: Vec<_> = messages
            .values()
            .filter(|message| (query.min_time_s..=query.max_time_s).contains(&message.key.time))
            .filter(|message| before.is_none_or(|before| place(message) < before))
            .filter(|message| message.is_visible(&pair, &query.operator, cleared))
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
