//! `load send`: messages as fast as the server takes them, or as they come, with the callback after each or without.

use std::{fmt, sync::Arc};

use serde::Serialize;
use unsaid_protocol::{MsgKey, callback::CallbackCommand};

use crate::{
    bare::Bare,
    caller::Asking,
    effort::UsedForEach,
    figures::{Answers, Delivered, grouped, rate, rounded},
    flags::{By, SendFlags},
    measure::{self, Callbacks, How, Measured},
    prepare,
    setup::Site,
    table::{Message, Table, Times, random_of},
};

#[derive(Debug, Serialize)]
pub(crate) struct SendReport {
    /// Acknowledged messages, divided by the time from the first request to the last answer or callback.
    sends_per_second: f64,
    #[serde(flatten)]
    answers: Answers,
    /// With the callback after each.
    #[serde(flatten)]
    delivered: Option<Delivered>,
    #[serde(flatten)]
    used: UsedForEach,
    #[serde(flatten)]
    bare: Option<Bare>,
    messages: u32,
    connections: u32,
    accounts: u32,
    seed: u64,
    seconds: f64,
}

pub(crate) async fn run(flags: &SendFlags) -> anyhow::Result<SendReport> {
    let switches: &[_] = if flags.callback { &[CallbackCommand::AfterSendMsg] } else { &[] };
    let callbacks = if flags.callback { Callbacks::Owed } else { Callbacks::None };
    let mut setup = Site::prepare(&flags.ground, switches).await?.start(flags.connections).await?;
    prepare::import_accounts(&setup, flags.accounts, flags.connections).await?;
    let table = Arc::new(Table::with(Times::Unknown, messages(flags), flags.accounts));

    let SendFlags { connections, seed, .. } = *flags;
    let how = How { asking: Asking::Send, by: By::Rest, connections, pace: &flags.pace, seed };
    let measured = measure::run(&mut setup, &table, how, callbacks).await?;
    let bare = if flags.no_limits { None } else { Some(Bare::measure(&setup, connections).await?) };
    Ok(SendReport::new(flags, &measured, bare))
}

fn messages(flags: &SendFlags) -> Vec<Message> {
    let pairs = prepare::pairs(flags.seed, flags.accounts).zip(0..flags.messages);
    let message = |((from, to), number)| {
        let random = random_of(number);
        Message { from, to, key: MsgKey { seq: random, random, time: 0 } }
    };
    pairs.map(message).collect()
}

impl SendReport {
    fn new(flags: &SendFlags, measured: &Measured, bare: Option<Bare>) -> Self {
        let Measured { tally, samples, used } = measured;
        Self {
            sends_per_second: rate(tally.acknowledged, tally.seconds),
            answers: Answers::new(tally, &flags.pace),
            delivered: flags.callback.then(|| Delivered::new(tally, *samples)),
            used: used.for_each(tally.acknowledged),
            bare,
            messages: flags.messages,
            connections: flags.connections,
            accounts: flags.accounts,
            seed: flags.seed,
            seconds: rounded::<3>(tally.seconds),
        }
    }

    /// Whether every message was acknowledged, and the app backend told of it as it should be.
    pub(crate) fn is_good(&self) -> bool {
        self.answers.failed == 0 && self.delivered.as_ref().is_none_or(Delivered::is_good)
    }
}

impl fmt::Display for SendReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |number: u32| grouped(number.into());
        let with = if self.delivered.is_some() { "with" } else { "without" };
        writeln!(
            f,
            "{} messages over {} connections, between {} accounts, {with} callbacks\n",
            count(self.messages),
            self.connections,
            count(self.accounts)
        )?;
        writeln!(
            f,
            "sends          {} a second, {:.2} s",
            grouped(self.sends_per_second.round() as u64),
            self.seconds
        )?;
        write!(f, "{}", self.answers)?;
        if let Some(delivered) = &self.delivered {
            write!(f, "{delivered}")?;
        }
        write!(f, "{}", self.used)?;
        self.bare.as_ref().map_or(Ok(()), |bare| write!(f, "{bare}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        figures::tests::measured,
        flags::{Arrivals, Ground, Pace},
    };

    fn flags(callback: bool) -> SendFlags {
        SendFlags {
            accounts: 10_000,
            messages: 1500,
            connections: 64,
            callback,
            pace: Pace { rate: None, arrivals: Arrivals::Random },
            no_limits: true,
            json: false,
            ground: Ground { data_dir: None, set: Vec::new() },
            seed: 1,
        }
    }

    #[test]
    fn people_read_a_table() {
        let expected = "\
1,500 messages over 64 connections, between 10,000 accounts, with callbacks

sends          6,000 a second, 0.25 s
answer         p50 500.22 ms   p99 990.21 ms   p99.9 999.42 ms   failed 0
then callback  p50 500.22 ms   p99 990.21 ms   p99.9 999.42 ms   before answer 1,200
wrong          lost 0   unknown 0   out of order 0   badly signed 0 of 15   (repeats 3)
server         0.15 s of processor, at most 50 MB
for each       100 us of processor, 0.020 fsyncs of the log, 1.00 attempts, 2.0 KB written
this tool      0.50 s of processor, the receiver included
";
        assert_eq!(SendReport::new(&flags(true), &measured(|_| {}), None).to_string(), expected);
    }

    #[test]
    fn callbacks_are_missed_only_where_they_are_owed() {
        let missing = measured(|tally| tally.lost = 1500);
        assert!(!SendReport::new(&flags(true), &missing, None).is_good());
        let without = SendReport::new(&flags(false), &missing, None);
        assert!(without.is_good());
        let json = serde_json::to_string(&without).expect("numbers serialize");
        assert!(json.contains("\"sends_per_second\":6000.0") && !json.contains("lost"), "{json}");
    }
}
