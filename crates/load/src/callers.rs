//! Callers who send and recall while something breaks. Where they get no answer, they ask again, at another server if there is one,
//! or give up: what became of that, only what is stored can say. They recall as the sender where a device of the sender is
//! connected, else as the admin.

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

use crate::{
    account::Account,
    clock,
    device::Devices,
    ledger::Ledger,
    table::{Message, random_of},
};

/// Of so many messages one is not recalled, so that there is something unread in the end.
const KEPT_ONE_IN: u32 = 4;

/// How long a caller goes on asking.
const PATIENCE: Duration = Duration::from_secs(60);

/// Before it asks again.
const PAUSE: Duration = Duration::from_millis(20);

/// The message is recalled already.
const ALREADY_RECALLED: i32 = 20023;

/// Whom they ask, and how.
#[derive(Clone)]
pub(crate) struct Way {
    /// Of each server.
    pub(crate) clients: Arc<[Arc<RestClient>]>,
    pub(crate) devices: Devices,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) accounts: u32,
    /// Messages a second; none: as many as the servers take.
    pub(crate) rate: Option<f64>,
    /// How likely a caller without an answer gives up.
    pub(crate) gives_up: f64,
}

pub(crate) struct Callers(JoinSet<()>);

#[derive(Clone)]
struct Shared {
    way: Way,
    next: Arc<AtomicU32>,
    began: Instant,
    stop: CancellationToken,
}

impl Callers {
    pub(crate) fn start(way: Way, callers: u32, seed: u64, stop: CancellationToken) -> Self {
        let shared = Shared { way, next: Arc::default(), began: clock::now(), stop };
        let callers = (0..callers).map(|number| {
            let random = StdRng::seed_from_u64(seed * 1000 + u64::from(number));
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
    let Shared { way, next, began, stop } = shared;
    while !stop.is_cancelled() {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if let Some(rate) = way.rate {
            let due = began + Duration::from_secs_f64(f64::from(number) / rate);
            tokio::time::sleep_until(due.into()).await;
        }
        let from = random.random_range(0..way.accounts);
        let to = (from + random.random_range(1..way.accounts)) % way.accounts;
        let Some(key) = way.send(number, Account(from), Account(to), &mut random).await else {
            continue;
        };
        let message = Message { from: Account(from), to: Account(to), key };
        way.ledger.sent(message);
        if !number.is_multiple_of(KEPT_ONE_IN) {
            way.recall(message, &mut random).await;
        }
    }
}

impl Way {
    async fn send(&self, number: u32, from: Account, to: Account, random: &mut StdRng) -> Option<MsgKey> {
        let body = json!({
            "From_Account": from.to_string(), "To_Account": to.to_string(), "MsgSeq": number, "MsgRandom": random_of(number),
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": format!("message {number}")}}],
        });
        let began = clock::now();
        for client in self.clients_from(random) {
            match client.call("openim", "sendmsg", &body).await {
                Ok(answer) => return answer["MsgKey"].as_str().and_then(|key| key.parse().ok()),
                Err(error) if clock::now() - began > PATIENCE => {
                    self.ledger.failed(format!("sendmsg: {error}"));
                    break;
                }
                Err(_) if random.random_bool(self.gives_up) => break,
                Err(_) => self.ledger.trouble(),
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.ledger.send_in_doubt(random_of(number));
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
        for client in self.clients_from(random) {
            asked += 1;
            match client.admin_msgwithdraw(&from.to_string(), &to.to_string(), key).await {
                Ok(()) => return self.ledger.acknowledged(key, clock::now()),
                Err(error) if asked > 1 && is_recalled(&error) => return self.ledger.acknowledged(key, clock::now()),
                Err(error) if is_recalled(&error) || clock::now() - began > PATIENCE => {
                    return self.ledger.failed(format!("admin_msgwithdraw of {key}: {error}"));
                }
                Err(_) if random.random_bool(self.gives_up) => return,
                Err(_) => self.ledger.trouble(),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One after the other, without end.
    fn clients_from(&self, random: &mut StdRng) -> impl Iterator<Item = &Arc<RestClient>> + use<'_> {
        let first = random.random_range(0..self.clients.len());
        self.clients.iter().cycle().skip(first)
    }
}

fn is_recalled(error: &ClientError) -> bool {
    error.code().is_some_and(|code| code.0 == ALREADY_RECALLED)
}
