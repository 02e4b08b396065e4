//! A whole server in a simulation, from as many seeds as somebody has time for, or once more from the one that failed.

use std::{path::Path, time::Instant};

use anyhow::Result;

use crate::system::{Outcome, cargo_command, passed_if, stream};

/// From which seeds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seeds {
    One(u64),
    /// So many, from 0 on.
    Many(u64),
}

/// How many, if nobody says.
pub(crate) const SEEDS: u64 = 3_000;

/// How many take a minute at most, beside other work.
pub(crate) const SEEDS_OF_FULL: u64 = 800;

const BUILD: [&str; 6] = ["test", "--locked", "--package", "unsaid", "--lib", "--no-run"];

const RUN: [&str; 9] = [
    "test",
    "--locked",
    "--package",
    "unsaid",
    "--lib",
    "--",
    "--exact",
    "--nocapture",
    "simulation::i1_a_server_keeps_its_promises_from_any_seed",
];

pub(crate) fn run(root: &Path, seeds: Seeds) -> Result<Outcome> {
    let built = stream(&mut cargo_command(root, &BUILD))?;
    if !built.success() {
        return Ok(Outcome::Failed(built.to_string()));
    }
    let (range, count) = match seeds {
        Seeds::One(seed) => (seed.to_string(), 1),
        Seeds::Many(count) => (format!("0..{count}"), count),
    };
    println!("$ UNSAID_SIMULATION={range} cargo {}", RUN.join(" "));
    let begun = now();
    let status = stream(cargo_command(root, &RUN).env("UNSAID_SIMULATION", &range))?;
    let took_s = begun.elapsed().as_secs_f64();
    if status.success() {
        println!("{count} seeds in {took_s:.1} s: {:.0} a minute", count as f64 * 60.0 / took_s);
    }
    Ok(passed_if(status.success(), "the lines above name the seed, and say what happened"))
}

#[expect(clippy::disallowed_methods, reason = "how long it took is for people; what is simulated has its own time")]
fn now() -> Instant {
    Instant::now()
}
