//! A whole server from one seed: clients, the app backend, receivers, faults and time.
//!
//! The real commands on the real store, the real delivery with its breaker, the real sessions and fan-out are driven through
//! their seams by one queue of happenings, on one thread. What is drawn is in `mix.rs`; who acts in `backend.rs`,
//! `clients.rs` and `receiver.rs`; what must hold in `book.rs`, `judge.rs`, `device.rs` and `end.rs`. A failure prints its
//! seed, what happened last, and the command that repeats it.

mod backend;
mod book;
mod clients;
mod device;
mod end;
pub(crate) mod judge;
mod mix;
pub(crate) mod receiver;
mod server;
mod watched;
mod world;

use std::{env, thread};

use self::{
    mix::{Ground, Mix},
    world::{Trace, World},
};
use crate::clock::Entropy;

/// Seeds that have found something once.
const REGRESSIONS: [u64; 0] = [];

/// Runs the seeds that `UNSAID_SIMULATION` names, as `first` or `first..end`; else a few, and with `UNSAID_TEST_FULL=1` more.
#[test]
fn i1_a_server_keeps_its_promises_from_any_seed() {
    let full = env::var_os("UNSAID_TEST_FULL").is_some_and(|value| value == "1");
    let seeds = match env::var("UNSAID_SIMULATION") {
        Ok(seeds) => named(&seeds),
        Err(_) => (0..if full { 400 } else { 60 }).collect(),
    };
    for seed in REGRESSIONS.into_iter().chain(seeds) {
        run(seed);
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..4 {
        assert_eq!(run(seed), run(seed));
    }
}

/// Panics if this is no seed and no range of them, as whoever has written it has to know.
fn named(seeds: &str) -> Vec<u64> {
    let number = |text: &str| text.parse::<u64>().expect("UNSAID_SIMULATION is a seed, or first..end");
    match seeds.split_once("..") {
        Some((first, end)) => (number(first)..number(end)).collect(),
        None => vec![number(seeds)],
    }
}

/// Tells what failed.
struct Failing {
    seed: u64,
    trace: Trace,
}

impl Drop for Failing {
    fn drop(&mut self) {
        if thread::panicking() {
            let told = self.trace.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for line in &told.lines {
                eprintln!("{line}");
            }
            let (seed, step) = (self.seed, told.steps);
            eprintln!("seed {seed} failed at step {step}; `cargo xtask sim --seed {seed}` repeats it");
        }
    }
}

/// Answers how many steps there were, and a number that was drawn last.
fn run(seed: u64) -> (u64, u64) {
    let trace = Trace::default();
    let _failing = Failing { seed, trace: Trace::clone(&trace) };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let entropy = Entropy::seeded(bytes);
    let mut mix = Mix::drawn(&entropy);
    // Each commit of this one takes a disk's time.
    if seed % 64 == 63 {
        mix.ground = Ground::Sqlite;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let mut world = World::new(entropy.clone(), mix, Trace::clone(&trace)).await;
        world.go_on().await;
        world.all_is_well().await;
    });
    let steps = trace.lock().expect("nobody has panicked").steps;
    (steps, entropy.next_u64())
}
