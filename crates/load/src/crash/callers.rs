//! Callers who send and recall while the server dies. Where they get no answer, some ask again until they have one, and others give
//! up: what became of those, only what is stored can say.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use unsaid_client::{ClientError, RestClient};
use unsaid_protocol::MsgKey;

use super::ground::Ground;
use crate::{
    account::Account,
    clock,
    flags::CrashFlags,
    ledger::Ledger,
    table::{Message, random_of},
};

/// Of so many messages one is not recalled, so that there is something unread in the end.
const KEPT_ONE_IN: u32 = 4;

/// How likely a caller without an answer gives up.
const GIVES_UP: f64 = 0.3;

/// How long a caller goes on asking.
const PATIENCE: Duration = Duration::from_secs(60);

/// Before it asks again.
const PAUSE: Duration = Duration::from_millis(20);

/// The message is recalled already.
const ALREADY_RECALLED: i32 = 20023;

pub(crate) struct Callers(JoinSet<()>);

#[derive(Clone)]
struct Shared {
    client: Arc<RestClient>,
    ledger: Arc<Ledger>,
    next: Arc<AtomicU32>,
    accounts: u32,
    stop: CancellationToken,
}

impl Callers {
    pub(crate) fn start(ground: &Ground, flags: &CrashFlags, stop: CancellationToken) -> Self {
        let shared = Shared {
            client: Arc::clone(&ground.client),
            ledger: Arc::clone(&ground.ledger),
            next: Arc::default(),
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
        let from = random.random_range(0..shared.accounts);
        let to = (from + random.random_range(1..shared.accounts)) % shared.accounts;
        let Some(key) = shared.send(number, Account(from), Account(to), &mut random).await else {
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
    async fn send(&self, number: u32, from: Account, to: Account, random: &mut StdRng) -> Option<MsgKey> {
        let body = json!({
            "From_Account": from.to_string(), "To_Account": to.to_string(), "MsgSeq": number, "MsgRandom": random_of(number),
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": format!("message {number}")}}],
        });
        let began = clock::now();
        loop {
            match self.client.call("openim", "sendmsg", &body).await {
                Ok(answer) => return answer["MsgKey"].as_str().and_then(|key| key.parse().ok()),
                Err(error) if clock::now() - began > PATIENCE => {
                    self.ledger.failed(format!("sendmsg: {error}"));
                    self.ledger.send_in_doubt(random_of(number));
                    return None;
                }
                Err(_) if random.random_bool(GIVES_UP) => {
                    self.ledger.send_in_doubt(random_of(number));
                    return None;
                }
                Err(_) => self.ledger.trouble(),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether a recall without an answer was carried out, the next answer says.
    async fn recall(&self, Message { from, to, key }: Message, random: &mut StdRng) {
        self.ledger.asked(key);
        let (began, mut asked) = (clock::now(), 0);
        loop {
            asked += 1;
            match self.client.admin_msgwithdraw(&from.to_string(), &to.to_string(), key).await {
                Ok(()) => return self.ledger.acknowledged(key, clock::now()),
                Err(error) if asked > 1 && is_recalled(&error) => return self.ledger.acknowledged(key, clock::now()),
                Err(error) if is_recalled(&error) || clock::now() - began > PATIENCE => {
                    return self.ledger.failed(format!("admin_msgwithdraw of {key}: {error}"));
                }
                Err(_) if random.random_bool(GIVES_UP) => return,
                Err(_) => self.ledger.trouble(),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn is_recalled(error: &ClientError) -> bool {
    error.code().is_some_and(|code| code.0 == ALREADY_RECALLED)
}
