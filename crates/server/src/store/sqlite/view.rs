//! What devices are shown: rows of one moment, for the rules of `chat/view.rs`.

use rusqlite::{Connection, OptionalExtension, params};
use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::{
    contacts, fault,
    query::{self, MESSAGE_COLUMNS},
    row::Sql,
    statements,
};
use crate::{
    chat::{Conversation, Fault, Message, Pair, Person, SyncEvent, View},
    limits,
};

/// The store as a reading transaction sees it.
pub(super) struct Snapshot<'a>(pub(super) &'a Connection);

impl View for Snapshot<'_> {
    fn person(&mut self, app: SdkAppId, user: &UserId) -> Result<Option<Person>, Fault> {
        contacts::person(self.0, app, user).map_err(fault)
    }

    fn sync_events(
        &mut self,
        app: SdkAppId,
        user: &UserId,
        after: i64,
        events_max: u32,
    ) -> Result<Option<Vec<(i64, SyncEvent)>>, Fault> {
        query::walk_sync_events(self.0, app, user, after, events_max).map_err(fault)
    }

    fn conversation(&mut self, app: SdkAppId, pair: &Pair) -> Result<Option<Conversation>, Fault> {
        statements::read_conversation(self.0, app, pair).map_err(fault)
    }

    fn message(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Option<Message>, Fault> {
        let sql = format!(
            "SELECT {MESSAGE_COLUMNS} FROM message
             WHERE app = ?1 AND low = ?2 AND high = ?3 AND seq = ?4 AND random = ?5 AND time = ?6"
        );
        let MsgKey { seq, random, time } = key;
        let read = || {
            let name = params![Sql(app), Sql(&pair.low), Sql(&pair.high), seq, random, time];
            self.0.prepare_cached(&sql)?.query_row(name, query::message).optional()
        };
        read().map_err(fault)
    }

    /// Walks `message_by_time` backwards. What is hidden from the account is seldom, so few are looked at.
    fn last_message(
        &mut self,
        app: SdkAppId,
        pair: &Pair,
        user: &UserId,
        cleared_position: i64,
    ) -> Result<Option<Message>, Fault> {
        let sql = format!(
            "SELECT {MESSAGE_COLUMNS} FROM message INDEXED BY message_by_time
             WHERE app = ?1 AND low = ?2 AND high = ?3 ORDER BY time DESC, seq DESC, position DESC LIMIT ?4"
        );
        let read = || {
            let mut statement = self.0.prepare_cached(&sql)?;
            let of_pair = params![Sql(app), Sql(&pair.low), Sql(&pair.high), limits::LAST_MESSAGE_ROWS_MAX];
            let mut rows = statement.query(of_pair)?;
            while let Some(row) = rows.next()? {
                let message = query::message(row)?;
                if message.may_be_last(pair, user, cleared_position) {
                    return Ok(Some(message));
                }
            }
            Ok(None)
        };
        read().map_err(fault)
    }
}
