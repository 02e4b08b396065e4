//! Hints: what a store tells the dispatcher and the devices right after a commit. The outbox and the sync events are the
//! truth; a hint that is lost costs time, never an event.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::sync::mpsc;
use unsaid_protocol::{SdkAppId, UserId};

use crate::{
    chat::{Devices, OwedEvent},
    limits,
};

/// The two ends of the hints of one server. The devices hear of what is for them at once.
pub fn hints(devices: Arc<dyn Devices>) -> (HintSender, HintReceiver) {
    let (sender, receiver) = mpsc::channel(limits::HINT_BATCHES_MAX);
    let shared = Arc::new(Shared::default());
    (HintSender { sender, shared: Arc::clone(&shared), devices }, HintReceiver { receiver, shared })
}

#[derive(Debug, Default)]
struct Shared {
    missed: AtomicBool,
    /// The bodies of the events that are on their way.
    bytes: AtomicUsize,
}

#[derive(Clone, Debug)]
pub struct HintSender {
    sender: mpsc::Sender<Vec<OwedEvent>>,
    shared: Arc<Shared>,
    devices: Arc<dyn Devices>,
}

impl HintSender {
    /// Wakes the devices of those who have something to learn.
    pub fn heard(&self, accounts: &[(SdkAppId, UserId)]) {
        accounts.iter().for_each(|(app, user)| self.devices.wake(*app, user));
    }

    /// Says that there are events which no hint tells of. It is heard with the next ones.
    pub fn missed(&self) {
        self.shared.missed.store(true, Ordering::Release);
    }

    /// Hands over the events of a commit, in their order. Never waits.
    pub fn committed(&self, events: Vec<OwedEvent>) {
        if events.is_empty() {
            return;
        }
        let bytes = bytes(&events);
        let on_their_way = self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        if on_their_way > limits::HINT_BYTES_MAX || self.sender.try_send(events).is_err() {
            self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.missed();
        }
    }
}

#[derive(Debug)]
pub struct HintReceiver {
    receiver: mpsc::Receiver<Vec<OwedEvent>>,
    shared: Arc<Shared>,
}

impl HintReceiver {
    /// The next events; none when the store is gone.
    pub async fn next(&mut self) -> Option<Vec<OwedEvent>> {
        self.receiver.recv().await.map(|events| self.taken(events))
    }

    /// The next events that are here already.
    pub fn ready(&mut self) -> Option<Vec<OwedEvent>> {
        self.receiver.try_recv().ok().map(|events| self.taken(events))
    }

    /// Whether a hint was lost since this was asked last.
    pub fn take_missed(&self) -> bool {
        self.shared.missed.swap(false, Ordering::AcqRel)
    }

    fn taken(&self, events: Vec<OwedEvent>) -> Vec<OwedEvent> {
        self.shared.bytes.fetch_sub(bytes(&events), Ordering::Relaxed);
        events
    }
}

fn bytes(events: &[OwedEvent]) -> usize {
    events.iter().map(|event| event.body.len()).sum()
}
