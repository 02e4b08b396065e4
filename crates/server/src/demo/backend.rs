//! The app backend of the demo: a receiver behind HTTPS, and a client of the REST API.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use tokio::sync::{Mutex, mpsc};
use unsaid_client::{RestClient, RestConfig};
use unsaid_receiver::Verifier;
use unsaid_testkit::{Answer, Arrival, Authority, Receiver, ReceiverConfig, Recording, Script};

use super::{ADMIN, SDKAPPID, TOKEN};

/// How long the story waits for a callback.
const CALLBACK_TIMEOUT: Duration = Duration::from_secs(10);

/// Callbacks that wait to be told of. The receiver does not wait for whoever tells; more than these are not told.
const UNTOLD_MAX: usize = 1024;

/// A client of the REST API.
pub(super) fn client(base: &str, usersig: &str) -> anyhow::Result<RestClient> {
    let config = RestConfig {
        base: base.to_owned(),
        ca_pem: None,
        sdkappid: SDKAPPID,
        identifier: ADMIN.to_owned(),
        usersig: usersig.to_owned(),
        connections_max: 1,
        timeout: CALLBACK_TIMEOUT,
    };
    Ok(RestClient::new(&config)?)
}

/// Whether the backend is down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Failing {
    Yes,
    No,
}

pub(super) struct Backend {
    receiver: Receiver,
    ca_pem: String,
    untold: Mutex<mpsc::Receiver<Arc<Arrival>>>,
    arrivals: Arc<AtomicU64>,
    /// Whether it answers everything with HTTP 503.
    failing: Arc<AtomicBool>,
}

impl Backend {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let authority = Authority::new();
        let identity = authority.issue(&["localhost"], &[Ipv4Addr::LOCALHOST.into()]);
        let (tell, untold) = mpsc::channel(UNTOLD_MAX);
        let arrivals = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&arrivals);
        let failing = Arc::new(AtomicBool::new(false));
        let fails = Arc::clone(&failing);
        let answer = move |_: &Arrival, _| {
            if fails.load(Ordering::Relaxed) { Answer::Status(503) } else { Answer::Ok }
        };
        let receiver = Receiver::start(ReceiverConfig {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            identity: Some(identity),
            verifier: Some(Verifier::with_tokens(SDKAPPID, [TOKEN])?),
            recording: Recording::Off,
            script: Script::function(answer),
            sink: Some(Arc::new(move |arrival: &Arrival| {
                counted.fetch_add(1, Ordering::Relaxed);
                let _ = tell.try_send(Arc::new(arrival.clone()));
            })),
            ..ReceiverConfig::default()
        })
        .await
        .context("the receiver cannot listen")?;
        Ok(Self { receiver, ca_pem: authority.ca_pem(), untold: Mutex::new(untold), arrivals, failing })
    }

    /// A name and not an address, with a query of its own, as real ones have.
    pub(super) fn url(&self) -> String {
        format!("https://localhost:{}/im?tenant=7", self.receiver.address().port())
    }

    pub(super) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// From now on it answers with HTTP 503, or again as it should.
    pub(super) fn set_failing(&self, failing: Failing) {
        self.failing.store(failing == Failing::Yes, Ordering::Relaxed);
    }

    /// How many callbacks have arrived.
    pub(super) fn arrivals(&self) -> u64 {
        self.arrivals.load(Ordering::Relaxed)
    }

    /// The next callback, which must come soon.
    pub(super) async fn next(&self) -> anyhow::Result<Arc<Arrival>> {
        let next = tokio::time::timeout(CALLBACK_TIMEOUT, self.next_whenever()).await;
        next.with_context(|| format!("no callback came within {} s", CALLBACK_TIMEOUT.as_secs()))
    }

    /// The next callback, whenever it comes.
    pub(super) async fn next_whenever(&self) -> Arc<Arrival> {
        self.untold.lock().await.recv().await.expect("the receiver runs as long as this lives")
    }
}
