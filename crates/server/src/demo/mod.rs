//! `unsaid demo`: the main job from end to end, told as a short story.
//!
//! A server, an app backend behind HTTPS with a certificate made on the spot, two people with devices, and requests as an
//! app backend makes them. Everything is real but the people.

mod backend;
mod by_hand;
mod devices;
mod story;

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};
use unsaid_protocol::{SdkAppId, UserId, callback::CallbackCommand};
use unsaid_testkit::Arrival;

pub use by_hand::prepare;

use self::{
    backend::{Backend, Failing},
    devices::Device,
    story::Story,
};
use crate::{
    apps::{App, CallbackSettings, EndpointSettings, Origin, Secret},
    clock::World,
    config::{Config, Sources, StoreSettings},
    server::Server,
    store::postgres::Look,
};

/// The app of the demo.
const SDKAPPID: SdkAppId = SdkAppId(1_400_000_001);
const SECRET_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const TOKEN: &str = "s3cret-Token_01";
const ADMIN: &str = "administrator";
const USERSIG_EXPIRE_S: u64 = 7 * 24 * 3600;

/// Whether the demo ends with its story.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    End,
    StayUp,
}

/// What the story stands on.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Where the first server listens; the others take free ports.
    pub listen: SocketAddr,
    /// None: a fresh folder.
    pub store: Option<String>,
    pub servers: u8,
    pub bus: Option<String>,
}

/// Tells the story. An error is what did not go as it was promised.
pub async fn run(ground: Ground, then: Then) -> anyhow::Result<()> {
    ensure!(
        ground.servers == 1 || ground.store.is_some(),
        "only a store in PostgreSQL is for several servers: name one with --store"
    );
    let folder = tempfile::tempdir().context("a fresh folder cannot be made")?;
    let world = World::system()?;
    let mut story = Story::begin();

    let config = ground.config(folder.path())?;
    story.chapter(match &config.store {
        StoreSettings::Embedded => "A server, on a store in a fresh folder",
        StoreSettings::Postgres(address) => {
            // Its app would take the place of one that is real.
            let is_empty = Look::at(address, &world.clock)?.version.is_none();
            ensure!(is_empty, "{address} holds a store already: give the demo a database, or a schema, of its own");
            "A server, on a store in PostgreSQL"
        }
    });
    let server = Server::start(&config, world.clone()).await?;
    let base = base_of(&server);
    story.fact("REST API", &base);
    match &config.store {
        StoreSettings::Embedded => story.fact("data", folder.path().display()),
        StoreSettings::Postgres(address) => story.fact("data", address),
    }

    story.chapter("An app backend behind HTTPS, with a certificate made a moment ago");
    let backend = Backend::start().await?;
    let url = backend.url();
    story.fact("callback URL", &url);

    story.chapter("An app, made at run time");
    server.save_app(app(&url, backend.ca_pem())).await?;
    story.fact("SDKAppID", SDKAPPID);
    story.fact("switches on", CallbackCommand::AFTER.map(CallbackCommand::as_str).join(", "));

    let others = ground.start_others(&mut story, &config, &world).await?;
    let usersig = devices::usersig(&world, ADMIN);
    let last = others.last().map_or_else(|| base.clone(), base_of);
    let client = backend::client(&last, &usersig)?;
    let teller = Teller { client, backend, world, first: base.clone(), last };
    teller.tell(&mut story, &server).await?;
    story.end();

    if then == Then::StayUp {
        by_hand::prepare(&teller.client).await?;
        by_hand::invite(&base, &usersig);
        by_hand::invite_to_chat(&base, &teller.world);
        by_hand::invite_to_operate(&base, server.first_token());
        teller.report_until_stopped(&story).await?;
    }
    for server in others.into_iter().chain([server]) {
        server.stop().await;
    }
    Ok(())
}

impl Ground {
    fn config(&self, data_dir: &Path) -> anyhow::Result<Config> {
        let mut set = vec![format!("listen={}", self.listen), "callback.allow_networks=127.0.0.0/8".to_owned()];
        set.extend(self.store.iter().map(|store| format!("store={store}")));
        set.extend(self.bus.iter().map(|bus| format!("bus={bus}")));
        let config = Config::load(&Sources { set, ..Sources::default() })?;
        Ok(Config { data_dir: data_dir.to_owned(), ..config })
    }

    /// They find the app in the store.
    async fn start_others(&self, story: &mut Story, first: &Config, world: &World) -> anyhow::Result<Vec<Server>> {
        let mut others = Vec::new();
        if self.servers > 1 {
            story.chapter("More servers on the same store, which are one to everybody");
        }
        for number in 2..=self.servers {
            let listen = SocketAddr::new(self.listen.ip(), 0);
            let data_dir = first.data_dir.join(format!("server-{number}"));
            let server = Server::start(&Config { listen, data_dir, ..first.clone() }, world.clone()).await?;
            story.fact("REST API", base_of(&server));
            others.push(server);
        }
        Ok(others)
    }
}

fn base_of(server: &Server) -> String {
    format!("http://{}", server.address())
}

fn app(url: &str, ca_pem: &str) -> App {
    let endpoint = EndpointSettings {
        token: Some(Secret::new(TOKEN)),
        ca_pem: Some(ca_pem.to_owned()),
        ..EndpointSettings::new(url)
    };
    App {
        name: "Demo".to_owned(),
        admins: vec![UserId::new(ADMIN).expect("a valid UserID")],
        callback: CallbackSettings {
            endpoint: Some(endpoint),
            commands: CallbackCommand::AFTER.into(),
            ..CallbackSettings::default()
        },
        ..App::new(SDKAPPID, Secret::new(SECRET_KEY), Origin::Runtime)
    }
}

/// Makes the requests of the story and holds what comes back against what was promised.
struct Teller {
    client: unsaid_client::RestClient,
    backend: Backend,
    world: World,
    /// The servers that people are at; the same, where there is one.
    first: String,
    last: String,
}

impl Teller {
    async fn tell(&self, story: &mut Story, server: &Server) -> anyhow::Result<()> {
        story.chapter("jared logs in on his phone, Jonh in a browser; the app backend hears of it");
        let jared = Device::log_in(story, &self.first, "jared", "Android", &self.world).await?;
        story.callback_in_short(&*self.callback("State.StateChange", 1).await?);
        let mut jonh = Device::log_in(story, &self.last, "Jonh", "Web", &self.world).await?;
        story.callback_in_short(&*self.callback("State.StateChange", 1).await?);

        story.chapter("jared sends three messages; each is told to the app backend");
        let (mut keys, now_s) = (Vec::new(), self.world.clock.now().seconds());
        for (unread, text) in (1..).zip(["lunch at noon?", "I never liked your mother's soup", "see you"]) {
            let key = jared.send(story, "Jonh", unread, text, now_s).await?;
            let callback = self.callback("C2C.CallbackAfterSendMsg", i64::from(unread) + 1).await?;
            story.callback_in_short(&callback);
            ensure!(callback.json()["MsgKey"] == key.as_str(), "the callback is of another message");
            ensure!(callback.json()["UnreadMsgNum"] == unread, "Jonh should have {unread} unread messages");
            keys.push(key);
        }
        self.tell_of_recalls(story, &jared, &mut jonh, &keys).await?;

        story.chapter("Jonh reads; history has a tombstone where the message was");
        jonh.client.read("jared", None).await?;
        let callback = self.callback("C2C.CallbackAfterMsgReport", 7).await?;
        story.callback_in_short(&callback);
        ensure!(callback.json()["UnreadMsgNum"] == 0, "everything was read");
        let range =
            r#"{"Operator_Account":"Jonh","Peer_Account":"jared","MaxCnt":10,"MinTime":0,"MaxTime":4294967295}"#;
        let history = self.call(story, "openim", "admin_getroammsg", range.to_owned()).await?;
        let messages = history["MsgList"].as_array().context("admin_getroammsg answered no MsgList")?;
        let tombstone = messages.iter().find(|message| message["MsgKey"] == keys[1].as_str());
        let tombstone = tombstone.context("the recalled message is not in the history")?;
        ensure!(tombstone["MsgFlagBits"] == 8 && tombstone["MsgBody"] == json!([]), "it is no tombstone: {tombstone}");

        ensure!(self.backend.arrivals() == 8, "eight callbacks were owed until now, each to come once");
        self.tell_of_an_outage(story, server, &jared, &keys[0]).await?;

        story.chapter("Both log out, and nothing is owed any more");
        for device in [&jared, &jonh] {
            device.client.logout().await?;
            story.callback_in_short(&*self.backend.next().await?);
        }
        self.waiting(server, 0).await?;
        story.fact("callbacks", format!("13 owed, all accepted, in order; {} tries", self.backend.arrivals()));
        Ok(())
    }

    /// The heart of it: both doors of a recall.
    async fn tell_of_recalls(
        &self,
        story: &mut Story,
        jared: &Device,
        jonh: &mut Device,
        keys: &[String],
    ) -> anyhow::Result<()> {
        story.chapter("The second one should not have been said. jared takes it back");
        jared.recall(story, "Jonh", &keys[1]).await?;
        let answered = self.world.clock.instant();
        let callback = self.callback("C2C.CallbackAfterMsgWithDraw", 5).await?;
        story.callback(&callback);
        ensure!(callback.json()["MsgKey"] == keys[1].as_str(), "the callback is of another message");
        ensure!(callback.json()["UnreadMsgNum"] == 2, "a recalled message is no longer unread");
        ensure!(callback.query("OptPlatform").as_deref() == Some("Android"), "it was recalled on a phone");
        story.latency(Instant::from_std(callback.at), answered);
        let tombstone = jonh.hears_of_recall(&keys[1]).await?;
        story.fact("Jonh's device", format!("hears that {} took it back", tombstone.recalled_by.unwrap_or_default()));

        story.chapter("Taking it back twice is refused, and nobody is called for it");
        let again = jared.client.recall("Jonh", &keys[1]).await;
        let code = again.err().and_then(|error| error.code()).context("it should have been refused")?;
        story.fact("refused", code);
        ensure!(code.0 == 20023, "it should have been refused with 20023");

        story.chapter("The app's admin takes back another one, through the REST API");
        let recall = format!(r#"{{"From_Account":"jared","To_Account":"Jonh","MsgKey":"{}"}}"#, keys[2]);
        self.call(story, "openim", "admin_msgwithdraw", recall).await?;
        let callback = self.callback("C2C.CallbackAfterMsgWithDraw", 6).await?;
        story.callback_in_short(&callback);
        ensure!(callback.json()["UnreadMsgNum"] == 1, "one is left");
        let tombstone = jonh.hears_of_recall(&keys[2]).await?;
        story.fact("Jonh's device", format!("hears that {} took it back", tombstone.recalled_by.unwrap_or_default()));
        Ok(())
    }

    /// The receiver fails; what happens meanwhile waits, and comes in order when it is back.
    async fn tell_of_an_outage(
        &self,
        story: &mut Story,
        server: &Server,
        jared: &Device,
        first: &str,
    ) -> anyhow::Result<()> {
        story.chapter("The app backend fails: it answers HTTP 503. Life goes on, and what happens is owed");
        self.backend.set_failing(Failing::Yes);
        let key = jared.send(story, "Jonh", 4, "are you there?", self.world.clock.now().seconds()).await?;
        jared.recall(story, "Jonh", &key).await?;
        let recall = format!(r#"{{"From_Account":"jared","To_Account":"Jonh","MsgKey":"{first}"}}"#);
        self.call(story, "openim", "admin_msgwithdraw", recall).await?;
        let tried = self.callback("C2C.CallbackAfterSendMsg", 8).await?;
        story.fact("tried", format!("number 8, {}", tried.header("webhook-id").unwrap_or_default()));
        self.waiting(server, 3).await?;
        story.fact("waiting", 3);

        story.chapter("It is back, and gets everything: the same event again, then the others, in order");
        self.backend.set_failing(Failing::No);
        let mut numbers: Vec<String> = Vec::new();
        while numbers.last().is_none_or(|last| last != "10") {
            let arrival = self.backend.next().await?;
            ensure!(arrival.passed(), "a check of the callback failed");
            let number = arrival.header("unsaid-number").unwrap_or_default().to_owned();
            if number == "8" {
                ensure!(arrival.header("webhook-id") == tried.header("webhook-id"), "an event keeps its name");
            }
            if numbers.last() != Some(&number) {
                story.fact("number", &number);
                story.callback_in_short(&arrival);
                numbers.push(number);
            }
        }
        ensure!(numbers == ["8", "9", "10"], "they came out of order: {numbers:?}");
        Ok(())
    }

    /// A call that has to succeed.
    async fn call(&self, story: &Story, service: &str, command: &str, body: String) -> anyhow::Result<Value> {
        story.request(service, command, &body);
        let answer = self.client.post(service, command, body).await?;
        story.answer(&answer.body);
        Ok(answer.envelope()?.accepted(command)?)
    }

    /// The next callback, which has to be that one and pass every check.
    async fn callback(&self, command: &str, number: i64) -> anyhow::Result<Arc<Arrival>> {
        let arrival = self.backend.next().await?;
        ensure!(arrival.command().as_deref() == Some(command), "the callback should have been {command}");
        ensure!(arrival.passed(), "a check of the callback failed");
        let expected = number.to_string();
        ensure!(arrival.header("unsaid-number") == Some(expected.as_str()), "it is not number {number} of its lane");
        Ok(arrival)
    }

    /// Waits until so many callbacks wait; the outbox learns a little late that something was delivered.
    async fn waiting(&self, server: &Server, count: u64) -> anyhow::Result<()> {
        let began = self.world.clock.instant();
        while server.store().backlog().await?.waiting != count {
            ensure!(began.elapsed().as_secs() < 10, "not {count} callbacks are waiting, as they should");
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Shows each further callback until SIGINT or SIGTERM.
    async fn report_until_stopped(&self, story: &Story) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        loop {
            tokio::select! {
                arrival = self.backend.next_whenever() => story.callback(&arrival),
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
            }
        }
    }
}
