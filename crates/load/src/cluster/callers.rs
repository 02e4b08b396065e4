//! Callers who send and recall at any of the servers, and ask another one where they get no answer. They recall as the sender
//! where a device of the sender is connected, else as the admin.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use unsaid_client::{ClientError, RestClient};
use unsaid_protocol::MsgKey;

use super::{ground::Ground, watchers::Devices};
use crate::{
    account::Account,
    clock,
    flags::ClusterFlags,
    ledger::Ledger,
    table::{Message, random_of},
};

/// Of so many messages one is not recalled, so that there is something unread in the end.
const KEPT_ONE_IN: u32 = 4;

/// How long a caller goes on asking.
const PATIENCE: Duration = Duration::from_secs(60);

/// Before another server is asked.
const PAUSE: Duration = Duration::from_millis(50);

/// The message is recalled already.
const ALREADY_RECALLED: i32 = 20023;

pub(crate) struct Callers(JoinSet<()>);

#[derive(Clone)]
struct Shared {
    clients: Arc<[Arc<RestClient>]>,
    devices: Devices,
    ledger: Arc<Ledger>,
    next: Arc<AtomicU32>,
    began: Instant,
    /// Messages a second; none: as many as the servers take.
    rate: Option<f64>,
    accounts: u32,
    stop: CancellationToken,
}

impl Callers {
    pub(crate) fn start(ground: &Ground, devices: &Devices, flags: &ClusterFlags, stop: CancellationToken) -> Self {
        let shared = Shared {
            clients: ground.clients().into(),
            devices: devices.clone(),
            ledger: Arc::clone(&ground.ledger),
            next: Arc::default(),
            began: clock::now(),
            rate: (flags.rate > 0).then(|| f64::from(flags.rate)),
            accounts: flags.accounts,
            stop,
        };
        let callers = (0..flags.callers).map(|number| {
            let random = StdRng::seed_from_u64(flags.seed * 1000 + u64::from(number));
            call(shared.clone(), random)
        });
        Self(callers.collect())
    }

    /// Until each has got its answer.
    pub(crate) async fn done(mut self) {
        while let Some(done) = self.0.join_next().await {
            done.expect("no caller panics");
        }
    }
}

async fn call(shared: Shared, mut random: StdRng) {
    while !shared.stop.is_cancelled() {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if let Some(rate) = shared.rate {
            let due = shared.began + Duration::from_secs_f64(f64::from(number) / rate);
            tokio::time::sleep_until(due.into()).await;
        }
        let from = random.random_range(0..shared.accounts);
        let to = (from + random.random_range(1..shared.accounts)) % shared.accounts;
        let first = random.random_range(0..shared.clients.len());
        let Some(key) = shared.send(number, Account(from), Account(to), first).await else {
            continue;
        };
        let message = Message { from: Account(from), to: Account(to), key };
        shared.ledger.sent(message);
        if !number.is_multiple_of(KEPT_ONE_IN) {
            shared.recall(message, &mut random).await;
        }
    }
}

impl Shared {
    async fn send(&self, number: u32, from: Account, to: Account, first: usize) -> Option<MsgKey> {
        let body = json!({
            "From_Account": from.to_string(), "To_Account": to.to_string(), "MsgSeq": number, "MsgRandom": random_of(number),
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": format!("message {number}")}}],
        });
        let began = clock::now();
        for client in self.clients.iter().cycle().skip(first) {
            match client.call("openim", "sendmsg", &body).await {
                Ok(answer) => return answer["MsgKey"].as_str().and_then(|key| key.parse().ok()),
                Err(error) if clock::now() - began > PATIENCE => {
                    self.ledger.failed(format!("sendmsg: {error}"));
                    return None;
                }
                Err(_) => self.ledger.trouble(),
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }

    /// Whether a recall without an answer was carried out, the next answer says.
    async fn recall(&self, message: Message, random: &mut StdRng) {
        let (Message { from, to, key }, began, mut asked) = (message, clock::now(), 0);
        self.ledger.asked(key);
        if let Some(device) = self.devices.of(from, random) {
            asked += 1;
            match device.recall(&to.to_string(), &key.to_string()).await {
                Ok(()) => return self.ledger.acknowledged_to_a_session(key, clock::now()),
                Err(_) => self.ledger.trouble(),
            }
        }
        let first = random.random_range(0..self.clients.len());
        for client in self.clients.iter().cycle().skip(first) {
            asked += 1;
            match client.admin_msgwithdraw(&from.to_string(), &to.to_string(), key).await {
                Ok(()) => return self.ledger.acknowledged(key, clock::now()),
                Err(error) if asked > 1 && is_recalled(&error) => return self.ledger.acknowledged(key, clock::now()),
                Err(error) if is_recalled(&error) || clock::now() - began > PATIENCE => {
                    return self.ledger.failed(format!("admin_msgwithdraw of {key}: {error}"));
                }
                Err(_) => self.ledger.trouble(),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn is_recalled(error: &ClientError) -> bool {
    error.code().is_some_and(|code| code.0 == ALREADY_RECALLED)
}
