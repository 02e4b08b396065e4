//! The schema and its versions.
//!
//! Each migration carries the oldest server version that can still read the store behind it. A server refuses a store
//! only if it is older than that, so versions can run one after the other, and side by side where the store allows it.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::OpenError;
use crate::{
    chat::EventId,
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
    Migration { version: 2, oldest_reader: 2, sql: include_str!("schema_2.sql") },
    Migration { version: 3, oldest_reader: 3, sql: include_str!("schema_3.sql") },
    Migration { version: 4, oldest_reader: 3, sql: include_str!("schema_4.sql") },
    Migration { version: 5, oldest_reader: 3, sql: include_str!("schema_5.sql") },
    Migration { version: 6, oldest_reader: 3, sql: include_str!("schema_6.sql") },
    Migration { version: 7, oldest_reader: 3, sql: include_str!("schema_7.sql") },
];

/// The newest version that this server knows.
pub(super) fn newest() -> i64 {
    MIGRATIONS.last().expect("there is a first migration").version
}

/// Refuses a store that this server cannot read, and answers the version that it has.
pub(super) fn check(connection: &Connection) -> Result<i64, OpenError> {
    let known = newest();
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        let oldest: i64 = connection
            .query_row("SELECT value FROM meta WHERE name = 'oldest_reader'", [], |row| row.get::<_, String>(0))
            .optional()?
            .and_then(|text| text.parse().ok())
            .unwrap_or(found);
        if oldest > known {
            return Err(OpenError::TooNew { found, oldest, known });
        }
    }
    Ok(found)
}

/// Brings the store to the newest version that this server knows.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    migrate_to(connection, i64::MAX)
}

fn migrate_to(connection: &mut Connection, version: i64) -> Result<(), OpenError> {
    let found = check(connection)?;
    for migration in MIGRATIONS.iter().filter(|one| one.version > found && one.version <= version) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration.sql)?;
        transaction.execute(
            "INSERT INTO meta (name, value) VALUES ('oldest_reader', ?1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            params![migration.oldest_reader.to_string()],
        )?;
        transaction.pragma_update(None, "user_version", migration.version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Brings a database to an older version, for tests of what comes after.
#[cfg(test)]
pub(in crate::store) fn bring_to(connection: &mut Connection, version: i64) {
    migrate_to(connection, version).expect("an older version can be had");
}

/// All versions that there were, the newest last.
#[cfg(test)]
pub(in crate::store) fn versions() -> Vec<i64> {
    MIGRATIONS.iter().map(|migration| migration.version).collect()
}

/// A restored store begins another life; made anew where it had a name.
pub(super) fn renew_epoch(connection: &Connection, entropy: &Entropy) -> rusqlite::Result<()> {
    connection.execute("UPDATE meta SET value = ?1 WHERE name = 'epoch'", [fresh_epoch(entropy)]).map(drop)
}

fn fresh_epoch(entropy: &Entropy) -> String {
    let fresh = EventId::new(Timestamp(0), (entropy.next_u64() >> 16).cast_signed(), entropy.next_u32()).0;
    fresh[fresh.len() - 8..].to_owned()
}

/// The name of this store's present life; made once.
pub(super) fn epoch(connection: &Connection, entropy: &Entropy) -> rusqlite::Result<String> {
    let fresh = fresh_epoch(entropy);
    connection.execute("INSERT INTO meta (name, value) VALUES ('epoch', ?1) ON CONFLICT (name) DO NOTHING", [fresh])?;
    connection.query_row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migrated() -> Connection {
        let mut connection = Connection::open_in_memory().expect("memory");
        migrate(&mut connection).expect("an empty store can be migrated");
        connection
    }

    #[test]
    fn a_store_is_brought_to_the_known_version_once() {
        let mut connection = migrated();
        migrate(&mut connection).expect("nothing to do");
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("readable");
        assert_eq!(version, MIGRATIONS.last().expect("one").version);
    }

    #[test]
    fn a_newer_store_is_refused_only_if_it_says_so() {
        let mut connection = migrated();
        connection.pragma_update(None, "user_version", 9).expect("writable");
        migrate(&mut connection).expect("its oldest reader is this version");
        connection.execute("UPDATE meta SET value = '9' WHERE name = 'oldest_reader'", []).expect("writable");
        let error = migrate(&mut connection).expect_err("its oldest reader is newer than this server");
        let newest = MIGRATIONS.last().expect("one").version;
        assert!(matches!(error, OpenError::TooNew { found: 9, oldest: 9, known } if known == newest), "{error}");
    }

    #[test]
    fn the_epoch_stays() {
        let (connection, entropy) = (migrated(), Entropy::seeded([1; 32]));
        let first = epoch(&connection, &entropy).expect("readable");
        assert_eq!(epoch(&connection, &entropy).expect("readable"), first);
        assert_eq!(first.len(), 8);
    }
}
