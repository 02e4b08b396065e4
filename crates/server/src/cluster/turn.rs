//! Between the dispatcher and whoever renews the lease: what part is delivered here, and that nothing more of the rest is under
//! way.

use tokio::sync::{mpsc, watch};
use unsaid_protocol::SdkAppId;

use super::Share;

/// The dispatcher's end.
#[derive(Debug)]
pub struct Turn {
    share: watch::Receiver<Share>,
    let_go: watch::Sender<u64>,
    back: mpsc::Receiver<SdkAppId>,
}

/// The other end.
#[derive(Debug)]
pub struct Turns {
    share: watch::Sender<Share>,
    let_go: watch::Receiver<u64>,
    back: mpsc::Sender<SdkAppId>,
}

/// Endpoints of which another server says that they are back; who says so waits for a place.
const BACK_MAX: usize = 64;

/// What the dispatcher is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    Share(Share),
    /// Another server was told that the endpoint of an app is back (rule C9).
    Back(SdkAppId),
}

/// Both ends; the dispatcher begins with `share`.
pub fn turn(share: Share) -> (Turns, Turn) {
    let (let_go_sender, let_go) = watch::channel(share.version);
    let (share_sender, share) = watch::channel(share);
    let (back_sender, back) = mpsc::channel(BACK_MAX);
    (Turns { share: share_sender, let_go, back: back_sender }, Turn { share, let_go: let_go_sender, back })
}

impl Turn {
    pub fn share(&mut self) -> Share {
        *self.share.borrow_and_update()
    }

    /// What comes from the other end. Nothing ever does, if that is not there.
    pub async fn news(&mut self) -> News {
        tokio::select! {
            Ok(()) = self.share.changed() => News::Share(*self.share.borrow_and_update()),
            Some(app) = self.back.recv() => News::Back(app),
            else => std::future::pending().await,
        }
    }

    /// Nothing is under way any more of what was not in the share of that version.
    pub fn has_let_go(&self, version: u64) {
        self.let_go.send_if_modified(|let_go| std::mem::replace(let_go, version) != version);
    }
}

impl Turns {
    pub fn set(&self, share: Share) {
        self.share.send_replace(share);
    }

    pub fn now(&self) -> Share {
        *self.share.borrow()
    }

    pub async fn back(&self, app: SdkAppId) {
        // A dispatcher that is gone delivers nothing.
        let _ = self.back.send(app).await;
    }

    /// Of which version of the share the dispatcher has let go of everything else.
    pub fn let_go(&self) -> u64 {
        *self.let_go.borrow()
    }

    /// Comes when it has let go of what was not in the share of that version. Never, if it is gone.
    pub async fn has_let_go(&mut self, version: u64) {
        if self.let_go.wait_for(|let_go| *let_go >= version).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// For others who have to know what is delivered here.
    pub fn watch(&self) -> watch::Receiver<Share> {
        self.share.subscribe()
    }
}
