//! What is asked without changing anything. Every query names the index that it relies on by its key's order.

use rusqlite::{Connection, OptionalExtension, Row, params};
use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::{
    contacts, messages,
    row::{self, KEPT_COLUMNS, OWED_COLUMNS, Sql},
};
use crate::{
    apps::App,
    chat::{
        Content, Direction, EventId, Found, HistoryQuery, KeptEvent, Lane, LaneHead, Message, MessageFlags, Oldest,
        OwedEvent, Pair, ParkedFilter, ParkedPiece, Place, Rows, Standing, SyncEvent, SyncKind, Tries, What,
    },
    clock::Timestamp,
    limits,
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

/// Walks `message_by_time` backwards from where the page before ended.
pub(super) fn history(connection: &Connection, query: &HistoryQuery) -> rusqlite::Result<Vec<Message>> {
    let transaction = connection.unchecked_transaction()?;
    let (pair, _) = Pair::of(&query.operator, &query.peer);
    let cleared = cleared_position(&transaction, query, &pair)?;
    let end = Place { time_s: u32::MAX, seq: u32::MAX, position: i64::MAX };
    let before = query.before.map_or(Ok(end), |key| place(&transaction, query.app, &pair, key))?;
    let mut statement = transaction.prepare_cached(&format!(
        "SELECT {MESSAGE_COLUMNS} FROM message
         WHERE app = ?1 AND low = ?2 AND high = ?3 AND time BETWEEN ?4 AND ?5 AND (time, seq, position) < (?6, ?7, ?8)
               AND position > ?9
         ORDER BY time DESC, seq DESC, position DESC"
    ))?;
    let mut rows = statement.query(params![
        Sql(query.app),
        Sql(&pair.low),
        Sql(&pair.high),
        query.min_time_s,
        query.max_time_s.min(before.time_s),
        before.time_s,
        before.seq,
        before.position,
        cleared,
    ])?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        let message = message(row)?;
        if message.is_visible(&pair, &query.operator, cleared) {
            messages.push(message);
        }
        if messages.len() >= query.messages_max as usize {
            break;
        }
    }
    Ok(messages)
}

/// Up to where the operator has cleared its history. What an earlier life of it had is all cleared.
fn cleared_position(connection: &Connection, query: &HistoryQuery, pair: &Pair) -> rusqlite::Result<i64> {
    let Some((life, _)) = contacts::live(connection, query.app, &query.operator)? else {
        return Ok(i64::MAX);
    };
    let side = if query.operator == pair.high { "high" } else { "low" };
    let sql = format!(
        "SELECT position, {side}_life, {side}_cleared_position FROM conversation WHERE app = ?1 AND low = ?2 AND high = ?3"
    );
    let cleared = connection
        .prepare_cached(&sql)?
        .query_row(params![Sql(query.app), Sql(&pair.low), Sql(&pair.high)], |row| {
            if row.get::<_, i64>(1)? == life { row.get(2) } else { row.get(0) }
        })
        .optional()?;
    Ok(cleared.unwrap_or(0))
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

/// The columns of a whole message, in the order in which [`message`] reads them.
pub(super) const MESSAGE_COLUMNS: &str =
    "direction, seq, random, time, position, flags, types, custom_data, body, push_info, client_time, recalled_by";

pub(super) fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let key = MsgKey { seq: row.get(1)?, random: row.get(2)?, time: row.get(3)? };
    let recalled_by: String = row.get(11)?;
    Ok(Message {
        direction: row.get::<_, Sql<Direction>>(0)?.0,
        key,
        position: row.get(4)?,
        flags: row.get::<_, Sql<MessageFlags>>(5)?.0,
        client_time_s: messages::client_time_s(row.get(10)?, key),
        // A tombstone of before this was kept does not say it.
        recalled_by: UserId::new(&recalled_by).ok(),
        content: Content {
            types: row.get(6)?,
            custom_data: row.get(7)?,
            body: row.get(8)?,
            push_info: row.get(9)?,
            hash: 0,
        },
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
    walk_sync_events(&*connection.unchecked_transaction()?, app, user, after, events_max)
}

/// The same within a transaction of the caller's.
pub(super) fn walk_sync_events(
    connection: &Connection,
    app: SdkAppId,
    user: &UserId,
    after: i64,
    events_max: u32,
) -> rusqlite::Result<Option<Vec<(i64, SyncEvent)>>> {
    let last = connection
        .prepare_cached("SELECT sync_number, sync_last FROM account WHERE app = ?1 AND user = ?2")?
        .query_row(params![Sql(app), Sql(user)], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
        .optional()?;
    let (mut number, mut id) = last.unwrap_or_default();
    let mut statement = connection.prepare_cached(
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

/// Along the outbox's key; each event's row in the log is found by its own.
pub(super) fn lane(
    connection: &Connection,
    app: SdkAppId,
    lane: &Lane,
    after: i64,
    events_max: u32,
) -> rusqlite::Result<Vec<OwedEvent>> {
    let sql = format!(
        "SELECT {KEPT_COLUMNS}, {OWED_COLUMNS} FROM outbox AS o CROSS JOIN event ON event.id = o.event
         WHERE o.app = ?1 AND o.lane = ?2 AND o.place > ?3 ORDER BY o.place LIMIT ?4"
    );
    connection.prepare_cached(&sql)?.query_map(params![Sql(app), lane.0, after, events_max], row::owed)?.collect()
}

/// Jumps from lane to lane; each is counted along the key, up to a bound.
pub(super) fn lane_heads(
    connection: &Connection,
    app: SdkAppId,
    after: Option<Lane>,
    lanes_max: u32,
) -> rusqlite::Result<Vec<LaneHead>> {
    let transaction = connection.unchecked_transaction()?;
    let sql = format!(
        "SELECT {KEPT_COLUMNS}, {OWED_COLUMNS} FROM outbox AS o CROSS JOIN event ON event.id = o.event
         WHERE o.app = ?1 AND o.lane > ?2 ORDER BY o.lane, o.place LIMIT 1"
    );
    let mut next = transaction.prepare_cached(&sql)?;
    let mut count = transaction
        .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM outbox WHERE app = ?1 AND lane = ?2 LIMIT ?3)")?;
    let (mut heads, mut last) = (Vec::new(), after.unwrap_or_else(|| Lane(String::new())));
    while heads.len() < lanes_max as usize
        && let Some(head) = next.query_row(params![Sql(app), last.0], row::owed).optional()?
    {
        last = head.lane.clone();
        let waiting = count.query_row(params![Sql(app), last.0, limits::LANE_COUNT_MAX], |row| row.get(0))?;
        heads.push(LaneHead { waiting, head });
    }
    Ok(heads)
}

/// Jumps from lane to lane: the first event of each waits longest in it.
pub(super) fn oldest(
    connection: &Connection,
    app: SdkAppId,
    after: Option<Lane>,
    lanes_max: u32,
) -> rusqlite::Result<Oldest> {
    let transaction = connection.unchecked_transaction()?;
    let mut statement = transaction.prepare_cached(
        "SELECT lane, age_from_ms FROM outbox WHERE app = ?1 AND lane > ?2 ORDER BY lane, place LIMIT 1",
    )?;
    let mut oldest = Oldest { since: None, next: Some(after.unwrap_or_else(|| Lane(String::new()))) };
    for _ in 0..lanes_max {
        let Some(lane) = &oldest.next else {
            break;
        };
        let head = statement
            .query_row(params![Sql(app), lane.0], |row| Ok((Lane(row.get(0)?), Timestamp(row.get(1)?))))
            .optional()?;
        oldest.next = head.as_ref().map(|(lane, _)| lane.clone());
        if let Some((_, since)) = head {
            oldest.since = Some(oldest.since.map_or(since, |other| other.min(since)));
        }
    }
    Ok(oldest)
}

/// One that is named is found by its row in the log. The others are searched along the key of `parked`, within the lane that
/// is asked for; a replay does that in the writer's transaction, so only so many rows are looked at.
pub(super) fn parked(
    connection: &Connection,
    app: SdkAppId,
    filter: &ParkedFilter,
    after: Option<(Lane, i64)>,
    events_max: u32,
) -> rusqlite::Result<ParkedPiece> {
    let (first, last) = match &filter.lane {
        Some(lane) => ((lane.clone(), 0), lane.clone()),
        None => ((Lane(String::new()), 0), Lane::after_all()),
    };
    let start = after.map_or(first.clone(), |after| after.max(first));
    if let Some(id) = &filter.id
        && is_named_by_log(connection, id)?
    {
        let named = logged(connection, app, id)?;
        let covered = named.filter(|event| {
            let stands = event.parked_place().map(|place| (event.lane.clone(), place));
            stands.is_some_and(|stands| stands > start) && event.parked_at().is_some_and(|at| filter.covers(event, at))
        });
        return Ok(ParkedPiece { events: covered.into_iter().take(events_max as usize).collect(), next: None });
    }
    let sql = format!(
        "SELECT {KEPT_COLUMNS}, p.place, p.attempts, p.parked_ms, p.reason
         FROM parked AS p CROSS JOIN event ON event.id = p.event
         WHERE p.app = ?1 AND (p.lane, p.place) > (?2, ?3) AND p.lane <= ?4
         ORDER BY p.lane, p.place LIMIT ?5"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![Sql(app), start.0.0, start.1, last.0, limits::PARKED_PIECE_ROWS])?;
    let (mut events, mut next, mut looked_at) = (Vec::new(), None, 0);
    while events.len() < events_max as usize
        && let Some(row) = rows.next()?
    {
        let event = parked_event(row)?;
        (next, looked_at) = (event.parked_place().map(|place| (event.lane.clone(), place)), looked_at + 1);
        if event.parked_at().is_some_and(|at| filter.covers(&event, at)) {
            events.push(event);
        }
    }
    let more = looked_at >= limits::PARKED_PIECE_ROWS || events.len() >= events_max as usize;
    Ok(ParkedPiece { events, next: next.filter(|_| more) })
}

fn parked_event(row: &Row<'_>) -> rusqlite::Result<KeptEvent> {
    let reason: String = row.get(14)?;
    let at = Timestamp(row.get(13)?);
    row::kept(row, Standing::Parked { place: row.get(11)?, attempts: row.get(12)?, at, reason: reason.into() })
}

/// By its row in the log; one from before there was a log is found among the parked ones.
pub(super) fn event(connection: &Connection, app: SdkAppId, id: &EventId) -> rusqlite::Result<Option<KeptEvent>> {
    let transaction = connection.unchecked_transaction()?;
    if is_named_by_log(&transaction, id)? {
        return logged(&transaction, app, id);
    }
    let filter = ParkedFilter { id: Some(id.clone()), ..ParkedFilter::default() };
    let mut after = None;
    loop {
        let ParkedPiece { mut events, next } = parked(&transaction, app, &filter, after, 1)?;
        if !events.is_empty() || next.is_none() {
            return Ok(events.pop());
        }
        after = next;
    }
}

/// Whether its name tells a row that the log has given. The name of an event from before there was a log tells a row at
/// random, far behind the last one.
fn is_named_by_log(connection: &Connection, id: &EventId) -> rusqlite::Result<bool> {
    let last = last_row(connection)?;
    Ok(id.row().is_some_and(|row| row <= last))
}

/// An event of that name, with where it stands, if it is kept.
fn logged(connection: &Connection, app: SdkAppId, id: &EventId) -> rusqlite::Result<Option<KeptEvent>> {
    let sql = format!("SELECT {KEPT_COLUMNS} FROM event WHERE id = ?1 AND name = ?2 AND app = ?3");
    let kept = connection
        .prepare_cached(&sql)?
        .query_row(params![id.row(), id.0, Sql(app)], |row| row::kept(row, Standing::Delivered))
        .optional()?;
    let Some(mut kept) = kept else {
        return Ok(None);
    };
    kept.standing = standing(connection, &kept)?.unwrap_or(Standing::Delivered);
    Ok(Some(kept))
}

/// Where an event of the log stands; none if it was delivered.
fn standing(connection: &Connection, kept: &KeptEvent) -> rusqlite::Result<Option<Standing>> {
    let waiting = connection
        .prepare_cached(
            "SELECT place, attempts, refusals, unavailable_since_ms, due_ms FROM outbox
             WHERE app = ?1 AND lane = ?2 AND place = ?3 AND event = ?4
             UNION ALL
             SELECT place, attempts, refusals, unavailable_since_ms, due_ms FROM outbox WHERE event = ?4 AND replay = 1",
        )?
        .query_row(params![Sql(kept.app), kept.lane.0, kept.number, kept.row], |row| {
            let unavailable_since = row.get::<_, Option<i64>>(3)?.map(Timestamp);
            let tries = Tries { attempts: row.get(1)?, refusals: row.get(2)?, unavailable_since };
            Ok(Standing::Waiting { place: row.get(0)?, tries, due: Timestamp(row.get(4)?) })
        })
        .optional()?;
    if waiting.is_some() {
        return Ok(waiting);
    }
    connection
        .prepare_cached(
            "SELECT place, attempts, parked_ms, reason FROM parked
             WHERE app = ?1 AND lane = ?2 AND place = ?3 AND event = ?4
             UNION ALL
             SELECT place, attempts, parked_ms, reason FROM parked WHERE event = ?4 AND replay = 1",
        )?
        .query_row(params![Sql(kept.app), kept.lane.0, kept.number, kept.row], |row| {
            let (at, reason): (i64, String) = (row.get(2)?, row.get(3)?);
            Ok(Standing::Parked { place: row.get(0)?, attempts: row.get(1)?, at: Timestamp(at), reason: reason.into() })
        })
        .optional()
}

/// A piece of what can be sent again, and how to go on.
pub(super) fn kept(connection: &Connection, app: SdkAppId, what: &What, events_max: u32) -> rusqlite::Result<Found> {
    match what {
        What::Parked { filter, after } => {
            let ParkedPiece { events, next } = parked(connection, app, filter, after.clone(), events_max)?;
            let next = next.map(|last| What::Parked { filter: filter.clone(), after: Some(last) });
            Ok(Found { events, next })
        }
        What::Delivered { since, rows } => delivered(connection, app, *since, *rows, events_max),
    }
}

/// Along the log, from the first row of the time on.
fn delivered(
    connection: &Connection,
    app: SdkAppId,
    since: Timestamp,
    rows: Option<Rows>,
    events_max: u32,
) -> rusqlite::Result<Found> {
    let Rows { after, through } = match rows {
        Some(rows) => rows,
        None => Rows { after: first_row_since(connection, since)? - 1, through: last_row(connection)? },
    };
    let sql = format!("SELECT {KEPT_COLUMNS} FROM event WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut log = statement.query(params![after, through, limits::REPLAY_PIECE_ROWS])?;
    let (mut events, mut last, mut looked_at) = (Vec::new(), after, 0);
    while events.len() < events_max as usize
        && let Some(row) = log.next()?
    {
        (last, looked_at) = (row.get(0)?, looked_at + 1);
        if row.get::<_, Sql<SdkAppId>>(2)?.0 != app {
            continue;
        }
        let event = row::kept(row, Standing::Delivered)?;
        if event.created >= since && !event.command.holds_text() && standing(connection, &event)?.is_none() {
            events.push(event);
        }
    }
    let more = looked_at >= limits::REPLAY_PIECE_ROWS || events.len() >= events_max as usize;
    let next = (more && last < through).then_some(What::Delivered { since, rows: Some(Rows { after: last, through }) });
    Ok(Found { events, next })
}

/// The serial of the newest account.
pub(super) fn serial(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE name = 'account_serial'";
    connection.query_row(sql, [], |row| row.get(0))
}

pub(super) fn last_row(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT coalesce(max(id), 0) FROM event", [], |row| row.get(0))
}

/// The log is in commit order, and so, but for a clock that was set back, in the order of time: the row is found by
/// halves.
fn first_row_since(connection: &Connection, since: Timestamp) -> rusqlite::Result<i64> {
    let mut statement =
        connection.prepare_cached("SELECT id, created_ms FROM event WHERE id >= ?1 ORDER BY id LIMIT 1")?;
    let (mut low, mut high) = (0, last_row(connection)? + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let found = statement.query_row([middle], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).optional()?;
        match found {
            Some((id, created_ms)) if Timestamp(created_ms) < since => low = id + 1,
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}
