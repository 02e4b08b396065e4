//! Three servers on one PostgreSQL, under load, while one thing after the other breaks: `load cluster`, which says what came of it.

use std::path::Path;

use anyhow::Result;

use crate::{
    nats, postgres,
    system::{Outcome, cargo_command, passed_if, stream},
};

const LOAD: [&str; 7] = ["run", "--release", "--locked", "-p", "load", "--", "cluster"];

pub(crate) fn run(root: &Path) -> Result<Outcome> {
    if postgres::programs()?.is_none() {
        return Ok(Outcome::Skipped(postgres::NO_POSTGRES.to_owned()));
    }
    if !nats::is_there()? {
        return Ok(Outcome::Skipped(nats::NO_NATS.to_owned()));
    }
    println!("$ cargo {}", LOAD.join(" "));
    let status = stream(&mut cargo_command(root, &LOAD))?;
    Ok(passed_if(status.success(), "something was lost, doubled, out of order or wrong; see what it says above"))
}
