//! Histograms of atomic numbers: an observation is two additions.

use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

use super::counters::Axis;

/// What is observed: whole numbers, so that they can be added without a lock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// The largest of each bucket but the last, ascending.
    bounds: &'static [u64],
    /// How many of them are one of the unit that is shown.
    in_unit: f64,
}

/// From a tenth of a millisecond to ten minutes, in microseconds; shown in seconds.
pub(super) const TIMES: Scale = Scale {
    bounds: &[
        100,
        250,
        500,
        1_000,
        2_500,
        5_000,
        10_000,
        25_000,
        50_000,
        100_000,
        250_000,
        500_000,
        1_000_000,
        2_500_000,
        10_000_000,
        60_000_000,
        600_000_000,
    ],
    in_unit: 1e6,
};

/// How many there were of something.
pub(super) const SIZES: Scale = Scale { bounds: &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048], in_unit: 1.0 };

#[derive(Clone, Debug)]
pub(super) struct Histogram {
    scale: Scale,
    /// One for each bound, and one for what is larger.
    buckets: Arc<[AtomicU64]>,
    sum: Arc<AtomicU64>,
}

impl Histogram {
    pub(super) fn new(scale: Scale) -> Self {
        let buckets = (0..=scale.bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { scale, buckets, sum: Arc::default() }
    }

    pub(super) fn observe(&self, value: u64) {
        let bucket = self.scale.bounds.partition_point(|bound| *bound < value);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Of [`TIMES`].
    pub(super) fn took(&self, time: Duration) {
        self.observe(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// The largest of each bucket in the unit that is shown, and how many there are in it.
    pub(super) fn counts(&self) -> Vec<(f64, u64)> {
        let bounds = self.scale.bounds.iter().map(|bound| *bound as f64 / self.scale.in_unit);
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        bounds.chain([f64::INFINITY]).zip(counts).collect()
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let counts = self.counts();
        let count = counts.iter().map(|(_, count)| count).sum();
        let sum = self.sum.load(Ordering::Relaxed) as f64 / self.scale.in_unit;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &counts, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// A histogram for each value of a label. One that has seen nothing is not shown.
#[derive(Clone, Debug)]
pub(super) struct Histograms {
    axis: Axis,
    all: Arc<[Histogram]>,
}

impl Histograms {
    pub(super) fn new(axis: Axis, scale: Scale) -> Self {
        let all = axis.values.iter().map(|_| Histogram::new(scale)).collect();
        Self { axis, all }
    }

    pub(super) fn at(&self, place: usize) -> &Histogram {
        &self.all[place]
    }
}

impl EncodeMetric for Histograms {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (value, histogram) in self.axis.values.iter().zip(&*self.all) {
            if histogram.counts().iter().any(|(_, count)| *count > 0) {
                let value: &str = value;
                let labels: [(&str, Cow<'_, str>); 1] = [(self.axis.label, value.into())];
                histogram.encode(encoder.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_is_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::new(TIMES);
        for micros in [0, 100, 101, 600_000_000, 600_000_001] {
            histogram.took(Duration::from_micros(micros));
        }
        let counts: Vec<_> = histogram.counts().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counts, [(0.0001, 2), (0.00025, 1), (600.0, 1), (f64::INFINITY, 1)]);
        assert_eq!(histogram.sum.load(Ordering::Relaxed), 1_200_000_202);
    }
}
