//! What can be seen of a store in a database without opening it: nothing here writes or waits for a lock.

use std::time::Duration;

use super::{
    OpenError, PostgresAddress,
    link::{Link, Target, params},
    on_a_thread,
    row::Columns as _,
    schema,
};
use crate::{chat::Fault, clock::Clock};

/// Questions that are measured.
const QUESTIONS: usize = 50;

/// A store as it stands in its database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Look {
    /// Of PostgreSQL.
    pub(crate) server_version: u32,
    /// Servers are connected to it.
    pub(crate) in_use: bool,
    /// Of its schema; none where there is no store yet.
    pub(crate) version: Option<i64>,
    /// A migration into it has not ended.
    pub(crate) migrating: bool,
    /// How long half of the questions that read nothing waited for their answer.
    pub(crate) round_trip: Duration,
}

impl Look {
    pub(crate) fn at(address: &PostgresAddress, clock: &Clock) -> Result<Self, OpenError> {
        on_a_thread(|| {
            let link = Link::connect(&Target::of(address)?)?;
            link.run("SET default_transaction_read_only = on")?;
            Ok(look(&link, clock)?)
        })
    }

    /// The newest version that this program knows.
    pub(crate) fn known() -> i64 {
        schema::newest()
    }
}

pub(super) fn is_there(link: &Link) -> Result<bool, Fault> {
    link.row("SELECT to_regclass('meta') IS NOT NULL", params![])?.map_or(Ok(false), |row| row.at(0))
}

/// Whether there are other connections that bear the name of ours.
pub(super) fn in_use(link: &Link) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity
                              WHERE datname = current_database() AND pid <> pg_backend_pid()
                                    AND application_name = current_setting('application_name'))";
    link.row(sql, params![])?.map_or(Ok(false), |row| row.at(0))
}

fn look(link: &Link, clock: &Clock) -> Result<Look, Fault> {
    let row = link.row("SELECT current_setting('server_version_num')::bigint", params![])?;
    let number: i64 = row.map_or(Ok(0), |row| row.at(0))?;
    let (version, migrating) =
        if is_there(link)? { (schema::version(link)?, schema::moving(link)?.is_some()) } else { (None, false) };
    let mut took = Vec::with_capacity(QUESTIONS);
    for _ in 0..QUESTIONS {
        let before = clock.instant();
        link.row("SELECT 1", params![])?;
        took.push(before.elapsed());
    }
    took.sort();
    let server_version = u32::try_from(number / 10_000).unwrap_or(0);
    Ok(Look { server_version, in_use: in_use(link)?, version, migrating, round_trip: took[took.len() / 2] })
}
