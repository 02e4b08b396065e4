//! `load fanout`: messages to accounts whose devices are connected, and their recalls: how soon after the sender's answer each of
//! the devices hears of it.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use anyhow::Context;
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::task::JoinSet;
use unsaid_client::{Pushes, SessionClient};
use unsaid_protocol::{
    MsgKey,
    session::{Push, What},
};

use crate::{
    account::Account,
    caller::Asking,
    clock,
    device::{self, PLATFORMS},
    effort::{Effort, Used, UsedForEach},
    figures::{Answers, grouped, ms, rate},
    flags::{By, FanoutFlags},
    measure::{self, How},
    prepare,
    setup::{Setup, Site},
    table::{Message, Table, Times, number_of, random_of},
};

#[derive(Debug, Serialize)]
pub(crate) struct FanoutReport {
    send: PhaseReport,
    recall: PhaseReport,
    /// Devices that should have heard of a message or a recall, and did not.
    missed: u64,
    failed: u64,
    accounts: u32,
    devices: u32,
    messages: u32,
    connections: u32,
    seed: u64,
}

/// Of sending, or of recalling.
#[derive(Debug, Serialize)]
struct PhaseReport {
    /// From the first request to the last push.
    per_second: f64,
    pushed_per_second: f64,
    /// From the answer's arrival to when a device has heard of it. One that hears before counts as 0.
    push_p50_ms: f64,
    push_p99_ms: f64,
    push_p999_ms: f64,
    missed: u64,
    #[serde(flatten)]
    answers: Answers,
    #[serde(flatten)]
    used: UsedForEach,
}

/// What the devices have heard, in the order of messages and, for each, of devices.
struct Heard {
    accounts: u32,
    devices: usize,
    sent: Vec<OnceLock<Instant>>,
    recalled: Vec<OnceLock<Instant>>,
    /// As the first device was told it.
    keys: Vec<OnceLock<MsgKey>>,
    /// Grows with each of them.
    times: AtomicUsize,
}

/// How late the devices heard, and how many did not.
struct Lateness {
    push_us: Histogram<u64>,
    missed: u64,
    last: Option<Instant>,
}

pub(crate) async fn run(flags: &FanoutFlags) -> anyhow::Result<FanoutReport> {
    unsaid::descriptors::raise();
    let mut setup = Site::prepare(&flags.ground, &[]).await?.start(flags.connections).await?;
    prepare::import_accounts(&setup, 2 * flags.accounts, flags.connections).await?;
    let heard = Arc::new(Heard::nothing(flags));
    // Each is logged in before the first message, so it has to hear of all.
    let _devices = log_in_all(&setup, flags, &heard).await?;

    let sends = Arc::new(Table::with(Times::Unknown, messages(flags), 2 * flags.accounts));
    let send = phase(&mut setup, flags, Asking::Send, &sends, &heard).await?;
    let recalls = Arc::new(Table::new(heard.messages(&sends), 2 * flags.accounts));
    let recall = phase(&mut setup, flags, Asking::Recall, &recalls, &heard).await?;
    let FanoutFlags { accounts, devices, messages, connections, seed, .. } = *flags;
    Ok(FanoutReport {
        missed: send.missed + recall.missed,
        failed: send.answers.failed + recall.answers.failed,
        send,
        recall,
        accounts,
        devices,
        messages,
        connections,
        seed,
    })
}

async fn log_in_all(setup: &Setup, flags: &FanoutFlags, heard: &Arc<Heard>) -> anyhow::Result<JoinSet<SessionClient>> {
    let gateway = device::gateway(setup);
    let mut listening = JoinSet::new();
    for account in (0..flags.accounts).map(Account) {
        for (device, platform) in PLATFORMS.iter().enumerate().take(flags.devices as usize) {
            let (client, pushes) = device::log_in(&gateway, account, platform).await.context("a device")?;
            listening.spawn(listen(client, pushes, Arc::clone(heard), device));
        }
    }
    Ok(listening)
}

/// Until its session ends.
async fn listen(client: SessionClient, mut pushes: Pushes, heard: Arc<Heard>, device: usize) -> SessionClient {
    while let Ok(push) = pushes.next().await {
        let at = clock::now();
        let Push::Updates(updates) = push else {
            continue;
        };
        for update in &updates.updates {
            heard.take(&update.what, device, at);
        }
    }
    client
}

fn messages(flags: &FanoutFlags) -> Vec<Message> {
    let message = |number| {
        let (to, random) = (number % flags.accounts, random_of(number));
        Message { from: Account(flags.accounts + to), to: Account(to), key: MsgKey { seq: random, random, time: 0 } }
    };
    (0..flags.messages).map(message).collect()
}

async fn phase(
    setup: &mut Setup,
    flags: &FanoutFlags,
    asking: Asking,
    table: &Arc<Table>,
    heard: &Heard,
) -> anyhow::Result<PhaseReport> {
    let how = How { asking, by: By::Rest, connections: flags.connections, pace: &flags.pace, seed: flags.seed };
    let before = Effort::look(setup).await?;
    let began = clock::now();
    measure::ask_all(setup, table, how).await?;
    measure::quiet_or(|| heard.times.load(Ordering::Relaxed), || heard.lateness(asking, table).missed == 0).await;
    setup.server.still_runs()?;
    let used = Effort::look(setup).await?.since(&before);
    if let Some(failure) = table.first_failure() {
        eprintln!("load: the first request that failed: {failure}");
    }
    let lateness = heard.lateness(asking, table);
    Ok(PhaseReport::new(flags, table, &lateness, began, used))
}

impl Heard {
    fn nothing(flags: &FanoutFlags) -> Self {
        let messages = flags.messages as usize;
        let devices = flags.devices as usize;
        let each = |count: usize| std::iter::repeat_with(OnceLock::new).take(count).collect();
        Self {
            accounts: flags.accounts,
            devices,
            sent: each(messages * devices),
            recalled: each(messages * devices),
            keys: std::iter::repeat_with(OnceLock::new).take(messages).collect(),
            times: AtomicUsize::new(0),
        }
    }

    /// A device of the recipient was told something.
    fn take(&self, what: &What, device: usize, at: Instant) {
        let (message, moments) = match what {
            What::Message { message } => (message, &self.sent),
            What::Recall { message } => (message, &self.recalled),
            What::Modify { .. }
            | What::Receipt { .. }
            | What::Read { .. }
            | What::ReadByPeer { .. }
            | What::ReadAll { .. }
            | What::Delete { .. }
            | What::DeleteConversation { .. } => return,
        };
        let key = message.msg_key.parse::<MsgKey>().ok();
        let Some((key, number)) = key.and_then(|key| Some((key, number_of(key.random)?))) else {
            return;
        };
        let for_it = Account::named(&message.to) == Some(Account(number as u32 % self.accounts));
        if let (Some(moment), true) = (moments.get(number * self.devices + device), for_it) {
            moment.get_or_init(|| at);
            self.keys[number].get_or_init(|| key);
            self.times.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// With the keys that the server has given them. One that no device has heard of keeps the one that it was sent with, and cannot be
    /// recalled by it.
    fn messages(&self, sent: &Table) -> Vec<Message> {
        let with_key = |(message, key): (&Message, &OnceLock<MsgKey>)| Message {
            key: *key.get().unwrap_or(&message.key),
            ..*message
        };
        sent.messages().iter().zip(&self.keys).map(with_key).collect()
    }

    /// Of acknowledged requests.
    fn lateness(&self, asking: Asking, table: &Table) -> Lateness {
        let moments = match asking {
            Asking::Send => &self.sent,
            Asking::Recall => &self.recalled,
        };
        let push_us = Histogram::new(3).expect("three digits are valid");
        let mut lateness = Lateness { push_us, missed: 0, last: None };
        for (number, moments) in moments.chunks(self.devices).enumerate() {
            let Some(acknowledged) = table.acknowledged_at(number) else {
                continue;
            };
            for moment in moments {
                let Some(moment) = moment.get() else {
                    lateness.missed += 1;
                    continue;
                };
                let us = moment.saturating_duration_since(acknowledged).as_micros();
                lateness.push_us += u64::try_from(us).unwrap_or(u64::MAX);
                lateness.last = lateness.last.max(Some(*moment));
            }
        }
        lateness
    }
}

impl PhaseReport {
    fn new(flags: &FanoutFlags, table: &Table, lateness: &Lateness, began: Instant, used: Used) -> Self {
        let tally = table.tally();
        let seconds = lateness.last.map_or(tally.seconds, |last| (last - began).as_secs_f64());
        Self {
            per_second: rate(tally.acknowledged, seconds),
            pushed_per_second: rate(lateness.push_us.len(), seconds),
            push_p50_ms: ms(&lateness.push_us, 0.5),
            push_p99_ms: ms(&lateness.push_us, 0.99),
            push_p999_ms: ms(&lateness.push_us, 0.999),
            missed: lateness.missed,
            answers: Answers::new(&tally, &flags.pace),
            used: used.for_each(tally.acknowledged),
        }
    }
}

impl FanoutReport {
    pub(crate) fn is_good(&self) -> bool {
        self.missed + self.failed == 0
    }
}

impl fmt::Display for PhaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |rate: f64| grouped(rate.round() as u64);
        let (rate, pushed) = (count(self.per_second), count(self.pushed_per_second));
        writeln!(f, "rate           {rate} a second, of which devices hear {pushed} times a second")?;
        let Self { push_p50_ms: p50, push_p99_ms: p99, push_p999_ms: p999, missed, answers, used, .. } = self;
        write!(f, "{answers}")?;
        writeln!(f, "then push      p50 {p50:.2} ms   p99 {p99:.2} ms   p99.9 {p999:.2} ms   missed {missed}")?;
        write!(f, "{used}")
    }
}

impl fmt::Display for FanoutReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { send, recall, devices, .. } = self;
        let (messages, accounts) = (grouped(self.messages.into()), grouped(self.accounts.into()));
        writeln!(f, "{messages} messages to {accounts} accounts with {devices} devices each, and their recalls\n")?;
        write!(f, "sent\n{send}\nrecalled\n{recall}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::flags::{Arrivals, Ground, Pace};

    fn flags() -> FanoutFlags {
        FanoutFlags {
            accounts: 2,
            devices: 2,
            messages: 3,
            connections: 1,
            pace: Pace { rate: None, arrivals: Arrivals::Random },
            json: false,
            ground: Ground { data_dir: None, set: Vec::new() },
            seed: 1,
        }
    }

    fn what(kind: &str, to: u32, random: u32) -> What {
        let message = json!({
            "from": "user2", "to": Account(to).to_string(), "msg_key": format!("{random}_{random}_5"), "msg_id": "",
            "position": 1, "client_time_s": 0, "body": [], "types": "",
        });
        serde_json::from_value(json!({"kind": kind, "message": message})).expect("an update")
    }

    #[test]
    fn each_device_has_to_hear_of_what_was_acknowledged() {
        let (flags, origin) = (flags(), clock::now());
        let heard = Heard::nothing(&flags);
        let table = Table::with(Times::Unknown, messages(&flags), 4);
        let after = |ms| origin + Duration::from_millis(ms);
        for number in [0, 1] {
            table.asked(number, after(1), after(1));
            table.acknowledged(number, after(10));
        }
        heard.take(&what("message", 0, 1), 0, after(14));
        heard.take(&what("message", 0, 1), 1, after(5));
        heard.take(&what("message", 1, 2), 1, after(20));
        heard.take(&what("message", 1, 1), 1, after(20));
        heard.take(&what("recall", 0, 1), 0, after(20));

        let lateness = heard.lateness(Asking::Send, &table);

        assert_eq!((lateness.missed, lateness.push_us.len(), lateness.last), (1, 3, Some(after(20))));
        assert_eq!(lateness.push_us.min(), 0);
        assert!(lateness.push_us.equivalent(lateness.push_us.max(), 10_000));
        assert_eq!(heard.lateness(Asking::Recall, &table).missed, 3);
        let keys: Vec<_> = heard.messages(&table).iter().map(|message| message.key.time).collect();
        assert_eq!(keys, [5, 5, 0], "nobody has heard of the third");
    }

    #[test]
    fn a_table_for_people_and_a_line_for_machines() {
        let flags = flags();
        let table = Table::with(Times::Unknown, messages(&flags), 4);
        let used = crate::figures::tests::measured(|_| {}).used;
        let phase = |missed| {
            let mut push_us = Histogram::new(3).expect("valid");
            push_us += 2000;
            PhaseReport::new(&flags, &table, &Lateness { push_us, missed, last: None }, clock::now(), used)
        };
        let report = |missed| FanoutReport {
            send: phase(0),
            recall: phase(missed),
            missed,
            failed: 0,
            accounts: 2,
            devices: 2,
            messages: 3,
            connections: 1,
            seed: 1,
        };
        let text = report(1).to_string();
        assert!(text.starts_with("3 messages to 2 accounts with 2 devices each, and their recalls\n\nsent\nrate "));
        assert!(text.contains("then push      p50 2.00 ms   p99 2.00 ms   p99.9 2.00 ms   missed 1\n"), "{text}");
        let json = serde_json::to_value(report(1)).expect("numbers serialize");
        assert_eq!((json["missed"].as_u64(), json["recall"]["push_p50_ms"].as_f64()), (Some(1), Some(2.0)));
        assert!(report(0).is_good() && !report(1).is_good());
    }
}
