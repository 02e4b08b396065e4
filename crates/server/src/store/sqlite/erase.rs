//! Erasing what an app has, a bounded number of rows at a time.

use rusqlite::{Connection, OptionalExtension, params};
use unsaid_protocol::SdkAppId;

use super::row::Sql;

/// Tables whose key begins with the app, each with the rest of its key. What points to accounts goes before them.
const TABLES: [(&str, &str); 5] = [
    ("session", "user, id"),
    ("blocked", "user, other"),
    ("message", "low, high, seq, random, time"),
    ("conversation", "low, high"),
    ("audit_copy", "erase_ms, low, high, seq, random, time"),
];

/// At most about `rows_max` rows. Answers how many; none if nothing is left.
pub(super) fn some(connection: &Connection, app: SdkAppId, rows_max: u32) -> rusqlite::Result<u64> {
    for queue in ["outbox", "parked"] {
        let erased = events(connection, queue, app, rows_max)?;
        if erased > 0 {
            return Ok(erased);
        }
    }
    for (table, key) in TABLES {
        // Each row that was found is erased by its whole key.
        let sql = format!(
            "DELETE FROM {table} WHERE app = ?1 AND ({key}) IN (SELECT {key} FROM {table} WHERE app = ?1 LIMIT ?2)"
        );
        let erased = connection.prepare_cached(&sql)?.execute(params![Sql(app), rows_max])?;
        if erased > 0 {
            return Ok(erased as u64);
        }
    }
    accounts(connection, app, rows_max)
}

/// Events go with what the log has of them. What was delivered holds no text, and goes with its time.
fn events(connection: &Connection, queue: &str, app: SdkAppId, rows_max: u32) -> rusqlite::Result<u64> {
    let sql = format!(
        "DELETE FROM {queue} WHERE app = ?1 AND (lane, place) IN
             (SELECT lane, place FROM {queue} WHERE app = ?1 LIMIT ?2) RETURNING event"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![Sql(app), rows_max], |row| row.get::<_, i64>(0))?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut erase = connection.prepare_cached("DELETE FROM event WHERE id = ?1")?;
    for row in &rows {
        erase.execute([row])?;
    }
    Ok(rows.len() as u64)
}

/// An account goes with its sync events, from the latest back to the first. One that has many takes several pieces.
fn accounts(connection: &Connection, app: SdkAppId, rows_max: u32) -> rusqlite::Result<u64> {
    let mut erased = 0;
    while erased < u64::from(rows_max) {
        let first = connection
            .prepare_cached("SELECT user, sync_last FROM account WHERE app = ?1 ORDER BY user LIMIT 1")?
            .query_row(params![Sql(app)], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))
            .optional()?;
        let Some((user, mut last)) = first else {
            return Ok(erased);
        };
        while last != 0 && erased < u64::from(rows_max) {
            let previous = connection
                .prepare_cached("DELETE FROM sync_event WHERE id = ?1 RETURNING previous")?
                .query_row([last], |row| row.get(0))
                .optional()?;
            (last, erased) = (previous.unwrap_or(0), erased + 1);
        }
        if last == 0 {
            connection
                .prepare_cached("DELETE FROM account WHERE app = ?1 AND user = ?2")?
                .execute(params![Sql(app), user])?;
            erased += 1;
        } else {
            connection
                .prepare_cached("UPDATE account SET sync_last = ?3 WHERE app = ?1 AND user = ?2")?
                .execute(params![Sql(app), user, last])?;
        }
    }
    Ok(erased)
}
