//! What a command sees of the reference model.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use unsaid_protocol::{MsgKey, SdkAppId, UserId, callback::CallbackCommand};

use super::State;
use crate::{
    apps::App,
    chat::{
        Account, AuditEntry, Backlog, Content, Conversation, Direction, EventId, Fault, Found, KeptEvent, Lane,
        Message, MessageFlags, MessageName, Note, OwedEvent, Pair, ParkedPiece, ReadUpTo, Repeat, Rows, Session,
        SessionId, Standing, SyncEvent, Token, Tx, What,
    },
    clock::{Entropy, Timestamp},
};

pub(super) struct MemoryTx<'a> {
    state: &'a mut State,
    now: Timestamp,
    entropy: &'a Entropy,
    pub(super) owed: Vec<OwedEvent>,
    pub(super) heard: Vec<(SdkAppId, UserId)>,
}

impl<'a> MemoryTx<'a> {
    pub(super) fn new(state: &'a mut State, now: Timestamp, entropy: &'a Entropy) -> Self {
        Self { state, now, entropy, owed: Vec::new(), heard: Vec::new() }
    }

    fn messages(&mut self, app: SdkAppId, pair: &Pair) -> &mut BTreeMap<MsgKey, Message> {
        self.state.messages.entry((app, pair.clone())).or_default()
    }
}

impl Tx for MemoryTx<'_> {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn event_id(&mut self) -> Result<EventId, Fault> {
        self.state.event_row += 1;
        Ok(EventId::new(self.now, self.state.event_row, self.entropy.next_u32()))
    }

    fn app(&mut self, app: SdkAppId) -> Result<Option<Arc<App>>, Fault> {
        Ok(self.state.apps.get(&app).cloned())
    }

    fn save_app(&mut self, app: &Arc<App>) -> Result<(), Fault> {
        self.state.apps.insert(app.sdkappid, Arc::clone(app));
        Ok(())
    }

    /// All at once.
    fn erase_of_app(&mut self, app: SdkAppId, _: u32) -> Result<u64, Fault> {
        let state = &mut *self.state;
        let events = state.outbox.iter();
        let parked = state.parked.iter().map(|(stand, (event, ..))| (stand, event));
        let gone: Vec<EventId> =
            events.chain(parked).filter(|(stand, _)| stand.0 == app).map(|(_, event)| event.id.clone()).collect();
        state.log.retain(|_, kept| !gone.contains(&kept.id));
        let before = state.rows_of_app(app);
        state.outbox.retain(|(of, ..), _| *of != app);
        state.parked.retain(|(of, ..), _| *of != app);
        state.sessions.retain(|(of, ..), _| *of != app);
        state.blocked.retain(|(of, ..), _| *of != app);
        state.messages.retain(|(of, _), _| *of != app);
        state.conversations.retain(|(of, _), _| *of != app);
        state.audit_copies.retain(|(name, ..)| name.app != app);
        state.sync_events.retain(|(of, ..), _| *of != app);
        state.profiles.retain(|(of, _), _| *of != app);
        state.accounts.retain(|(of, _), _| *of != app);
        Ok(before)
    }

    fn remove_app(&mut self, app: SdkAppId) -> Result<(), Fault> {
        self.state.apps.remove(&app);
        Ok(())
    }

    fn add_note(&mut self, note: &Note) -> Result<(), Fault> {
        let Note { actor, client_ip, action, app, what } = note.clone();
        let id = self.state.audit.last().map_or(1, |entry| entry.id + 1);
        let (client_ip, action) = (client_ip.to_string(), action.to_owned());
        self.state.audit.push(AuditEntry { id, at: self.now, actor, client_ip, action, app, what });
        Ok(())
    }

    fn erase_notes(&mut self, before: Timestamp) -> Result<u64, Fault> {
        let count = self.state.audit.len();
        self.state.audit.retain(|entry| entry.at >= before);
        Ok((count - self.state.audit.len()) as u64)
    }

    fn save_token(&mut self, token: &Token) -> Result<(), Fault> {
        self.state.tokens.push(token.clone());
        self.state.tokens.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        Ok(())
    }

    fn remove_token(&mut self, id: &str) -> Result<(), Fault> {
        self.state.tokens.retain(|token| token.id != id);
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

    fn is_blocked(&mut self, app: SdkAppId, user: &UserId, other: &UserId) -> Result<bool, Fault> {
        Ok(self.state.blocked.contains_key(&(app, user.clone(), other.clone())))
    }

    fn count_blocked(&mut self, app: SdkAppId, user: &UserId) -> Result<u32, Fault> {
        Ok(u32::try_from(self.state.blocklist(app, user).len()).expect("few"))
    }

    fn block(&mut self, app: SdkAppId, user: &UserId, other: &UserId) -> Result<(), Fault> {
        self.state.blocked.insert((app, user.clone(), other.clone()), self.now.seconds());
        Ok(())
    }

    fn unblock(&mut self, app: SdkAppId, user: &UserId, other: &UserId) -> Result<(), Fault> {
        self.state.blocked.remove(&(app, user.clone(), other.clone()));
        Ok(())
    }

    fn unblock_all(&mut self, app: SdkAppId, user: &UserId) -> Result<(), Fault> {
        self.state.blocked.retain(|(of, who, _), _| (*of, who) != (app, user));
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

    fn content(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Content, Fault> {
        Ok(self.messages(app, pair)[&key].content.clone())
    }

    fn replace_content(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey, content: &Content) -> Result<(), Fault> {
        let message = self.messages(app, pair).get_mut(&key).expect("the command has found it before");
        message.content = Content { hash: message.content.hash, ..content.clone() };
        Ok(())
    }

    fn add_flags(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey, flags: MessageFlags) -> Result<(), Fault> {
        let message = self.messages(app, pair).get_mut(&key).expect("the command has found it before");
        message.flags = message.flags.with(flags);
        Ok(())
    }

    fn unread_conversations(&mut self, app: SdkAppId, user: &UserId) -> Result<Vec<Pair>, Fault> {
        let of_app = self.state.conversations.iter().filter(|((of, _), _)| *of == app);
        let unread = of_app.filter(|((_, pair), conversation)| {
            (pair.low == *user && conversation.low.unread > 0) || (pair.high == *user && conversation.high.unread > 0)
        });
        Ok(unread.map(|((_, pair), _)| pair.clone()).collect())
    }

    fn insert_message(&mut self, app: SdkAppId, pair: &Pair, message: &Message) -> Result<(), Fault> {
        self.messages(app, pair).insert(message.key, message.clone());
        Ok(())
    }

    fn entomb(&mut self, name: &MessageName, by: &UserId, audit_until: Option<Timestamp>) -> Result<(), Fault> {
        let (pair, _) = Pair::of(&name.from, &name.to);
        let message = self.messages(name.app, &pair).get_mut(&name.key).expect("the command has found it before");
        let copy = message.content.clone();
        message.flags = message.flags.with(MessageFlags::RECALLED);
        message.recalled_by = Some(by.clone());
        message.content.body.clear();
        message.content.custom_data.clear();
        message.content.push_info.clear();
        if let Some(until) = audit_until {
            self.state.audit_copies.push((name.clone(), copy, until));
        }
        Ok(())
    }

    fn erase_messages(
        &mut self,
        app: SdkAppId,
        pair: &Pair,
        before_s: u32,
        up_to_position: i64,
        messages_max: u32,
    ) -> Result<Vec<Message>, Fault> {
        let messages = self.messages(app, pair);
        let mut old: Vec<_> = messages.values().filter(|message| message.key.time < before_s).cloned().collect();
        old.sort_by_key(|message| (message.key.time, message.key.seq, message.position));
        let mut cleared: Vec<_> =
            messages.values().filter(|message| message.position <= up_to_position).cloned().collect();
        cleared.sort_by_key(|message| message.position);
        old.truncate(messages_max as usize);
        cleared.truncate((messages_max as usize) - old.len());
        let erased: BTreeMap<i64, Message> =
            old.into_iter().chain(cleared).map(|message| (message.position, message)).collect();
        erased.values().for_each(|message| drop(messages.remove(&message.key)));
        Ok(erased.into_values().collect())
    }

    fn erase_message(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<(), Fault> {
        self.messages(app, pair).remove(&key);
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
        let covers = |message: &&Message| message.key.time <= time_s && !message.flags.contains(MessageFlags::HISTORY);
        let covered = messages.values().filter(received()).filter(covers);
        let position = covered.map(|message| message.position).max().unwrap_or(mark);
        let unread = messages.values().filter(received()).filter(|message| message.is_unread(position));
        Ok(ReadUpTo { position, unread_after: unread.count() as i64 })
    }

    fn sessions(&mut self, app: SdkAppId, user: &UserId) -> Result<Vec<Session>, Fault> {
        Ok(self.state.sessions(app, user))
    }

    fn save_session(&mut self, app: SdkAppId, user: &UserId, session: &Session) -> Result<(), Fault> {
        self.state.sessions.insert((app, user.clone(), session.id.clone()), session.clone());
        Ok(())
    }

    fn remove_session(&mut self, app: SdkAppId, user: &UserId, session: &SessionId) -> Result<(), Fault> {
        self.state.sessions.remove(&(app, user.clone(), session.clone()));
        Ok(())
    }

    fn add_sync_event(&mut self, app: SdkAppId, user: &UserId, number: i64, event: &SyncEvent) -> Result<(), Fault> {
        self.state.sync_events.insert((app, user.clone(), number), event.clone());
        self.heard.push((app, user.clone()));
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
            What::Parked { filter, after } => {
                let ParkedPiece { events, next } = self.state.parked(app, filter, after.as_ref(), events_max);
                Found { events, next: next.map(|last| What::Parked { filter: filter.clone(), after: Some(last) }) }
            }
            What::Delivered { since, rows } => {
                let through = self.state.log.last_key_value().map_or(0, |(row, _)| *row);
                let rows = rows.unwrap_or(Rows { after: 0, through });
                let range = (Bound::Excluded(rows.after), Bound::Included(rows.through.max(rows.after)));
                let log = self.state.log.range(range).map(|(_, kept)| kept);
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

    fn forget_event(&mut self, row: i64) -> Result<(), Fault> {
        self.state.log.remove(&row);
        Ok(())
    }

    fn disown(&mut self, app: SdkAppId, lane: &Lane, command: CallbackCommand) -> Result<(), Fault> {
        let of_lane = |stand: &(SdkAppId, Lane, i64)| stand.0 == app && stand.1 == *lane;
        let waiting = self.state.outbox.iter().filter(|(stand, event)| of_lane(stand) && event.command == command);
        let gone: Vec<_> = waiting.map(|(stand, _)| stand.clone()).collect();
        for stand in gone {
            let event = self.state.outbox.remove(&stand).expect("it was found just now");
            self.state.log.retain(|_, kept| kept.id != event.id);
            if !event.replay {
                self.state.close_gap(&event);
            }
        }
        Ok(())
    }

    fn owe_again(&mut self, _: i64, event: OwedEvent) -> Result<(), Fault> {
        self.owed.push(event.clone());
        self.state.outbox.insert((event.app, event.lane.clone(), event.place), event);
        Ok(())
    }
}
