//! What the bus counts.

use prometheus_client::metrics::gauge::Gauge;

use super::{
    book::{Book, Entry, Kind, Measure},
    counters::{Axis, Counters},
};
use crate::bus::{Unheard, Word};

#[derive(Clone, Debug)]
pub struct BusMetrics {
    connected: Gauge,
    said: Counters<1>,
    dropped: Counters<1>,
    heard: Counters<1>,
    unheard: Counters<1>,
}

impl BusMetrics {
    pub(super) fn new(book: &mut Book) -> Self {
        let words = || Counters::new([Axis::new("word", Word::ALL.map(Word::as_str))]);
        let metrics = Self {
            connected: Gauge::default(),
            said: words(),
            dropped: words(),
            heard: words(),
            unheard: Counters::new([Axis::new("why", Unheard::ALL.map(Unheard::as_str))]),
        };
        let about =
            "1 while the bus is there. Without a bus, and while it is away, 0: then the store is asked every second";
        let entry = Entry { name: "unsaid_bus_connected", kind: Kind::Gauge, unit: Measure::Count, labels: &[], about };
        book.enter(entry, metrics.connected.clone());
        let counter = |name, labels, about| Entry { name, kind: Kind::Counter, unit: Measure::Count, labels, about };
        let about = "What was said to other servers: `wake` (an account has something to learn), `end` (a session has ended), \
                     `online` (a message for those online only), `look` (there is something in a lane)";
        book.enter(counter("unsaid_bus_said", &["word"], about), metrics.said.clone());
        let about =
            "What was not said, because the bus is away, or takes less than there is. It costs time; `online` is lost";
        book.enter(counter("unsaid_bus_dropped", &["word"], about), metrics.dropped.clone());
        let about = "What other servers have said to this one";
        book.enter(counter("unsaid_bus_heard", &["word"], about), metrics.heard.clone());
        let about = "What was heard and left alone: `malformed` (of another version, or by somebody else), `forged` (without the \
                     key of this cluster), `repeated` (it was heard before)";
        book.enter(counter("unsaid_bus_unheard", &["why"], about), metrics.unheard.clone());
        metrics
    }

    pub fn is_there(&self) {
        self.connected.set(1);
    }

    pub fn is_away(&self) {
        self.connected.set(0);
    }

    pub fn said(&self, word: Word) {
        self.said.count([place(word)]);
    }

    pub fn dropped(&self, word: Word) {
        self.dropped.count([place(word)]);
    }

    pub fn heard(&self, word: Word) {
        self.heard.count([place(word)]);
    }

    pub fn unheard(&self, why: Unheard) {
        let place = Unheard::ALL.into_iter().position(|one| one == why);
        self.unheard.count([place.expect("it is one of all")]);
    }
}

fn place(word: Word) -> usize {
    Word::ALL.into_iter().position(|one| one == word).expect("it is one of all")
}
