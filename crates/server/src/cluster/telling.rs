//! Whether the others may rely on being told what this server commits.
//!
//! They learn it from its lease, a second later, and search the outbox while it is not so. What was lost between two renewals has to
//! be found, too: so whoever has lost something is not relied upon until everyone who holds a lease has read that.

use tokio::{sync::watch, time::Instant};

use crate::limits;

#[derive(Debug)]
pub(super) struct Telling {
    /// Whether this server is on the bus; it changes as well when something that was said is lost.
    is_on_bus: watch::Receiver<bool>,
    /// When something may have been lost last.
    lapsed_at: Option<Instant>,
}

impl Telling {
    pub(super) fn new(mut is_on_bus: watch::Receiver<bool>) -> Self {
        is_on_bus.mark_changed();
        Self { is_on_bus, lapsed_at: None }
    }

    pub(super) fn is_sure(&mut self, now: Instant) -> bool {
        // A bus that has ended does not change any more, and is away.
        if self.is_on_bus.has_changed().unwrap_or(false) {
            self.lapsed_at = Some(now);
        }
        let is_on_bus = *self.is_on_bus.borrow_and_update();
        // Who has not renewed for so long has lost its lease, and searches when it has one again.
        is_on_bus && self.lapsed_at.is_none_or(|lapsed_at| now >= lapsed_at + limits::LEASE)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{Clock, Timestamp};

    #[test]
    fn what_is_lost_between_two_renewals_is_known_to_all_before_anyone_relies_on_it_again() {
        let (bus, is_on_bus) = watch::channel(true);
        let mut telling = Telling::new(is_on_bus);
        let begin = Clock::standing_at(Timestamp(0)).instant();
        let at = |s| begin + Duration::from_secs(s);
        assert_eq!([0, 7, 8, 9].map(|s| telling.is_sure(at(s))), [false, false, true, true]);
        // It was away for a moment.
        bus.send_replace(false);
        bus.send_replace(true);
        assert_eq!([10, 17, 18].map(|s| telling.is_sure(at(s))), [false, false, true]);
        // One word was lost.
        bus.send_modify(|_| {});
        assert_eq!([19, 26, 27].map(|s| telling.is_sure(at(s))), [false, false, true]);
        bus.send_replace(false);
        assert_eq!([28, 60].map(|s| telling.is_sure(at(s))), [false, false]);
        drop(bus);
        assert!(!telling.is_sure(at(90)));
    }
}
