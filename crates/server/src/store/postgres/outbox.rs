//! The outbox: events go in with what caused them, and leave when they are delivered or parked.
//!
//! An event is written once, into the log (table `event`); outbox and parked refer to it there. What is delivered leaves
//! the outbox; the log keeps it for a while if it holds no text, so that it can be sent again. Whoever mends a lane locks the
//! row that has its counter first, as whoever appends to it does.

use unsaid_protocol::{SdkAppId, callback::CallbackCommand};

use super::{
    batch::Batch,
    leases,
    link::params,
    row::{Columns as _, Sql, Text},
};
use crate::{
    chat::{Fault, Lane, Pruned, Settled, Settlement, Tries},
    clock::Timestamp,
    cluster::Shard,
    limits,
};

/// What a row of the outbox was when it was taken out.
struct Taken {
    event: i64,
    number_may_follow: bool,
    previous: i64,
}

/// Notes what became of attempts. What is no longer there was settled before; what another server delivers by now is that one's
/// to settle. Those that were delivered go together.
pub(super) fn settle(batch: &mut Batch<'_>, settled: &[Settled]) -> Result<(), Fault> {
    batch.write_events()?;
    let shard_of = |settled: &Settled| Shard::of(settled.app, &settled.lane);
    let others = leases::others(batch.link(), batch.member(), &settled.iter().map(shard_of).collect())?;
    let settled: Vec<_> = settled.iter().filter(|settled| !others.contains(shard_of(settled))).collect();
    let delivered = settled.iter().copied().filter(|settled| settled.to == Settlement::Delivered);
    deliver(batch, &delivered.collect::<Vec<_>>())?;
    settled.into_iter().try_for_each(|settled| match &settled.to {
        Settlement::Delivered => Ok(()),
        Settlement::DueAgain { tries, due } => postpone(batch, settled, *tries, *due),
        Settlement::Parked { tries, at, reason } => park(batch, settled, *tries, *at, reason),
    })
}

/// What held text is erased at once (rule R3).
fn deliver(batch: &mut Batch<'_>, settled: &[&Settled]) -> Result<(), Fault> {
    if settled.is_empty() {
        return Ok(());
    }
    let apps: Vec<_> = settled.iter().map(|settled| i64::from(settled.app.0)).collect();
    let lanes: Vec<_> = settled.iter().map(|settled| settled.lane.0.as_str()).collect();
    let places: Vec<_> = settled.iter().map(|settled| settled.place).collect();
    let rows = batch.link().rows(
        "DELETE FROM outbox AS o USING unnest($1::bigint[], $2::text[], $3::bigint[]) AS v (app, lane, place)
         WHERE o.app = v.app AND o.lane = v.lane AND o.place = v.place
         RETURNING o.app, o.bytes, o.event, o.has_text",
        params![apps, lanes, places],
    )?;
    let mut with_text: Vec<i64> = Vec::new();
    for row in rows {
        let delta = batch.delta_of(row.at::<Sql<SdkAppId>>(0)?.0);
        delta.waiting -= 1;
        delta.waiting_bytes -= row.at::<i64>(1)?;
        if row.at(3)? {
            with_text.push(row.at(2)?);
        }
    }
    if !with_text.is_empty() {
        batch.link().execute("DELETE FROM event WHERE id = ANY($1)", params![with_text])?;
    }
    Ok(())
}

/// Takes a row out of the outbox, and counts that.
fn take(batch: &mut Batch<'_>, app: SdkAppId, lane: &Lane, place: i64) -> Result<Option<Taken>, Fault> {
    let row = batch.link().row(
        "DELETE FROM outbox WHERE app = $1 AND lane = $2 AND place = $3
         RETURNING event, bytes, replay, previous",
        params![Sql(app), lane.0, place],
    )?;
    let Some(row) = row else {
        return Ok(None);
    };
    let delta = batch.delta_of(app);
    delta.waiting -= 1;
    delta.waiting_bytes -= row.at::<i64>(1)?;
    Ok(Some(Taken { event: row.at(0)?, number_may_follow: !row.at::<bool>(2)?, previous: row.at(3)? }))
}

fn postpone(batch: &Batch<'_>, settled: &Settled, tries: Tries, due: Timestamp) -> Result<(), Fault> {
    let Tries { attempts, refusals, unavailable_since } = tries;
    batch
        .link()
        .execute(
            "UPDATE outbox SET attempts = $4, refusals = $5, unavailable_since_ms = $6, due_ms = $7
             WHERE app = $1 AND lane = $2 AND place = $3",
            params![
                Sql(settled.app),
                settled.lane.0,
                settled.place,
                Sql(attempts),
                Sql(refusals),
                unavailable_since.map(|since| since.0),
                Sql(due)
            ],
        )
        .map(drop)
}

/// Whoever follows a parked event follows what the parked one followed, so that a receiver sees no gap that is none.
/// Nobody does where the park is settled late, after something behind it was delivered; and nobody follows a replay.
fn park(batch: &mut Batch<'_>, settled: &Settled, tries: Tries, at: Timestamp, reason: &str) -> Result<(), Fault> {
    let Settled { app, lane, place, .. } = settled;
    batch.lock_lane(*app, lane)?;
    let Some(taken) = take(batch, *app, lane, *place)? else {
        return Ok(());
    };
    batch.link().execute(
        "INSERT INTO parked (app, lane, place, event, replay, attempts, parked_ms, reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            Sql(*app),
            lane.0,
            *place,
            taken.event,
            !taken.number_may_follow,
            Sql(tries.attempts),
            Sql(at),
            Text(reason)
        ],
    )?;
    batch.delta_of(*app).parked += 1;
    close_gap(batch, *app, lane, *place, &taken)
}

/// Takes what waits of a command out of a lane, and out of the log.
pub(super) fn disown(batch: &mut Batch<'_>, app: SdkAppId, lane: &Lane, command: CallbackCommand) -> Result<(), Fault> {
    batch.write_events()?;
    batch.lock_lane(app, lane)?;
    let rows = batch.link().rows(
        "SELECT o.place FROM outbox AS o JOIN event ON event.id = o.event
         WHERE o.app = $1 AND o.lane = $2 AND event.command = $3 ORDER BY o.place",
        params![Sql(app), lane.0, command.as_str()],
    )?;
    for row in rows {
        let place = row.at(0)?;
        if let Some(taken) = take(batch, app, lane, place)? {
            batch.link().execute("DELETE FROM event WHERE id = $1", params![taken.event])?;
            close_gap(batch, app, lane, place, &taken)?;
        }
    }
    Ok(())
}

/// Whoever follows what was taken out of its lane follows what that one followed.
fn close_gap(batch: &mut Batch<'_>, app: SdkAppId, lane: &Lane, place: i64, taken: &Taken) -> Result<(), Fault> {
    if !taken.number_may_follow {
        return Ok(());
    }
    // An event that is no replay stands at the place of its number.
    let (number, previous) = (place, taken.previous);
    let behind = batch.link().execute(
        "UPDATE outbox SET previous = CASE WHEN previous = $3 THEN $4 ELSE previous END WHERE app = $1 AND lane = $2
         AND place = (SELECT place FROM outbox WHERE app = $1 AND lane = $2 AND place > $3 AND NOT replay
                      ORDER BY place LIMIT 1)",
        params![Sql(app), lane.0, number, previous],
    )?;
    if behind == 0 { batch.lane_follows(app, lane, number, previous) } else { Ok(()) }
}

/// Takes an event from where it was parked. Whoever replays it at the same time is too late.
pub(super) fn unpark(batch: &mut Batch<'_>, app: SdkAppId, lane: &Lane, place: i64) -> Result<(), Fault> {
    let link = batch.link();
    let sql = "DELETE FROM parked WHERE app = $1 AND lane = $2 AND place = $3";
    if link.execute(sql, params![Sql(app), lane.0, place])? != 1 {
        return Err(link.conflict("an event was taken from where it was parked meanwhile"));
    }
    batch.delta_of(app).parked -= 1;
    Ok(())
}

/// Erases delivered events of some rows of the log, along its key. An event that waits or is parked stands at the place
/// of its number, or it is a replay, for which there are indexes.
pub(super) fn prune(batch: &mut Batch<'_>, before: Timestamp, after: i64) -> Result<Pruned, Fault> {
    batch.write_events()?;
    let piece = batch.link().row(
        "SELECT max(id), min(created_ms) FROM (SELECT id, created_ms FROM event WHERE id > $1 ORDER BY id LIMIT $2) AS e",
        params![after, i64::from(limits::PRUNE_PIECE_ROWS)],
    )?;
    let piece = piece.map(|row| Ok::<_, Fault>((row.at::<Option<i64>>(0)?, row.at::<Option<i64>>(1)?))).transpose()?;
    let Some((Some(through), Some(oldest))) = piece else {
        return Ok(Pruned { erased: 0, next: None });
    };
    let erased = batch.link().execute(
        "DELETE FROM event WHERE id > $1 AND id <= $2 AND created_ms < $3
         AND NOT EXISTS (SELECT 1 FROM outbox AS o WHERE o.app = event.app AND o.lane = event.lane
                         AND o.place = event.number AND o.event = event.id)
         AND NOT EXISTS (SELECT 1 FROM parked AS p WHERE p.app = event.app AND p.lane = event.lane
                         AND p.place = event.number AND p.event = event.id)
         AND NOT EXISTS (SELECT 1 FROM outbox AS r WHERE r.event = event.id AND r.replay)
         AND NOT EXISTS (SELECT 1 FROM parked AS q WHERE q.event = event.id AND q.replay)",
        params![after, through, Sql(before)],
    )?;
    Ok(Pruned { erased, next: (oldest < before.0).then_some(through) })
}
