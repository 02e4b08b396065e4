//! [`Tx`] over a batch: each method is about a row that the batch holds, or is one statement.

use std::sync::Arc;

use unsaid_protocol::{MsgKey, SdkAppId, UserId, callback::CallbackCommand};

use super::{Batch, EVENT_ROWS, Row};
use crate::{
    apps::App,
    chat::{
        Account, Backlog, Content, Conversation, Direction, EventId, Fault, Found, Lane, Message, MessageFlags,
        MessageName, Note, OwedEvent, Pair, ReadUpTo, Repeat, Session, SessionId, SyncEvent, Token, Tx, What,
    },
    clock::Timestamp,
    store::postgres::{
        contacts, erase,
        link::params,
        messages::{self, Entombed},
        operators, outbox, query,
        row::{Columns as _, Sql},
        sessions,
        statements::{self, Delta, Lock},
    },
};

impl Tx for Batch<'_> {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn event_id(&mut self) -> Result<EventId, Fault> {
        if self.event_row == self.event_rows_end {
            let row = self.link.row("SELECT nextval('event_row')", params![])?;
            self.event_row =
                row.map_or_else(|| Err(Fault::Failed("a sequence has no value".into())), |row| row.at(0))?;
            self.event_rows_end = self.event_row + EVENT_ROWS;
        }
        self.event_row += 1;
        Ok(EventId::new(self.now, self.event_row - 1, self.entropy.next_u32()))
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
        self.change_settings()?;
        self.link.execute(
            "INSERT INTO app (app, settings) VALUES ($1, $2)
             ON CONFLICT (app) DO UPDATE SET settings = excluded.settings",
            params![Sql(app.sdkappid), settings],
        )?;
        self.apps.push(Arc::clone(app));
        self.removed_apps.retain(|removed| *removed != app.sdkappid);
        Ok(())
    }

    /// What this batch still holds of it is let go unwritten.
    fn erase_of_app(&mut self, app: SdkAppId, rows_max: u32) -> Result<u64, Fault> {
        self.writes.flush(self.link, Vec::new())?;
        self.accounts.retain(|(of, _), _| *of != app);
        self.conversations.retain(|(of, _), _| *of != app);
        self.messages.retain(|((of, _), _), _| *of != app);
        self.repeats.retain(|((of, _), _, _), _| *of != app);
        let erased = erase::some(self.link, app, rows_max)?;
        if erased == 0 {
            self.deltas.remove(&app);
            self.backlogs.insert(app, Backlog::default());
            self.link.execute("DELETE FROM backlog WHERE app = $1", params![Sql(app)])?;
        }
        Ok(erased)
    }

    fn remove_app(&mut self, app: SdkAppId) -> Result<(), Fault> {
        self.apps.retain(|changed| changed.sdkappid != app);
        self.deltas.remove(&app);
        self.removed_apps.push(app);
        self.change_settings()?;
        self.link.execute("DELETE FROM app WHERE app = $1", params![Sql(app)])?;
        self.link.execute("DELETE FROM backlog WHERE app = $1", params![Sql(app)]).map(drop)
    }

    fn add_note(&mut self, note: &Note) -> Result<(), Fault> {
        operators::add_note(self.link, self.now, note)
    }

    fn erase_notes(&mut self, before: Timestamp) -> Result<u64, Fault> {
        operators::erase_notes(self.link, before)
    }

    fn save_token(&mut self, token: &Token) -> Result<(), Fault> {
        operators::save_token(self.link, token)?;
        self.change_settings()
    }

    fn remove_token(&mut self, id: &str) -> Result<(), Fault> {
        operators::remove_token(self.link, id)?;
        self.change_settings()
    }

    fn account(&mut self, app: SdkAppId, user: &UserId) -> Result<Option<Account>, Fault> {
        Ok(self.account_row(app, user)?.value)
    }

    fn save_account(&mut self, app: SdkAppId, user: &UserId, account: &Account) -> Result<(), Fault> {
        let row = self.account_row(app, user)?;
        row.value = Some(*account);
        row.changed = true;
        Ok(())
    }

    /// Whoever makes the same account at the same time runs into its key.
    fn new_account(&mut self, app: SdkAppId, user: &UserId) -> Result<(), Fault> {
        let row = self.link.row(
            "INSERT INTO account (app, name, serial) VALUES ($1, $2, nextval('account_serial')) RETURNING serial",
            params![Sql(app), Sql(user)],
        )?;
        let serial = row.map_or_else(|| Err(Fault::Failed("an account has no serial".into())), |row| row.at(0))?;
        let account = Account { serial, ..Account::default() };
        self.accounts.insert((app, user.clone()), Row::found(Some(account)));
        Ok(())
    }

    fn save_profile(
        &mut self,
        app: SdkAppId,
        user: &UserId,
        nick: Option<&str>,
        face_url: Option<&str>,
    ) -> Result<(), Fault> {
        let sql = "UPDATE account SET nick = coalesce($3, nick), face_url = coalesce($4, face_url)
                   WHERE app = $1 AND name = $2";
        let (nick, face_url) = (nick.map(str::as_bytes), face_url.map(str::as_bytes));
        self.link.execute(sql, params![Sql(app), Sql(user), nick, face_url]).map(drop)
    }

    fn is_blocked(&mut self, app: SdkAppId, user: &UserId, other: &UserId) -> Result<bool, Fault> {
        statements::is_blocked(self.link, app, user, other)
    }

    fn count_blocked(&mut self, app: SdkAppId, user: &UserId) -> Result<u32, Fault> {
        self.account_row(app, user)?;
        statements::count_blocked(self.link, app, user)
    }

    fn block(&mut self, app: SdkAppId, user: &UserId, other: &UserId) -> Result<(), Fault> {
        statements::block(self.link, app, user, other, self.now.seconds())
    }

    fn unblock(&mut self, app: SdkAppId, user: &UserId, other: &UserId) -> Result<(), Fault> {
        statements::unblock(self.link, app, user, Some(other))
    }

    fn unblock_all(&mut self, app: SdkAppId, user: &UserId) -> Result<(), Fault> {
        statements::unblock(self.link, app, user, None)
    }

    fn conversation(&mut self, app: SdkAppId, pair: &Pair) -> Result<Option<Conversation>, Fault> {
        let key = (app, pair.clone());
        if let Some(row) = self.conversations.get(&key) {
            return Ok(row.value);
        }
        let found = statements::read_conversations(self.link, std::slice::from_ref(&key), Lock::ForUpdate)?;
        let value = found.into_iter().next().map(|(_, conversation)| conversation);
        self.conversations.insert(key, Row::found(value));
        Ok(value)
    }

    fn save_conversation(&mut self, app: SdkAppId, pair: &Pair, conversation: &Conversation) -> Result<(), Fault> {
        self.conversation(app, pair)?;
        let row = self.conversations.get_mut(&(app, pair.clone())).expect("it was put there if it was not");
        row.value = Some(*conversation);
        row.changed = true;
        Ok(())
    }

    fn message(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Option<Message>, Fault> {
        if self.conversation(app, pair)?.is_none() {
            return Ok(None);
        }
        if let Some(message) = self.messages.get(&((app, pair.clone()), key)) {
            return Ok(message.clone());
        }
        let Some(conversation) = self.messages_of(app, pair)? else {
            return Ok(None);
        };
        let found = messages::read(self.link, app, pair, key)?;
        self.messages.insert((conversation, key), found.clone());
        Ok(found)
    }

    fn repeats(
        &mut self,
        app: SdkAppId,
        pair: &Pair,
        seq: u32,
        random: u32,
        since_s: u32,
    ) -> Result<Vec<Repeat>, Fault> {
        if self.conversation(app, pair)?.is_none() {
            return Ok(Vec::new());
        }
        if let Some(repeats) = self.repeats.get(&((app, pair.clone()), seq, random))
            && since_s >= self.repeats_since_s
        {
            return Ok(repeats.iter().filter(|repeat| repeat.time_s >= since_s).copied().collect());
        }
        if self.messages_of(app, pair)?.is_none() {
            return Ok(Vec::new());
        }
        messages::repeats(self.link, app, pair, (seq, random), since_s)
    }

    fn content(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Content, Fault> {
        self.messages_of(app, pair)?;
        messages::read_content(self.link, app, pair, key)
    }

    fn replace_content(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey, content: &Content) -> Result<(), Fault> {
        self.messages_of(app, pair)?;
        messages::write_content(self.link, app, pair, key, content)
    }

    fn add_flags(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey, flags: MessageFlags) -> Result<(), Fault> {
        self.messages_of(app, pair)?;
        if let Some(Some(message)) = self.messages.get_mut(&((app, pair.clone()), key)) {
            message.flags = message.flags.with(flags);
        }
        messages::add_flags(self.link, app, pair, key, flags)
    }

    /// The rows that this batch still holds are written first, so that the table tells the truth.
    fn unread_conversations(&mut self, app: SdkAppId, user: &UserId) -> Result<Vec<Pair>, Fault> {
        self.write_conversations()?;
        contacts::unread_conversations(self.link, app, user)
    }

    fn insert_message(&mut self, app: SdkAppId, pair: &Pair, message: &Message) -> Result<(), Fault> {
        let conversation = (app, pair.clone());
        let MsgKey { seq, random, time } = message.key;
        self.writes.insert_message(conversation.clone(), message.clone());
        if let Some(repeats) = self.repeats.get_mut(&(conversation.clone(), seq, random)) {
            let (direction, content_hash) = (message.direction, message.content.hash);
            repeats.push(Repeat { time_s: time, direction, content_hash });
            repeats.sort_by_key(|repeat| repeat.time_s);
        }
        self.messages
            .insert((conversation, message.key), Some(Message { content: Content::default(), ..message.clone() }));
        Ok(())
    }

    fn entomb(&mut self, name: &MessageName, by: &UserId, audit_until: Option<Timestamp>) -> Result<(), Fault> {
        let (pair, _) = Pair::of(&name.from, &name.to);
        if let Some(until) = audit_until {
            self.messages_of(name.app, &pair)?;
            messages::copy_for_audit(self.link, name, until)?;
        }
        if let Some(Some(message)) = self.messages.get_mut(&((name.app, pair.clone()), name.key)) {
            message.flags = message.flags.with(MessageFlags::RECALLED);
        }
        self.writes.entomb(Entombed { app: name.app, pair, key: name.key, by: by.clone() });
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
        let Some(conversation) = self.messages_of(app, pair)? else {
            return Ok(Vec::new());
        };
        self.messages.retain(|(of, _), _| *of != conversation);
        self.repeats.retain(|(of, _, _), _| *of != conversation);
        messages::erase(self.link, app, pair, (before_s, up_to_position), messages_max)
    }

    fn erase_message(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<(), Fault> {
        let Some(conversation) = self.messages_of(app, pair)? else {
            return Ok(());
        };
        self.repeats.remove(&(conversation.clone(), key.seq, key.random));
        self.messages.remove(&(conversation, key));
        messages::erase_one(self.link, app, pair, key)
    }

    fn read_up_to(
        &mut self,
        app: SdkAppId,
        pair: &Pair,
        direction: Direction,
        mark: i64,
        time_s: u32,
    ) -> Result<ReadUpTo, Fault> {
        self.messages_of(app, pair)?;
        messages::read_up_to(self.link, app, pair, (direction, mark), time_s)
    }

    /// Whoever logs in or out has locked the account.
    fn sessions(&mut self, app: SdkAppId, user: &UserId) -> Result<Vec<Session>, Fault> {
        self.account_row(app, user)?;
        Ok(sessions::of(self.link, app, std::slice::from_ref(user))?.pop().unwrap_or_default())
    }

    fn save_session(&mut self, app: SdkAppId, user: &UserId, session: &Session) -> Result<(), Fault> {
        sessions::write(self.link, self.author.member, app, user, session)
    }

    fn remove_session(&mut self, app: SdkAppId, user: &UserId, session: &SessionId) -> Result<(), Fault> {
        sessions::remove(self.link, app, user, session)
    }

    fn add_sync_event(&mut self, app: SdkAppId, user: &UserId, number: i64, event: &SyncEvent) -> Result<(), Fault> {
        self.writes.add_sync_event(app, user, number, event);
        self.heard.push((app, user.clone()));
        Ok(())
    }

    fn owe(&mut self, event: OwedEvent) -> Result<(), Fault> {
        let row = event.id.row().expect("this transaction has named it");
        let event = Arc::new(event);
        self.writes.log(row, &event);
        self.queue(row, event);
        Ok(())
    }

    fn backlog(&mut self, app: SdkAppId) -> Result<Backlog, Fault> {
        if !self.backlogs.contains_key(&app) {
            let rows = self.link.pipeline(&[statements::backlogs_of(vec![i64::from(app.0)])])?;
            let found = rows.iter().flatten().next().map(statements::backlog_of).transpose()?;
            self.backlogs.insert(app, found.map_or_else(Backlog::default, |(_, backlog)| backlog));
        }
        let (Backlog { waiting, waiting_bytes, parked }, delta) = (self.backlogs[&app], *self.delta_of(app));
        let plus = |count: u64, more: i64| count.saturating_add_signed(more);
        let Delta { waiting: more, waiting_bytes: more_bytes, parked: more_parked } = delta;
        Ok(Backlog {
            waiting: plus(waiting, more),
            waiting_bytes: plus(waiting_bytes, more_bytes),
            parked: plus(parked, more_parked),
        })
    }

    /// Of those who send the same again at the same time, one does.
    fn kept(&mut self, app: SdkAppId, what: &What, events_max: u32) -> Result<Found, Fault> {
        self.write_events()?;
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended('replay ' || current_schema() || $1::bigint, 0))";
        self.link.rows(sql, params![Sql(app)])?;
        query::kept(self.link, app, what, events_max)
    }

    fn unpark(&mut self, app: SdkAppId, lane: &Lane, place: i64) -> Result<(), Fault> {
        outbox::unpark(self, app, lane, place)
    }

    fn forget_event(&mut self, row: i64) -> Result<(), Fault> {
        self.link.execute("DELETE FROM event WHERE id = $1", params![row]).map(drop)
    }

    fn disown(&mut self, app: SdkAppId, lane: &Lane, command: CallbackCommand) -> Result<(), Fault> {
        outbox::disown(self, app, lane, command)
    }

    fn owe_again(&mut self, row: i64, event: OwedEvent) -> Result<(), Fault> {
        self.queue(row, Arc::new(event));
        Ok(())
    }
}

impl Batch<'_> {
    /// So that every writer of every server reads apps and tokens anew.
    fn change_settings(&mut self) -> Result<(), Fault> {
        self.link.execute("UPDATE apps_version SET version = version + 1", params![]).map(drop)
    }

    fn queue(&mut self, row: i64, event: Arc<OwedEvent>) {
        let delta = self.delta_of(event.app);
        delta.waiting += 1;
        delta.waiting_bytes += i64::try_from(event.body.len()).expect("bodies are bounded");
        self.owed.push(Arc::clone(&event));
        self.writes.queue(row, event);
    }
}
