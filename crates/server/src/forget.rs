//! Forgetting: what is kept for a time only is erased when its time has come, piece by piece, so that nobody waits long for
//! the writer.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    apps::{App, Apps},
    chat::{Chat, ChatError, Command, Fault, Prunable, Prune, Pruned},
    clock::{Clock, Timestamp},
    cluster::Share,
    limits,
    story::Stories,
};

/// Who forgets, every hour.
pub(crate) struct Forget {
    pub(crate) chat: Chat,
    pub(crate) apps: Arc<Apps>,
    pub(crate) stories: Stories,
    pub(crate) clock: Clock,
    /// Of several servers one forgets what they share.
    pub(crate) share: watch::Receiver<Share>,
}

const PAUSE: Duration = Duration::from_secs(3600);

/// Walking through all conversations leaves the store alone for so many times as long as it looks: there may be millions, and
/// others want to read.
const WALK_PAUSE: u32 = 9;

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Forget {
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            self.stories.prune();
            // Whoever is to do it later, by then does it.
            let leads = async { self.share.wait_for(Share::leads).await.is_ok() };
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tokio::time::timeout(PAUSE, leads) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.once() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Audit copies until their day (rule R3), delivered events for a week, stories as long as they are set to be kept (rule
    /// C8), messages as long as their app wants.
    async fn once(&self) {
        let now = self.clock.now();
        if !self.share.borrow().leads() {
            return;
        }
        match self.chat.store().erase_audit_copies(now).await {
            Ok(0) => {}
            Ok(erased) => tracing::info!(erased, "audit copies were erased"),
            Err(fault) => tracing::warn!(%fault, "audit copies could not be erased; it is tried again"),
        }
        if let Err(fault) = self.delivered_events(now).await {
            tracing::warn!(%fault, "delivered events could not be erased; it is tried again");
        }
        match self.chat.run(Command::EraseNotes(now.minus(limits::AUDIT_KEPT))).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "the audit log could not be shortened; it is tried again"),
        }
        for app in self.apps.list().into_iter().filter(|app| app.erasing) {
            // An operator began to delete it; whoever was interrupted goes on here.
            let erased = async {
                while self.chat.erase_app(app.sdkappid).await? > 0 {}
                Ok::<(), ChatError>(())
            };
            if let Err(error) = erased.await {
                tracing::warn!(app = %app.sdkappid, %error, "an app could not be erased; it is tried again");
            }
        }
        for app in self.apps.list() {
            match self.messages(&app, now).await {
                Ok(0) => {}
                Ok(erased) => tracing::info!(app = %app.sdkappid, erased, "messages were erased"),
                Err(error) => {
                    tracing::warn!(app = %app.sdkappid, %error, "messages could not be erased; it is tried again");
                }
            }
        }
    }

    async fn delivered_events(&self, now: Timestamp) -> Result<(), Fault> {
        let before = now.minus(limits::DELIVERED_KEPT);
        let (mut erased, mut after) = (0, Some(0));
        while let Some(row) = after {
            let pruned: Pruned = self.chat.store().prune_events(before, row).await?;
            (erased, after) = (erased + pruned.erased, pruned.next);
        }
        if erased > 0 {
            tracing::info!(erased, "delivered events were erased");
        }
        Ok(())
    }

    /// Those that are older than the app keeps them, and those that neither account sees any more. Answers how many.
    async fn messages(&self, app: &App, now: Timestamp) -> Result<usize, ChatError> {
        let sdkappid = app.sdkappid;
        let kept = DAY * u32::from(app.history_days);
        let before_s = if app.history_days == 0 { 0 } else { now.minus(kept).seconds() };
        let (mut erased, mut after) = (0, None);
        loop {
            let began = self.clock.instant();
            let piece = self.chat.store().prunable(sdkappid, after, before_s, limits::PRUNE_PIECE_CONVERSATIONS);
            let Prunable { pairs, next } = piece.await?;
            let took = self.clock.instant() - began;
            for pair in pairs {
                loop {
                    let count = self.chat.prune(Prune { app: sdkappid, pair: pair.clone(), before_s }).await?;
                    erased += count;
                    if count < limits::PRUNE_PIECE_MESSAGES as usize {
                        break;
                    }
                }
            }
            after = next;
            if after.is_none() {
                return Ok(erased);
            }
            tokio::time::sleep(took * WALK_PAUSE).await;
        }
    }
}
