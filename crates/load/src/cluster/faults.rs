//! What breaks, one thing after the other.

use std::time::{Duration, Instant};

use rand::{RngExt, rngs::StdRng, seq::SliceRandom};
use unsaid::limits;
use unsaid_testkit::postgres::Shutdown;

use super::{
    REST_MAX,
    ground::{Ground, Member},
};
use crate::{clock, flags::Fault};

const ALL: [Fault; 6] =
    [Fault::Kill, Fault::Pause, Fault::PostgresCrash, Fault::Nats, Fault::Stop, Fault::PostgresRestart];

/// What is asked for, or all of it, in an order of the seed; but the upgrade comes first, for the rest is to hit this version.
pub(crate) fn in_order(asked: &[Fault], random: &mut StdRng) -> Vec<Fault> {
    let mut faults = ALL;
    faults.shuffle(random);
    let faults = std::iter::once(Fault::Upgrade).chain(faults);
    faults.filter(|fault| asked.is_empty() || asked.contains(fault)).collect()
}

/// A fault, and how long it took until everything acknowledged by its end had its callback.
#[derive(Clone, Debug)]
pub(crate) struct Happened {
    pub(crate) fault: Fault,
    pub(crate) began: Instant,
    pub(crate) at_rest: Instant,
}

/// For how long a killed server, or NATS, is away, and for how long versions run side by side.
const AWAY: Duration = Duration::from_secs(3);

/// Longer than a lease.
const PAUSED: Duration = limits::LEASE.saturating_add(Duration::from_secs(4));

impl Fault {
    /// One server cannot do without itself, and NATS is not always there.
    pub(super) fn is_possible(self, ground: &Ground) -> bool {
        match self {
            Self::Upgrade => ground.servers.iter().any(Member::is_older),
            Self::Kill | Self::Pause | Self::Stop => ground.servers.len() > 1,
            Self::Nats => ground.has_bus(),
            Self::PostgresCrash | Self::PostgresRestart => true,
        }
    }
}

/// Breaks it, mends it, and waits until everything has come to rest.
pub(crate) async fn happens(fault: Fault, ground: &mut Ground, random: &mut StdRng) -> anyhow::Result<Happened> {
    let victim = random.random_range(0..ground.servers.len());
    eprintln!("load: {fault:?}, server {victim}");
    let began = clock::now();
    match fault {
        Fault::Upgrade => upgrade(ground, victim).await?,
        Fault::Kill => {
            ground.servers[victim].kill();
            tokio::time::sleep(AWAY).await;
            ground.servers[victim].start().await?;
        }
        Fault::Pause => {
            ground.servers[victim].signal("STOP")?;
            tokio::time::sleep(PAUSED).await;
            ground.servers[victim].signal("CONT")?;
        }
        Fault::Stop => {
            ground.servers[victim].stop().await?;
            ground.servers[victim].start().await?;
        }
        Fault::PostgresCrash => ground.restart_postgres(Shutdown::Immediate).await?,
        Fault::PostgresRestart => ground.restart_postgres(Shutdown::Fast).await?,
        Fault::Nats => {
            let nats = ground.nats.as_mut().expect("it is there");
            nats.stop();
            tokio::time::sleep(AWAY).await;
            nats.start_again().await;
        }
    }
    // What never comes is found in the end.
    let _ = tokio::time::timeout(REST_MAX, ground.ledger.at_rest()).await;
    Ok(Happened { fault, began, at_rest: clock::now() })
}

/// One server after the other becomes this version. The first goes back to the older one meanwhile, as if it had to.
async fn upgrade(ground: &mut Ground, first: usize) -> anyhow::Result<()> {
    let older = ground.servers[first].become_program(None).await?;
    tokio::time::sleep(AWAY).await;
    ground.servers[first].become_program(older).await?;
    for server in ground.servers.iter_mut().filter(|server| server.is_older()) {
        tokio::time::sleep(AWAY).await;
        server.become_program(None).await?;
    }
    Ok(())
}
