//! Following: what other servers have changed in the store is read anew here, a second later at most.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    apps::Apps,
    chat::{Fault, Store},
    operator::Tokens,
};

/// What is read, and where it goes.
pub(crate) struct Followed {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) apps: Arc<Apps>,
    pub(crate) tokens: Arc<Tokens>,
}

/// Who follows.
pub(crate) struct Follow {
    pub(crate) followed: Followed,
    /// Grows with each change of an app or of a token.
    pub(crate) version: watch::Receiver<i64>,
}

const AGAIN: Duration = Duration::from_secs(1);

impl Follow {
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while tokio::select! {
            () = stop.cancelled() => false,
            changed = self.version.changed() => changed.is_ok(),
        } {
            while let Err(fault) = self.followed.read_anew().await {
                tracing::warn!(%fault, "what other servers have changed could not be read; it is tried again");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(AGAIN) => {}
                }
            }
        }
    }
}

impl Followed {
    async fn read_anew(&self) -> Result<(), Fault> {
        // What is changed here meanwhile would be taken back by what was read before.
        loop {
            let moment = self.apps.moment();
            if self.apps.replace(self.store.apps().await?, moment) {
                break;
            }
        }
        loop {
            let moment = self.tokens.moment();
            if self.tokens.replace(self.store.tokens().await?, moment) {
                return Ok(());
            }
        }
    }
}
