//! What a receiver remembers of deliveries: a trait for a store of yours, and a memory within the process.

use std::{collections::HashMap, convert::Infallible, hash::Hash};

use crate::{Delivery, Remembered};

/// Where a receiver keeps what it has handled.
///
/// It is asked and told within one request; a database that is asked asynchronously is better asked by your handler, in
/// its own transaction, with [`Delivery::judge`].
pub trait Memory {
    type Error;

    /// What is known when `delivery` comes.
    fn look_up(&mut self, delivery: &Delivery) -> Result<Remembered, Self::Error>;

    /// `delivery` is handled: it is a repeat from now on, and if it is not a replay, its number is the last of its lane,
    /// unless a greater one is.
    fn remember(&mut self, delivery: &Delivery) -> Result<(), Self::Error>;
}

/// Remembers nothing: every delivery is new. For handlers that judge by themselves, or do not mind repeats.
#[derive(Clone, Copy, Default, Debug)]
pub struct Forgetful;

/// The deliveries and lanes that were handled last, within this process. After a restart it knows nothing, so repeats
/// from before are handled again, and nothing counts as missed in a lane until it is met.
#[derive(Clone, Debug)]
pub struct Recent {
    deliveries: Generations<(String, Option<u64>), ()>,
    lanes: Generations<String, u64>,
}

impl Recent {
    /// Remembers at least the `entries_min` deliveries and lanes that came last, and at most twice as many; a delivery
    /// takes about 100 bytes.
    pub fn new(entries_min: usize) -> Self {
        Self { deliveries: Generations::new(entries_min), lanes: Generations::new(entries_min) }
    }
}

impl Default for Recent {
    /// Of 100,000 deliveries and lanes.
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl Memory for Recent {
    type Error = Infallible;

    fn look_up(&mut self, delivery: &Delivery) -> Result<Remembered, Infallible> {
        let handled = self.deliveries.value(&(delivery.id.clone(), delivery.replay)).is_some();
        let last_number = delivery.place.as_ref().and_then(|place| self.lanes.value(&place.lane).copied());
        Ok(Remembered { handled, last_number })
    }

    fn remember(&mut self, delivery: &Delivery) -> Result<(), Infallible> {
        self.deliveries.insert((delivery.id.clone(), delivery.replay), ());
        if let (Some(place), None) = (&delivery.place, delivery.replay) {
            let last = self.lanes.value(&place.lane).map_or(place.number, |last| place.number.max(*last));
            self.lanes.insert(place.lane.clone(), last);
        }
        Ok(())
    }
}

impl Memory for Forgetful {
    type Error = Infallible;

    fn look_up(&mut self, _delivery: &Delivery) -> Result<Remembered, Infallible> {
        Ok(Remembered::default())
    }

    fn remember(&mut self, _delivery: &Delivery) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A map that forgets half of itself at a time: what was not inserted again while the younger half filled.
#[derive(Clone, Debug)]
struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    young_max: usize,
}

impl<K: Eq + Hash, V> Generations<K, V> {
    fn new(young_max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), young_max: young_max.max(1) }
    }

    fn value(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.young_max && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;

    fn delivery(lane: &str, number: u64, replay: Option<u64>) -> Delivery {
        let place = Place { lane: lane.to_owned(), number, previous: number - 1 };
        Delivery { id: format!("evt_{lane}_{number}"), replay, place: Some(place) }
    }

    fn remembered(memory: &mut Recent, delivery: &Delivery) -> (bool, Option<u64>) {
        let Ok(Remembered { handled, last_number }) = memory.look_up(delivery);
        (handled, last_number)
    }

    #[test]
    fn c3_a_delivery_is_its_id_and_its_replay() {
        let mut memory = Recent::default();
        let (first, again, once_more) = (delivery("a", 4, None), delivery("a", 4, Some(1)), delivery("a", 4, Some(2)));
        assert_eq!(remembered(&mut memory, &first), (false, None));
        let Ok(()) = memory.remember(&first);
        assert_eq!(remembered(&mut memory, &first), (true, Some(4)));
        assert_eq!(remembered(&mut memory, &again), (false, Some(4)));
        let Ok(()) = memory.remember(&again);
        assert_eq!(remembered(&mut memory, &again), (true, Some(4)));
        assert_eq!(remembered(&mut memory, &once_more), (false, Some(4)));
    }

    #[test]
    fn c5_replays_and_late_ones_do_not_move_the_last_number() {
        let mut memory = Recent::default();
        for handled in [delivery("a", 7, None), delivery("a", 3, None), delivery("a", 9, Some(1))] {
            let Ok(()) = memory.remember(&handled);
        }
        assert_eq!(remembered(&mut memory, &delivery("a", 8, None)), (false, Some(7)));
        assert_eq!(remembered(&mut memory, &delivery("b", 8, None)), (false, None), "another lane");
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_youngest() {
        let mut memory = Recent::new(10);
        for number in 1..=1000 {
            let Ok(()) = memory.remember(&delivery(&number.to_string(), 1, None));
            assert!(memory.deliveries.young.len() + memory.deliveries.old.len() <= 20);
            assert!(memory.lanes.young.len() + memory.lanes.old.len() <= 20);
        }
        for number in 991..=1000 {
            assert_eq!(remembered(&mut memory, &delivery(&number.to_string(), 1, None)), (true, Some(1)), "{number}");
        }
        assert_eq!(remembered(&mut memory, &delivery("1", 1, None)), (false, None));
    }
}
