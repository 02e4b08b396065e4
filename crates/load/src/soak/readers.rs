//! Who reads meanwhile: histories, contacts and unread counts, over REST.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use unsaid_client::RestClient;

use crate::{account::Account, clock};

const READERS: u32 = 4;

/// Between two reads of one.
const PAUSE: Duration = Duration::from_millis(100);

/// The last minutes.
const HISTORY_S: u64 = 600;

pub(crate) struct Readers(JoinSet<Reads>);

/// How many reads were answered, and how many were not.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Reads {
    pub(crate) answered: u64,
    pub(crate) unanswered: u64,
}

impl Readers {
    pub(crate) fn start(client: &Arc<RestClient>, accounts: u32, seed: u64, stop: &CancellationToken) -> Self {
        let reader =
            |number| read(Arc::clone(client), accounts, StdRng::seed_from_u64(!seed ^ u64::from(number)), stop.clone());
        Self((0..READERS).map(reader).collect())
    }

    pub(crate) async fn done(mut self) -> Reads {
        let mut reads = Reads::default();
        while let Some(done) = self.0.join_next().await {
            let Reads { answered, unanswered } = done.expect("no reader panics");
            reads.answered += answered;
            reads.unanswered += unanswered;
        }
        reads
    }
}

async fn read(client: Arc<RestClient>, accounts: u32, mut random: StdRng, stop: CancellationToken) -> Reads {
    let mut reads = Reads::default();
    while !stop.is_cancelled() {
        let mut account = || Account(random.random_range(0..accounts)).to_string();
        let (one, other) = (account(), account());
        let now_s = clock::unix_s();
        let (service, command, body) = match random.random_range(0..3) {
            0 => (
                "openim",
                "admin_getroammsg",
                json!({"Operator_Account": one, "Peer_Account": other, "MaxCnt": 50, "MinTime": now_s - HISTORY_S, "MaxTime": now_s}),
            ),
            1 => (
                "recentcontact",
                "get_list",
                json!({"From_Account": one, "TimeStamp": 0, "StartIndex": 0, "TopTimeStamp": 0, "TopStartIndex": 0, "AssistFlags": 7}),
            ),
            _ => ("openim", "get_c2c_unread_msg_num", json!({"To_Account": one})),
        };
        match client.call(service, command, &body).await {
            Ok(_) => reads.answered += 1,
            Err(_) => reads.unanswered += 1,
        }
        tokio::time::sleep(PAUSE).await;
    }
    reads
}
