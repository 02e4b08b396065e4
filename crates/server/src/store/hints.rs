//! Hints: what a store tells the dispatcher right after a commit. The outbox is the truth; a hint that finds no place
//! costs time, never an event.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::mpsc;

use crate::{chat::OwedEvent, limits};

/// The two ends of the hints of one server.
pub fn hints() -> (HintSender, HintReceiver) {
    let (sender, receiver) = mpsc::channel(limits::HINT_BATCHES_MAX);
    let missed = Arc::new(AtomicBool::new(false));
    (HintSender { sender, missed: Arc::clone(&missed) }, HintReceiver { receiver, missed })
}

#[derive(Clone, Debug)]
pub struct HintSender {
    sender: mpsc::Sender<Vec<OwedEvent>>,
    missed: Arc<AtomicBool>,
}

impl HintSender {
    /// Hands over the events of a commit, in their order. Never waits.
    pub fn committed(&self, events: Vec<OwedEvent>) {
        if !events.is_empty() && self.sender.try_send(events).is_err() {
            self.missed.store(true, Ordering::Release);
        }
    }
}

#[derive(Debug)]
pub struct HintReceiver {
    receiver: mpsc::Receiver<Vec<OwedEvent>>,
    missed: Arc<AtomicBool>,
}

impl HintReceiver {
    /// The next events; none when the store is gone.
    pub async fn next(&mut self) -> Option<Vec<OwedEvent>> {
        self.receiver.recv().await
    }

    /// The next events that are here already.
    pub fn ready(&mut self) -> Option<Vec<OwedEvent>> {
        self.receiver.try_recv().ok()
    }

    /// Whether a hint was lost since this was asked last.
    pub fn take_missed(&self) -> bool {
        self.missed.swap(false, Ordering::AcqRel)
    }
}
