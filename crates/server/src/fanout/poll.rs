//! Asking the store what other servers have done to the sessions that are connected here.
//!
//! The bus tells it at once, and may lose it. So the store is asked for all sessions every second while there is no bus, once
//! when it has come, and now and then while it is there. A session that has just logged in is asked about once, when the
//! subscription of its account has surely begun. What is compared is how far the session itself has come, so nobody is woken
//! for nothing.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Fanout;
use crate::{bus::Bus, chat::Fault, clock::Clock, cluster::Leases, limits};

/// Who asks.
pub struct Poll {
    pub fanout: Arc<Fanout>,
    /// The store's part that is asked.
    pub leases: Arc<dyn Leases>,
    pub bus: Bus,
    pub clock: Clock,
}

/// Whom is asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pass {
    All,
    /// Those that have logged in before the last pass, and not before the one before it.
    New,
}

impl Poll {
    /// Asks until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut connected = self.bus.connected();
        let (mut all_at, mut is_failing) = (None, false);
        loop {
            let now = self.clock.instant();
            let is_due = all_at.is_none_or(|at| now.duration_since(at) >= limits::POLL_NET_PAUSE);
            let pass = if *connected.borrow() && !is_due { Pass::New } else { Pass::All };
            match self.once(pass).await {
                Ok(()) => {
                    is_failing = false;
                    all_at = if pass == Pass::All { Some(now) } else { all_at };
                }
                Err(fault) if !is_failing => {
                    is_failing = true;
                    tracing::warn!(%fault, "the store could not be asked what other servers have done; it is tried again");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                // What was said meanwhile was said to nobody.
                () = changed(&mut connected) => all_at = None,
                () = tokio::time::sleep(limits::POLL_PAUSE) => {}
            }
        }
    }

    async fn once(&self, pass: Pass) -> Result<(), Fault> {
        let standing = self.fanout.standing(|line| line.is_in(pass));
        for piece in standing.chunks(limits::POLL_PIECE_SESSIONS) {
            let keys: Vec<_> = piece.iter().map(|session| session.key.clone()).collect();
            let glances = self.leases.glance(keys).await?;
            assert_eq!(glances.len(), piece.len(), "each session that is asked about is answered for");
            piece.iter().zip(glances).for_each(|(session, glance)| session.line.stands(glance));
        }
        Ok(())
    }
}

/// Comes when the bus has come or gone; never where there is none.
async fn changed(connected: &mut watch::Receiver<bool>) {
    if connected.changed().await.is_err() {
        std::future::pending().await
    }
}
