//! Buses that talk over a real NATS, of which Debian's package `nats-server` is enough.
//!
//! Where it is not installed these tests say so and pass: `cargo xtask nats` installs it where it may.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;
use unsaid_protocol::{MsgKey, SdkAppId, UserId};
use unsaid_testkit::{Authority, Nats};

use super::{
    Bus, BusSettings, Link, LinkParts, Look, Looks, Membership, Said,
    dial::{Connection, Dialler, Problem, reach},
    frame::Frames,
    settings::servers,
    subject::Subjects,
    wire,
};
use crate::{
    chat::{Content, Devices, EndReason, Lane, Message, MessageFlags, Pair, SessionId, Shown},
    clock::World,
    cluster::{MemberId, Shard, ShardSet},
    fanout::{Everywhere, Fanout},
    limits,
    metrics::Metrics,
};

const APP: SdkAppId = SdkAppId(1_400_000_001);
const KEY: [u8; 32] = [7; 32];
const BOUND: Duration = Duration::from_secs(20);

/// A server as the bus sees it.
struct Member {
    bus: Bus,
    looks: Looks,
    heard: mpsc::Receiver<Said>,
    metrics: Metrics,
    stop: CancellationToken,
}

/// Devices that take down what they are told.
#[derive(Debug)]
struct Notes(mpsc::Sender<Said>);

impl Devices for Notes {
    fn wake(&self, app: SdkAppId, user: &UserId) {
        self.0.try_send(Said::Wake { app, user: user.clone() }).expect("there is room");
    }

    fn end(&self, app: SdkAppId, user: &UserId, session: &SessionId, why: EndReason) {
        let said = Said::End { app, user: user.clone(), session: session.clone(), why };
        self.0.try_send(said).expect("there is room");
    }

    fn online(&self, app: SdkAppId, user: &UserId, shown: &Arc<Shown>) {
        let said = Said::Online { app, user: user.clone(), shown: Arc::clone(shown) };
        self.0.try_send(said).expect("there is room");
    }
}

impl Member {
    fn start(name: &str, urls: &str) -> Self {
        Self::start_with(name, BusSettings { servers: servers(urls).expect("addresses"), ca_pem: None })
    }

    fn start_with(name: &str, settings: BusSettings) -> Self {
        let (notes, heard) = mpsc::channel(100);
        let (bus, link, looks, metrics) = open(name, settings);
        let stop = CancellationToken::new();
        tokio::spawn(link.run(Arc::new(Notes(notes)), stop.clone()));
        Self { bus, looks, heard, metrics, stop }
    }

    /// Waits until it is connected.
    async fn is_there(&self) {
        let mut connected = self.bus.connected();
        let there = timeout(BOUND, connected.wait_for(|is_there| *is_there)).await;
        there.expect("the bus comes").expect("the link runs");
    }

    /// Waits until it is not.
    async fn is_away(&self) {
        let mut connected = self.bus.connected();
        let away = timeout(BOUND, connected.wait_for(|is_there| !*is_there)).await;
        away.expect("the bus goes").expect("the link runs");
    }

    async fn hears(&mut self) -> Said {
        timeout(BOUND, self.heard.recv()).await.expect("something is heard").expect("the link runs")
    }

    /// Waits for a line of the metrics.
    async fn counts(&self, line: &str) {
        let counted = async {
            while !self.metrics.text().lines().any(|one| one == line) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(BOUND, counted).await.unwrap_or_else(|_| panic!("no {line} in: {}", self.metrics.text()));
    }
}

fn open(name: &str, settings: BusSettings) -> (Bus, Link, Looks, Metrics) {
    let metrics = Metrics::new();
    let (bus, unlinked, looks) = Bus::new(metrics.bus.clone());
    let world = World::system().expect("the system has randomness");
    let membership = Membership { epoch: "epoch".into(), member: MemberId(name.into()), key: KEY };
    let link = unlinked.link(LinkParts { settings, membership, world });
    (bus, link.expect("settings that hold"), looks, metrics)
}

impl Drop for Member {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn user(name: &str) -> UserId {
    UserId::new(name).expect("a valid name")
}

fn wake(name: &str) -> Said {
    Said::Wake { app: APP, user: user(name) }
}

fn online(from: &str, to: &str) -> Said {
    let (_, direction) = Pair::of(&user(from), &user(to));
    let body = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"said to those who are there"}}]"#.to_owned();
    let message = Message {
        direction,
        key: MsgKey { seq: 1, random: 2, time: 3 },
        position: 0,
        flags: MessageFlags::default(),
        client_time_s: 3,
        recalled_by: None,
        content: Content { body, types: "TIMTextElem".to_owned(), ..Content::default() },
    };
    let shown = Shown { from: user(from), to: user(to), id: "144115".to_owned(), message };
    Said::Online { app: APP, user: user(to), shown: Arc::new(shown) }
}

#[tokio::test]
async fn what_one_server_says_over_nats_is_heard_by_another_and_not_by_itself() {
    let Some(nats) = Nats::start(&[]).await else { return };
    let (mut one, mut other) = (Member::start("m_1", &nats.url()), Member::start("m_2", &nats.url()));
    one.is_there().await;
    other.is_there().await;
    let mut following = Vec::new();
    let names = ["jared", "a.b", "*", ">", "two words", "..", " ", "$SYS.>", "unsaid.*.a"];
    for name in names {
        following.extend([one.bus.follow(APP, &user(name)), other.bus.follow(APP, &user(name))]);
    }
    nats.has_subscriptions(2 * names.len()).await;

    for name in names {
        let session = SessionId("s_1".into());
        let end = Said::End { app: APP, user: user(name), session, why: EndReason::OtherLogin };
        for said in [wake(name), end, online("Jonh", name)] {
            one.bus.say(said.clone());
            assert_eq!(other.hears().await, said);
        }
    }
    one.bus.say(Said::Wake { app: SdkAppId(7), user: user("jared") });
    one.bus.say(wake("nobody here"));
    other.bus.say(wake("jared"));
    assert_eq!(one.hears().await, wake("jared"), "nothing of what it said itself came before that");
    one.bus.say(wake("a.b"));
    assert_eq!(other.hears().await, wake("a.b"), "nothing of what is for others came before that");
    one.counts("unsaid_bus_connected 1").await;
    other.counts(r#"unsaid_bus_heard_total{word="online"} 9"#).await;
}

#[tokio::test]
async fn what_is_in_a_lane_is_told_over_nats_to_whoever_delivers_it() {
    let Some(nats) = Nats::start(&[]).await else { return };
    let (one, mut other) = (Member::start("m_1", &nats.url()), Member::start("m_2", &nats.url()));
    one.is_there().await;
    other.is_there().await;
    assert!(other.looks.take_missed(), "what was said before it came was said to others");
    let lane = Lane::of_conversation(&Pair::of(&user("jared"), &user("a.b")).0);
    let shard = Shard::of(APP, &lane);
    other.bus.shards([shard].into_iter().collect());
    one.bus.shards(ShardSet::ALL.without(&[shard].into_iter().collect()));
    nats.has_subscriptions(256).await;
    one.bus.say(Said::Look { app: APP, lane: lane.clone(), place: 7 });
    let look = async {
        loop {
            if let Some(look) = other.looks.next().await {
                return look;
            }
        }
    };
    let look = timeout(BOUND, look).await.expect("it is heard");
    assert_eq!(look, Look { app: APP, lane, place: 7 });
    assert!(!other.looks.take_missed());

    other.bus.shards(ShardSet::EMPTY);
    nats.has_subscriptions(255).await;
}

#[tokio::test]
async fn what_is_said_while_nats_is_away_is_lost_and_nothing_afterwards() {
    let Some(mut nats) = Nats::start(&[]).await else { return };
    let (one, mut other) = (Member::start("m_1", &nats.url()), Member::start("m_2", &nats.url()));
    one.is_there().await;
    other.is_there().await;
    let _jared = other.bus.follow(APP, &user("jared"));
    nats.has_subscriptions(1).await;
    other.looks.take_missed();
    nats.stop();
    one.is_away().await;
    other.is_away().await;
    one.bus.say(wake("jared"));
    one.counts(r#"unsaid_bus_dropped_total{word="wake"} 1"#).await;
    one.counts("unsaid_bus_connected 0").await;
    // Who comes meanwhile is heard of, too, and who goes is not.
    let bob = other.bus.follow(APP, &user("bob"));
    let gone = other.bus.follow(APP, &user("gone"));
    drop(gone);

    nats.start_again().await;
    one.is_there().await;
    other.is_there().await;
    nats.has_subscriptions(2).await;
    assert!(other.looks.take_missed(), "the outbox has to be searched");
    one.bus.say(wake("bob"));
    one.bus.say(wake("jared"));
    assert_eq!([other.hears().await, other.hears().await], [wake("bob"), wake("jared")]);
    drop(bob);
    nats.has_subscriptions(1).await;
}

#[tokio::test]
async fn nobody_hears_of_an_account_over_nats_whose_last_session_has_gone() {
    let Some(nats) = Nats::start(&[]).await else { return };
    let one = Member::start("m_1", &nats.url());
    one.is_there().await;
    let phone = one.bus.follow(APP, &user("jared"));
    let web = one.bus.follow(APP, &user("jared"));
    nats.has_subscriptions(1).await;
    drop(phone);
    let bob = one.bus.follow(APP, &user("bob"));
    nats.has_subscriptions(2).await;
    drop(web);
    nats.has_subscriptions(1).await;
    drop(bob);
    nats.has_subscriptions(0).await;
}

#[tokio::test]
async fn r8_a_session_hears_over_nats_what_was_done_at_another_server() {
    let Some(nats) = Nats::start(&[]).await else { return };
    let one = Member::start("m_1", &nats.url());
    let settings = BusSettings { servers: servers(&nats.url()).expect("an address"), ca_pem: None };
    let (bus, link, _looks, _metrics) = open("m_2", settings);
    let (there, stop) = (Fanout::new(bus.clone()), CancellationToken::new());
    tokio::spawn(link.run(Arc::clone(&there) as Arc<dyn Devices>, stop.clone()));
    let id = |text: &str| SessionId(text.into());
    let phone = there.connect(APP, &user("jared"), id("s_phone"));
    one.is_there().await;
    nats.has_subscriptions(1).await;

    let here = Fanout::new(one.bus.clone());
    let everywhere = Everywhere::of(&here, &one.bus);
    let heard = async || {
        timeout(BOUND, phone.line().woken()).await.expect("it is told");
        phone.line().take()
    };
    everywhere.wake(APP, &user("jared"));
    assert!(heard().await.something_new);
    let Said::Online { shown, .. } = online("Jonh", "jared") else { unreachable!("it is one") };
    everywhere.online(APP, &user("jared"), &shown);
    assert_eq!(heard().await.online, [shown]);

    // What is connected here is told here, and to nobody else.
    let web = here.connect(APP, &user("jared"), id("s_web"));
    everywhere.end(APP, &user("jared"), &id("s_web"), EndReason::Resumed);
    assert_eq!(web.line().take().ended, Some(EndReason::Resumed));
    everywhere.end(APP, &user("jared"), &id("s_phone"), EndReason::OtherLogin);
    assert_eq!(heard().await.ended, Some(EndReason::OtherLogin));
    one.counts(r#"unsaid_bus_said_total{word="end"} 1"#).await;
    stop.cancel();
}

/// Speaks as NATS wants it, on its own account.
struct Stranger(Connection);

impl Stranger {
    async fn say(&mut self, subject: &str, payload: &[u8]) {
        let mut out = bytes::BytesMut::new();
        wire::publish(&mut out, subject, payload);
        tokio::io::AsyncWriteExt::write_all_buf(&mut self.0.writer, &mut out).await.expect("NATS takes it");
    }
}

#[tokio::test]
async fn who_lacks_the_key_can_say_nothing_over_nats() {
    let Some(nats) = Nats::start(&[]).await else { return };
    let mut member = Member::start("m_1", &nats.url());
    member.is_there().await;
    let _jared = member.bus.follow(APP, &user("jared"));
    nats.has_subscriptions(1).await;
    let settings = BusSettings { servers: servers(&nats.url()).expect("an address"), ca_pem: None };
    let dialled = Dialler::new(&settings).expect("settings that hold").dial(&settings.servers[0]).await;
    let mut stranger = Stranger(dialled.unwrap_or_else(|problem| panic!("{problem}")));
    // It has read the subject of somebody else's message.
    let subjects = Subjects::new(&KEY, "epoch");
    let subject = subjects.name(subjects.account(APP, &user("jared")));
    let session = SessionId("s_1".into());
    let end = Said::End { app: APP, user: user("jared"), session, why: EndReason::AppBackend };
    let right = Frames::new(&KEY, MemberId("m_2".into())).write(&end);

    stranger.say(&subject, &Frames::new(&[8; 32], MemberId("m_2".into())).write(&end)).await;
    member.counts(r#"unsaid_bus_unheard_total{why="forged"} 1"#).await;
    stranger.say(&subject, b"").await;
    stranger.say(&subject, b"{}").await;
    stranger.say(&subject, &vec![1; 900_000]).await;
    member.counts(r#"unsaid_bus_unheard_total{why="malformed"} 3"#).await;
    stranger.say(&subject, &right).await;
    assert_eq!(member.hears().await, end, "the key is all that was missing");
    stranger.say(&subject, &right).await;
    member.counts(r#"unsaid_bus_unheard_total{why="repeated"} 1"#).await;
    stranger.say(&subject, &Frames::new(&KEY, MemberId("m_3".into())).write(&wake("jared"))).await;
    assert_eq!(member.hears().await, wake("jared"));
}

#[tokio::test]
async fn nats_with_a_password_takes_who_knows_it_and_the_password_is_not_shown() {
    let Some(nats) = Nats::start(&["--user", "unsaid", "--pass", "s3cr3t@ "]).await else { return };
    let right = nats.url().replace("nats://", "nats://unsaid:s3cr3t%40%20@");
    Member::start("m_1", &right).is_there().await;
    for wrong in ["nats://unsaid:wr0ng@", "nats://wr0ng@", "nats://"] {
        let url = nats.url().replace("nats://", wrong);
        let settings = BusSettings { servers: servers(&url).expect("an address"), ca_pem: None };
        let dialled = Dialler::new(&settings).expect("settings that hold").dial(&settings.servers[0]).await;
        let Err(problem @ Problem::Said(_)) = dialled else { panic!("{url} was taken, or not understood") };
        assert!(problem.to_string().contains("Authorization Violation"), "{problem}");
        assert!(
            !format!("{problem} {problem:?} {settings:?} {}", settings.servers[0]).contains("wr0ng"),
            "{problem:?}"
        );
    }
}

/// It lets us in, and then refuses what we say or listen to.
#[tokio::test]
async fn a_nats_that_forbids_what_is_said_counts_as_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = folder.path().join("nats.conf");
    let users = r#"authorization { users = [ { user: u, password: p, permissions: { subscribe: "other.>", publish: "other.>" } } ] }"#;
    std::fs::write(&settings, users).expect("writable");
    let Some(nats) = Nats::start(&["--config", settings.to_str().expect("plain")]).await else { return };
    let one = Member::start("m_1", &nats.url().replace("nats://", "nats://u:p@"));
    one.is_there().await;
    one.bus.say(wake("jared"));
    one.is_away().await;
    one.is_there().await;
    let _jared = one.bus.follow(APP, &user("jared"));
    one.is_away().await;
    tokio::time::sleep(limits::BUS_RETRY_FIRST * 2).await;
    assert!(!*one.bus.connected().borrow(), "it never comes as long as the subscription is refused");
}

#[tokio::test]
async fn nats_has_to_prove_who_it_is_where_there_is_tls() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let identity = authority.issue(&["localhost"], &[[127, 0, 0, 1].into()]);
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, &identity.cert_pem).expect("writable");
    std::fs::write(&key, &identity.key_pem).expect("writable");
    let [cert, key] = [&cert, &key].map(|path| path.to_str().expect("plain"));
    let Some(nats) = Nats::start(&["--tls", "--tlscert", cert, "--tlskey", key]).await else { return };
    for url in [nats.url(), nats.url().replace("nats://", "tls://").replace("127.0.0.1", "localhost")] {
        let settings = BusSettings { servers: servers(&url).expect("an address"), ca_pem: Some(authority.ca_pem()) };
        Member::start_with("m_1", settings.clone()).is_there().await;
        let reached = reach(&settings, &settings.servers[0]).await.expect("it is there");
        assert!(reached.with_tls && reached.version.starts_with("2."), "{reached:?}");
        let settings = BusSettings { ca_pem: Some(Authority::new().ca_pem()), ..settings };
        let dialled = Dialler::new(&settings).expect("settings that hold").dial(&settings.servers[0]).await;
        let Err(Problem::Tls(_)) = dialled else { panic!("{url}: a stranger's certificate was taken") };
    }
    let Some(plain) = Nats::start(&[]).await else { return };
    let url = plain.url().replace("nats://", "tls://");
    let settings = BusSettings { servers: servers(&url).expect("an address"), ca_pem: None };
    let dialled = Dialler::new(&settings).expect("settings that hold").dial(&settings.servers[0]).await;
    let Err(Problem::NoTls) = dialled else { panic!("something was said without TLS") };
}

#[tokio::test]
async fn a_nats_that_stands_still_holds_up_nobody_and_is_given_up() {
    let Some(nats) = Nats::start(&[]).await else { return };
    let one = Member::start("m_1", &nats.url());
    one.is_there().await;
    nats.signal("STOP");
    (0..200_000).for_each(|_| one.bus.say(wake("jared")));
    assert!(one.metrics.text().contains(r#"unsaid_bus_dropped_total{word="wake"}"#), "more was said than waits");
    one.is_away().await;
    nats.signal("CONT");
    one.is_there().await;
}

#[tokio::test]
async fn the_next_nats_is_tried_where_one_is_away() {
    let Some(mut away) = Nats::start(&[]).await else { return };
    let Some(nats) = Nats::start(&[]).await else { return };
    away.stop();
    Member::start("m_1", &format!("{},{}", away.url(), nats.url())).is_there().await;
}
