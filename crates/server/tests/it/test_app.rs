//! A whole server with its surroundings: an app, two accounts, and the app's backend behind HTTPS.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use unsaid::{
    apps::{App, CallbackSettings, EndpointSettings, Origin, Secret},
    bus::BusSettings,
    chat::{Backlog, Lane},
    clock::{Clock, Entropy, World},
    config::{Config, Sources},
    server::Server,
};
use unsaid_client::{RestClient, RestConfig};
use unsaid_protocol::{
    MsgKey, SdkAppId,
    callback::CallbackCommand,
    usersig::{self, Order},
};
use unsaid_receiver::Verifier;
use unsaid_testkit::{Arrival, Authority, Receiver, ReceiverConfig, Recording};

use crate::database::Database;

pub(crate) const SDKAPPID: SdkAppId = SdkAppId(1_400_000_001);
pub(crate) const SECRET_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
pub(crate) const TOKEN: &str = "s3cret-Token_01";
pub(crate) const ADMIN: &str = "administrator";

/// More callbacks than any test causes.
const ARRIVALS_MAX: usize = 1_000_000;

/// A server that runs, and may be stopped and started again on the same folder.
pub(crate) struct TestApp {
    pub(crate) world: World,
    pub(crate) authority: Authority,
    pub(crate) receiver: Arc<Receiver>,
    config: Config,
    server: Option<Server>,
    /// Where a run wants two servers on one store: everything else is asked of this one.
    second: Option<Second>,
    checks: Checks,
    _folder: TempDir,
    /// Dropped last, when its server has gone.
    database: Option<Database>,
}

/// Shares the store of the first one.
struct Second {
    server: Option<Server>,
    folder: TempDir,
    asked: AtomicUsize,
}

/// If it is 2, the servers of all tests are two.
const SERVERS: &str = "UNSAID_TEST_SERVERS";

/// Before the outbox is looked at again: whoever looks all the time takes the processor from those who are to change it.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// Where a NATS is for servers that share a store.
const BUS: &str = "UNSAID_TEST_BUS";

/// Leaves out a test of what two servers without a bus do otherwise.
pub(crate) fn left_out_without_a_bus(why: &str) -> bool {
    let is_left_out = std::env::var(SERVERS).is_ok_and(|servers| servers == "2") && std::env::var_os(BUS).is_none();
    if is_left_out {
        eprintln!("skipped on two servers without a bus: {why}");
    }
    is_left_out
}

impl Second {
    /// Where a run wants one.
    fn if_wanted(database: Option<&Database>) -> Option<Self> {
        let wanted = database.is_some() && std::env::var(SERVERS).is_ok_and(|servers| servers == "2");
        let folder = || tempfile::tempdir().expect("a folder");
        wanted.then(|| Self { server: None, folder: folder(), asked: AtomicUsize::new(0) })
    }
}

/// What is held against the invariants when the test is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Checks {
    All,
    /// The test leaves events undelivered on purpose.
    NotTheBacklog,
}

/// An account, with what it can do.
#[derive(Clone)]
pub(crate) struct Actor {
    pub(crate) name: String,
    client: Arc<RestClient>,
}

impl TestApp {
    /// An app whose switches are all on, jared and Jonh, and the receiver.
    pub(crate) async fn start() -> (Self, Actor, Actor, Arc<Receiver>) {
        Self::start_with(|_, _| ()).await
    }

    /// The same with other settings of the server or the app.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config, &mut App)) -> (Self, Actor, Actor, Arc<Receiver>) {
        let authority = Authority::new();
        let receiver = Arc::new(receiver(&authority).await);
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(&folder);
        let database = Database::if_wanted();
        if let Some(database) = &database {
            config.store = database.store();
            let server = std::env::var(BUS).ok().map(|url| url.parse().expect("an address of NATS"));
            config.bus = server.map(|server| BusSettings { servers: vec![server], ca_pem: None });
        }
        let mut settings = settings(&receiver, &authority);
        change(&mut config, &mut settings);
        let entropy = Entropy::system().expect("the system has randomness");
        let world = World { clock: Clock::system(), entropy };
        let mut app = Self {
            world,
            authority,
            receiver: Arc::clone(&receiver),
            config,
            server: None,
            second: Second::if_wanted(database.as_ref()),
            checks: Checks::All,
            _folder: folder,
            database,
        };
        app.start_again().await;
        app.save_app(settings).await;
        let (jared, jonh) = (app.account("jared").await, app.account("Jonh").await);
        (app, jared, jonh, receiver)
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("the server runs")
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.config.data_dir
    }

    /// Whether a server that was stopped has left this text in its store.
    pub(crate) fn keeps(&self, text: &str) -> bool {
        if let Some(database) = &self.database {
            return database.keeps(text);
        }
        let file = std::fs::read(self.data_dir().join("unsaid.db")).expect("readable");
        file.windows(text.len()).any(|part| part == text.as_bytes())
    }

    /// Of two servers, one after the other.
    pub(crate) fn base(&self) -> String {
        let server = match &self.second {
            Some(Second { server: Some(server), asked, .. }) if asked.fetch_add(1, Ordering::Relaxed) % 2 == 1 => {
                server
            }
            Some(_) | None => self.server(),
        };
        format!("http://{}", server.address())
    }

    /// Every server knows of it when this answers.
    pub(crate) async fn save_app(&self, app: App) {
        if let Some(Second { server: Some(server), .. }) = &self.second {
            server.save_app(app.clone()).await.expect("the settings of the test are right");
        }
        self.server().save_app(app).await.expect("the settings of the test are right");
    }

    /// Finishes what was accepted and stops.
    pub(crate) async fn stop(&mut self) {
        self.stop_second().await;
        self.server.take().expect("the server runs").stop().await;
    }

    async fn stop_second(&mut self) {
        if let Some(server) = self.second.as_mut().and_then(|second| second.server.take()) {
            server.stop().await;
        }
    }

    /// On the same folder; on a new port, so actors are made anew.
    pub(crate) async fn start_again(&mut self) {
        let server = Server::start(&self.config, self.world.clone()).await;
        self.server = Some(server.expect("the server starts"));
        if let Some(second) = &self.second {
            let server = self.another_server(&second.folder).await;
            self.second.as_mut().expect("it is there").server = Some(server);
        }
    }

    /// Another server that shares the store, with a folder of its own.
    pub(crate) async fn another_server(&self, folder: &TempDir) -> Server {
        let config = Config { data_dir: folder.path().join("data"), ..self.config.clone() };
        Server::start(&config, self.world.clone()).await.expect("the server starts")
    }

    /// A client that calls another server as the app's admin.
    pub(crate) fn admin_of(&self, server: &Server) -> RestClient {
        let now_s = u64::from(self.world.clock.now().seconds());
        let base = format!("http://{}", server.address());
        client(&base, ADMIN, &usersig(SECRET_KEY, SDKAPPID, ADMIN, now_s, 86_400))
    }

    /// The test leaves events undelivered on purpose.
    pub(crate) fn leave_backlog(&mut self) {
        self.checks = Checks::NotTheBacklog;
    }

    /// On the same folder, with other settings of the server.
    pub(crate) async fn restart_with(&mut self, change: impl FnOnce(&mut Config)) {
        self.stop().await;
        change(&mut self.config);
        self.start_again().await;
    }

    /// The app's settings, changed.
    pub(crate) async fn change_app(&self, change: impl FnOnce(&mut App)) {
        let mut app = self.settings().await;
        change(&mut app);
        self.save_app(app).await;
    }

    /// The app's settings.
    pub(crate) async fn settings(&self) -> App {
        let apps = self.server().store().apps().await.expect("readable");
        apps.into_iter().find(|app| app.sdkappid == SDKAPPID).expect("it was saved")
    }

    /// An account that exists from now on.
    pub(crate) async fn account(&self, name: &str) -> Actor {
        let actor = self.actor(name);
        actor.client.account_import(name).await.expect("the name is valid");
        actor
    }

    /// An account that exists already.
    pub(crate) fn actor(&self, name: &str) -> Actor {
        Actor { name: name.to_owned(), client: Arc::new(self.admin()) }
    }

    /// A client that calls as the app's admin.
    pub(crate) fn admin(&self) -> RestClient {
        let now_s = u64::from(self.world.clock.now().seconds());
        client(&self.base(), ADMIN, &usersig(SECRET_KEY, SDKAPPID, ADMIN, now_s, 86_400))
    }

    pub(crate) async fn backlog(&self) -> Backlog {
        self.server().store().backlog().await.expect("readable")
    }

    /// Waits until the first event of Jonh's lane was tried in vain, `attempts` times at least.
    pub(crate) async fn tried_in_vain(&self, attempts: u32) {
        let began = self.world.clock.instant();
        loop {
            let events = self.server().store().lane(SDKAPPID, Lane("Jonh".to_owned()), 0, 1).await.expect("readable");
            if events.first().is_some_and(|event| event.tries.attempts >= attempts) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "it was not tried: {events:?}");
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// Waits until the outbox is empty; it learns a little late that something was delivered.
    pub(crate) async fn all_settled(&self) -> Backlog {
        let began = self.world.clock.instant();
        loop {
            let backlog = self.backlog().await;
            if backlog.waiting == 0 {
                return backlog;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "still owed: {backlog:?}");
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }
}

/// Holds the invariants.
impl Drop for TestApp {
    fn drop(&mut self) {
        let Some(server) = self.server.take() else {
            return;
        };
        if std::thread::panicking() {
            return;
        }
        let checks = self.checks;
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                self.server = Some(server);
                if checks == Checks::All {
                    self.all_settled().await;
                }
                self.stop_second().await;
                self.server.take().expect("it was just put there").stop().await;
            });
        });
        let arrivals = self.receiver.arrivals();
        for arrival in &arrivals {
            assert!(arrival.passed(), "a check failed: {:?}", arrival.checks);
        }
        lanes_keep_their_order(&arrivals);
    }
}

/// Rule C5, judged by first arrivals: a repeat may come at any time.
pub(crate) fn lanes_keep_their_order(arrivals: &[Arc<Arrival>]) {
    let mut seen: HashMap<&str, i64> = HashMap::new();
    let mut ids = std::collections::HashSet::new();
    for arrival in arrivals {
        if !ids.insert(arrival.header("webhook-id").expect("every callback has its id")) {
            continue;
        }
        // Tests belong to no lane, and what is sent again has left its place.
        let Some(lane) = arrival.header("unsaid-lane").filter(|_| arrival.header("unsaid-replay").is_none()) else {
            continue;
        };
        let number: i64 = arrival.header("unsaid-number").expect("it has a number").parse().expect("digits");
        let last = seen.entry(lane).or_default();
        assert!(number > *last, "number {number} came after number {last} of its lane");
        *last = number;
    }
}

impl Actor {
    pub(crate) async fn send(&self, to: &Self, text: &str) -> MsgKey {
        self.client.sendmsg(&self.name, &to.name, text).await.expect("the message is right")
    }

    /// By the admin, on this account's behalf.
    pub(crate) async fn recall(&self, to: &Self, key: MsgKey) -> Result<(), i32> {
        let recalled = self.client.admin_msgwithdraw(&self.name, &to.name, key).await;
        recalled.map_err(|error| error.code().unwrap_or_else(|| panic!("no answer: {error}")).0)
    }

    pub(crate) async fn read(&self, peer: &Self, time_s: Option<i64>) {
        self.client.admin_set_msg_read(&self.name, &peer.name, time_s).await.expect("the report is right");
    }

    pub(crate) async fn unread(&self) -> i64 {
        self.client.get_c2c_unread_msg_num(&self.name).await.expect("it exists")
    }

    /// All messages that it sees of the conversation, oldest first.
    pub(crate) async fn history(&self, peer: &Self) -> Vec<Value> {
        let range = json!({"Operator_Account": self.name, "Peer_Account": peer.name, "MaxCnt": 100, "MinTime": 0,
                           "MaxTime": u32::MAX});
        let answer = self.client.call("openim", "admin_getroammsg", &range).await.expect("the range is right");
        answer["MsgList"].as_array().expect("an array").clone()
    }
}

pub(crate) fn usersig(key: &str, sdkappid: SdkAppId, identifier: &str, time_s: u64, expire_s: u64) -> String {
    usersig::make(key, Order { sdkappid, identifier, time_s, expire_s, userbuf: None })
}

pub(crate) fn client(base: &str, identifier: &str, usersig: &str) -> RestClient {
    client_of(SDKAPPID, base, identifier, usersig)
}

pub(crate) fn client_of(sdkappid: SdkAppId, base: &str, identifier: &str, usersig: &str) -> RestClient {
    RestClient::new(&RestConfig {
        base: base.to_owned(),
        ca_pem: None,
        sdkappid,
        identifier: identifier.to_owned(),
        usersig: usersig.to_owned(),
        connections_max: 16,
        timeout: Duration::from_secs(10),
    })
    .expect("the address is right")
}

/// A receiver with a certificate of `authority` that checks what arrives.
pub(crate) async fn receiver(authority: &Authority) -> Receiver {
    let config = ReceiverConfig {
        identity: Some(authority.issue(&["localhost"], &[Ipv4Addr::LOCALHOST.into()])),
        verifier: Some(Verifier::with_tokens(SDKAPPID, [TOKEN]).expect("the token is not empty")),
        recording: Recording::UpTo(ARRIVALS_MAX),
        ..ReceiverConfig::default()
    };
    Receiver::start(config).await.expect("a free port")
}

fn config(folder: &TempDir) -> Config {
    let set = ["listen=127.0.0.1:0", "callback.allow_http=true", "callback.allow_networks=127.0.0.0/8"];
    let set = set.map(str::to_owned).to_vec();
    let config = Config::load(&Sources { set, ..Sources::default() }).expect("valid");
    Config { data_dir: folder.path().join("data"), ..config }
}

pub(crate) fn endpoint_url(address: SocketAddr) -> String {
    format!("https://localhost:{}/im?tenant=7", address.port())
}

fn settings(receiver: &Receiver, authority: &Authority) -> App {
    let endpoint = EndpointSettings {
        token: Some(Secret::new(TOKEN)),
        ca_pem: Some(authority.ca_pem()),
        ..EndpointSettings::new(endpoint_url(receiver.address()))
    };
    App {
        callback: CallbackSettings {
            endpoint: Some(endpoint),
            commands: CallbackCommand::AFTER.into(),
            ..CallbackSettings::default()
        },
        ..App::new(SDKAPPID, Secret::new(SECRET_KEY), Origin::Runtime)
    }
}

/// Only the callbacks of that command.
pub(crate) fn of_command(arrivals: &[Arc<Arrival>], command: CallbackCommand) -> Vec<Arc<Arrival>> {
    arrivals.iter().filter(|arrival| arrival.command().as_deref() == Some(command.as_str())).cloned().collect()
}

/// The results of futures that run side by side.
pub(crate) async fn join_all<T: Send + 'static>(
    futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.expect("it does not panic"));
    }
    done
}
