//! What devices are shown: rows of one moment, for the rules of `chat/view.rs`.

use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::{
    contacts,
    link::{Link, params},
    query,
    row::{self, MESSAGE_COLUMNS, Sql},
    statements::{self, Lock},
};
use crate::{
    chat::{Conversation, Fault, Message, Pair, Person, SyncEvent, View},
    limits,
};

/// The store as a reading transaction sees it.
pub(super) struct Snapshot<'a>(pub(super) &'a Link);

impl View for Snapshot<'_> {
    fn person(&mut self, app: SdkAppId, user: &UserId) -> Result<Option<Person>, Fault> {
        Ok(contacts::people(self.0, app, std::slice::from_ref(user))?.pop().flatten())
    }

    fn sync_events(
        &mut self,
        app: SdkAppId,
        user: &UserId,
        after: i64,
        events_max: u32,
    ) -> Result<Option<Vec<(i64, SyncEvent)>>, Fault> {
        query::sync_events(self.0, app, user, after, events_max)
    }

    fn conversation(&mut self, app: SdkAppId, pair: &Pair) -> Result<Option<Conversation>, Fault> {
        let found = statements::read_conversations(self.0, &[(app, pair.clone())], Lock::No)?;
        Ok(found.into_iter().next().map(|(_, conversation)| conversation))
    }

    fn message(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Option<Message>, Fault> {
        let sql = format!(
            "SELECT {MESSAGE_COLUMNS} FROM message
             WHERE app = $1 AND low = $2 AND high = $3 AND seq = $4 AND random = $5 AND time = $6"
        );
        let MsgKey { seq, random, time } = key;
        let name = params![Sql(app), Sql(&pair.low), Sql(&pair.high), Sql(seq), Sql(random), Sql(time)];
        self.0.row(&sql, name)?.map(|row| row::message(&row)).transpose()
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
            "SELECT {MESSAGE_COLUMNS} FROM message
             WHERE app + 1 = $1::bigint + 1 AND low = $2 AND high = $3 ORDER BY time DESC, seq DESC, position DESC LIMIT $4"
        );
        for rows_max in [FEW_ROWS, limits::LAST_MESSAGE_ROWS_MAX] {
            let of_pair = params![Sql(app), Sql(&pair.low), Sql(&pair.high), i64::from(rows_max)];
            let rows = self.0.rows(&sql, of_pair)?;
            for row in &rows {
                let message = row::message(row)?;
                if message.may_be_last(pair, user, cleared_position) {
                    return Ok(Some(message));
                }
            }
            if rows.len() < rows_max as usize {
                break;
            }
        }
        Ok(None)
    }
}

/// Among so many the last message is nearly always.
const FEW_ROWS: u32 = 4;
