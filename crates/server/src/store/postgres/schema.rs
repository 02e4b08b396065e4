//! The schema and its versions, as in the embedded store: each migration carries the oldest server version that can still
//! read the store behind it. Servers that start at the same time migrate one after the other, under an advisory lock.

use unsaid_protocol::sign::hex;

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

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, oldest_reader: 1, sql: include_str!("schema_1.sql") },
    // A server that knows no leases would deliver what others hold.
    Migration { version: 2, oldest_reader: 2, sql: include_str!("schema_2.sql") },
    Migration { version: 3, oldest_reader: 2, sql: include_str!("schema_3.sql") },
];

/// Another server may be migrating, and whatever has many rows takes its time.
const PATIENCE: &str = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0";

/// Serves for nothing but that one server migrates at a time.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('unsaid ' || current_schema(), 0))";

/// Brings the store to the newest version that this server knows, and says how this store's present life is called, and what
/// its servers know each other by.
pub(super) fn migrate(link: &Link, entropy: &Entropy) -> Result<(String, [u8; 32]), OpenError> {
    begin(link)?;
    if moving(link)?.is_some() {
        link.run("ROLLBACK")?;
        return Err(OpenError::Migrating);
    }
    let life = bring_up(link, entropy)?;
    link.run("COMMIT")?;
    Ok(life)
}

/// A transaction in which nobody else migrates.
pub(super) fn begin(link: &Link) -> Result<(), Fault> {
    link.run(&format!(
        "BEGIN; {PATIENCE}; {LOCK}; CREATE TABLE IF NOT EXISTS meta (name text PRIMARY KEY, value text NOT NULL)"
    ))
}

/// Within the transaction that has begun.
pub(super) fn bring_up(link: &Link, entropy: &Entropy) -> Result<(String, [u8; 32]), OpenError> {
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
    Ok((epoch(link, entropy)?, cluster_key(link, entropy)?))
}

/// Of which store the copy is that was begun and has not ended (`migrate/`): its epoch.
pub(super) fn moving(link: &Link) -> Result<Option<String>, Fault> {
    let row = link.row("SELECT value FROM meta WHERE name = 'migrating'", params![])?;
    row.map(|row| row.at(0)).transpose()
}

/// Until it is ended, no server opens this store.
pub(super) fn begin_moving(link: &Link, epoch: &str) -> Result<(), Fault> {
    set_meta(link, "migrating", epoch)
}

/// The store goes on with the life of the one that it was copied from.
pub(super) fn end_moving(link: &Link, epoch: &str) -> Result<(), Fault> {
    set_meta(link, "epoch", epoch)?;
    link.execute("DELETE FROM meta WHERE name = 'migrating'", params![]).map(drop)
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

fn epoch(link: &Link, entropy: &Entropy) -> Result<String, Fault> {
    made_once(link, "epoch", &fresh_epoch(entropy))
}

/// The database is for the servers alone, so who knows this is one of them.
fn cluster_key(link: &Link, entropy: &Entropy) -> Result<[u8; 32], Fault> {
    let fresh: [u8; 32] = std::array::from_fn(|_| entropy.next_u32().to_be_bytes()[0]);
    let key = made_once(link, "cluster_key", &hex(&fresh))?;
    let byte = |at: usize| u8::from_str_radix(key.get(2 * at..2 * at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..key.len() / 2).map(byte).collect();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Fault::Failed("the key of the cluster is none that a server writes".into()))
}

/// Whoever comes first has made it for all.
fn made_once(link: &Link, name: &str, fresh: &str) -> Result<String, Fault> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    link.execute(sql, params![name, fresh])?;
    let row = link.row("SELECT value FROM meta WHERE name = $1", params![name])?;
    row.map_or_else(|| Err(Fault::Failed(format!("the store's {name} is gone").into())), |row| row.at(0))
}
