//! The store on PostgreSQL: whether it can be reached, what it holds, and how far away it is.

use std::time::Duration;

use super::Findings;
use crate::{
    clock::Clock,
    store::postgres::{Look, PostgresAddress},
};

/// The oldest one that the store is tested with.
const OLDEST: u32 = 15;

/// A batch of commands waits for three of them.
const ROUND_TRIP_SLOW: Duration = Duration::from_millis(5);

/// Whether servers use the store.
pub(super) fn store(address: &PostgresAddress, clock: &Clock, findings: &mut Findings) -> bool {
    let look = match Look::at(address, clock) {
        Ok(look) => look,
        Err(error) => {
            let next = "check the address in store, and that PostgreSQL runs and lets this user in";
            findings.problem("store", format!("{address}: {error}"), next);
            return false;
        }
    };
    let Look { server_version, in_use, version, migrating, round_trip } = look;
    let (used, known) = (if in_use { "servers use it" } else { "no server uses it" }, Look::known());
    match version {
        _ if migrating => findings.problem(
            "store",
            format!("{address}: a migration into it has not ended"),
            "run unsaid migrate again; until it has ended no server starts on it",
        ),
        None => findings.ok("store", format!("{address} holds no store yet; the first start makes it")),
        Some(version) if version > known => findings.warning(
            "store",
            format!("{address} holds a store of version {version}, this program knows up to {known}; {used}"),
            "examine it with the program that has written it; an older one may refuse to start",
        ),
        Some(version) if version < known => findings.ok(
            "store",
            format!("{address} holds a store of version {version}; the next start makes it {known}; {used}"),
        ),
        Some(version) => findings.ok("store", format!("{address} holds a store of version {version}; {used}")),
    }
    if server_version < OLDEST {
        let says = format!("it is PostgreSQL {server_version}, and the store is made for {OLDEST} and later");
        findings.problem("PostgreSQL", says, "upgrade it");
    }
    let says = format!("it answers in {:.2} ms half of the time", round_trip.as_secs_f64() * 1e3);
    if round_trip > ROUND_TRIP_SLOW {
        findings.warning("PostgreSQL", says, "every answer waits for three: put the server near its database");
    } else {
        findings.ok("PostgreSQL", says);
    }
    in_use
}
