//! PostgreSQL, NATS, the servers that share them, and the receiver.

use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use serde::Serialize;
use tempfile::TempDir;
use unsaid_client::RestClient;
use unsaid_testkit::{
    Authority, Nats, Receiver,
    postgres::{Postgres, Shutdown},
};

use crate::{
    account::Account,
    callers::Way,
    cpu::{cpu_s, family_cpu_s},
    device::Devices,
    flags::ClusterFlags,
    ledger::Ledger,
    server::Server,
    setup,
};

/// A call of a server that stands still is given up after that.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// Dropped in this order: servers, receiver, PostgreSQL, NATS, the folder.
pub(crate) struct Ground {
    pub(crate) servers: Vec<Member>,
    pub(crate) ledger: Arc<Ledger>,
    _receiver: Receiver,
    postgres: Arc<Postgres>,
    pub(crate) nats: Option<Nats>,
    _folder: TempDir,
}

/// One of the servers.
pub(crate) struct Member {
    pub(crate) client: Arc<RestClient>,
    pub(crate) address: SocketAddr,
    config: PathBuf,
    set: Vec<String>,
    /// Which program it is; None: this one.
    older: Option<PathBuf>,
    /// None while it does not run.
    server: Option<Server>,
}

/// Processor time of those that run, in seconds. What one has used that was started again is not in it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cpu {
    pub(crate) servers_s: f64,
    pub(crate) postgres_s: f64,
    pub(crate) nats_s: f64,
    pub(crate) tool_s: f64,
}

impl Cpu {
    pub(crate) fn since(self, before: &Self) -> Self {
        Self {
            servers_s: self.servers_s - before.servers_s,
            postgres_s: self.postgres_s - before.postgres_s,
            nats_s: self.nats_s - before.nats_s,
            tool_s: self.tool_s - before.tool_s,
        }
    }
}

impl Ground {
    pub(crate) async fn start(flags: &ClusterFlags) -> anyhow::Result<Self> {
        let folder = setup::temporary_folder().context("no temporary folder")?;
        // The user that PostgreSQL runs as has to get to its part of it.
        setup::open_to_all(&folder)?;
        let Some(postgres) = Postgres::start(folder.path()) else { bail!("PostgreSQL is needed") };
        let nats = if flags.no_bus { None } else { Nats::start(&[]).await };
        ensure!(flags.no_bus || nats.is_some(), "nats-server is needed; leave it out with --no-bus");

        let ledger = Arc::<Ledger>::default();
        let authority = Authority::new();
        let inbox = Arc::clone(&ledger);
        let receiver = setup::receiver(&authority, move |arrival| inbox.take(arrival)).await?;
        let config = folder.path().join("unsaid.toml");
        fs::write(folder.path().join("receiver-ca.pem"), authority.ca_pem()).context("the receiver's authority")?;
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        fs::write(&config, setup::config_toml(anywhere, receiver.address())).context("the servers' configuration")?;

        let mut shared = vec![format!("store={}", postgres.url())];
        shared.extend(nats.as_ref().map(|nats| format!("bus={}", nats.url())));
        shared.extend(flags.set.iter().cloned());
        let mut servers = Vec::new();
        for number in 0..flags.servers {
            let address = setup::free_address().context("no free port for a server")?;
            let mut set = shared.clone();
            set.push(format!("data_dir={}", folder.path().join(format!("server-{number}")).display()));
            set.push(format!("listen={address}"));
            let client = Arc::new(setup::client(address, flags.callers, CALL_TIMEOUT)?);
            let mut member =
                Member { client, address, config: config.clone(), set, older: flags.older.clone(), server: None };
            member.start().await?;
            servers.push(member);
        }
        let postgres = Arc::new(postgres);
        Ok(Self { servers, ledger, _receiver: receiver, postgres, nats, _folder: folder })
    }

    pub(crate) fn has_bus(&self) -> bool {
        self.nats.is_some()
    }

    /// Nobody gives up.
    pub(crate) fn way(&self, devices: Devices, flags: &ClusterFlags) -> Way {
        Way {
            clients: self.servers.iter().map(|server| Arc::clone(&server.client)).collect(),
            devices,
            ledger: Arc::clone(&self.ledger),
            accounts: flags.accounts,
            rate: (flags.rate > 0).then(|| f64::from(flags.rate)),
            gives_up: 0.0,
        }
    }

    pub(crate) async fn import_accounts(&self, accounts: u32) -> anyhow::Result<()> {
        for number in 0..accounts {
            self.servers[0].client.account_import(&Account(number).to_string()).await?;
        }
        Ok(())
    }

    /// How often a server has another total for an account than its messages say.
    pub(crate) async fn unread_wrong(&self, accounts: u32) -> anyhow::Result<u64> {
        let mut wrong = 0;
        for account in (0..accounts).map(Account) {
            let right = self.ledger.unread(account);
            for server in &self.servers {
                let unread = server.client.get_c2c_unread_msg_num(&account.to_string()).await?;
                wrong += u64::from(unread != right);
            }
        }
        Ok(wrong)
    }

    pub(crate) async fn restart_postgres(&self, shutdown: Shutdown) -> anyhow::Result<()> {
        let postgres = Arc::clone(&self.postgres);
        tokio::task::spawn_blocking(move || postgres.restart(shutdown)).await.context("PostgreSQL was not restarted")
    }

    pub(crate) fn cpu(&self) -> anyhow::Result<Cpu> {
        let servers = self.servers.iter().filter_map(|server| server.server.as_ref());
        let servers_s = servers.map(|server| cpu_s(server.id())).sum::<Result<f64, _>>()?;
        let postgres_s = family_cpu_s(self.postgres.process()?)?;
        let nats_s = self.nats.as_ref().and_then(Nats::process).map_or(Ok(0.0), cpu_s)?;
        Ok(Cpu { servers_s, postgres_s, nats_s, tool_s: cpu_s(std::process::id())? })
    }
}

impl Member {
    /// Starts it, and waits until it answers.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let mut server = match &self.older {
            Some(older) => Server::start_program(older, &self.config, &self.set, self.address)?,
            None => Server::start(&self.config, &self.set, self.address)?,
        };
        server.ready(&self.client).await?;
        self.server = Some(server);
        Ok(())
    }

    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        let mut server = self.server.take().context("it does not run")?;
        server.signal("TERM")?;
        server.ended().await
    }

    /// Stops it, and starts it again as another program: None is this one. Answers which it was.
    pub(crate) async fn become_program(&mut self, program: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
        self.stop().await?;
        let was = std::mem::replace(&mut self.older, program);
        self.start().await?;
        Ok(was)
    }

    pub(crate) fn is_older(&self) -> bool {
        self.older.is_some()
    }

    pub(crate) fn signal(&self, signal: &str) -> anyhow::Result<()> {
        self.server.as_ref().context("it does not run")?.signal(signal)
    }

    pub(crate) fn still_runs(&mut self) -> anyhow::Result<()> {
        self.server.as_mut().context("it does not run")?.still_runs()
    }
}
