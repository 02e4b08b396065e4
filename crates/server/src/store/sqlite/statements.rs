//! The rows that a batch reads and writes, one statement each.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::row::Sql;
use crate::chat::{Account, Backlog, Content, Conversation, LaneCounter, MessageFlags, OwedEvent, Pair, Side};

/// An account, and where its latest sync event stands.
#[derive(Clone, Copy, Default)]
pub(super) struct AccountRow {
    pub(super) account: Account,
    pub(super) sync_last: i64,
}

pub(super) fn read_account(
    connection: &Connection,
    app: SdkAppId,
    user: &UserId,
) -> rusqlite::Result<Option<AccountRow>> {
    connection
        .prepare_cached(
            "SELECT serial, unread, lane_place, lane_last, sync_number, sync_last FROM account
             WHERE app = ?1 AND user = ?2",
        )?
        .query_row(params![Sql(app), Sql(user)], |row| {
            let account = Account {
                serial: row.get(0)?,
                unread: row.get(1)?,
                lane: LaneCounter { place: row.get(2)?, last: row.get(3)? },
                sync_number: row.get(4)?,
            };
            Ok(AccountRow { account, sync_last: row.get(5)? })
        })
        .optional()
}

pub(super) fn write_account(
    connection: &Connection,
    app: SdkAppId,
    user: &UserId,
    row: &AccountRow,
) -> rusqlite::Result<()> {
    let AccountRow { account, sync_last } = row;
    connection
        .prepare_cached(
            "UPDATE account SET unread = ?3, lane_place = ?4, lane_last = ?5, sync_number = ?6, sync_last = ?7
             WHERE app = ?1 AND user = ?2",
        )?
        .execute(params![
            Sql(app),
            Sql(user),
            account.unread,
            account.lane.place,
            account.lane.last,
            account.sync_number,
            sync_last
        ])
        .map(drop)
}

pub(super) fn read_conversation(
    connection: &Connection,
    app: SdkAppId,
    pair: &Pair,
) -> rusqlite::Result<Option<Conversation>> {
    connection
        .prepare_cached(
            "SELECT position, low_unread, low_read_position, high_unread, high_read_position, lane_place, lane_last
             FROM conversation WHERE app = ?1 AND low = ?2 AND high = ?3",
        )?
        .query_row(params![Sql(app), Sql(&pair.low), Sql(&pair.high)], |row| {
            Ok(Conversation {
                position: row.get(0)?,
                low: Side { unread: row.get(1)?, read_position: row.get(2)? },
                high: Side { unread: row.get(3)?, read_position: row.get(4)? },
                lane: LaneCounter { place: row.get(5)?, last: row.get(6)? },
            })
        })
        .optional()
}

pub(super) fn write_conversation(
    connection: &Connection,
    app: SdkAppId,
    pair: &Pair,
    conversation: &Conversation,
) -> rusqlite::Result<()> {
    let Conversation { position, low, high, lane } = conversation;
    connection
        .prepare_cached(
            "INSERT INTO conversation (app, low, high, position, low_unread, low_read_position,
                                       high_unread, high_read_position, lane_place, lane_last)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (app, low, high) DO UPDATE SET
                 position = excluded.position,
                 low_unread = excluded.low_unread, low_read_position = excluded.low_read_position,
                 high_unread = excluded.high_unread, high_read_position = excluded.high_read_position,
                 lane_place = excluded.lane_place, lane_last = excluded.lane_last",
        )?
        .execute(params![
            Sql(app),
            Sql(&pair.low),
            Sql(&pair.high),
            position,
            low.unread,
            low.read_position,
            high.unread,
            high.read_position,
            lane.place,
            lane.last
        ])
        .map(drop)
}

pub(super) fn read_content(
    connection: &Connection,
    app: SdkAppId,
    pair: &Pair,
    key: MsgKey,
) -> rusqlite::Result<Content> {
    connection
        .prepare_cached(
            "SELECT body, custom_data, types, content_hash FROM message
             WHERE app = ?1 AND low = ?2 AND high = ?3 AND seq = ?4 AND random = ?5 AND time = ?6",
        )?
        .query_row(params![Sql(app), Sql(&pair.low), Sql(&pair.high), key.seq, key.random, key.time], |row| {
            Ok(Content { body: row.get(0)?, custom_data: row.get(1)?, types: row.get(2)?, hash: row.get(3)? })
        })
}

/// The hash stays, so that a repeat of the send is still recognised.
pub(super) fn write_content(
    connection: &Connection,
    app: SdkAppId,
    pair: &Pair,
    key: MsgKey,
    content: &Content,
) -> rusqlite::Result<()> {
    let (MsgKey { seq, random, time }, Content { body, custom_data, types, .. }) = (key, content);
    connection
        .prepare_cached(
            "UPDATE message SET body = ?7, custom_data = ?8, types = ?9
             WHERE app = ?1 AND low = ?2 AND high = ?3 AND seq = ?4 AND random = ?5 AND time = ?6",
        )?
        .execute(params![Sql(app), Sql(&pair.low), Sql(&pair.high), seq, random, time, body, custom_data, types])
        .map(drop)
}

pub(super) fn add_flags(
    connection: &Connection,
    app: SdkAppId,
    pair: &Pair,
    key: MsgKey,
    flags: MessageFlags,
) -> rusqlite::Result<()> {
    let MsgKey { seq, random, time } = key;
    connection
        .prepare_cached(
            "UPDATE message SET flags = flags | ?7
             WHERE app = ?1 AND low = ?2 AND high = ?3 AND seq = ?4 AND random = ?5 AND time = ?6",
        )?
        .execute(params![Sql(app), Sql(&pair.low), Sql(&pair.high), seq, random, time, flags.bits()])
        .map(drop)
}

/// Appends an event to the log.
pub(super) fn log_event(connection: &Connection, row: i64, event: &OwedEvent) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO event (id, name, app, lane, number, command, client_ip, platform, created_ms, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            row,
            event.id.0,
            Sql(event.app),
            event.lane.0,
            event.number,
            event.command.as_str(),
            event.origin.client_ip.to_string(),
            event.origin.platform.as_str(),
            event.created.0,
            &*event.body
        ])
        .map(drop)
}

/// Puts an event that stands in the log into the outbox.
pub(super) fn queue_event(connection: &Connection, row: i64, event: &OwedEvent) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO outbox (app, lane, place, event, bytes, has_text, previous, replay, attempts, refusals,
                                 unavailable_since_ms, age_from_ms, due_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            Sql(event.app),
            event.lane.0,
            event.place,
            row,
            event.body.len() as i64,
            event.command.holds_text(),
            event.previous,
            event.replay,
            event.tries.attempts,
            event.tries.refusals,
            event.tries.unavailable_since.map(|since| since.0),
            event.age_from.0,
            event.due.0
        ])
        .map(drop)
}

/// What waits and what is parked, of each app.
pub(super) fn read_backlogs(connection: &Connection) -> rusqlite::Result<BTreeMap<SdkAppId, Backlog>> {
    let mut statement = connection.prepare_cached("SELECT app, waiting, waiting_bytes, parked FROM backlog")?;
    let backlogs = statement.query_map([], |row| {
        let count = |column: usize| row.get::<_, i64>(column).map(i64::cast_unsigned);
        let backlog = Backlog { waiting: count(1)?, waiting_bytes: count(2)?, parked: count(3)? };
        Ok((row.get::<_, Sql<SdkAppId>>(0)?.0, backlog))
    })?;
    backlogs.collect()
}

pub(super) fn write_backlog(connection: &Connection, app: SdkAppId, backlog: &Backlog) -> rusqlite::Result<()> {
    let Backlog { waiting, waiting_bytes, parked } = backlog;
    connection
        .prepare_cached(
            "INSERT INTO backlog (app, waiting, waiting_bytes, parked) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (app) DO UPDATE SET waiting = excluded.waiting, waiting_bytes = excluded.waiting_bytes,
                                             parked = excluded.parked",
        )?
        .execute(params![Sql(app), waiting.cast_signed(), waiting_bytes.cast_signed(), parked.cast_signed()])
        .map(drop)
}
