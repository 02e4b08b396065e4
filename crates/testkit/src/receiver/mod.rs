//! The app's backend: a real HTTP server on its own port that keeps what arrives and answers by a script.
//!
//! Each connection is a task of the accepting task, which [`Receiver`] owns: dropping it, or [`Receiver::stop`], ends
//! all of them.

mod answer;
mod arrival;
mod connection;

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

pub use answer::{Answer, Script};
pub use arrival::Arrival;
use rustls::ServerConfig;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use unsaid_receiver::Verifier;

use self::{answer::Stage, arrival::Record};
use crate::{certificate::Identity, wait};

/// Is shown every arrival before it is answered. Must be quick: the answer waits for it.
pub type Sink = Arc<dyn Fn(&Arrival) + Send + Sync>;

/// What a receiver does. The default speaks plain HTTP on a free port, keeps what arrives, and accepts everything.
pub struct ReceiverConfig {
    /// Port 0 takes a free one.
    pub address: SocketAddr,
    /// HTTPS with this identity, else plain HTTP.
    pub identity: Option<Identity>,
    /// With this, only clients with a certificate of this authority are served (mutual TLS).
    pub client_ca_pem: Option<String>,
    /// What arrives is checked by it; its verdict is kept with the arrival and changes no answer.
    pub verifier: Option<Verifier>,
    pub recording: Recording,
    pub sink: Option<Sink>,
    pub script: Script,
    /// How many connections may be open; others wait to be accepted.
    pub connections_max: usize,
}

/// Whether arrivals are kept for those who ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recording {
    /// [`Receiver::next`] and its like panic.
    Off,
    /// This many. If one more comes, whoever asks panics: what is missing must not look like what never came.
    UpTo(usize),
}

impl Default for ReceiverConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            identity: None,
            client_ca_pem: None,
            verifier: None,
            recording: Recording::UpTo(10_000),
            sink: None,
            script: Script::default(),
            connections_max: 1_000,
        }
    }
}

/// A receiver that runs, or was stopped and can run again.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    running: Option<Running>,
}

struct Running {
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

/// What all connections look at.
struct Shared {
    tls: Option<Arc<ServerConfig>>,
    verifier: Option<Verifier>,
    sink: Option<Sink>,
    stage: Stage,
    record: Option<Record>,
    connections_max: usize,
    /// How many connections were accepted so far.
    connections: AtomicU64,
    /// How many requests were read so far.
    arrived: AtomicU64,
}

impl Receiver {
    pub async fn start(config: ReceiverConfig) -> io::Result<Self> {
        let record = match config.recording {
            Recording::Off => None,
            Recording::UpTo(arrivals_max) => Some(Record::new(arrivals_max)),
        };
        let shared = Shared {
            tls: config.identity.map(|identity| identity.server_config(config.client_ca_pem.as_deref())),
            verifier: config.verifier,
            sink: config.sink,
            stage: Stage::new(config.script),
            record,
            connections_max: config.connections_max,
            connections: AtomicU64::new(0),
            arrived: AtomicU64::new(0),
        };
        let mut receiver = Self { address: config.address, shared: Arc::new(shared), running: None };
        receiver.start_again().await?;
        Ok(receiver)
    }

    /// After [`Receiver::stop`]: the same address, script and record.
    pub async fn start_again(&mut self) -> io::Result<()> {
        assert!(self.running.is_none(), "the receiver runs already: stop it first");
        let listener = connection::listen(self.address).await?;
        self.address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let accepting = tokio::spawn(connection::accept(listener, Arc::clone(&self.shared), stop.clone()));
        self.running = Some(Running { stop, accepting });
        Ok(())
    }

    /// Closes the port and cuts every connection. When it returns, all of them are gone.
    pub async fn stop(&mut self) {
        if let Some(running) = &mut self.running {
            running.stop.cancel();
            // An error would be a panic of the accepting task, which panics nowhere.
            let _ = (&mut running.accepting).await;
        }
        self.running = None;
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is reached: `http://127.0.0.1:4242`, without a path.
    pub fn base(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// From now on, answers are those of `script`.
    pub fn play(&self, script: Script) {
        self.shared.stage.play(script);
    }

    /// The next arrival that no call has returned before.
    #[track_caller]
    pub fn next(&self) -> impl Future<Output = Arc<Arrival>> {
        let record = self.record();
        let mut watch = record.watch();
        wait::bounded(|| format!("another request; so far {}", summary(&record.arrivals())), async move {
            loop {
                if let Some(arrival) = record.take() {
                    return arrival;
                }
                watch.changed().await.expect("the record is still there");
            }
        })
    }

    /// All arrivals so far in their order; of those that came side by side, any may be first.
    #[track_caller]
    pub fn arrivals(&self) -> Vec<Arc<Arrival>> {
        self.record().arrivals()
    }

    /// All arrivals, as soon as they satisfy `condition`.
    #[track_caller]
    pub fn wait_until(
        &self,
        mut condition: impl FnMut(&[Arc<Arrival>]) -> bool,
    ) -> impl Future<Output = Vec<Arc<Arrival>>> {
        let record = self.record();
        let mut watch = record.watch();
        wait::bounded(
            || format!("arrivals that satisfy the condition; there are {}", summary(&record.arrivals())),
            async move {
                loop {
                    let arrivals = record.arrivals();
                    if condition(&arrivals) {
                        return arrivals;
                    }
                    watch.changed().await.expect("the record is still there");
                }
            },
        )
    }

    /// How many connections were accepted so far: fewer than requests, if the sender keeps them.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many requests were read so far, kept or not.
    pub fn arrived(&self) -> u64 {
        self.shared.arrived.load(Ordering::Relaxed)
    }

    #[track_caller]
    fn record(&self) -> &Record {
        self.shared.record.as_ref().expect("arrivals are kept only with Recording::UpTo")
    }
}

/// Aborting the accepting task drops its connections.
impl Drop for Running {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn summary(arrivals: &[Arc<Arrival>]) -> String {
    const SHOWN_MAX: usize = 10;
    let last = arrivals.iter().skip(arrivals.len().saturating_sub(SHOWN_MAX));
    let lines: String = last.map(|arrival| format!("\n  {} {}", arrival.method(), arrival.path_and_query())).collect();
    format!("{}{}{lines}", arrivals.len(), if arrivals.is_empty() { "" } else { ", the last of them:" })
}
