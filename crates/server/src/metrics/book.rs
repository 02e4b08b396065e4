//! The registry, and beside it what is said of each metric: the one cannot have what the other has not.

use prometheus_client::{
    encoding::text,
    registry::{Metric, Registry, Unit},
};

/// What is said of a metric.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Without the unit and what its kind adds.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Measure,
    pub(super) labels: &'static [&'static str],
    /// A sentence without its full stop.
    pub(super) about: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

/// What is measured in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Measure {
    /// Things that the name says.
    Count,
    Seconds,
    Bytes,
}

/// Every metric of a server.
#[derive(Debug, Default)]
pub(super) struct Book {
    registry: Registry,
    entries: Vec<Entry>,
}

impl Entry {
    /// The name that a query uses; a histogram's has `_bucket`, `_sum` and `_count` behind it.
    pub(super) fn full_name(&self) -> String {
        let unit = self.unit.suffix().map_or_else(String::new, |unit| format!("_{unit}"));
        let kind = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        format!("{}{unit}{kind}", self.name)
    }
}

impl Kind {
    pub(super) fn called(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

impl Measure {
    pub(super) fn suffix(self) -> Option<&'static str> {
        match self {
            Self::Count => None,
            Self::Seconds => Some("seconds"),
            Self::Bytes => Some("bytes"),
        }
    }
}

impl Book {
    pub(super) fn enter(&mut self, entry: Entry, metric: impl Metric) {
        match entry.unit {
            Measure::Count => self.registry.register(entry.name, entry.about, metric),
            Measure::Seconds => self.registry.register_with_unit(entry.name, entry.about, Unit::Seconds, metric),
            Measure::Bytes => self.registry.register_with_unit(entry.name, entry.about, Unit::Bytes, metric),
        }
        self.entries.push(entry);
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("text can be written to memory");
        text
    }
}
