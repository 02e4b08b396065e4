//! Hints in the order of commits.
//!
//! Writers commit side by side, and whoever hears first that it has committed is not always who has committed first. Who
//! waits for another one's rows takes its number behind it, so hints that leave in the order of numbers tell of each lane in its
//! own. Nobody waits for that: hints that come too early are left here for whoever they wait for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{chat::OwedEvent, limits, store::HintSender};

/// All commits of the writers of one server.
#[derive(Debug)]
pub(super) struct Order {
    hints: HintSender,
    numbers: Mutex<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    /// The next one that is given.
    next: u64,
    /// The first one that has not ended.
    first: u64,
    /// Those behind it that have ended, with what they tell.
    ended: BTreeMap<u64, Vec<OwedEvent>>,
}

/// The number of a commit that is about to be sent. Dropped, it tells nothing.
pub(super) struct Number {
    order: Arc<Order>,
    number: u64,
    owed: Vec<OwedEvent>,
}

impl Order {
    pub(super) fn new(hints: HintSender) -> Arc<Self> {
        Arc::new(Self { hints, numbers: Mutex::default() })
    }

    /// Taken when all rows of a transaction are locked, so behind whoever had them before.
    pub(super) fn number(self: &Arc<Self>) -> Number {
        let mut numbers = self.numbers();
        let number = numbers.next;
        numbers.next += 1;
        Number { order: Arc::clone(self), number, owed: Vec::new() }
    }

    fn end(&self, number: u64, owed: Vec<OwedEvent>) {
        let mut numbers = self.numbers();
        // Behind a commit that takes very long, hints are lost rather than kept: the outbox has what they tell.
        let is_full = number != numbers.first && numbers.ended.len() >= limits::HINT_BATCHES_MAX;
        if is_full && !owed.is_empty() {
            self.hints.missed();
        }
        numbers.ended.insert(number, if is_full { Vec::new() } else { owed });
        // Under the lock, so that nobody who comes later is faster.
        loop {
            let first = numbers.first;
            let Some(owed) = numbers.ended.remove(&first) else {
                return;
            };
            numbers.first += 1;
            self.hints.committed(owed);
        }
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Number {
    /// The commit was answered; these events are in the outbox.
    pub(super) fn committed(mut self, owed: Vec<OwedEvent>) {
        self.owed = owed;
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        self.order.end(self.number, std::mem::take(&mut self.owed));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use unsaid_protocol::{SdkAppId, callback::CallbackCommand};

    use super::*;
    use crate::{
        chat::{EventId, Lane, NoDevices, Origin, Tries},
        clock::Timestamp,
        store::{HintReceiver, hints},
    };

    #[test]
    fn hints_leave_in_the_order_of_commits() {
        let (sender, mut receiver) = hints(Arc::new(NoDevices));
        let order = Order::new(sender);
        let [first, second, third, fourth] = [(); 4].map(|()| order.number());
        third.committed(event(3));
        second.committed(event(2));
        assert!(receiver.ready().is_none(), "the first one is waited for");
        first.committed(event(1));
        let places = |receiver: &mut HintReceiver| {
            std::iter::from_fn(|| receiver.ready()).flatten().map(|event| event.place).collect::<Vec<_>>()
        };
        assert_eq!(places(&mut receiver), [1, 2, 3]);
        drop(fourth);
        order.number().committed(event(5));
        assert_eq!(places(&mut receiver), [5], "one that has failed holds nobody up");

        let late = order.number();
        (0..=limits::HINT_BATCHES_MAX).for_each(|_| order.number().committed(event(7)));
        assert!(receiver.take_missed(), "what waits has a bound, and what is beyond it is said");
        late.committed(event(6));
        assert_eq!(receiver.ready().expect("it has ended")[0].place, 6);
    }

    fn event(place: i64) -> Vec<OwedEvent> {
        vec![OwedEvent {
            id: EventId("e".to_owned()),
            app: SdkAppId(1),
            lane: Lane("lane".to_owned()),
            place,
            number: place,
            previous: place - 1,
            command: CallbackCommand::AfterMsgWithDraw,
            body: Bytes::new(),
            origin: Origin::LOCAL,
            created: Timestamp(0),
            age_from: Timestamp(0),
            replay: false,
            tries: Tries::default(),
            due: Timestamp(0),
        }]
    }
}
