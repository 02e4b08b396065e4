//! Counters whose labels are known when the server starts: a table of atomic numbers, found by their places.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};
use unsaid_protocol::SdkAppId;

/// A label and the values that it can have.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) values: Arc<[Cow<'static, str>]>,
}

impl Axis {
    pub(super) fn new<V: Into<Cow<'static, str>>>(label: &'static str, values: impl IntoIterator<Item = V>) -> Self {
        Self { label, values: values.into_iter().map(Into::into).collect() }
    }
}

/// A counter for each combination of labels. What was never counted is not shown.
#[derive(Clone, Debug)]
pub(super) struct Counters<const N: usize> {
    axes: [Axis; N],
    counts: Arc<[AtomicU64]>,
}

impl<const N: usize> Counters<N> {
    pub(super) fn new(axes: [Axis; N]) -> Self {
        let count = axes.iter().map(|axis| axis.values.len()).product();
        Self { axes, counts: (0..count).map(|_| AtomicU64::new(0)).collect() }
    }

    /// One more of what stands at these places of the axes.
    pub(super) fn count(&self, at: [usize; N]) {
        self.counts[self.index(at)].fetch_add(1, Ordering::Relaxed);
    }

    /// How many were counted at these places.
    pub(super) fn counted(&self, at: [usize; N]) -> u64 {
        self.counts[self.index(at)].load(Ordering::Relaxed)
    }

    fn index(&self, at: [usize; N]) -> usize {
        at.iter().zip(&self.axes).fold(0, |index, (at, axis)| index * axis.values.len() + at)
    }

    fn encode_beside(&self, app: Option<SdkAppId>, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        for (index, count) in self.counts.iter().enumerate() {
            let count = count.load(Ordering::Relaxed);
            if count == 0 {
                continue;
            }
            let mut labels: Vec<(&str, Cow<'_, str>)> = Vec::with_capacity(N + 1);
            labels.extend(app.map(|app| ("app", app.to_string().into())));
            let mut below = self.counts.len();
            for axis in &self.axes {
                below /= axis.values.len();
                let value: &str = &axis.values[index / below % axis.values.len()];
                labels.push((axis.label, value.into()));
            }
            encoder.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }
}

impl<const N: usize> EncodeMetric for Counters<N> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        self.encode_beside(None, &mut encoder)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// The same once for each app, beside its label `app`.
#[derive(Clone, Debug)]
pub(super) struct CountersByApp<const N: usize> {
    axes: [Axis; N],
    by_app: Arc<ArcSwap<BTreeMap<SdkAppId, Counters<N>>>>,
}

impl<const N: usize> CountersByApp<N> {
    pub(super) fn new(axes: [Axis; N]) -> Self {
        Self { axes, by_app: Arc::default() }
    }

    /// An app that is counted for the first time gets its own table; only that allocates.
    pub(super) fn count(&self, app: SdkAppId, at: [usize; N]) {
        if let Some(counters) = self.by_app.load().get(&app) {
            return counters.count(at);
        }
        self.by_app.rcu(|by_app| {
            let mut by_app = BTreeMap::clone(by_app);
            by_app.entry(app).or_insert_with(|| Counters::new(self.axes.clone()));
            by_app
        });
        if let Some(counters) = self.by_app.load().get(&app) {
            counters.count(at);
        }
    }

    /// How many were counted at these places, of all apps together.
    pub(super) fn counted(&self, at: [usize; N]) -> u64 {
        self.by_app.load().values().map(|counters| counters.counted(at)).sum()
    }
}

impl<const N: usize> EncodeMetric for CountersByApp<N> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        self.by_app.load().iter().try_for_each(|(app, counters)| counters.encode_beside(Some(*app), &mut encoder))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}
