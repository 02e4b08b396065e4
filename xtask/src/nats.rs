//! The bus, held to its tests: they start servers of NATS of their own, on free ports of loopback, and need the program.

use std::path::Path;

use anyhow::Result;

use crate::system::{Outcome, answers, apt_get, cargo_command, is_root, passed_if, stream};

pub(crate) const NO_NATS: &str = "there is no nats-server; `apt-get install nats-server` (Debian, Ubuntu) adds it, or put the program of \
    https://nats.io into the PATH";

/// Every test of the bus.
const TESTS: [&str; 7] = ["test", "--locked", "--package", "unsaid", "--lib", "--", "bus::"];

pub(crate) fn suite(root: &Path) -> Result<Outcome> {
    if !is_there()? {
        return Ok(Outcome::Skipped(NO_NATS.to_owned()));
    }
    println!("$ cargo {}", TESTS.join(" "));
    let status = stream(&mut cargo_command(root, &TESTS))?;
    Ok(passed_if(status.success(), &status.to_string()))
}

/// Installed if that is possible without asking anyone.
pub(crate) fn is_there() -> Result<bool> {
    let answers_now = || answers("nats-server", &["--version"]);
    if answers_now() {
        return Ok(true);
    }
    if !(is_root() && answers("apt-get", &["--version"])) {
        return Ok(false);
    }
    println!("There is no nats-server: installing it.");
    Ok(apt_get(&["nats-server"])? && answers_now())
}
