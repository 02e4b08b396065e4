//! The outbox: events go in with what caused them, and leave when they are delivered or parked.

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    batch::{Batch, Gap},
    fault,
    row::Sql,
};
use crate::{
    chat::{Fault, Settled, Settlement, Tries},
    clock::Timestamp,
};

/// Notes what became of an attempt. What is no longer there was settled before.
pub(super) fn settle(batch: &mut Batch<'_>, settled: &Settled) -> Result<(), Fault> {
    match &settled.to {
        Settlement::Delivered => remove(batch.connection(), settled).map_err(fault),
        Settlement::DueAgain { tries, due } => postpone(batch.connection(), settled, *tries, *due).map_err(fault),
        Settlement::Parked { tries, at, reason } => park(batch, settled, *tries, *at, reason),
    }
}

fn remove(connection: &Connection, settled: &Settled) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM outbox WHERE app = ?1 AND lane = ?2 AND place = ?3")?
        .execute(params![Sql(settled.app), settled.lane.0, settled.place])
        .map(drop)
}

fn postpone(connection: &Connection, settled: &Settled, tries: Tries, due: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE outbox SET attempts = ?4, refusals = ?5, due_ms = ?6 WHERE app = ?1 AND lane = ?2 AND place = ?3",
        )?
        .execute(params![Sql(settled.app), settled.lane.0, settled.place, tries.attempts, tries.refusals, due.0])
        .map(drop)
}

/// Whoever follows a parked event follows what the parked one followed, so that a receiver sees no gap that is none.
/// Nobody does where the park is settled late, after something behind it was delivered.
fn park(batch: &mut Batch<'_>, settled: &Settled, tries: Tries, at: Timestamp, reason: &str) -> Result<(), Fault> {
    let Some(gap) = move_to_parked(batch.connection(), settled, tries, at, reason).map_err(fault)? else {
        return Ok(());
    };
    let behind = batch
        .connection()
        .prepare_cached(
            "UPDATE outbox SET previous = iif(previous = ?4, ?5, previous) WHERE app = ?1 AND lane = ?2
             AND place = (SELECT min(place) FROM outbox WHERE app = ?1 AND lane = ?2 AND place > ?3)",
        )
        .and_then(|mut statement| {
            let name = params![Sql(settled.app), settled.lane.0, settled.place, gap.number, gap.previous];
            statement.execute(name)
        })
        .map_err(fault)?;
    if behind == 0 { batch.lane_follows(settled.app, &settled.lane.0, &gap) } else { Ok(()) }
}

/// Answers the gap that the event leaves; none if it is not in the outbox.
fn move_to_parked(
    connection: &Connection,
    settled: &Settled,
    tries: Tries,
    at: Timestamp,
    reason: &str,
) -> rusqlite::Result<Option<Gap>> {
    let name = params![Sql(settled.app), settled.lane.0, settled.place];
    let gap = connection
        .prepare_cached("SELECT number, previous FROM outbox WHERE app = ?1 AND lane = ?2 AND place = ?3")?
        .query_row(name, |row| Ok(Gap { number: row.get(0)?, previous: row.get(1)? }))
        .optional()?;
    if gap.is_some() {
        connection
            .prepare_cached(
                "INSERT INTO parked (app, lane, place, number, previous, id, command, client_ip, platform, created_ms,
                                     attempts, parked_ms, reason, body)
                 SELECT app, lane, place, number, previous, id, command, client_ip, platform, created_ms, ?4, ?5, ?6,
                        body
                 FROM outbox WHERE app = ?1 AND lane = ?2 AND place = ?3",
            )?
            .execute(params![Sql(settled.app), settled.lane.0, settled.place, tries.attempts, at.0, reason])?;
        remove(connection, settled)?;
    }
    Ok(gap)
}
