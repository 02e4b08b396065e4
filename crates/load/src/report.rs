//! What a run came to, for people and for machines.

use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{callback::Samples, flags::Flags, table::Tally};

/// One line of JSON, or a short table.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Acknowledged recalls, divided by the time from the first request to the last callback.
    recalls_per_second: f64,
    /// From the arrival of a recall's answer to that of its callback.
    callback_p50_ms: f64,
    callback_p99_ms: f64,
    callback_p999_ms: f64,
    /// Their latency counts as 0.
    callbacks_before_answer: u64,
    /// From a recall to its answer.
    answer_p50_ms: f64,
    answer_p99_ms: f64,
    /// Acknowledged recalls whose callback never came.
    lost: u64,
    /// Callbacks for no acknowledged recall.
    unknown: u64,
    /// Callbacks that came before.
    repeats: u64,
    /// Recalls that were refused, or have no answer.
    failed: u64,
    /// First arrivals whose number is not above the one before in the recipient's lane.
    order_violations: u64,
    /// Callbacks whose signature was checked, and those of them that a receiver would reject.
    sign_checked: u64,
    sign_wrong: u64,
    /// The most memory that the server's process has held, the time of preparation included.
    server_rss_mb: f64,
    /// Of what had waited while the receiver was down: callbacks a second from its return on, and the memory of the server
    /// until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    drained_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_rss_mb: Option<f64>,
    /// Processor time of the measured phase. The tool's is that of the receiver, too.
    server_cpu_s: f64,
    load_cpu_s: f64,
    recalls: u32,
    connections: u32,
    accounts: u32,
    seed: u64,
    /// From the first request to the last callback.
    seconds: f64,
}

/// How what had waited while the receiver was down was delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drain {
    pub(crate) seconds: f64,
    /// Memory of the server while all were waiting.
    pub(crate) waited_kb: u64,
}

/// What the two processes took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resources {
    /// Where the receiver was down.
    pub(crate) drain: Option<Drain>,
    pub(crate) server_rss_kb: u64,
    pub(crate) server_cpu_s: f64,
    pub(crate) load_cpu_s: f64,
}

impl Report {
    pub(crate) fn new(flags: &Flags, tally: &Tally, samples: Samples, resources: Resources) -> Self {
        let rate = if tally.seconds > 0.0 { tally.acknowledged as f64 / tally.seconds } else { 0.0 };
        let ms =
            |histogram: &Histogram<u64>, quantile| rounded::<3>(histogram.value_at_quantile(quantile) as f64 / 1000.0);
        Self {
            recalls_per_second: rounded::<1>(rate),
            callback_p50_ms: ms(&tally.callback_us, 0.5),
            callback_p99_ms: ms(&tally.callback_us, 0.99),
            callback_p999_ms: ms(&tally.callback_us, 0.999),
            callbacks_before_answer: tally.before_answer,
            answer_p50_ms: ms(&tally.answer_us, 0.5),
            answer_p99_ms: ms(&tally.answer_us, 0.99),
            lost: tally.lost,
            unknown: tally.unknown,
            repeats: tally.repeats,
            failed: tally.failed,
            order_violations: tally.order_violations,
            sign_checked: samples.checked,
            sign_wrong: samples.rejected,
            server_rss_mb: rounded::<1>(resources.server_rss_kb as f64 / 1024.0),
            drained_per_second: resources.drain.map(|drain| rounded::<1>(tally.acknowledged as f64 / drain.seconds)),
            waiting_rss_mb: resources.drain.map(|drain| rounded::<1>(drain.waited_kb as f64 / 1024.0)),
            server_cpu_s: rounded::<2>(resources.server_cpu_s),
            load_cpu_s: rounded::<2>(resources.load_cpu_s),
            recalls: flags.recalls,
            connections: flags.connections,
            accounts: flags.accounts,
            seed: flags.seed,
            seconds: rounded::<3>(tally.seconds),
        }
    }

    /// Whether every recall was acknowledged and has its callback, in order and signed, and nothing else came.
    pub(crate) fn is_good(&self) -> bool {
        let Self { lost, unknown, failed, order_violations, sign_wrong, .. } = self;
        lost + unknown + failed + order_violations + sign_wrong == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |number: u32| grouped(number.into());
        let Self { lost, unknown, repeats, failed, order_violations, sign_wrong, .. } = *self;
        writeln!(
            f,
            "{} recalls over {} connections, between {} accounts\n",
            count(self.recalls),
            self.connections,
            count(self.accounts)
        )?;
        let rate = grouped(self.recalls_per_second.round() as u64);
        writeln!(f, "recalls        {rate} a second, {:.2} s until the last callback", self.seconds)?;
        let (p50, p99) = (self.answer_p50_ms, self.answer_p99_ms);
        writeln!(f, "answer         p50 {p50:.2} ms   p99 {p99:.2} ms")?;
        let (p50, p99, p999) = (self.callback_p50_ms, self.callback_p99_ms, self.callback_p999_ms);
        let before = grouped(self.callbacks_before_answer);
        writeln!(f, "then callback  p50 {p50:.2} ms   p99 {p99:.2} ms   p99.9 {p999:.2} ms   before answer {before}")?;
        writeln!(
            f,
            "wrong          lost {lost}   unknown {unknown}   failed {failed}   out of order {order_violations}   \
             badly signed {sign_wrong} of {}   (repeats {repeats})",
            grouped(self.sign_checked)
        )?;
        if let (Some(rate), Some(waiting_mb)) = (self.drained_per_second, self.waiting_rss_mb) {
            let rate = grouped(rate.round() as u64);
            writeln!(f, "receiver back  {rate} callbacks a second; {waiting_mb:.0} MB while they waited")?;
        }
        writeln!(f, "server         {:.2} s of processor, at most {:.0} MB", self.server_cpu_s, self.server_rss_mb)?;
        writeln!(f, "this tool      {:.2} s of processor, the receiver included", self.load_cpu_s)
    }
}

/// With as many digits behind the point.
fn rounded<const DIGITS: i32>(value: f64) -> f64 {
    let scale = 10_f64.powi(DIGITS);
    (value * scale).round() / scale
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
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
mod tests {
    use super::*;
    use crate::flags::Ground;

    fn report(change: impl FnOnce(&mut Tally)) -> Report {
        let flags = Flags {
            accounts: 10_000,
            recalls: 1500,
            connections: 64,
            receiver_down: false,
            json: false,
            ground: Ground { data_dir: None, set: Vec::new() },
            seed: 1,
        };
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
            answer_us: histogram,
            seconds: 0.25,
        };
        change(&mut tally);
        let resources = Resources { drain: None, server_rss_kb: 51_200, server_cpu_s: 0.123_456, load_cpu_s: 0.5 };
        Report::new(&flags, &tally, Samples { checked: 15, rejected: 0 }, resources)
    }

    #[test]
    fn people_read_a_table() {
        let expected = "\
1,500 recalls over 64 connections, between 10,000 accounts

recalls        6,000 a second, 0.25 s until the last callback
answer         p50 500.22 ms   p99 990.21 ms
then callback  p50 500.22 ms   p99 990.21 ms   p99.9 999.42 ms   before answer 1,200
wrong          lost 0   unknown 0   failed 0   out of order 0   badly signed 0 of 15   (repeats 3)
server         0.12 s of processor, at most 50 MB
this tool      0.50 s of processor, the receiver included
";
        assert_eq!(report(|_| {}).to_string(), expected);
    }

    #[test]
    fn machines_read_one_line() {
        let json = serde_json::to_string(&report(|_| {})).expect("numbers serialize");
        assert!(!json.contains('\n'));
        for part in ["\"recalls_per_second\":6000.0", "\"lost\":0", "\"server_rss_mb\":50.0", "\"server_cpu_s\":0.12"] {
            assert!(json.contains(part), "{part} is not in {json}");
        }
    }

    #[test]
    fn anything_wrong_makes_it_bad_but_a_repeat() {
        assert!(report(|_| {}).is_good());
        let wrongs: [fn(&mut Tally); 4] = [
            |tally| tally.lost = 1,
            |tally| tally.unknown = 1,
            |tally| tally.failed = 1,
            |tally| tally.order_violations = 1,
        ];
        for wrong in wrongs {
            assert!(!report(wrong).is_good());
        }
    }
}
