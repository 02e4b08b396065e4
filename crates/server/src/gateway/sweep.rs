//! Sessions that nobody holds: those of a server that was killed have a while to come back, then their end is told
//! (callbacks 4.9).

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Gateway;
use crate::{
    chat::{ChatError, Command, Leaving, LogOut, RequestId},
    clock::Timestamp,
    limits,
};

/// Looks when those of before have had their time, and now and then afterwards.
pub(super) async fn run(gateway: &Gateway, session_return: Duration, stop: CancellationToken) {
    let started = gateway.world.clock.now();
    let mut pause = session_return;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        // A login that is being answered is not taken for one that nobody holds.
        let before = started.max(gateway.world.clock.now().minus(limits::SESSION_SWEEP_AGE));
        if let Err(error) = once(gateway, before).await {
            tracing::warn!(%error, "sessions that nobody holds were not looked for; it is tried again");
        }
        // Others than this server may end at any time, and nobody but the others notices.
        let shared = gateway.chat.store().leases().is_some();
        pause = if shared { session_return.max(limits::LEASE) } else { limits::SESSION_SWEEP_PAUSE };
    }
}

pub(super) async fn once(gateway: &Gateway, before: Timestamp) -> Result<(), ChatError> {
    let mut after = None;
    loop {
        let piece = gateway.chat.store().all_sessions(after, limits::SESSION_SWEEP_PIECE).await?;
        let Some((last, _)) = piece.last() else {
            return Ok(());
        };
        after = Some(last.clone());
        for ((app, user, session), row) in piece {
            if row.since < before && !gateway.fanout.is_connected(app, &user, &session) {
                let log_out = LogOut { app, user, session, how: Leaving::LinkClosed, request: RequestId::NONE };
                gateway.chat.run(Command::LogOut(log_out)).await?;
            }
        }
    }
}
