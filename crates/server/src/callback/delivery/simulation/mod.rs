//! One seed drives everything: callers, the store, a receiver that answers, refuses, stalls, vanishes and comes back,
//! hints that are lost, a server that is killed and started again, and the time. After every step R4, C5 and C6 are
//! held against what was seen (`crate::simulation::judge`); in the end all that was owed is delivered or parked. A failure prints its seed.

mod leases;
mod world;

use std::{env, thread};

use unsaid_protocol::SdkAppId;
use world::World;

use crate::{
    clock::Entropy,
    simulation::receiver::{Bad, Mood},
};

const APPS: [SdkAppId; 2] = [SdkAppId(1), SdkAppId(2)];

/// Seeds that have found something once.
const REGRESSIONS: [u64; 2] = [17, 538];

#[test]
fn c6_all_that_is_owed_is_delivered_or_parked_in_order_whatever_happens() {
    let full = env::var_os("UNSAID_TEST_FULL").is_some_and(|value| value == "1");
    for seed in REGRESSIONS.into_iter().chain(0..if full { 500 } else { 60 }) {
        run(seed, Mix::drawn);
    }
}

#[test]
fn c5_lanes_keep_their_order_whichever_server_delivers_them() {
    let full = env::var_os("UNSAID_TEST_FULL").is_some_and(|value| value == "1");
    for seed in 0..if full { 500 } else { 40 } {
        run(seed, |entropy| {
            let one_of = |choices: &[u32]| choices[entropy.next_u32() as usize % choices.len()];
            Mix { servers: one_of(&[2, 3]) as usize, moves: one_of(&[0, 2, 12]), ..Mix::drawn(entropy) }
        });
    }
}

#[test]
fn c6_an_endpoint_that_refuses_everything_gets_nothing_parked_but_the_first_nine() {
    let world = run(7, |_| Mix { receivers: vec![Mood::Refuses], ends_well: true, ..Mix::calm() });
    for app in APPS {
        let parked = world.judge.not_accepted().filter(|(_, owed)| owed.app == app).count();
        assert!(parked < 10, "{parked} were parked");
    }
    assert!(world.judge.accepted.len() > 300);
}

#[test]
fn c6_a_bad_event_does_not_hold_its_lane() {
    let world = run(8, |_| Mix { bad_in_100: 10, ..Mix::calm() });
    let bad = world.bad.values().filter(|bad| **bad == Bad::Refused).count();
    assert_eq!(world.judge.not_accepted().count(), bad);
}

#[test]
fn c6_a_poisonous_event_is_parked_while_others_are_delivered() {
    let world = run(9, |_| Mix { crashing_in_100: 2, pause_ms: 60_000, ..Mix::calm() });
    let crashing = world.bad.values().filter(|bad| **bad == Bad::Crashes).count();
    let parked = world.judge.not_accepted().count();
    assert!(crashing > 0 && parked == crashing, "{parked} of {crashing}");
}

/// What a run is made of. Each run leaves some kinds of happenings out.
#[derive(Clone, Debug)]
struct Mix {
    commits: usize,
    /// At most so long between two commits, in milliseconds.
    pause_ms: u32,
    receivers: Vec<Mood>,
    bad_in_100: u32,
    crashing_in_100: u32,
    restarts: u32,
    servers: usize,
    /// How often leases go from one server to another.
    moves: u32,
    hints_lost_in_100: u32,
    store_fails_in_100: u32,
    /// Whether every event is good in the end, and the receiver answers.
    ends_well: bool,
}

impl Mix {
    fn calm() -> Self {
        Self {
            commits: 400,
            pause_ms: 50,
            receivers: vec![Mood::Answers],
            bad_in_100: 0,
            crashing_in_100: 0,
            restarts: 0,
            servers: 1,
            moves: 0,
            hints_lost_in_100: 0,
            store_fails_in_100: 0,
            ends_well: false,
        }
    }

    fn drawn(entropy: &Entropy) -> Self {
        let one_of = |choices: &[u32]| choices[entropy.next_u32() as usize % choices.len()];
        let moods = [Mood::Answers, Mood::Refuses, Mood::Stalls, Mood::Gone, Mood::Busy];
        let receivers = moods.into_iter().filter(|mood| *mood == Mood::Answers || one_of(&[0, 1]) == 1).collect();
        Self {
            commits: one_of(&[20, 100, 300]) as usize,
            pause_ms: one_of(&[5, 200, 5_000]),
            receivers,
            bad_in_100: one_of(&[0, 3]),
            crashing_in_100: one_of(&[0, 0, 2]),
            restarts: one_of(&[0, 1, 4]),
            servers: 1,
            moves: 0,
            hints_lost_in_100: one_of(&[0, 20]),
            store_fails_in_100: one_of(&[0, 10]),
            ends_well: false,
        }
    }
}

/// Tells which seed it was that failed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the simulation failed with seed {}", self.0);
        }
    }
}

fn run(seed: u64, mix: impl FnOnce(&Entropy) -> Mix) -> World {
    let _seed = Seed(seed);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let entropy = Entropy::seeded(bytes);
    let mix = mix(&entropy);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mut world = World::new(entropy, mix).await;
        world.go_on().await;
        world.all_is_well_in_the_end().await;
        world
    })
}
