//! Between the dispatcher and whoever renews the lease: what part is delivered here, and that nothing more of the rest is under
//! way.

use tokio::sync::watch;

use super::Share;

/// The dispatcher's end.
#[derive(Debug)]
pub struct Turn {
    share: watch::Receiver<Share>,
    let_go: watch::Sender<u64>,
}

/// The other end.
#[derive(Debug)]
pub struct Turns {
    share: watch::Sender<Share>,
    let_go: watch::Receiver<u64>,
}

/// Both ends; the dispatcher begins with `share`.
pub fn turn(share: Share) -> (Turns, Turn) {
    let (let_go_sender, let_go) = watch::channel(share.version);
    let (share_sender, share) = watch::channel(share);
    (Turns { share: share_sender, let_go }, Turn { share, let_go: let_go_sender })
}

impl Turn {
    pub fn share(&mut self) -> Share {
        *self.share.borrow_and_update()
    }

    /// Comes when there is another share. Never, if there is nobody who could change it.
    pub async fn changed(&mut self) {
        if self.share.changed().await.is_err() {
            std::future::pending::<()>().await;
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

    /// Of which version of the share the dispatcher has let go of everything else.
    pub fn let_go(&self) -> u64 {
        *self.let_go.borrow()
    }

    /// For others who have to know what is delivered here.
    pub fn watch(&self) -> watch::Receiver<Share> {
        self.share.subscribe()
    }
}
