//! What is asked without changing anything. Every query names the index that it relies on by its key's order.

use rusqlite::{Connection, OptionalExtension, Row, params};
use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::row::{EVENT_COLUMNS, Sql, event};
use crate::{
    apps::App,
    chat::{
        Backlog, Content, Direction, HistoryQuery, Lane, Message, MessageFlags, OwedEvent, Pair, Place, SyncEvent,
        SyncKind,
    },
};

pub(super) fn apps(connection: &Connection) -> rusqlite::Result<Vec<App>> {
    let mut statement = connection.prepare_cached("SELECT settings FROM app ORDER BY app")?;
    let apps = statement.query_map([], |row| {
        let settings: String = row.get(0)?;
        serde_json::from_str(&settings)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)))
    })?;
    apps.collect()
}

pub(super) fn unread(connection: &Connection, app: SdkAppId, user: &UserId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT unread FROM account WHERE app = ?1 AND user = ?2")?
        .query_row(params![Sql(app), Sql(user)], |row| row.get(0))
        .optional()
}

pub(super) fn unread_from(
    connection: &Connection,
    app: SdkAppId,
    user: &UserId,
    peers: &[UserId],
) -> rusqlite::Result<Vec<Option<i64>>> {
    let transaction = connection.unchecked_transaction()?;
    let count = |peer: &UserId| {
        if unread(&transaction, app, peer)?.is_none() {
            return Ok(None);
        }
        let (pair, direction) = Pair::of(peer, user);
        let column = match direction {
            Direction::LowToHigh => "high_unread",
            Direction::HighToLow => "low_unread",
        };
        let sql = format!("SELECT {column} FROM conversation WHERE app = ?1 AND low = ?2 AND high = ?3");
        let unread = transaction
            .prepare_cached(&sql)?
            .query_row(params![Sql(app), Sql(&pair.low), Sql(&pair.high)], |row| row.get(0))
            .optional()?;
        Ok(Some(unread.unwrap_or(0)))
    };
    peers.iter().map(count).collect()
}

/// Walks `message_by_time` backwards from where the page before ended.
pub(super) fn history(connection: &Connection, query: &HistoryQuery) -> rusqlite::Result<Vec<Message>> {
    let transaction = connection.unchecked_transaction()?;
    let (pair, _) = Pair::of(&query.operator, &query.peer);
    let end = Place { time_s: u32::MAX, seq: u32::MAX, position: i64::MAX };
    let before = query.before.map_or(Ok(end), |key| place(&transaction, query.app, &pair, key))?;
    let mut statement = transaction.prepare_cached(
        "SELECT direction, seq, random, time, position, flags, types, custom_data, body FROM message
         WHERE app = ?1 AND low = ?2 AND high = ?3 AND time BETWEEN ?4 AND ?5 AND (time, seq, position) < (?6, ?7, ?8)
         ORDER BY time DESC, seq DESC, position DESC",
    )?;
    let mut rows = statement.query(params![
        Sql(query.app),
        Sql(&pair.low),
        Sql(&pair.high),
        query.min_time_s,
        query.max_time_s.min(before.time_s),
        before.time_s,
        before.seq,
        before.position,
    ])?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        let message = message(row)?;
        if message.is_visible(&pair, &query.operator) {
            messages.push(message);
        }
        if messages.len() >= query.messages_max as usize {
            break;
        }
    }
    Ok(messages)
}

fn place(connection: &Connection, app: SdkAppId, pair: &Pair, key: MsgKey) -> rusqlite::Result<Place> {
    let position = connection
        .prepare_cached(
            "SELECT position FROM message
             WHERE app = ?1 AND low = ?2 AND high = ?3 AND seq = ?4 AND random = ?5 AND time = ?6",
        )?
        .query_row(params![Sql(app), Sql(&pair.low), Sql(&pair.high), key.seq, key.random, key.time], |row| row.get(0))
        .optional()?;
    let before = Place::before_key(key);
    Ok(position.map_or(before, |position| Place { position, ..before }))
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        direction: row.get::<_, Sql<Direction>>(0)?.0,
        key: MsgKey { seq: row.get(1)?, random: row.get(2)?, time: row.get(3)? },
        position: row.get(4)?,
        flags: row.get::<_, Sql<MessageFlags>>(5)?.0,
        content: Content { types: row.get(6)?, custom_data: row.get(7)?, body: row.get(8)?, hash: 0 },
    })
}

/// Goes from the latest sync event of the account back to `after`, from each to the one before it.
pub(super) fn sync_events(
    connection: &Connection,
    app: SdkAppId,
    user: &UserId,
    after: i64,
    events_max: u32,
) -> rusqlite::Result<Option<Vec<(i64, SyncEvent)>>> {
    let transaction = connection.unchecked_transaction()?;
    let last = transaction
        .prepare_cached("SELECT sync_number, sync_last FROM account WHERE app = ?1 AND user = ?2")?
        .query_row(params![Sql(app), Sql(user)], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
        .optional()?;
    let (mut number, mut id) = last.unwrap_or_default();
    let mut statement = transaction.prepare_cached(
        "SELECT previous, kind, peer, direction, seq, random, time FROM sync_event WHERE id = ?1 AND number = ?2",
    )?;
    let mut events = Vec::new();
    while number > after {
        let event = statement.query_row(params![id, number], |row| Ok((row.get(0)?, sync_event(row)?))).optional()?;
        let Some((previous, event)) = event.filter(|_| events.len() < events_max as usize) else {
            return Ok(None);
        };
        events.push((number, event));
        (number, id) = (number - 1, previous);
    }
    events.reverse();
    Ok(Some(events))
}

fn sync_event(row: &Row<'_>) -> rusqlite::Result<SyncEvent> {
    Ok(SyncEvent {
        kind: row.get::<_, Sql<SyncKind>>(1)?.0,
        peer: row.get::<_, Sql<UserId>>(2)?.0,
        direction: row.get::<_, Sql<Direction>>(3)?.0,
        key: MsgKey { seq: row.get(4)?, random: row.get(5)?, time: row.get(6)? },
    })
}

/// Jumps from lane to lane along the outbox's key, however many events each of them holds.
pub(super) fn lanes(
    connection: &Connection,
    after: Option<(SdkAppId, Lane)>,
    lanes_max: u32,
) -> rusqlite::Result<Vec<(SdkAppId, Lane)>> {
    let transaction = connection.unchecked_transaction()?;
    let mut statement = transaction.prepare_cached(
        "SELECT app, lane FROM outbox WHERE (app, lane) > (?1, ?2) ORDER BY app, lane, place LIMIT 1",
    )?;
    let mut lanes = Vec::new();
    let mut last = after.unwrap_or_else(|| (SdkAppId(0), Lane(String::new())));
    while lanes.len() < lanes_max as usize {
        let next = statement
            .query_row(params![Sql(last.0), last.1.0], |row| Ok((row.get::<_, Sql<SdkAppId>>(0)?.0, Lane(row.get(1)?))))
            .optional()?;
        let Some(next) = next else {
            break;
        };
        lanes.push(next.clone());
        last = next;
    }
    Ok(lanes)
}

pub(super) fn lane(
    connection: &Connection,
    app: SdkAppId,
    lane: &Lane,
    after: i64,
    events_max: u32,
) -> rusqlite::Result<Vec<OwedEvent>> {
    let sql = format!(
        "SELECT {EVENT_COLUMNS} FROM outbox WHERE app = ?1 AND lane = ?2 AND place > ?3 ORDER BY place LIMIT ?4"
    );
    connection.prepare_cached(&sql)?.query_map(params![Sql(app), lane.0, after, events_max], event)?.collect()
}

pub(super) fn backlog(connection: &Connection) -> rusqlite::Result<Backlog> {
    let transaction = connection.unchecked_transaction()?;
    let count = |sql| transaction.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
    Ok(Backlog { waiting: count("SELECT count(*) FROM outbox")?, parked: count("SELECT count(*) FROM parked")? })
}
