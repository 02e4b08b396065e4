//! The rows that a batch reads and writes, one statement each.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};
use unsaid_protocol::{SdkAppId, UserId};

use super::{prepared::Prepared, row::Sql};
use crate::chat::{Account, Backlog, Conversation, LaneCounter, OwedEvent, Pair, Side};

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
            "SELECT serial, unread, lane_place, lane_last, sync_number, sync_last, life, deleted, kicked_s FROM account
             WHERE app = ?1 AND user = ?2",
        )?
        .query_row(params![Sql(app), Sql(user)], |row| {
            let account = Account {
                serial: row.get(0)?,
                unread: row.get(1)?,
                lane: LaneCounter { place: row.get(2)?, last: row.get(3)? },
                sync_number: row.get(4)?,
                life: row.get(6)?,
                deleted: row.get(7)?,
                kicked_s: row.get(8)?,
            };
            Ok(AccountRow { account, sync_last: row.get(5)? })
        })
        .optional()
}

pub(super) fn write_account(
    prepared: &Prepared<'_>,
    app: SdkAppId,
    user: &UserId,
    row: &AccountRow,
) -> rusqlite::Result<()> {
    let AccountRow { account, sync_last } = row;
    prepared
        .statement(
            "UPDATE account SET unread = ?3, lane_place = ?4, lane_last = ?5, sync_number = ?6, sync_last = ?7, life = ?8,
                                deleted = ?9, kicked_s = ?10
             WHERE app = ?1 AND user = ?2",
        )?
        .execute(params![
            Sql(app),
            Sql(user),
            account.unread,
            account.lane.place,
            account.lane.last,
            account.sync_number,
            sync_last,
            account.life,
            account.deleted,
            account.kicked_s
        ])
        .and_then(one)
}

/// A row that is there is changed; one that is not must not pass for it.
fn one(changed: usize) -> rusqlite::Result<()> {
    if changed == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(changed)) }
}

pub(super) fn read_conversation(
    connection: &Connection,
    app: SdkAppId,
    pair: &Pair,
) -> rusqlite::Result<Option<Conversation>> {
    connection
        .prepare_cached(
            "SELECT position, lane_place, lane_last,
                    low_unread, low_read_position, low_life, low_cleared_position, low_last_time,
                    high_unread, high_read_position, high_life, high_cleared_position, high_last_time
             FROM conversation WHERE app = ?1 AND low = ?2 AND high = ?3",
        )?
        .query_row(params![Sql(app), Sql(&pair.low), Sql(&pair.high)], |row| {
            Ok(Conversation {
                position: row.get(0)?,
                lane: LaneCounter { place: row.get(1)?, last: row.get(2)? },
                low: side(row, 3)?,
                high: side(row, 8)?,
            })
        })
        .optional()
}

fn side(row: &Row<'_>, column: usize) -> rusqlite::Result<Side> {
    Ok(Side {
        unread: row.get(column)?,
        read_position: row.get(column + 1)?,
        life: row.get(column + 2)?,
        cleared_position: row.get(column + 3)?,
        last_time_s: row.get(column + 4)?,
    })
}

/// Changes a row that is there.
pub(super) fn update_conversation(
    prepared: &Prepared<'_>,
    app: SdkAppId,
    pair: &Pair,
    conversation: &Conversation,
) -> rusqlite::Result<()> {
    let sql = "UPDATE conversation SET position = ?4, lane_place = ?5, lane_last = ?6,
                      low_unread = ?7, low_read_position = ?8, low_life = ?9, low_cleared_position = ?10,
                      low_last_time = ?11,
                      high_unread = ?12, high_read_position = ?13, high_life = ?14, high_cleared_position = ?15,
                      high_last_time = ?16
               WHERE app = ?1 AND low = ?2 AND high = ?3";
    write(prepared, sql, app, pair, conversation)
}

/// Writes a row that may be there.
pub(super) fn put_conversation(
    prepared: &Prepared<'_>,
    app: SdkAppId,
    pair: &Pair,
    conversation: &Conversation,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO conversation (app, low, high, position, lane_place, lane_last,
                                         low_unread, low_read_position, low_life, low_cleared_position, low_last_time,
                                         high_unread, high_read_position, high_life, high_cleared_position,
                                         high_last_time)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
               ON CONFLICT (app, low, high) DO UPDATE SET
                   position = excluded.position, lane_place = excluded.lane_place, lane_last = excluded.lane_last,
                   low_unread = excluded.low_unread, low_read_position = excluded.low_read_position,
                   low_life = excluded.low_life, low_cleared_position = excluded.low_cleared_position,
                   low_last_time = excluded.low_last_time,
                   high_unread = excluded.high_unread, high_read_position = excluded.high_read_position,
                   high_life = excluded.high_life, high_cleared_position = excluded.high_cleared_position,
                   high_last_time = excluded.high_last_time";
    write(prepared, sql, app, pair, conversation)
}

fn write(
    prepared: &Prepared<'_>,
    sql: &'static str,
    app: SdkAppId,
    pair: &Pair,
    conversation: &Conversation,
) -> rusqlite::Result<()> {
    let Conversation { position, low, high, lane } = conversation;
    prepared
        .statement(sql)?
        .execute(params![
            Sql(app),
            Sql(&pair.low),
            Sql(&pair.high),
            position,
            lane.place,
            lane.last,
            low.unread,
            low.read_position,
            low.life,
            low.cleared_position,
            low.last_time_s,
            high.unread,
            high.read_position,
            high.life,
            high.cleared_position,
            high.last_time_s
        ])
        .and_then(one)
}

pub(super) fn is_blocked(
    connection: &Connection,
    app: SdkAppId,
    user: &UserId,
    other: &UserId,
) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM blocked WHERE app = ?1 AND user = ?2 AND other = ?3")?.exists(params![
        Sql(app),
        Sql(user),
        Sql(other)
    ])
}

pub(super) fn count_blocked(prepared: &Prepared<'_>, app: SdkAppId, user: &UserId) -> rusqlite::Result<u32> {
    prepared
        .statement("SELECT count(*) FROM blocked WHERE app = ?1 AND user = ?2")?
        .query_row(params![Sql(app), Sql(user)], |row| row.get(0))
}

pub(super) fn block(
    prepared: &Prepared<'_>,
    app: SdkAppId,
    user: &UserId,
    other: &UserId,
    since_s: u32,
) -> rusqlite::Result<()> {
    prepared
        .statement("INSERT INTO blocked (app, user, other, since) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![Sql(app), Sql(user), Sql(other), since_s])
        .map(drop)
}

/// Takes one off the list, or all.
pub(super) fn unblock(
    prepared: &Prepared<'_>,
    app: SdkAppId,
    user: &UserId,
    other: Option<&UserId>,
) -> rusqlite::Result<()> {
    match other {
        Some(other) => prepared
            .statement("DELETE FROM blocked WHERE app = ?1 AND user = ?2 AND other = ?3")?
            .execute(params![Sql(app), Sql(user), Sql(other)]),
        None => prepared
            .statement("DELETE FROM blocked WHERE app = ?1 AND user = ?2")?
            .execute(params![Sql(app), Sql(user)]),
    }
    .map(drop)
}

/// Appends an event to the log.
pub(super) fn log_event(prepared: &Prepared<'_>, row: i64, event: &OwedEvent) -> rusqlite::Result<()> {
    prepared
        .statement(
            "INSERT INTO event (id, name, app, lane, number, command, client_ip, platform, created_ms, body, request)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
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
            &*event.body,
            event.origin.request.number()
        ])
        .map(drop)
}

/// Puts an event that stands in the log into the outbox.
pub(super) fn queue_event(prepared: &Prepared<'_>, row: i64, event: &OwedEvent) -> rusqlite::Result<()> {
    prepared
        .statement(
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

pub(super) fn write_backlog(prepared: &Prepared<'_>, app: SdkAppId, backlog: &Backlog) -> rusqlite::Result<()> {
    let Backlog { waiting, waiting_bytes, parked } = backlog;
    prepared
        .statement(
            "INSERT INTO backlog (app, waiting, waiting_bytes, parked) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (app) DO UPDATE SET waiting = excluded.waiting, waiting_bytes = excluded.waiting_bytes,
                                             parked = excluded.parked",
        )?
        .execute(params![Sql(app), waiting.cast_signed(), waiting_bytes.cast_signed(), parked.cast_signed()])
        .map(drop)
}

/// Makes all of it durable.
pub(super) fn commit(prepared: &Prepared<'_>) -> rusqlite::Result<()> {
    #[cfg(feature = "failpoints")]
    crate::failpoint::BEFORE_COMMIT.pass();
    prepared.statement("COMMIT")?.execute([])?;
    #[cfg(feature = "failpoints")]
    crate::failpoint::AFTER_COMMIT.pass();
    Ok(())
}
