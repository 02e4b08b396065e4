//! What the writer knows of the store between two batches. It is the only one that writes, so what it knows is so.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use quick_cache::unsync::Cache;
use rusqlite::Connection;
use unsaid_protocol::{SdkAppId, UserId};

use super::{
    query,
    statements::{self, AccountRow},
};
use crate::{
    apps::App,
    chat::{Backlog, Conversation, OwedEvent, Pair},
    limits,
};

pub(super) struct Known {
    pub(super) apps: HashMap<SdkAppId, Arc<App>>,
    /// The serial of the newest account.
    pub(super) serial: i64,
    /// The newest row of the log of events.
    pub(super) event_row: i64,
    pub(super) backlogs: BTreeMap<SdkAppId, Backlog>,
    pub(super) rows: Rows,
}

/// Rows that were read or written lately, as they were committed last.
pub(super) struct Rows {
    pub(super) accounts: Cache<(SdkAppId, UserId), AccountRow>,
    pub(super) conversations: Cache<(SdkAppId, Pair), Conversation>,
}

impl Known {
    /// Reads a row for each app, and the ends of two keys: however much waits, a start takes no longer for it.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            apps: query::apps(connection)?.into_iter().map(|app| (app.sdkappid, app.into())).collect(),
            serial: query::serial(connection)?,
            event_row: query::last_row(connection)?,
            backlogs: statements::read_backlogs(connection)?,
            rows: Rows::none(),
        })
    }

    /// Of a store that is empty.
    #[cfg(any(test, feature = "pieces"))]
    pub(super) fn nothing() -> Self {
        Self { apps: HashMap::new(), serial: 0, event_row: 0, backlogs: BTreeMap::new(), rows: Rows::none() }
    }
}

impl Rows {
    fn none() -> Self {
        let rows = limits::STORE_KNOWN_ROWS_MAX;
        Self { accounts: Cache::new(rows), conversations: Cache::new(rows) }
    }

    pub(super) fn clear(&mut self) {
        self.accounts.clear();
        self.conversations.clear();
    }
}

/// A row as a transaction leaves it.
pub(super) struct Row<T> {
    pub(super) value: Option<T>,
    /// It is in its table.
    pub(super) stored: bool,
    pub(super) changed: bool,
}

impl<T> Row<T> {
    pub(super) fn read(value: Option<T>) -> Self {
        Self { stored: value.is_some(), value, changed: false }
    }
}

/// What holds once the transaction is durable.
pub(super) struct Committed {
    pub(super) accounts: BTreeMap<(SdkAppId, UserId), Row<AccountRow>>,
    pub(super) conversations: BTreeMap<(SdkAppId, Pair), Row<Conversation>>,
    pub(super) apps: Vec<Arc<App>>,
    pub(super) removed_apps: Vec<SdkAppId>,
    pub(super) erased: bool,
    pub(super) serial: i64,
    pub(super) event_row: i64,
    pub(super) backlogs: BTreeMap<SdkAppId, Backlog>,
    /// The events that it put into the outbox, in their order.
    pub(super) owed: Vec<OwedEvent>,
    /// Whose devices have something to learn.
    pub(super) heard: Vec<(SdkAppId, UserId)>,
}

impl Committed {
    pub(super) fn apply_to(&mut self, known: &mut Known) {
        known.serial = self.serial;
        known.event_row = self.event_row;
        known.backlogs.append(&mut self.backlogs);
        known.apps.extend(self.apps.drain(..).map(|app| (app.sdkappid, app)));
        for app in self.removed_apps.drain(..) {
            known.apps.remove(&app);
            known.backlogs.remove(&app);
        }
        if self.erased {
            known.rows.clear();
        }
        for (key, row) in std::mem::take(&mut self.accounts) {
            if let Some(account) = row.value {
                known.rows.accounts.insert(key, account);
            }
        }
        for (key, row) in std::mem::take(&mut self.conversations) {
            if let Some(conversation) = row.value {
                known.rows.conversations.insert(key, conversation);
            }
        }
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known")
            .field("serial", &self.serial)
            .field("event_row", &self.event_row)
            .finish_non_exhaustive()
    }
}
