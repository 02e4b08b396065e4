//! What is asked without changing anything. Where an answer takes several statements, its caller has begun a transaction that
//! sees one moment.

use tokio_postgres::Row;
use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::{
    link::{Link, params},
    row::{self, Columns as _, KEPT_COLUMNS, MESSAGE_COLUMNS, OWED_COLUMNS, Sql},
};
use crate::{
    apps::App,
    chat::{
        Direction, EventId, Fault, Found, HistoryQuery, KeptEvent, Lane, LaneHead, Message, Oldest, OwedEvent, Pair,
        ParkedFilter, ParkedPiece, Place, Prunable, Rows, Standing, SyncEvent, SyncKind, What,
    },
    clock::Timestamp,
    limits,
};

pub(super) fn apps(link: &Link) -> Result<Vec<App>, Fault> {
    let rows = link.rows("SELECT settings FROM app ORDER BY app", params![])?;
    rows.iter().map(|row| row.parsed(0, |text| serde_json::from_str(text).ok())).collect()
}

/// Walks `message_by_time` backwards from where the page before ended.
pub(super) fn history(link: &Link, query: &HistoryQuery) -> Result<Vec<Message>, Fault> {
    let (pair, _) = Pair::of(&query.operator, &query.peer);
    let cleared = cleared_position(link, query, &pair)?;
    let end = Place { time_s: u32::MAX, seq: u32::MAX, position: i64::MAX };
    let mut before = query.before.map_or(Ok(end), |key| place(link, query.app, &pair, key))?;
    let sql = format!(
        "SELECT {MESSAGE_COLUMNS} FROM message
         WHERE app + 1 = $1::bigint + 1 AND low = $2 AND high = $3 AND time >= $4 AND time <= $5
               AND (time, seq, position) < ($6, $7, $8) AND position > $9
         ORDER BY time DESC, seq DESC, position DESC LIMIT $10"
    );
    let piece_rows = i64::from(query.messages_max.clamp(1, limits::HISTORY_PAGE_MESSAGES_MAX));
    let mut messages = Vec::new();
    loop {
        let rows = link.rows(
            &sql,
            params![
                Sql(query.app),
                Sql(&pair.low),
                Sql(&pair.high),
                Sql(query.min_time_s),
                Sql(query.max_time_s.min(before.time_s)),
                Sql(before.time_s),
                Sql(before.seq),
                before.position,
                cleared,
                piece_rows,
            ],
        )?;
        for row in &rows {
            let message = row::message(row)?;
            before = Place { position: message.position, ..Place::before_key(message.key) };
            if message.is_visible(&pair, &query.operator, cleared) {
                messages.push(message);
            }
            if messages.len() >= query.messages_max as usize {
                return Ok(messages);
            }
        }
        if (rows.len() as i64) < piece_rows {
            return Ok(messages);
        }
    }
}

/// Up to where the operator has cleared its history. What an earlier life of it had is all cleared.
fn cleared_position(link: &Link, query: &HistoryQuery, pair: &Pair) -> Result<i64, Fault> {
    let is_high = query.operator == pair.high;
    let row = link.row(
        "SELECT CASE WHEN c.app IS NULL THEN 0
                     WHEN CASE WHEN $5 THEN c.high_life ELSE c.low_life END <> me.life THEN c.position
                     WHEN $5 THEN c.high_cleared_position ELSE c.low_cleared_position END
         FROM account AS me LEFT JOIN conversation AS c ON c.app = $1 AND c.low = $3 AND c.high = $4
         WHERE me.app = $1 AND me.name = $2 AND NOT me.deleted",
        params![Sql(query.app), Sql(&query.operator), Sql(&pair.low), Sql(&pair.high), is_high],
    )?;
    row.map_or(Ok(i64::MAX), |row| row.at(0))
}

fn place(link: &Link, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Place, Fault> {
    let row = link.row(
        "SELECT position FROM message
         WHERE app = $1 AND low = $2 AND high = $3 AND seq = $4 AND random = $5 AND time = $6",
        params![Sql(app), Sql(&pair.low), Sql(&pair.high), Sql(key.seq), Sql(key.random), Sql(key.time)],
    )?;
    let before = Place::before_key(key);
    row.map_or(Ok(before), |row| Ok(Place { position: row.at(0)?, ..before }))
}

/// Along the key. None if they are more than `events_max`, or if the first ones are gone.
pub(super) fn sync_events(
    link: &Link,
    app: SdkAppId,
    user: &UserId,
    after: i64,
    events_max: u32,
) -> Result<Option<Vec<(i64, SyncEvent)>>, Fault> {
    let rows = link.rows(
        "SELECT number, kind, peer, direction, seq, random, time FROM sync_event
         WHERE app = $1 AND name = $2 AND number > $3 ORDER BY number LIMIT $4",
        params![Sql(app), Sql(user), after, i64::from(events_max) + 1],
    )?;
    let event = |row: &Row| {
        let key = MsgKey { seq: row.number(4)?, random: row.number(5)?, time: row.number(6)? };
        let (kind, direction) = (row.at::<Sql<SyncKind>>(1)?.0, row.at::<Sql<Direction>>(3)?.0);
        Ok((row.at(0)?, SyncEvent { kind, peer: row.user(2)?, direction, key }))
    };
    let events = rows.iter().map(event).collect::<Result<Vec<(i64, _)>, Fault>>()?;
    let is_whole = events.first().is_none_or(|(number, _)| *number == after.max(0) + 1);
    Ok(Some(events).filter(|events| is_whole && events.len() <= events_max as usize))
}

/// Jumps from lane to lane along the outbox's key, however many events each of them holds.
pub(super) fn lanes(
    link: &Link,
    after: Option<(SdkAppId, Lane)>,
    lanes_max: u32,
) -> Result<Vec<(SdkAppId, Lane)>, Fault> {
    let (app, lane) = after.unwrap_or_else(|| (SdkAppId(0), Lane(String::new())));
    let rows = link.rows(
        "WITH RECURSIVE jump (app, lane) AS (
             (SELECT app, lane FROM outbox WHERE (app, lane) > ($1, $2) ORDER BY app, lane LIMIT 1)
             UNION ALL
             SELECT next.app, next.lane FROM jump CROSS JOIN LATERAL (
                 SELECT app, lane FROM outbox WHERE (app, lane) > (jump.app, jump.lane) ORDER BY app, lane LIMIT 1
             ) AS next
         ) SELECT app, lane FROM jump LIMIT $3",
        params![Sql(app), lane.0, i64::from(lanes_max)],
    )?;
    rows.iter().map(|row| Ok((row.at::<Sql<SdkAppId>>(0)?.0, Lane(row.at(1)?)))).collect()
}

/// Along the outbox's key; each event's row in the log is found by its own.
pub(super) fn lane(
    link: &Link,
    app: SdkAppId,
    lane: &Lane,
    after: i64,
    events_max: u32,
) -> Result<Vec<OwedEvent>, Fault> {
    let sql = format!(
        "SELECT {KEPT_COLUMNS}, {OWED_COLUMNS} FROM outbox AS o JOIN event ON event.id = o.event
         WHERE o.app = $1 AND o.lane = $2 AND o.place > $3 ORDER BY o.place LIMIT $4"
    );
    link.rows(&sql, params![Sql(app), lane.0, after, i64::from(events_max)])?.iter().map(row::owed).collect()
}

/// Jumps from lane to lane within an app.
const JUMP: &str = "
    WITH RECURSIVE jump (lane) AS (
        (SELECT lane FROM outbox WHERE app = $1 AND lane > $2 ORDER BY lane LIMIT 1)
        UNION ALL
        SELECT next.lane FROM jump CROSS JOIN LATERAL (
            SELECT lane FROM outbox WHERE app = $1 AND lane > jump.lane ORDER BY lane LIMIT 1
        ) AS next
    ), lanes (lane) AS (SELECT lane FROM jump LIMIT $3)";

/// Each lane is counted along the key, up to a bound.
pub(super) fn lane_heads(
    link: &Link,
    app: SdkAppId,
    after: Option<Lane>,
    lanes_max: u32,
) -> Result<Vec<LaneHead>, Fault> {
    let sql = format!(
        "{JUMP}
         SELECT {KEPT_COLUMNS}, {OWED_COLUMNS},
                (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE app = $1 AND lane = lanes.lane LIMIT $4) AS counted)
         FROM lanes CROSS JOIN LATERAL (
                  SELECT * FROM outbox WHERE app = $1 AND lane = lanes.lane ORDER BY place LIMIT 1
              ) AS o JOIN event ON event.id = o.event
         ORDER BY o.lane"
    );
    let after = after.map_or(String::new(), |lane| lane.0);
    let rows = link.rows(&sql, params![Sql(app), after, i64::from(lanes_max), i64::from(limits::LANE_COUNT_MAX)])?;
    rows.iter().map(|row| Ok(LaneHead { waiting: row.number(19)?, head: row::owed(row)? })).collect()
}

/// The first event of each lane waits longest in it.
pub(super) fn oldest(link: &Link, app: SdkAppId, after: Option<Lane>, lanes_max: u32) -> Result<Oldest, Fault> {
    let sql = format!(
        "{JUMP}
         SELECT lanes.lane, o.age_from_ms FROM lanes CROSS JOIN LATERAL (
             SELECT age_from_ms FROM outbox WHERE app = $1 AND lane = lanes.lane ORDER BY place LIMIT 1
         ) AS o ORDER BY lanes.lane"
    );
    let after = after.map_or(String::new(), |lane| lane.0);
    let rows = link.rows(&sql, params![Sql(app), after, i64::from(lanes_max)])?;
    let mut oldest = Oldest::default();
    for row in &rows {
        let since = row.at::<Sql<Timestamp>>(1)?.0;
        oldest.since = Some(oldest.since.map_or(since, |other| other.min(since)));
        oldest.next = Some(Lane(row.at(0)?));
    }
    oldest.next = oldest.next.filter(|_| rows.len() >= lanes_max as usize);
    Ok(oldest)
}

/// One that is named is found by its row in the log. The others are searched along the key of `parked`, within the lane that
/// is asked for; a replay does that in the writer's transaction, so only so many rows are looked at.
pub(super) fn parked(
    link: &Link,
    app: SdkAppId,
    filter: &ParkedFilter,
    after: Option<(Lane, i64)>,
    events_max: u32,
) -> Result<ParkedPiece, Fault> {
    let (first, last) = match &filter.lane {
        Some(lane) => ((lane.clone(), 0), lane.clone()),
        None => ((Lane(String::new()), 0), Lane::after_all()),
    };
    let start = after.map_or(first.clone(), |after| after.max(first));
    if let Some(id) = &filter.id {
        let covered = event(link, app, id)?.filter(|event| {
            let stands = event.parked_place().map(|place| (event.lane.clone(), place));
            stands.is_some_and(|stands| stands > start) && event.parked_at().is_some_and(|at| filter.covers(event, at))
        });
        return Ok(ParkedPiece { events: covered.into_iter().take(events_max as usize).collect(), next: None });
    }
    let sql = format!(
        "SELECT {KEPT_COLUMNS}, p.place, p.attempts, p.parked_ms, p.reason
         FROM parked AS p JOIN event ON event.id = p.event
         WHERE p.app = $1 AND (p.lane, p.place) > ($2, $3) AND p.lane <= $4
         ORDER BY p.lane, p.place LIMIT $5"
    );
    let rows = link.rows(&sql, params![Sql(app), start.0.0, start.1, last.0, i64::from(limits::PARKED_PIECE_ROWS)])?;
    let (mut events, mut next, mut looked_at) = (Vec::new(), None, 0);
    for row in &rows {
        if events.len() >= events_max as usize {
            break;
        }
        let standing = Standing::Parked {
            place: row.at(11)?,
            attempts: row.number(12)?,
            at: row.at::<Sql<Timestamp>>(13)?.0,
            reason: row.written(14)?.into(),
        };
        let event = row::kept(row, standing)?;
        (next, looked_at) = (event.parked_place().map(|place| (event.lane.clone(), place)), looked_at + 1);
        if event.parked_at().is_some_and(|at| filter.covers(&event, at)) {
            events.push(event);
        }
    }
    let more = looked_at >= limits::PARKED_PIECE_ROWS || events.len() >= events_max as usize;
    Ok(ParkedPiece { events, next: next.filter(|_| more) })
}

/// An event of that name, with where it stands, if it is kept. Its name tells its row in the log.
pub(super) fn event(link: &Link, app: SdkAppId, id: &EventId) -> Result<Option<KeptEvent>, Fault> {
    let Some(row) = id.row() else {
        return Ok(None);
    };
    let sql = format!("{} WHERE event.id = $1 AND event.name = $2 AND event.app = $3", standing_select());
    link.row(&sql, params![row, id.0, Sql(app)])?.map(|row| with_standing(&row)).transpose()
}

/// Events of the log with where they stand: at the place of their number, or as a replay, for which there are indexes.
fn standing_select() -> String {
    let stands = |table: &str| {
        format!(
            "(SELECT s AS found FROM {table} AS s WHERE s.app = event.app AND s.lane = event.lane AND s.place = event.number
                                               AND s.event = event.id
              UNION ALL SELECT s FROM {table} AS s WHERE s.event = event.id AND s.replay LIMIT 1)"
        )
    };
    format!(
        "SELECT {KEPT_COLUMNS}, (w.waiting).place, (w.waiting).attempts, (w.waiting).refusals, (w.waiting).unavailable_since_ms, (w.waiting).due_ms,
                (p.parked).place, (p.parked).attempts, (p.parked).parked_ms, (p.parked).reason
         FROM event LEFT JOIN LATERAL {} AS w (waiting) ON true LEFT JOIN LATERAL {} AS p (parked) ON true",
        stands("outbox"),
        stands("parked")
    )
}

fn with_standing(row: &Row) -> Result<KeptEvent, Fault> {
    let (waits, parked) = (row.at::<Option<i64>>(11)?, row.at::<Option<i64>>(16)?);
    let standing = match (waits, parked) {
        (Some(place), _) => {
            Standing::Waiting { place, tries: row::tries(row, 12)?, due: row.at::<Sql<Timestamp>>(15)?.0 }
        }
        (None, Some(place)) => Standing::Parked {
            place,
            attempts: row.number(17)?,
            at: row.at::<Sql<Timestamp>>(18)?.0,
            reason: row.written(19)?.into(),
        },
        (None, None) => Standing::Delivered,
    };
    row::kept(row, standing)
}

/// A piece of what can be sent again, and how to go on.
pub(super) fn kept(link: &Link, app: SdkAppId, what: &What, events_max: u32) -> Result<Found, Fault> {
    match what {
        What::Parked { filter, after } => {
            let ParkedPiece { events, next } = parked(link, app, filter, after.clone(), events_max)?;
            let next = next.map(|last| What::Parked { filter: filter.clone(), after: Some(last) });
            Ok(Found { events, next })
        }
        What::Delivered { since, rows } => delivered(link, app, *since, *rows, events_max),
    }
}

/// Along the log, from the first row of the time on.
fn delivered(
    link: &Link,
    app: SdkAppId,
    since: Timestamp,
    rows: Option<Rows>,
    events_max: u32,
) -> Result<Found, Fault> {
    let Rows { after, through } = match rows {
        Some(rows) => rows,
        None => Rows { after: first_row_since(link, since)? - 1, through: last_row(link)? },
    };
    let sql = format!("{} WHERE event.id > $1 AND event.id <= $2 ORDER BY event.id LIMIT $3", standing_select());
    let log = link.rows(&sql, params![after, through, i64::from(limits::REPLAY_PIECE_ROWS)])?;
    let (mut events, mut last, mut looked_at) = (Vec::new(), after, 0);
    for row in &log {
        if events.len() >= events_max as usize {
            break;
        }
        (last, looked_at) = (row.at(0)?, looked_at + 1);
        if row.at::<Sql<SdkAppId>>(2)?.0 != app {
            continue;
        }
        let event = with_standing(row)?;
        if event.created >= since && !event.command.holds_text() && event.standing == Standing::Delivered {
            events.push(event);
        }
    }
    let more = looked_at >= limits::REPLAY_PIECE_ROWS || events.len() >= events_max as usize;
    let next = (more && last < through).then_some(What::Delivered { since, rows: Some(Rows { after: last, through }) });
    Ok(Found { events, next })
}

/// The conversations behind `after` in which something is to be erased, among so many; and behind which to go on.
pub(super) fn prunable(
    link: &Link,
    app: SdkAppId,
    after: Option<&Pair>,
    before_s: u32,
    conversations_max: u32,
) -> Result<Prunable, Fault> {
    let (low, high) = after.map_or(("", ""), |pair| (pair.low.as_str(), pair.high.as_str()));
    let cleared = |side: &str| {
        format!(
            "coalesce((SELECT CASE WHEN a.life = c.{side}_life THEN c.{side}_cleared_position ELSE c.position END
                       FROM account AS a WHERE a.app = $1 AND a.name = c.{side} AND NOT a.deleted), {})",
            i64::MAX
        )
    };
    let sql = format!(
        "SELECT c.low, c.high,
                $4::bigint > 0 AND
                EXISTS (SELECT 1 FROM message AS m WHERE m.app + 1 = $1::bigint + 1 AND m.low = c.low AND m.high = c.high
                                                         AND m.time < $4)
                OR EXISTS (SELECT 1 FROM message AS m WHERE m.app + 2 = $1::bigint + 2 AND m.low = c.low
                                                            AND m.high = c.high AND m.position <= least({}, {}))
         FROM (SELECT * FROM conversation WHERE app = $1 AND (low, high) > ($2, $3) ORDER BY low, high LIMIT $5) AS c
         ORDER BY c.low, c.high",
        cleared("low"),
        cleared("high")
    );
    let rows = link.rows(&sql, params![Sql(app), low, high, Sql(before_s), i64::from(conversations_max)])?;
    let mut prunable = Prunable::default();
    for row in &rows {
        let pair = Pair { low: row.user(0)?, high: row.user(1)? };
        if row.at(2)? {
            prunable.pairs.push(pair.clone());
        }
        prunable.next = Some(pair);
    }
    prunable.next = prunable.next.filter(|_| rows.len() >= conversations_max as usize);
    Ok(prunable)
}

fn last_row(link: &Link) -> Result<i64, Fault> {
    link.row("SELECT coalesce(max(id), 0) FROM event", params![])?.map_or(Ok(0), |row| row.at(0))
}

/// Rows that writers have taken at the same time stand in the log by blocks, not by time: so much earlier is begun.
const DISORDER_MS: i64 = 60_000;

/// The log is nearly in the order of time: the row is found by halves.
fn first_row_since(link: &Link, since: Timestamp) -> Result<i64, Fault> {
    let (mut low, mut high) = (0, last_row(link)? + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let sql = "SELECT id, created_ms FROM event WHERE id >= $1 ORDER BY id LIMIT 1";
        match link.row(sql, params![middle])? {
            Some(row) if row.at::<i64>(1)? < since.0.saturating_sub(DISORDER_MS) => low = row.at::<i64>(0)? + 1,
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}
