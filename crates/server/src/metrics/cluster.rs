//! What is known of the servers that share the store.

use prometheus_client::metrics::gauge::Gauge;

use super::book::{Book, Entry, Kind, Measure};

#[derive(Clone, Debug)]
pub struct ClusterMetrics {
    members: Gauge,
    shards: Gauge,
}

impl ClusterMetrics {
    pub(super) fn new(book: &mut Book) -> Self {
        let metrics = Self { members: Gauge::default(), shards: Gauge::default() };
        let gauge = |name, about| Entry { name, kind: Kind::Gauge, unit: Measure::Count, labels: &[], about };
        let about = "Servers that share the store and are there, this one among them; 0 where one server owns it";
        book.enter(gauge("unsaid_cluster_members", about), metrics.members.clone());
        let about = "Shards, of 256, whose lanes are delivered here; over all servers they should be 256. 0 where one server owns \
                     the store, and while the lease has ended";
        book.enter(gauge("unsaid_cluster_shards", about), metrics.shards.clone());
        metrics
    }

    pub fn stands(&self, members: u32, shards: usize) {
        self.members.set(members.into());
        self.shards.set(i64::try_from(shards).unwrap_or(i64::MAX));
    }

    /// The store was not reached, and the lease has ended.
    pub fn holds_nothing(&self) {
        self.shards.set(0);
    }
}
