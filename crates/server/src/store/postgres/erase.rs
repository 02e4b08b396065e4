//! Erasing what an app has, a bounded number of rows at a time.

use unsaid_protocol::SdkAppId;

use super::{
    link::{Link, params},
    row::{Columns as _, Sql},
};
use crate::chat::Fault;

/// Tables whose key begins with the app, each with the rest of its key. What points to accounts goes before them.
const TABLES: [(&str, &str); 6] = [
    ("session", "name, id"),
    ("blocked", "name, other"),
    ("message", "low, high, seq, random, time"),
    ("conversation", "low, high"),
    ("sync_event", "name, number"),
    ("account", "name"),
];

/// Along `audit_copy_by_app`; each row that was found is erased by its whole key.
const AUDIT_COPIES: &str = "
    DELETE FROM audit_copy WHERE (erase_ms, app, low, high, seq, random, time) IN
        (SELECT erase_ms, app, low, high, seq, random, time FROM audit_copy WHERE app + 1 = $1::bigint + 1 LIMIT $2)";

/// At most `rows_max` rows. Answers how many; none if nothing is left.
pub(super) fn some(link: &Link, app: SdkAppId, rows_max: u32) -> Result<u64, Fault> {
    for queue in ["outbox", "parked"] {
        let erased = events(link, queue, app, rows_max)?;
        if erased > 0 {
            return Ok(erased);
        }
    }
    let erased = link.execute(AUDIT_COPIES, params![Sql(app), i64::from(rows_max)])?;
    if erased > 0 {
        return Ok(erased);
    }
    for (table, key) in TABLES {
        // Each row that was found is erased by its whole key.
        let sql = format!(
            "DELETE FROM {table} WHERE app = $1 AND ({key}) IN (SELECT {key} FROM {table} WHERE app = $1 LIMIT $2)"
        );
        let erased = link.execute(&sql, params![Sql(app), i64::from(rows_max)])?;
        if erased > 0 {
            return Ok(erased);
        }
    }
    Ok(0)
}

/// Events go with what the log has of them. What was delivered holds no text, and goes with its time.
fn events(link: &Link, queue: &str, app: SdkAppId, rows_max: u32) -> Result<u64, Fault> {
    let sql = format!(
        "DELETE FROM {queue} WHERE app = $1 AND (lane, place) IN
             (SELECT lane, place FROM {queue} WHERE app = $1 LIMIT $2) RETURNING event"
    );
    let rows = link.rows(&sql, params![Sql(app), i64::from(rows_max)])?;
    let rows = rows.iter().map(|row| row.at(0)).collect::<Result<Vec<i64>, Fault>>()?;
    link.execute("DELETE FROM event WHERE id = ANY($1)", params![rows])?;
    Ok(rows.len() as u64)
}
