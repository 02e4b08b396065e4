//! What is heard of lanes, on its way to whoever delivers them. The outbox is the truth: what finds no place is found there.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{Notify, mpsc};
use unsaid_protocol::SdkAppId;

use crate::{chat::Lane, limits};

/// There is something in a lane, up to this place at least.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Look {
    pub app: SdkAppId,
    pub lane: Lane,
    pub place: i64,
}

/// What is heard of lanes that are delivered here.
#[derive(Debug)]
pub struct Looks {
    /// None where there is nobody to hear of.
    receiver: Option<mpsc::Receiver<Look>>,
    missed: Arc<Missed>,
}

#[derive(Debug, Default)]
struct Missed {
    anything: AtomicBool,
    wake: Notify,
}

#[derive(Clone, Debug)]
pub(super) struct LookSender {
    sender: mpsc::Sender<Look>,
    missed: Arc<Missed>,
}

pub(super) fn looks() -> (LookSender, Looks) {
    // Full where the dispatcher has more to do than it can; then it searches the outbox.
    let (sender, receiver) = mpsc::channel(limits::BUS_LOOKS_MAX);
    let missed = Arc::<Missed>::default();
    (LookSender { sender, missed: Arc::clone(&missed) }, Looks { receiver: Some(receiver), missed })
}

impl LookSender {
    /// Never waits.
    pub(super) fn heard(&self, look: Look) {
        if self.sender.try_send(look).is_err() {
            self.missed();
        }
    }

    /// Something may have been said that was not heard.
    pub(super) fn missed(&self) {
        self.missed.anything.store(true, Ordering::Release);
        self.missed.wake.notify_one();
    }
}

impl Looks {
    /// There is nobody to hear of.
    pub fn none() -> Self {
        Self { receiver: None, missed: Arc::default() }
    }

    /// The next one, or none where something may have been missed. Never comes where there is no bus, or it has ended.
    pub async fn next(&mut self) -> Option<Look> {
        let Some(receiver) = &mut self.receiver else {
            return std::future::pending().await;
        };
        tokio::select! {
            Some(look) = receiver.recv() => Some(look),
            () = self.missed.wake.notified() => None,
            else => std::future::pending().await,
        }
    }

    /// The next one that is here already.
    pub fn ready(&mut self) -> Option<Look> {
        self.receiver.as_mut()?.try_recv().ok()
    }

    /// Whether something may have been missed since this was asked last: the outbox has to be searched.
    pub fn take_missed(&self) -> bool {
        self.missed.anything.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_finds_no_place_is_said_to_be_missed() {
        let (sender, mut looks) = looks();
        let look = |place| Look { app: SdkAppId(1), lane: Lane("jared".to_owned()), place };
        (0..limits::BUS_LOOKS_MAX).for_each(|_| sender.heard(look(1)));
        assert!(!looks.take_missed());
        sender.heard(look(2));
        assert!(looks.take_missed() && !looks.take_missed());
        let heard = std::iter::from_fn(|| looks.ready()).count();
        assert_eq!((heard, looks.next().await), (limits::BUS_LOOKS_MAX, None), "who waits for the next hears of it");
    }
}
