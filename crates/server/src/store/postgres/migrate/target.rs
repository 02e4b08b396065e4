//! The database that a store goes to: whose it is while it is filled, and when it is a store.

use super::{MigrateError, source::Source, tables::TABLES};
use crate::{
    chat::Fault,
    clock::Entropy,
    store::postgres::{
        OpenError,
        link::{Link, params},
        look,
        row::Columns as _,
        schema,
    },
};

/// One migration at a time, for as long as its connection lives.
const ALONE: &str = "SELECT pg_try_advisory_lock(hashtextextended('unsaid migrate ' || current_schema(), 0))";

/// Whole tables are read here, and a COPY takes as long as it takes.
const SETTINGS: &str =
    "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET bytea_output = 'hex';
                        SET enable_seqscan = on";

/// Makes the tables, empties what an interrupted migration of this source has left, and keeps servers out.
pub(super) fn claim(link: &Link, entropy: &Entropy, source: &Source) -> Result<(), MigrateError> {
    link.run(SETTINGS)?;
    if !yes(link, ALONE)? {
        return Err(MigrateError::Twice);
    }
    if look::in_use(link)? {
        return Err(OpenError::InUse.into());
    }
    // What fails leaves nothing: the transaction ends with the connection.
    schema::begin(link)?;
    let (epoch, _) = schema::bring_up(link, entropy)?;
    match schema::moving(link)? {
        Some(moving) if moving == source.epoch => {}
        Some(_) => return Err(MigrateError::OtherSource),
        None if epoch == source.epoch => return Err(MigrateError::Done),
        None => {
            source.check_not_moved()?;
            check_empty(link)?;
            schema::begin_moving(link, &source.epoch)?;
        }
    }
    let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    link.run(&format!("TRUNCATE {}; COMMIT", names.join(", ")))?;
    Ok(())
}

fn check_empty(link: &Link) -> Result<(), MigrateError> {
    for table in TABLES {
        if yes(link, &format!("SELECT EXISTS (SELECT FROM {})", table.name))? {
            return Err(MigrateError::NotEmpty(table.name));
        }
    }
    Ok(())
}

/// What is given next comes behind what was copied. With this the store is one.
pub(super) fn end(link: &Link, source: &Source) -> Result<(), MigrateError> {
    // Plans that were made for empty tables would be slow.
    link.run("ANALYZE")?;
    link.run("BEGIN")?;
    link.run(
        "SELECT setval('account_serial', greatest((SELECT max(serial) FROM account), 1));
         SELECT setval('event_row', greatest((SELECT max(id) FROM event), 1));
         UPDATE apps_version SET version = version + 1",
    )?;
    let audit = "SELECT setval(pg_get_serial_sequence('audit', 'id'), greatest((SELECT max(id) FROM audit), $1, 1))";
    link.row(audit, params![source.last_audit()?])?;
    schema::end_moving(link, &source.epoch)?;
    link.run("COMMIT")?;
    Ok(())
}

fn yes(link: &Link, sql: &str) -> Result<bool, Fault> {
    link.row(sql, params![])?.map_or(Ok(false), |row| row.at(0))
}
