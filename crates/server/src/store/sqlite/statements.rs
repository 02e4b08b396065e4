//! The rows that a batch reads and writes, one statement each.

use rusqlite::{Connection, OptionalExtension, params};
use unsaid_protocol::{SdkAppId, UserId};

use super::row::Sql;
use crate::chat::{Account, Conversation, LaneCounter, OwedEvent, Pair, Side};

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

pub(super) fn insert_event(connection: &Connection, event: &OwedEvent) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO outbox (app, lane, place, number, previous, id, command, client_ip, platform, created_ms,
                                 attempts, refusals, due_ms, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            Sql(event.app),
            event.lane.0,
            event.place,
            event.number,
            event.previous,
            event.id.0,
            event.command.as_str(),
            event.origin.client_ip.to_string(),
            event.origin.platform.as_str(),
            event.created.0,
            event.tries.attempts,
            event.tries.refusals,
            event.due.0,
            &*event.body
        ])
        .map(drop)
}
