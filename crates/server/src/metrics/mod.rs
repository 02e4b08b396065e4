//! Metrics: what this server counts and measures, for Prometheus.
//!
//! A registry is a value, built once for a server and handed to the rooms: each has its own part, a handful of atomic
//! numbers that were looked up beforehand, so that counting allocates nothing and waits for nobody. What is a state and not
//! a count is read when somebody asks (`page.rs`). What was counted is looked at now and then, so that the console can show how it
//! went over the last hours (`recent.rs`). Metrics name apps, never accounts. Every metric is in
//! `docs/metrics.md`, which is made from the registry (`reference.rs`).

mod page;
mod process;
mod recent;

mod book;
mod reference;

mod bus;
mod callbacks;
mod cluster;
mod gateway;
mod rest;
mod standing;
mod store;

mod codes;
mod counters;
mod histogram;

pub use bus::BusMetrics;
pub use callbacks::CallbackMetrics;
pub use cluster::ClusterMetrics;
pub use gateway::GatewayMetrics;
pub use page::{Page, router};
pub use recent::{Recent, Step};
pub use reference::reference;
pub use rest::RestMetrics;
pub use standing::Standing;
pub use store::StoreMetrics;

use self::book::Book;

/// Everything that one server counts. Clones count the same.
#[derive(Debug)]
pub struct Metrics {
    pub rest: RestMetrics,
    pub gateway: GatewayMetrics,
    pub store: StoreMetrics,
    pub callbacks: CallbackMetrics,
    pub bus: BusMetrics,
    pub cluster: ClusterMetrics,
    /// What is read when somebody asks.
    pub standing: Standing,
    book: Book,
}

impl Metrics {
    pub fn new() -> Self {
        let mut book = Book::default();
        Self {
            rest: RestMetrics::new(&mut book),
            gateway: GatewayMetrics::new(&mut book),
            store: StoreMetrics::new(&mut book),
            callbacks: CallbackMetrics::new(&mut book),
            bus: BusMetrics::new(&mut book),
            cluster: ClusterMetrics::new(&mut book),
            standing: Standing::new(&mut book),
            book,
        }
    }

    /// As OpenMetrics text.
    pub fn text(&self) -> String {
        self.book.text()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
