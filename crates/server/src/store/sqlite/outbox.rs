//! The outbox: events go in with what caused them, and leave when they are delivered or parked.
//!
//! An event is written once, into the log (table `event`); outbox and parked refer to it there. What is delivered leaves
//! the outbox; the log keeps it for a while if it holds no text, so that it can be sent again.

use rusqlite::{OptionalExtension, Row, params};
use unsaid_protocol::{SdkAppId, callback::CallbackCommand};

use super::{batch::Batch, fault, prepared::Prepared, row::Sql};
use crate::{
    chat::{Backlog, Fault, Lane, Pruned, Settled, Settlement, Tries},
    clock::Timestamp,
    limits,
};

/// What a row of the outbox was when it was taken out.
struct Taken {
    event: i64,
    bytes: u64,
    has_text: bool,
    number_may_follow: bool,
    previous: i64,
}

impl Taken {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            event: row.get(0)?,
            bytes: row.get::<_, i64>(1)?.cast_unsigned(),
            has_text: row.get(2)?,
            number_may_follow: !row.get::<_, bool>(3)?,
            previous: row.get(4)?,
        })
    }
}

/// Notes what became of an attempt. What is no longer there was settled before.
pub(super) fn settle(batch: &mut Batch<'_, '_>, settled: &Settled) -> Result<(), Fault> {
    match &settled.to {
        Settlement::Delivered => deliver(batch, settled),
        Settlement::DueAgain { tries, due } => postpone(batch, settled, *tries, *due).map_err(fault),
        Settlement::Parked { tries, at, reason } => park(batch, settled, *tries, *at, reason),
    }
}

/// What held text is erased at once (rule R3).
fn deliver(batch: &mut Batch<'_, '_>, settled: &Settled) -> Result<(), Fault> {
    let Some(taken) = take(batch, settled)? else {
        return Ok(());
    };
    if taken.has_text {
        let erase = batch.prepared().statement("DELETE FROM event WHERE id = ?1");
        erase.and_then(|mut statement| statement.execute([taken.event])).map_err(fault)?;
    }
    Ok(())
}

/// Takes a row out of the outbox, and counts that. Looks and deletes: what a `DELETE` returns goes through a table of its own,
/// which costs more than the second search.
fn take(batch: &mut Batch<'_, '_>, settled: &Settled) -> Result<Option<Taken>, Fault> {
    let work = |prepared: &Prepared<'_>| {
        let name = params![Sql(settled.app), settled.lane.0, settled.place];
        let taken = prepared
            .statement(
                "SELECT event, bytes, has_text, replay, previous FROM outbox WHERE app = ?1 AND lane = ?2 AND place = ?3",
            )?
            .query_row(name, Taken::read)
            .optional()?;
        if taken.is_some() {
            prepared.statement("DELETE FROM outbox WHERE app = ?1 AND lane = ?2 AND place = ?3")?.execute(name)?;
        }
        Ok(taken)
    };
    let taken = work(batch.prepared()).map_err(fault)?;
    if let Some(taken) = &taken {
        let Backlog { waiting, waiting_bytes, .. } = batch.backlog_of(settled.app);
        *waiting -= 1;
        *waiting_bytes -= taken.bytes;
    }
    Ok(taken)
}

fn postpone(batch: &Batch<'_, '_>, settled: &Settled, tries: Tries, due: Timestamp) -> rusqlite::Result<()> {
    let Tries { attempts, refusals, unavailable_since } = tries;
    batch
        .prepared()
        .statement(
            "UPDATE outbox SET attempts = ?4, refusals = ?5, unavailable_since_ms = ?6, due_ms = ?7
             WHERE app = ?1 AND lane = ?2 AND place = ?3",
        )?
        .execute(params![
            Sql(settled.app),
            settled.lane.0,
            settled.place,
            attempts,
            refusals,
            unavailable_since.map(|since| since.0),
            due.0
        ])
        .map(drop)
}

/// Whoever follows a parked event follows what the parked one followed, so that a receiver sees no gap that is none.
/// Nobody does where the park is settled late, after something behind it was delivered; and nobody follows a replay.
fn park(batch: &mut Batch<'_, '_>, settled: &Settled, tries: Tries, at: Timestamp, reason: &str) -> Result<(), Fault> {
    let Some(taken) = take(batch, settled)? else {
        return Ok(());
    };
    batch
        .prepared()
        .statement(
            "INSERT INTO parked (app, lane, place, event, replay, attempts, parked_ms, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                Sql(settled.app),
                settled.lane.0,
                settled.place,
                taken.event,
                !taken.number_may_follow,
                tries.attempts,
                at.0,
                reason
            ])
        })
        .map_err(fault)?;
    batch.backlog_of(settled.app).parked += 1;
    close_gap(batch, settled, &taken)
}

/// Takes what waits of a command out of a lane, and out of the log.
pub(super) fn disown(
    batch: &mut Batch<'_, '_>,
    app: SdkAppId,
    lane: &Lane,
    command: CallbackCommand,
) -> Result<(), Fault> {
    let places = || -> rusqlite::Result<Vec<i64>> {
        let mut statement = batch.prepared().statement(
            "SELECT o.place FROM outbox AS o CROSS JOIN event ON event.id = o.event
             WHERE o.app = ?1 AND o.lane = ?2 AND event.command = ?3 ORDER BY o.place",
        )?;
        statement.query_map(params![Sql(app), lane.0, command.as_str()], |row| row.get(0))?.collect()
    };
    for place in places().map_err(fault)? {
        let gone = Settled { app, lane: lane.clone(), place, to: Settlement::Delivered };
        if let Some(taken) = take(batch, &gone)? {
            let erase = batch.prepared().statement("DELETE FROM event WHERE id = ?1");
            erase.and_then(|mut statement| statement.execute([taken.event])).map_err(fault)?;
            close_gap(batch, &gone, &taken)?;
        }
    }
    Ok(())
}

/// Whoever follows what was taken out of its lane follows what that one followed.
fn close_gap(batch: &mut Batch<'_, '_>, settled: &Settled, taken: &Taken) -> Result<(), Fault> {
    if !taken.number_may_follow {
        return Ok(());
    }
    // An event that is no replay stands at the place of its number.
    let (number, previous) = (settled.place, taken.previous);
    let behind = batch
        .prepared()
        .statement(
            "UPDATE outbox SET previous = iif(previous = ?3, ?4, previous) WHERE app = ?1 AND lane = ?2
             AND place = (SELECT min(place) FROM outbox WHERE app = ?1 AND lane = ?2 AND place > ?3 AND replay = 0)",
        )
        .and_then(|mut statement| statement.execute(params![Sql(settled.app), settled.lane.0, number, previous]))
        .map_err(fault)?;
    if behind == 0 { batch.lane_follows(settled.app, &settled.lane, number, previous) } else { Ok(()) }
}

/// Takes an event from where it was parked.
pub(super) fn unpark(batch: &mut Batch<'_, '_>, app: SdkAppId, lane: &Lane, place: i64) -> Result<(), Fault> {
    batch
        .prepared()
        .statement("DELETE FROM parked WHERE app = ?1 AND lane = ?2 AND place = ?3")
        .and_then(|mut statement| statement.execute(params![Sql(app), lane.0, place]))
        .map_err(fault)?;
    batch.backlog_of(app).parked -= 1;
    Ok(())
}

/// Erases delivered events of some rows of the log, along its key. An event that waits or is parked stands at the place
/// of its number, or it is a replay, for which there are indexes.
pub(super) fn prune(batch: &Batch<'_, '_>, before: Timestamp, after: i64) -> Result<Pruned, Fault> {
    let work = || {
        let prepared = batch.prepared();
        let mut rows = prepared.statement(
            "SELECT max(id), min(created_ms) FROM (SELECT id, created_ms FROM event WHERE id > ?1 ORDER BY id LIMIT ?2)",
        )?;
        let piece = rows.query_row(params![after, limits::PRUNE_PIECE_ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (Some(through), Some(oldest)): (Option<i64>, Option<i64>) = piece else {
            return Ok(Pruned { erased: 0, next: None });
        };
        let mut erase = prepared.statement(
            "DELETE FROM event WHERE id > ?1 AND id <= ?2 AND created_ms < ?3
             AND NOT EXISTS (SELECT 1 FROM outbox AS o WHERE o.app = event.app AND o.lane = event.lane
                             AND o.place = event.number AND o.event = event.id)
             AND NOT EXISTS (SELECT 1 FROM parked AS p WHERE p.app = event.app AND p.lane = event.lane
                             AND p.place = event.number AND p.event = event.id)
             AND NOT EXISTS (SELECT 1 FROM outbox AS r WHERE r.event = event.id AND r.replay = 1)
             AND NOT EXISTS (SELECT 1 FROM parked AS q WHERE q.event = event.id AND q.replay = 1)",
        )?;
        let erased = erase.execute(params![after, through, before.0])? as u64;
        Ok(Pruned { erased, next: (oldest < before.0).then_some(through) })
    };
    work().map_err(fault)
}
