//! One transaction: the rows that its commands share, and [`Tx`] over them.
//!
//! The rows of accounts and conversations are read once and written once for a batch, however many of its commands
//! touch them.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use rusqlite::params;
use unsaid_protocol::{MsgKey, SdkAppId, UserId, callback::CallbackCommand};

use super::{
    contacts, erase, fault,
    known::{Committed, Known, Row},
    messages, operators, outbox,
    prepared::Prepared,
    query,
    row::Sql,
    sessions,
    statements::{self, AccountRow},
};
use crate::{
    apps::App,
    chat::{
        Account, Backlog, Content, Conversation, Direction, EventId, Fault, Found, Holder, Lane, Message, MessageFlags,
        MessageName, Note, OwedEvent, Pair, ReadUpTo, Repeat, Session, SessionId, SyncEvent, Token, Tx, What,
    },
    clock::{Entropy, Timestamp},
};

/// A transaction that has begun.
pub(super) struct Batch<'a, 'c> {
    prepared: &'a Prepared<'c>,
    known: &'a Known,
    now: Timestamp,
    entropy: &'a Entropy,
    /// In the order of their keys, so that rows which stand beside each other are written one after the other.
    accounts: BTreeMap<(SdkAppId, UserId), Row<AccountRow>>,
    conversations: BTreeMap<(SdkAppId, Pair), Row<Conversation>>,
    apps: Vec<Arc<App>>,
    removed_apps: Vec<SdkAppId>,
    /// Rows were erased that it did not hold, so what was known of others before it counts no more.
    erased: bool,
    serial: i64,
    event_row: i64,
    /// Of the apps whose outbox has changed.
    backlogs: BTreeMap<SdkAppId, Backlog>,
    owed: Vec<OwedEvent>,
    /// Whose devices have something to learn.
    heard: Vec<(SdkAppId, UserId)>,
}

impl<'a, 'c> Batch<'a, 'c> {
    pub(super) fn begin(
        prepared: &'a Prepared<'c>,
        known: &'a Known,
        now: Timestamp,
        entropy: &'a Entropy,
    ) -> rusqlite::Result<Self> {
        prepared.statement("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self {
            prepared,
            known,
            now,
            entropy,
            accounts: BTreeMap::new(),
            conversations: BTreeMap::new(),
            apps: Vec::new(),
            removed_apps: Vec::new(),
            erased: false,
            serial: known.serial,
            event_row: known.event_row,
            backlogs: BTreeMap::new(),
            owed: Vec::new(),
            heard: Vec::new(),
        })
    }

    pub(super) fn prepared(&self) -> &'a Prepared<'c> {
        self.prepared
    }

    /// Writes what is still held, and makes everything durable.
    pub(super) fn commit(mut self) -> rusqlite::Result<Committed> {
        for ((app, user), row) in &self.accounts {
            if let (Some(account), true) = (&row.value, row.changed) {
                statements::write_account(self.prepared, *app, user, account)?;
            }
        }
        self.write_conversations()?;
        if self.serial != self.known.serial {
            self.prepared
                .statement(
                    "INSERT INTO meta (name, value) VALUES ('account_serial', ?1)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                )?
                .execute([self.serial.to_string()])?;
        }
        for (app, backlog) in &self.backlogs {
            statements::write_backlog(self.prepared, *app, backlog)?;
        }
        statements::commit(self.prepared)?;
        let Self { accounts, conversations, apps, removed_apps, erased, serial, event_row, backlogs, .. } = self;
        let Self { owed, heard, .. } = self;
        Ok(Committed { accounts, conversations, apps, removed_apps, erased, serial, event_row, backlogs, owed, heard })
    }

    fn account_row(&mut self, app: SdkAppId, user: &UserId) -> Result<&mut Row<AccountRow>, Fault> {
        match self.accounts.entry((app, user.clone())) {
            Entry::Occupied(row) => Ok(row.into_mut()),
            Entry::Vacant(place) => {
                let known = if self.erased { None } else { self.known.rows.accounts.get(place.key()).copied() };
                let value = match known {
                    Some(row) => Some(row),
                    None => statements::read_account(self.prepared, app, user).map_err(fault)?,
                };
                Ok(place.insert(Row::read(value)))
            }
        }
    }
}

impl Tx for Batch<'_, '_> {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn event_id(&mut self) -> Result<EventId, Fault> {
        self.event_row += 1;
        Ok(EventId::new(self.now, self.event_row, self.entropy.next_u32()))
    }

    fn app(&mut self, app: SdkAppId) -> Result<Option<Arc<App>>, Fault> {
        if self.removed_apps.contains(&app) {
            return Ok(None);
        }
        let changed = self.apps.iter().rev().find(|changed| changed.sdkappid == app);
        Ok(changed.or_else(|| self.known.apps.get(&app)).cloned())
    }

    fn save_app(&mut self, app: &Arc<App>) -> Result<(), Fault> {
        let settings = serde_json::to_string(&**app).map_err(|error| Fault::Failed(error.to_string().into()))?;
        self.prepared
            .statement(
                "INSERT INTO app (app, settings) VALUES (?1, ?2)
                 ON CONFLICT (app) DO UPDATE SET settings = excluded.settings",
            )
            .and_then(|mut statement| statement.execute(params![Sql(app.sdkappid), settings]))
            .map_err(fault)?;
        self.apps.push(Arc::clone(app));
        self.removed_apps.retain(|removed| *removed != app.sdkappid);
        Ok(())
    }

    /// What this batch still holds of it is let go unwritten. The counts of its backlog are written by the commit, unless the
    /// app goes in the same batch.
    fn erase_of_app(&mut self, app: SdkAppId, rows_max: u32) -> Result<u64, Fault> {
        self.accounts.retain(|(of, _), _| *of != app);
        self.conversations.retain(|(of, _), _| *of != app);
        self.erased = true;
        let erased = erase::some(self.prepared, app, rows_max).map_err(fault)?;
        if erased == 0 {
            *self.backlog_of(app) = Backlog::default();
        }
        Ok(erased)
    }

    fn remove_app(&mut self, app: SdkAppId) -> Result<(), Fault> {
        self.apps.retain(|changed| changed.sdkappid != app);
        self.backlogs.remove(&app);
        self.removed_apps.push(app);
        for sql in ["DELETE FROM app WHERE app = ?1", "DELETE FROM backlog WHERE app = ?1"] {
            let delete = self.prepared.statement(sql);
            delete.and_then(|mut statement| statement.execute(params![Sql(app)])).map_err(fault)?;
        }
        Ok(())
    }

    fn add_note(&mut self, note: &Note) -> Result<(), Fault> {
        operators::add_note(self.prepared, self.now, note).map_err(fault)
    }

    fn erase_notes(&mut self, before: Timestamp) -> Result<u64, Fault> {
        operators::erase_notes(self.prepared, before).map_err(fault)
    }

    fn save_token(&mut self, token: &Token) -> Result<(), Fault> {
        operators::save_token(self.prepared, token).map_err(fault)
    }

    fn remove_token(&mut self, id: &str) -> Result<(), Fault> {
        operators::remove_token(self.prepared, id).map_err(fault)
    }

    fn account(&mut self, app: SdkAppId, user: &UserId) -> Result<Option<Account>, Fault> {
        Ok(self.account_row(app, user)?.value.map(|row| row.account))
    }

    fn save_account(&mut self, app: SdkAppId, user: &UserId, account: &Account) -> Result<(), Fault> {
        let row = self.account_row(app, user)?;
        row.value.get_or_insert_default().account = *account;
        row.changed = true;
        Ok(())
    }

    fn new_account(&mut self, app: SdkAppId, user: &UserId) -> Result<(), Fault> {
        self.serial += 1;
        self.prepared
            .statement(
                "INSERT INTO account (app, user, serial, unread, lane_place, lane_last, sync_number, sync_last)
                 VALUES (?1, ?2, ?3, 0, 0, 0, 0, 0)",
            )
            .and_then(|mut statement| statement.execute(params![Sql(app), Sql(user), self.serial]))
            .map_err(fault)?;
        let account = Account { serial: self.serial, ..Account::default() };
        let row = AccountRow { account, sync_last: 0 };
        self.accounts.insert((app, user.clone()), Row::read(Some(row)));
        Ok(())
    }

    fn save_profile(
        &mut self,
        app: SdkAppId,
        user: &UserId,
        nick: Option<&str>,
        face_url: Option<&str>,
    ) -> Result<(), Fault> {
        self.prepared
            .statement(
                "UPDATE account SET nick = coalesce(?3, nick), face_url = coalesce(?4, face_url)
                 WHERE app = ?1 AND user = ?2",
            )
            .and_then(|mut statement| statement.execute(params![Sql(app), Sql(user), nick, face_url]))
            .map_err(fault)?;
        Ok(())
    }

    fn is_blocked(&mut self, app: SdkAppId, user: &UserId, other: &UserId) -> Result<bool, Fault> {
        statements::is_blocked(self.prepared, app, user, other).map_err(fault)
    }

    fn count_blocked(&mut self, app: SdkAppId, user: &UserId) -> Result<u32, Fault> {
        statements::count_blocked(self.prepared, app, user).map_err(fault)
    }

    fn block(&mut self, app: SdkAppId, user: &UserId, other: &UserId) -> Result<(), Fault> {
        statements::block(self.prepared, app, user, other, self.now.seconds()).map_err(fault)
    }

    fn unblock(&mut self, app: SdkAppId, user: &UserId, other: &UserId) -> Result<(), Fault> {
        statements::unblock(self.prepared, app, user, Some(other)).map_err(fault)
    }

    fn unblock_all(&mut self, app: SdkAppId, user: &UserId) -> Result<(), Fault> {
        statements::unblock(self.prepared, app, user, None).map_err(fault)
    }

    fn conversation(&mut self, app: SdkAppId, pair: &Pair) -> Result<Option<Conversation>, Fault> {
        match self.conversations.entry((app, pair.clone())) {
            Entry::Occupied(row) => Ok(row.get().value),
            Entry::Vacant(place) => {
                let known = if self.erased { None } else { self.known.rows.conversations.get(place.key()).copied() };
                let value = match known {
                    Some(row) => Some(row),
                    None => statements::read_conversation(self.prepared, app, pair).map_err(fault)?,
                };
                Ok(place.insert(Row::read(value)).value)
            }
        }
    }

    fn save_conversation(&mut self, app: SdkAppId, pair: &Pair, conversation: &Conversation) -> Result<(), Fault> {
        let row = self.conversations.entry((app, pair.clone())).or_insert_with(|| Row::read(None));
        (row.value, row.changed) = (Some(*conversation), true);
        Ok(())
    }

    fn message(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Option<Message>, Fault> {
        messages::read(self.prepared, app, pair, key).map_err(fault)
    }

    fn repeats(
        &mut self,
        app: SdkAppId,
        pair: &Pair,
        seq: u32,
        random: u32,
        since_s: u32,
    ) -> Result<Vec<Repeat>, Fault> {
        messages::repeats(self.prepared, app, pair, (seq, random), since_s).map_err(fault)
    }

    fn content(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Content, Fault> {
        messages::read_content(self.prepared, app, pair, key).map_err(fault)
    }

    fn replace_content(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey, content: &Content) -> Result<(), Fault> {
        messages::write_content(self.prepared, app, pair, key, content).map_err(fault)
    }

    fn add_flags(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey, flags: MessageFlags) -> Result<(), Fault> {
        messages::add_flags(self.prepared, app, pair, key, flags).map_err(fault)
    }

    /// The rows that this batch still holds are written first, so that the table tells the truth.
    fn unread_conversations(&mut self, app: SdkAppId, user: &UserId) -> Result<Vec<Pair>, Fault> {
        self.write_conversations().map_err(fault)?;
        contacts::unread_conversations(self.prepared, app, user).map_err(fault)
    }

    fn insert_message(&mut self, app: SdkAppId, pair: &Pair, message: &Message) -> Result<(), Fault> {
        messages::insert(self.prepared, app, pair, message).map_err(fault)
    }

    fn entomb(&mut self, name: &MessageName, by: &UserId, audit_until: Option<Timestamp>) -> Result<(), Fault> {
        messages::entomb(self.prepared, name, by, audit_until).map_err(fault)
    }

    fn erase_messages(
        &mut self,
        app: SdkAppId,
        pair: &Pair,
        before_s: u32,
        up_to_position: i64,
        messages_max: u32,
    ) -> Result<Vec<Message>, Fault> {
        messages::erase(self.prepared, app, pair, (before_s, up_to_position), messages_max).map_err(fault)
    }

    fn erase_message(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<(), Fault> {
        messages::erase_one(self.prepared, app, pair, key).map_err(fault)
    }

    fn read_up_to(
        &mut self,
        app: SdkAppId,
        pair: &Pair,
        direction: Direction,
        mark: i64,
        time_s: u32,
    ) -> Result<ReadUpTo, Fault> {
        messages::read_up_to(self.prepared, app, pair, (direction, mark), time_s).map_err(fault)
    }

    fn sessions(&mut self, app: SdkAppId, user: &UserId) -> Result<Vec<Session>, Fault> {
        sessions::of(self.prepared, app, user).map_err(fault)
    }

    fn save_session(&mut self, app: SdkAppId, user: &UserId, session: &Session) -> Result<(), Fault> {
        sessions::write(self.prepared, app, user, session).map_err(fault)
    }

    fn remove_session(&mut self, app: SdkAppId, user: &UserId, session: &SessionId) -> Result<(), Fault> {
        sessions::remove(self.prepared, app, user, session).map_err(fault)
    }

    fn add_sync_event(&mut self, app: SdkAppId, user: &UserId, number: i64, event: &SyncEvent) -> Result<(), Fault> {
        let MsgKey { seq, random, time } = event.key;
        let previous = self.account_row(app, user)?.value.map_or(0, |row| row.sync_last);
        let id = self
            .prepared
            .statement(
                "INSERT INTO sync_event (previous, number, kind, peer, direction, seq, random, time)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )
            .and_then(|mut statement| {
                statement.insert(params![
                    previous,
                    number,
                    event.kind.number(),
                    Sql(&event.peer),
                    Sql(event.direction),
                    seq,
                    random,
                    time
                ])
            })
            .map_err(fault)?;
        let row = self.account_row(app, user)?;
        row.value.get_or_insert_default().sync_last = id;
        row.changed = true;
        self.heard.push((app, user.clone()));
        Ok(())
    }

    fn owe(&mut self, event: OwedEvent) -> Result<(), Fault> {
        let row = event.id.row().expect("this transaction has named it");
        statements::log_event(self.prepared, row, &event).map_err(fault)?;
        self.owe_again(row, event)
    }

    fn backlog(&mut self, app: SdkAppId) -> Result<Backlog, Fault> {
        Ok(*self.backlog_of(app))
    }

    fn kept(&mut self, app: SdkAppId, what: &What, events_max: u32) -> Result<Found, Fault> {
        query::kept(self.prepared, app, what, events_max).map_err(fault)
    }

    fn unpark(&mut self, app: SdkAppId, lane: &Lane, place: i64) -> Result<(), Fault> {
        outbox::unpark(self, app, lane, place)
    }

    fn forget_event(&mut self, row: i64) -> Result<(), Fault> {
        let erase = self.prepared.statement("DELETE FROM event WHERE id = ?1");
        erase.and_then(|mut statement| statement.execute([row])).map(drop).map_err(fault)
    }

    fn disown(&mut self, app: SdkAppId, lane: &Lane, command: CallbackCommand) -> Result<(), Fault> {
        outbox::disown(self, app, lane, command)
    }

    fn owe_again(&mut self, row: i64, event: OwedEvent) -> Result<(), Fault> {
        statements::queue_event(self.prepared, row, &event).map_err(fault)?;
        let backlog = self.backlog_of(event.app);
        backlog.waiting += 1;
        backlog.waiting_bytes += event.body.len() as u64;
        self.owed.push(event);
        Ok(())
    }
}

impl Batch<'_, '_> {
    fn write_conversations(&mut self) -> rusqlite::Result<()> {
        for ((app, pair), row) in &mut self.conversations {
            if let (Some(conversation), true) = (&row.value, row.changed) {
                if row.stored {
                    statements::update_conversation(self.prepared, *app, pair, conversation)?;
                } else {
                    statements::put_conversation(self.prepared, *app, pair, conversation)?;
                }
                (row.stored, row.changed) = (true, false);
            }
        }
        Ok(())
    }

    /// What waits and is parked of an app, as this transaction leaves it.
    pub(super) fn backlog_of(&mut self, app: SdkAppId) -> &mut Backlog {
        let known = self.known;
        self.backlogs.entry(app).or_insert_with(|| known.backlogs.get(&app).copied().unwrap_or_default())
    }

    /// Where the next event of a lane would follow `number`, it follows `previous`.
    pub(super) fn lane_follows(&mut self, app: SdkAppId, lane: &Lane, number: i64, previous: i64) -> Result<(), Fault> {
        match lane.holder() {
            Holder::Conversation(pair) => {
                if let Some(mut conversation) = self.conversation(app, &pair)?
                    && conversation.lane.last == number
                {
                    conversation.lane.last = previous;
                    self.save_conversation(app, &pair, &conversation)?;
                }
            }
            Holder::Account(user) => {
                if let Some(mut account) = self.account(app, &user)?
                    && account.lane.last == number
                {
                    account.lane.last = previous;
                    self.save_account(app, &user, &account)?;
                }
            }
        }
        Ok(())
    }
}
