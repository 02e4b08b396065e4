//! The schema and its versions, as in the embedded store: each migration carries the oldest server version that can still
//! read the store behind it. Servers that start at the same time migrate one after the other, under an advisory lock.

use super::{
    OpenError,
    link::{Link, params},
    row::Columns as _,
};
use crate::{
    chat::{EventId, Fault},
    clock::{Entropy, Timestamp},
};

struct Migration {
    version: i64,
    /// The oldest schema version whose servers can read the store after this migration.
    oldest_reader: i64,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[Migration { version: 1, oldest_reader: 1, sql: include_str!("schema_1.sql") }];

/// Another server may be migrating, and whatever has many rows takes its time.
const PATIENCE: &str = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0";

/// Serves for nothing but that one server migrates at a time.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('unsaid ' || current_schema(), 0))";

/// Brings the store to the newest version that this server knows, and says how this store's present life is called.
pub(super) fn migrate(link: &Link, entropy: &Entropy) -> Result<String, OpenError> {
    link.run(&format!(
        "BEGIN; {PATIENCE}; {LOCK}; CREATE TABLE IF NOT EXISTS meta (name text PRIMARY KEY, value text NOT NULL)"
    ))?;
    let known = newest();
    let found = version(link)?.unwrap_or(0);
    let oldest = meta(link, "oldest_reader")?.unwrap_or(found);
    if found > known && oldest > known {
        link.run("ROLLBACK")?;
        return Err(OpenError::TooNew { found, oldest, known });
    }
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > found) {
        link.run(migration.sql)?;
        set_meta(link, "version", &migration.version.to_string())?;
        set_meta(link, "oldest_reader", &migration.oldest_reader.to_string())?;
    }
    let epoch = epoch(link, entropy)?;
    link.run("COMMIT")?;
    Ok(epoch)
}

pub(super) fn newest() -> i64 {
    MIGRATIONS.last().expect("there is a first migration").version
}

/// Of a store that is there; its tables are not touched.
pub(super) fn version(link: &Link) -> Result<Option<i64>, Fault> {
    meta(link, "version")
}

fn meta(link: &Link, name: &str) -> Result<Option<i64>, Fault> {
    let row = link.row("SELECT value FROM meta WHERE name = $1", params![name])?;
    row.map(|row| row.parsed(0, |text| text.parse().ok())).transpose()
}

fn set_meta(link: &Link, name: &str, value: &str) -> Result<(), Fault> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    link.execute(sql, params![name, value]).map(drop)
}

fn fresh_epoch(entropy: &Entropy) -> String {
    let fresh = EventId::new(Timestamp(0), (entropy.next_u64() >> 16).cast_signed(), entropy.next_u32()).0;
    fresh[fresh.len() - 8..].to_owned()
}

pub(super) fn renew_epoch(link: &Link, entropy: &Entropy) -> Result<String, Fault> {
    let fresh = fresh_epoch(entropy);
    set_meta(link, "epoch", &fresh)?;
    Ok(fresh)
}

/// Made once.
fn epoch(link: &Link, entropy: &Entropy) -> Result<String, Fault> {
    let fresh = fresh_epoch(entropy);
    let sql = "INSERT INTO meta (name, value) VALUES ('epoch', $1) ON CONFLICT (name) DO NOTHING";
    link.execute(sql, params![fresh])?;
    let row = link.row("SELECT value FROM meta WHERE name = 'epoch'", params![])?;
    row.map_or_else(|| Err(Fault::Failed("the epoch is gone".into())), |row| row.at(0))
}
