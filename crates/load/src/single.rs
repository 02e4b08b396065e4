//! One server, what it stores in, and the receiver, whose callbacks go into a ledger. It may die, and be started again.

use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use tempfile::TempDir;
use unsaid_client::RestClient;
use unsaid_testkit::{
    Authority, Receiver,
    postgres::{Postgres, Shutdown},
};

use crate::{
    account::Account,
    clock,
    flags::{Failpoints, StoreKind},
    ledger::Ledger,
    server::Server,
    setup,
};

/// A call is given up after that.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Dropped in this order: server, receiver, PostgreSQL, the folder.
pub(crate) struct Single {
    pub(crate) client: Arc<RestClient>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) address: SocketAddr,
    config: PathBuf,
    set: Vec<String>,
    /// None while it is dead.
    server: Option<Server>,
    pub(crate) receiver: Receiver,
    postgres: Option<Arc<Postgres>>,
    _folder: TempDir,
}

impl Single {
    /// No server runs yet. `connections`: of the client.
    pub(crate) async fn prepare(store: StoreKind, set: &[String], connections: u32) -> anyhow::Result<Self> {
        let folder = setup::temporary_folder().context("no temporary folder")?;
        setup::open_to_all(&folder)?;
        // As few as any machine lets it have, so that it has nothing to say at each start.
        let mut set = [&["limits.connections_max=1000".to_owned()], set].concat();
        let postgres = match store {
            StoreKind::Sqlite => None,
            StoreKind::Postgres => {
                let Some(postgres) = Postgres::start(folder.path()) else { bail!("PostgreSQL is needed") };
                set.push(format!("store={}", postgres.url()));
                Some(Arc::new(postgres))
            }
        };
        let ledger = Arc::<Ledger>::default();
        let authority = Authority::new();
        let inbox = Arc::clone(&ledger);
        let receiver = setup::receiver(&authority, move |arrival| inbox.take(arrival)).await?;
        let address = setup::free_address().context("no free port for the server")?;
        let config = folder.path().join("unsaid.toml");
        fs::write(folder.path().join("receiver-ca.pem"), authority.ca_pem()).context("the receiver's authority")?;
        fs::write(&config, setup::config_toml(address, receiver.address())).context("the server's configuration")?;
        let client = Arc::new(setup::client(address, connections, CALL_TIMEOUT)?);
        let (server, _folder) = (None, folder);
        Ok(Self { client, ledger, address, config, set, server, receiver, postgres, _folder })
    }

    pub(crate) async fn import_accounts(&self, accounts: u32) -> anyhow::Result<()> {
        for number in 0..accounts {
            self.client.account_import(&Account(number).to_string()).await?;
        }
        Ok(())
    }

    pub(crate) fn has_postgres(&self) -> bool {
        self.postgres.is_some()
    }

    /// Starts a server that may die at a commit, and does not wait until it answers.
    pub(crate) fn begin(&mut self, failpoints: Failpoints) -> anyhow::Result<()> {
        self.server = Some(Server::start_to_die(failpoints, &self.config, &self.set, self.address)?);
        Ok(())
    }

    /// Starts a server, and says how long it took until it answered.
    pub(crate) async fn start_again(&mut self) -> anyhow::Result<Duration> {
        let began = clock::now();
        self.begin(Failpoints::default())?;
        let server = self.server.as_mut().expect("it was just started");
        server.ready(&self.client).await?;
        Ok(clock::now() - began)
    }

    pub(crate) async fn has_died_within(&mut self, patience: Duration) -> anyhow::Result<bool> {
        self.server.as_mut().context("it does not run")?.has_died_within(patience).await
    }

    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    /// Its process.
    pub(crate) fn id(&self) -> anyhow::Result<u32> {
        Ok(self.server.as_ref().context("it does not run")?.id())
    }

    pub(crate) fn signal(&self, signal: &str) -> anyhow::Result<()> {
        self.server.as_ref().context("it does not run")?.signal(signal)
    }

    pub(crate) fn still_runs(&mut self) -> anyhow::Result<()> {
        self.server.as_mut().context("it does not run")?.still_runs()
    }

    pub(crate) async fn restart_postgres(&self, shutdown: Shutdown) -> anyhow::Result<()> {
        let postgres = Arc::clone(self.postgres.as_ref().context("it stores in a file")?);
        tokio::task::spawn_blocking(move || postgres.restart(shutdown)).await.context("PostgreSQL was not restarted")
    }

    /// What the server says that each account has unread.
    pub(crate) async fn unread(&self, accounts: u32) -> anyhow::Result<Vec<i64>> {
        let mut unread = Vec::new();
        for account in (0..accounts).map(Account) {
            unread.push(self.client.get_c2c_unread_msg_num(&account.to_string()).await?);
        }
        Ok(unread)
    }
}
