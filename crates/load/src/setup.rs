//! What a run stands on: a folder, a receiver over HTTPS, a server that calls it back, and a client of the server.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, ensure};
use tempfile::TempDir;
use unsaid_client::{RestClient, RestConfig};
use unsaid_protocol::{
    SdkAppId,
    callback::CallbackCommand,
    usersig::{self, Order},
};
use unsaid_receiver::Verifier;
use unsaid_testkit::{Arrival, Authority, Receiver, ReceiverConfig, Recording};

use crate::{callback::Inbox, clock, flags::Ground, server::Server};

pub(crate) const APP: SdkAppId = SdkAppId(1_400_000_001);
const ADMIN: &str = "administrator";

/// No secrets: the server listens on loopback and lives as long as the run.
const SECRET_KEY: &str = "the key of a server that lives for one load run";
const TOKEN: &str = "the-token-of-one-load-run";

/// Senders recall, however long the run takes.
const RECALL_WINDOW_S: u32 = 7 * 24 * 3600;

const CONFIG_FILE: &str = "unsaid.toml";
const DATA_FOLDER: &str = "data";
const AUTHORITY_FILE: &str = "receiver-ca.pem";

/// For one call while the run is prepared.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the admin's signature holds: longer than any run.
const USERSIG_EXPIRE_S: u64 = 7 * 24 * 3600;

/// A folder with a configuration, and a receiver; no server runs yet, so its store may be filled.
pub(crate) struct Site {
    address: SocketAddr,
    folder: PathBuf,
    set: Vec<String>,
    inbox: Arc<Inbox>,
    receiver: Receiver,
    temporary: Option<TempDir>,
}

/// Dropped in this order: the server is gone before its receiver is, and both before their folder.
pub(crate) struct Setup {
    pub(crate) client: Arc<RestClient>,
    pub(crate) server: Server,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) receiver: Receiver,
    folder: PathBuf,
    set: Vec<String>,
    _temporary: Option<TempDir>,
}

/// Where the server keeps everything.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StorePlace<'a> {
    Folder(&'a Path),
    Postgres(&'a str),
}

impl Site {
    /// The app backend is told of these.
    pub(crate) async fn prepare(ground: &Ground, switches: &[CallbackCommand]) -> anyhow::Result<Self> {
        let (temporary, folder) = match &ground.data_dir {
            Some(folder) => (None, folder.clone()),
            None => {
                let temporary = temporary_folder().context("no temporary folder; name one with --data-dir")?;
                let folder = temporary.path().to_owned();
                (Some(temporary), folder)
            }
        };
        empty(&folder)?;

        let verifier = Verifier::with_tokens(APP, [TOKEN]).context("the token of the run")?;
        let inbox = Arc::new(Inbox::new(verifier));
        let authority = Authority::new();
        let sink = Arc::clone(&inbox);
        let receiver = receiver(&authority, move |arrival| sink.take(arrival)).await?;

        let address = free_address().context("no free port for the server")?;
        let set = ground.set.clone();
        let site = Self { address, folder, set, inbox, receiver, temporary };
        let toml = configuration(address, site.receiver.address(), switches);
        fs::write(site.folder.join(AUTHORITY_FILE), authority.ca_pem()).context("the receiver's authority")?;
        fs::write(site.config(), toml).context("the server's configuration")?;
        Ok(site)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join(CONFIG_FILE)
    }

    /// Of the server, beside the file.
    pub(crate) fn set(&self) -> &[String] {
        &self.set
    }

    /// `connections`: of the REST client that prepares.
    pub(crate) async fn start(self, connections: u32) -> anyhow::Result<Setup> {
        let client = Arc::new(client(self.address, connections, CALL_TIMEOUT)?);
        let mut server = Server::start(&self.config(), &self.set, self.address)?;
        server.ready(&client).await?;
        let Self { folder, set, inbox, receiver, temporary, .. } = self;
        Ok(Setup { client, server, inbox, receiver, folder, set, _temporary: temporary })
    }
}

impl Setup {
    /// Starts it again, after it was killed. Returns as soon as its process runs.
    pub(crate) fn start_server(&mut self) -> anyhow::Result<()> {
        self.server = Server::start(&self.folder.join(CONFIG_FILE), &self.set, self.server.address())?;
        Ok(())
    }

    /// Where the server's files are.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.join(DATA_FOLDER)
    }

    pub(crate) fn authority_file(&self) -> PathBuf {
        self.folder.join(AUTHORITY_FILE)
    }

    pub(crate) fn store(&self) -> StorePlace<'_> {
        let store = self.set.iter().rev().find_map(|set| set.strip_prefix("store="));
        match store {
            Some(url) if url.starts_with("postgres") => StorePlace::Postgres(url),
            Some(_) | None => StorePlace::Folder(&self.folder),
        }
    }
}

/// Beside this program, which most likely is on a real disk.
pub(crate) fn temporary_folder() -> io::Result<TempDir> {
    let program = std::env::current_exe()?;
    let beside = program.parent().unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix("load-").tempdir_in(beside)
}

/// Lets the user that PostgreSQL runs as get to its part of a folder.
pub(crate) fn open_to_all(folder: &TempDir) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).context("the temporary folder")
}

/// A store of another run would hold messages with the same keys.
fn empty(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let mut entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    ensure!(entries.next().is_none(), "{} is not empty; name an empty or new folder", folder.display());
    Ok(())
}

pub(crate) async fn receiver(
    authority: &Authority,
    sink: impl Fn(&Arrival) + Send + Sync + 'static,
) -> anyhow::Result<Receiver> {
    let receiver = Receiver::start(ReceiverConfig {
        identity: Some(authority.issue(&["localhost"], &[Ipv4Addr::LOCALHOST.into()])),
        recording: Recording::Off,
        sink: Some(Arc::new(sink)),
        ..ReceiverConfig::default()
    });
    receiver.await.context("the receiver cannot be started")
}

/// The server is told its port, so it has to be chosen before. Nobody else is likely to take it in between.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// With the recall's switch on.
pub(crate) fn config_toml(listen: SocketAddr, receiver: SocketAddr) -> String {
    configuration(listen, receiver, &[CallbackCommand::AfterMsgWithDraw])
}

fn configuration(listen: SocketAddr, receiver: SocketAddr, switches: &[CallbackCommand]) -> String {
    let switches: Vec<_> = switches.iter().map(|switch| switch.as_str()).collect();
    format!(
        r#"listen = "{listen}"
data_dir = "{DATA_FOLDER}"
log = "warn"

[callback]
allow_networks = ["127.0.0.0/8"]

[[apps]]
sdkappid = {APP}
name = "Load"
secret_key = "{SECRET_KEY}"
admins = ["{ADMIN}"]
recall_window_s = {RECALL_WINDOW_S}

[apps.callback]
url = "https://localhost:{port}/callback"
token = "{TOKEN}"
ca_file = "receiver-ca.pem"
commands = {switches:?}
"#,
        port = receiver.port(),
    )
}

/// A UserSig that holds longer than any run.
pub(crate) fn usersig_of(identifier: &str) -> String {
    let order = Order { sdkappid: APP, identifier, time_s: clock::unix_s(), expire_s: USERSIG_EXPIRE_S, userbuf: None };
    usersig::make(SECRET_KEY, order)
}

/// A client that calls as the app's admin.
pub(crate) fn client(server: SocketAddr, connections: u32, timeout: Duration) -> anyhow::Result<RestClient> {
    Ok(RestClient::new(&RestConfig {
        base: format!("http://{server}"),
        ca_pem: None,
        sdkappid: APP,
        identifier: ADMIN.to_owned(),
        usersig: usersig_of(ADMIN),
        connections_max: connections as usize,
        timeout,
    })?)
}

#[cfg(test)]
mod tests {
    use unsaid::config::{Config, Sources};

    use super::*;

    #[test]
    fn the_configuration_is_one_of_the_server() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("unsaid.toml");
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        fs::write(folder.path().join("receiver-ca.pem"), Authority::new().ca_pem()).expect("writable");
        fs::write(&file, config_toml(address(1), address(2))).expect("writable");

        let config = Config::load(&Sources { file: Some(file), ..Sources::default() }).expect("valid");

        assert_eq!((config.listen, config.apps.len()), (address(1), 1));
        let callback = &config.apps[0].callback;
        let endpoint = callback.endpoint.as_ref().expect("set");
        assert_eq!((endpoint.url.as_str(), callback.commands.len()), ("https://localhost:2/callback", 1));
        assert!(endpoint.token.is_some() && endpoint.ca_pem.is_some());
    }

    #[test]
    fn a_folder_with_something_in_it_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        empty(&folder.path().join("new")).expect("it is made");
        let error = empty(folder.path()).expect_err("it has a folder in it").to_string();
        assert!(error.contains("not empty"), "{error}");
    }
}
