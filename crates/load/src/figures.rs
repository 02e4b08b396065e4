//! What a measured phase came to, in figures that the scenarios share: for machines, and as lines of a table for people.

use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{
    callback::Samples,
    flags::{Arrivals, Pace},
    table::Tally,
};

/// How the server answered.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answers {
    /// From when a request was due to its answer. In a closed loop it is due when it is sent.
    answer_p50_ms: f64,
    answer_p99_ms: f64,
    answer_p999_ms: f64,
    /// In an open loop: from when a request was due to when it was sent. Up to 1 ms is the tool's own clock; more means that all
    /// connections were waiting for answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_late_p99_ms: Option<f64>,
    /// Requests that were refused, or have no answer.
    pub(crate) failed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arrivals: Option<Arrivals>,
}

/// What the receiver was told.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Delivered {
    /// From the arrival of a request's answer to that of its callback.
    pub(crate) callback_p50_ms: f64,
    pub(crate) callback_p99_ms: f64,
    pub(crate) callback_p999_ms: f64,
    /// Their latency counts as 0.
    callbacks_before_answer: u64,
    /// Acknowledged requests whose callback never came.
    pub(crate) lost: u64,
    /// Callbacks for no acknowledged request.
    pub(crate) unknown: u64,
    /// Callbacks that came before.
    pub(crate) repeats: u64,
    /// First arrivals whose number is not above the one before in the recipient's lane.
    order_violations: u64,
    /// Callbacks whose signature was checked, and those of them that a receiver would reject.
    sign_checked: u64,
    sign_wrong: u64,
}

impl Answers {
    pub(crate) fn new(tally: &Tally, pace: &Pace) -> Self {
        Self {
            answer_p50_ms: ms(&tally.answer_us, 0.5),
            answer_p99_ms: ms(&tally.answer_us, 0.99),
            answer_p999_ms: ms(&tally.answer_us, 0.999),
            sent_late_p99_ms: pace.rate.map(|_| ms(&tally.late_us, 0.99)),
            failed: tally.failed,
            rate: pace.rate,
            arrivals: pace.rate.map(|_| pace.arrivals),
        }
    }

    /// In milliseconds.
    pub(crate) fn p50_and_p99(&self) -> String {
        format!("{:.2} / {:.2}", self.answer_p50_ms, self.answer_p99_ms)
    }
}

impl Delivered {
    pub(crate) fn new(tally: &Tally, samples: Samples) -> Self {
        Self {
            callback_p50_ms: ms(&tally.callback_us, 0.5),
            callback_p99_ms: ms(&tally.callback_us, 0.99),
            callback_p999_ms: ms(&tally.callback_us, 0.999),
            callbacks_before_answer: tally.before_answer,
            lost: tally.lost,
            unknown: tally.unknown,
            repeats: tally.repeats,
            order_violations: tally.order_violations,
            sign_checked: samples.checked,
            sign_wrong: samples.rejected,
        }
    }

    /// Whether each came, in order and signed, and nothing else did. A repeat is no fault.
    pub(crate) fn is_good(&self) -> bool {
        let Self { lost, unknown, order_violations, sign_wrong, .. } = self;
        lost + unknown + order_violations + sign_wrong == 0
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(rate), Some(arrivals), Some(late)) = (self.rate, self.arrivals, self.sent_late_p99_ms) {
            let how = match arrivals {
                Arrivals::Random => "at random moments",
                Arrivals::Even => "at even pauses",
            };
            let rate = grouped(rate.into());
            writeln!(f, "due            {rate} a second {how}; sent late, p99 {late:.2} ms")?;
        }
        let Self { answer_p50_ms: p50, answer_p99_ms: p99, answer_p999_ms: p999, failed, .. } = self;
        writeln!(f, "answer         p50 {p50:.2} ms   p99 {p99:.2} ms   p99.9 {p999:.2} ms   failed {failed}")
    }
}

impl fmt::Display for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { callback_p50_ms: p50, callback_p99_ms: p99, callback_p999_ms: p999, .. } = self;
        let Self { lost, unknown, repeats, order_violations, sign_wrong, .. } = self;
        let before = grouped(self.callbacks_before_answer);
        writeln!(f, "then callback  p50 {p50:.2} ms   p99 {p99:.2} ms   p99.9 {p999:.2} ms   before answer {before}")?;
        writeln!(
            f,
            "wrong          lost {lost}   unknown {unknown}   out of order {order_violations}   \
             badly signed {sign_wrong} of {}   (repeats {repeats})",
            grouped(self.sign_checked)
        )
    }
}

/// In milliseconds, of a histogram in microseconds.
pub(crate) fn ms(histogram_us: &Histogram<u64>, quantile: f64) -> f64 {
    rounded::<3>(histogram_us.value_at_quantile(quantile) as f64 / 1000.0)
}

/// How many a second.
pub(crate) fn rate(count: u64, seconds: f64) -> f64 {
    rounded::<1>(if seconds > 0.0 { count as f64 / seconds } else { 0.0 })
}

/// With as many digits behind the point.
pub(crate) fn rounded<const DIGITS: i32>(value: f64) -> f64 {
    let scale = 10_f64.powi(DIGITS);
    (value * scale).round() / scale
}

/// 1234567 as 1,234,567.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{effort::Used, measure::Measured};

    /// 1,500 requests of which nothing is wrong, with latencies from 1 to 1,000 ms.
    pub(crate) fn measured(change: impl FnOnce(&mut Tally)) -> Measured {
        let mut histogram = Histogram::new(3).expect("valid");
        (1..=1000).for_each(|us| histogram += us * 1000);
        let mut tally = Tally {
            acknowledged: 1500,
            failed: 0,
            lost: 0,
            unknown: 0,
            repeats: 3,
            order_violations: 0,
            before_answer: 1200,
            callback_us: histogram.clone(),
            answer_us: histogram.clone(),
            late_us: histogram,
            seconds: 0.25,
        };
        change(&mut tally);
        let used = Used {
            server_rss_mb: 50.0,
            server_cpu_s: 0.15,
            load_cpu_s: 0.5,
            written_bytes: 3_000_000,
            commits: 30,
            attempts: 1500,
        };
        Measured { tally, samples: Samples { checked: 15, rejected: 0 }, used }
    }

    #[test]
    fn an_open_loop_says_how_late_it_sent() {
        let tally = measured(|tally| tally.failed = 2).tally;
        let open = Pace { rate: Some(3000), arrivals: Arrivals::Even };
        let expected = "\
due            3,000 a second at even pauses; sent late, p99 990.21 ms
answer         p50 500.22 ms   p99 990.21 ms   p99.9 999.42 ms   failed 2
";
        assert_eq!(Answers::new(&tally, &open).to_string(), expected);
        let closed = Answers::new(&tally, &Pace { rate: None, arrivals: Arrivals::Even });
        assert_eq!(closed.to_string().lines().count(), 1);
        assert!(!serde_json::to_string(&closed).expect("numbers").contains("late"));
    }

    #[test]
    fn anything_wrong_makes_it_bad_but_a_repeat() {
        let samples = Samples { checked: 15, rejected: 0 };
        let delivered = |change: fn(&mut Tally)| Delivered::new(&measured(change).tally, samples);
        assert!(delivered(|_| {}).is_good());
        let wrongs: [fn(&mut Tally); 3] =
            [|tally| tally.lost = 1, |tally| tally.unknown = 1, |tally| tally.order_violations = 1];
        for wrong in wrongs {
            assert!(!delivered(wrong).is_good());
        }
        let badly_signed = Samples { checked: 15, rejected: 1 };
        assert!(!Delivered::new(&measured(|_| {}).tally, badly_signed).is_good());
    }

    #[test]
    fn numbers_are_written_for_people() {
        for (number, expect) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), expect);
        }
        assert!((rate(10, 0.0) - 0.0).abs() < f64::EPSILON);
    }
}
