//! One transaction: the rows that its commands share, and [`Tx`] over them.
//!
//! Whatever a command decides by is locked before it is read: the rows of its accounts and of its conversation, on which the
//! messages and sessions below them depend. What the batch's commands will touch is guessed and read at its begin, in the
//! order of names, in one round trip ([`Footprint`]); what was not guessed is locked when it is asked for. Rows that many
//! commands touch are written once, at the end (`writes.rs`).

mod tx;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::{
    link::{Bulk, Link},
    mark::{self, Author},
    messages, query,
    row::Columns as _,
    statements::{self, AccountKey, ConversationKey, Delta},
    writes::Writes,
};
use crate::{
    apps::App,
    chat::{Account, Backlog, Conversation, Fault, Footprint, Holder, Lane, Message, OwedEvent, Pair, Repeat, Tx as _},
    clock::{Entropy, Timestamp},
    limits,
};

/// As many rows of the log a batch takes at once; the sequence grows by as many.
const EVENT_ROWS: i64 = 256;

/// What a writer knows of the apps; a version that is read with each batch says whether it still holds.
#[derive(Debug, Default)]
pub(super) struct Known {
    apps: HashMap<SdkAppId, Arc<App>>,
    version: Option<i64>,
}

/// A transaction that has begun.
pub(super) struct Batch<'a> {
    link: &'a Link,
    known: &'a Known,
    now: Timestamp,
    entropy: &'a Entropy,
    author: Author<'a>,
    accounts: HashMap<AccountKey, Row<Account>>,
    conversations: HashMap<ConversationKey, Row<Conversation>>,
    messages: HashMap<(ConversationKey, MsgKey), Option<Message>>,
    repeats: HashMap<(ConversationKey, u32, u32), Vec<Repeat>>,
    /// From which second on the repeats were read.
    repeats_since_s: u32,
    apps: Vec<Arc<App>>,
    removed_apps: Vec<SdkAppId>,
    event_row: i64,
    event_rows_end: i64,
    /// Of the apps that were asked about, without what this batch does.
    backlogs: BTreeMap<SdkAppId, Backlog>,
    deltas: BTreeMap<SdkAppId, Delta>,
    writes: Writes,
    owed: Vec<Arc<OwedEvent>>,
    /// Whose devices have something to learn.
    heard: Vec<(SdkAppId, UserId)>,
}

struct Row<T> {
    value: Option<T>,
    is_stored: bool,
    changed: bool,
}

impl<T> Row<T> {
    fn found(value: Option<T>) -> Self {
        Self { is_stored: value.is_some(), value, changed: false }
    }
}

/// What holds once the transaction is durable.
pub(super) struct Committed {
    /// The events that it put into the outbox, in their order.
    pub(super) owed: Vec<OwedEvent>,
    /// Whose devices have something to learn.
    pub(super) heard: Vec<(SdkAppId, UserId)>,
}

impl<'a> Batch<'a> {
    pub(super) fn begin(
        link: &'a Link,
        known: &'a mut Known,
        author: Author<'a>,
        (now, entropy): (Timestamp, &'a Entropy),
        footprint: &Footprint,
    ) -> Result<Self, Fault> {
        let Footprint { accounts, conversations, messages, repeats } = footprint;
        let (accounts, conversations): (Vec<_>, Vec<_>) =
            (accounts.iter().cloned().collect(), conversations.iter().cloned().collect());
        let apps = accounts.iter().map(|(app, _)| i64::from(app.0)).collect::<BTreeSet<_>>();
        let apps: Vec<_> = apps.into_iter().collect();
        let repeats_since_s = now.seconds().saturating_sub(REPEATS_S);
        let first = [
            Bulk { sql: "BEGIN ISOLATION LEVEL READ COMMITTED", columns: Vec::new() },
            mark::mark(&author),
            statements::lock_accounts(&accounts),
            statements::lock_conversations(&conversations),
            statements::backlogs_of(apps.clone()),
            messages::named(messages.iter()),
            messages::repeated(repeats.iter(), repeats_since_s),
        ];
        // What the batch does not name is not asked for.
        let wanted = [
            true,
            true,
            !accounts.is_empty(),
            !conversations.is_empty(),
            !apps.is_empty(),
            !messages.is_empty(),
            !repeats.is_empty(),
        ];
        let asked = first.into_iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(bulk, _)| bulk);
        let mut answers = link.pipeline(&asked.collect::<Vec<_>>())?.into_iter();
        let mut answers = wanted.map(|wanted| if wanted { answers.next().unwrap_or_default() } else { Vec::new() });

        let head = answers[1].pop().ok_or_else(|| Fault::Failed("a transaction could not be marked".into()))?;
        let event_row: i64 = head.at(1)?;
        known.refresh(link, head.at(0)?)?;
        let mut batch = Self {
            link,
            known,
            now,
            entropy,
            author,
            accounts: accounts.into_iter().map(|key| (key, Row::found(None))).collect(),
            conversations: conversations.into_iter().map(|key| (key, Row::found(None))).collect(),
            messages: messages.iter().map(|name| (name.clone(), None)).collect(),
            repeats: repeats.iter().map(|name| (name.clone(), Vec::new())).collect(),
            repeats_since_s,
            apps: Vec::new(),
            removed_apps: Vec::new(),
            event_row,
            event_rows_end: event_row + EVENT_ROWS,
            backlogs: apps
                .into_iter()
                .filter_map(|app| Some((SdkAppId(u32::try_from(app).ok()?), Backlog::default())))
                .collect(),
            deltas: BTreeMap::new(),
            writes: Writes::default(),
            owed: Vec::new(),
            heard: Vec::new(),
        };
        batch.take_in(&answers)?;
        Ok(batch)
    }

    /// What the first round trip has found.
    fn take_in(&mut self, answers: &[Vec<tokio_postgres::Row>; 7]) -> Result<(), Fault> {
        for row in &answers[2] {
            let (key, account) = statements::locked_account(row)?;
            self.accounts.insert(key, Row::found(Some(account)));
        }
        for row in &answers[3] {
            let (key, conversation) = statements::conversation(row)?;
            self.conversations.insert(key, Row::found(Some(conversation)));
        }
        for row in &answers[4] {
            let (app, backlog) = statements::backlog_of(row)?;
            self.backlogs.insert(app, backlog);
        }
        for row in &answers[5] {
            let (name, message) = messages::named_row(row)?;
            self.messages.insert(name, Some(message));
        }
        for row in &answers[6] {
            let (name, repeat) = messages::repeated_row(row)?;
            self.repeats.entry(name).or_default().push(repeat);
        }
        Ok(())
    }

    pub(super) fn link(&self) -> &'a Link {
        self.link
    }

    pub(super) fn member(&self) -> &'a str {
        self.author.member
    }

    /// Writes what is still held; then nothing is missing but the commit.
    pub(super) fn finish(mut self) -> Result<Committed, Fault> {
        let accounts: Vec<_> = self.accounts.iter().filter(|(_, row)| row.changed).collect();
        let mut accounts: Vec<_> = accounts.into_iter().filter_map(|(key, row)| Some((key, row.value?))).collect();
        accounts.sort_by_key(|(key, _)| *key);
        let mut beside = Vec::new();
        if !accounts.is_empty() {
            beside.push(statements::update_accounts(&accounts));
        }
        beside.extend(conversation_writes(&self.conversations));
        self.deltas.retain(|_, delta| *delta != Delta::default());
        if !self.deltas.is_empty() {
            beside.push(statements::count(self.author.slot, &self.deltas));
        }
        self.writes.flush(self.link, beside)?;
        let Self { owed, heard, .. } = self;
        let owed = owed.into_iter().map(|event| Arc::try_unwrap(event).unwrap_or_else(|event| (*event).clone()));
        Ok(Committed { owed: owed.collect(), heard })
    }

    fn account_row(&mut self, app: SdkAppId, user: &UserId) -> Result<&mut Row<Account>, Fault> {
        let key = (app, user.clone());
        if !self.accounts.contains_key(&key) {
            let rows = self.link.pipeline(&[statements::lock_accounts(std::slice::from_ref(&key))])?;
            let found = rows.iter().flatten().next().map(statements::locked_account).transpose()?;
            self.accounts.insert(key.clone(), Row::found(found.map(|(_, account)| account)));
        }
        Ok(self.accounts.get_mut(&key).expect("it was put there if it was not"))
    }

    /// Writes what is held if a read of this conversation's messages would miss something; locks its row, so that the
    /// messages stay as they are. Answers whether there can be any.
    fn messages_of(&mut self, app: SdkAppId, pair: &Pair) -> Result<Option<ConversationKey>, Fault> {
        if self.conversation(app, pair)?.is_none() {
            return Ok(None);
        }
        let key = (app, pair.clone());
        if self.writes.touch(&key) {
            self.writes.flush(self.link, Vec::new())?;
        }
        Ok(Some(key))
    }

    /// So that the tables of events tell the truth.
    pub(super) fn write_events(&mut self) -> Result<(), Fault> {
        if self.writes.hold_events() { self.writes.flush(self.link, Vec::new()) } else { Ok(()) }
    }

    fn write_conversations(&mut self) -> Result<(), Fault> {
        self.link.pipeline(&conversation_writes(&self.conversations))?;
        for row in self.conversations.values_mut().filter(|row| row.changed) {
            (row.is_stored, row.changed) = (true, false);
        }
        Ok(())
    }

    /// What this transaction adds to the counts of an app.
    pub(super) fn delta_of(&mut self, app: SdkAppId) -> &mut Delta {
        self.deltas.entry(app).or_default()
    }

    /// Locks the row that has a lane's counter.
    pub(super) fn lock_lane(&mut self, app: SdkAppId, lane: &Lane) -> Result<(), Fault> {
        match lane.holder() {
            Holder::Conversation(pair) => self.conversation(app, &pair).map(drop),
            Holder::Account(user) => self.account(app, &user).map(drop),
        }
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

/// How far back repeats are read at the begin of a batch, in seconds: the window in which a repeat is recognised, and the time
/// that an app backend may take to be asked.
const REPEATS_S: u32 = limits::REPEAT_WINDOW_S + 60;

fn conversation_writes(rows: &HashMap<ConversationKey, Row<Conversation>>) -> Vec<Bulk<'_>> {
    let changed = |is_stored: bool| {
        let rows = rows.iter().filter(|(_, row)| row.changed && row.is_stored == is_stored);
        let mut rows: Vec<_> = rows.filter_map(|(key, row)| Some((key, row.value?))).collect();
        rows.sort_by_key(|(key, _)| *key);
        rows
    };
    let (stored, fresh) = (changed(true), changed(false));
    let mut writes = Vec::new();
    if !stored.is_empty() {
        writes.push(statements::update_conversations(&stored));
    }
    if !fresh.is_empty() {
        writes.push(statements::insert_conversations(&fresh));
    }
    writes
}

impl Known {
    fn refresh(&mut self, link: &Link, version: i64) -> Result<(), Fault> {
        if self.version != Some(version) {
            self.apps = query::apps(link)?.into_iter().map(|app| (app.sdkappid, app.into())).collect();
            self.version = Some(version);
        }
        Ok(())
    }
}
