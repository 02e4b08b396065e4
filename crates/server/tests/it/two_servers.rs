//! Two servers that share a store: what is done at one is heard at the other, with a bus and without. These tests need PostgreSQL:
//! `cargo xtask postgres` runs them.

use std::time::Duration;

use tempfile::TempDir;
use unsaid::{bus::BusSettings, cluster::SHARDS, config::Config, server::Server};
use unsaid_client::SessionConfig;
use unsaid_protocol::session::{KickReason, Push};
use unsaid_testkit::Nats;

use crate::{
    database::Database,
    device::{Device, PATIENCE},
    test_app::{Actor, TestApp},
};

/// The second one.
struct Other {
    server: Server,
    _folder: TempDir,
}

impl Other {
    fn gateway(&self) -> SessionConfig {
        SessionConfig { base: format!("http://{}", self.server.address()), ca_pem: None, timeout: PATIENCE }
    }
}

async fn start(database: &Database, nats: Option<&Nats>) -> (TestApp, Other, Actor, Actor) {
    let mut shared: Option<Config> = None;
    let (app, jared, jonh, _receiver) = TestApp::start_with(|config, _| {
        config.store = database.store();
        config.bus =
            nats.map(|nats| BusSettings { servers: vec![nats.url().parse().expect("an address")], ca_pem: None });
        shared = Some(config.clone());
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config { data_dir: folder.path().join("data"), ..shared.expect("it was started") };
    let server = Server::start(&config, app.world.clone()).await.expect("the second server starts");
    (app, Other { server, _folder: folder }, jared, jonh)
}

/// Jonh's phone is at the other server; jared, and Jonh's next phone, are at the first.
async fn what_is_done_at_one_is_heard_at_the_other(app: &TestApp, other: &Other, jared: &Actor, jonh: &Actor) {
    let mut phone = Device::at(&other.gateway(), app.login("Jonh", "iOS")).await.expect("it may log in");
    for text in ["hello", "once more"] {
        let key = jared.send(jonh, text).await;
        assert_eq!(phone.hear_message().await.msg_key, key.to_string());
        jared.recall(jonh, key).await.expect("it is his");
        assert_eq!(phone.hear_recall().await.msg_key, key.to_string());
    }
    let next = app.device("Jonh", "iOS").await;
    assert_eq!(phone.kicked().await, KickReason::OtherLogin);
    next.client.logout().await.expect("it may");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
async fn r8_on_postgres_a_session_hears_without_a_bus_what_was_done_at_another_server() {
    let database = Database::new();
    let (app, other, jared, jonh) = start(&database, None).await;
    what_is_done_at_one_is_heard_at_the_other(&app, &other, &jared, &jonh).await;

    // Whoever leaves is not told that somebody else has ended it, however often the store is asked meanwhile.
    let leaves = Device::at(&other.gateway(), app.login("Jonh", "iOS")).await.expect("it may log in");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    leaves.client.logout().await.expect("it is answered");
    app.all_settled().await;
    other.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
async fn r8_on_postgres_a_session_hears_over_the_bus_and_without_it_while_nats_is_away() {
    let Some(mut nats) = Nats::start(&[]).await else { return };
    let database = Database::new();
    let (app, other, jared, jonh) = start(&database, Some(&nats)).await;
    nats.has_subscriptions(SHARDS).await;
    what_is_done_at_one_is_heard_at_the_other(&app, &other, &jared, &jonh).await;

    let mut phone = Device::at(&other.gateway(), app.login("Jonh", "iOS")).await.expect("it may log in");
    let mut web = app.device("jared", "Web").await;
    nats.has_subscriptions(SHARDS + 2).await;
    let online_only = unsaid_protocol::session::Send { online_only: true, ..web.message("Jonh", "are you there?") };
    let sent = web.client.send(&online_only).await.expect("the message is right");
    let Push::Online(message) = phone.push().await else { panic!("something else was pushed") };
    assert_eq!((message.msg_key, message.from.as_str()), (sent.msg_key, "jared"));

    nats.stop();
    let key = jared.send(&jonh, "nobody passes this on").await;
    assert_eq!(phone.hear_message().await.msg_key, key.to_string(), "it is found by asking");
    nats.start_again().await;
    nats.has_subscriptions(SHARDS + 2).await;
    let key = jared.send(&jonh, "and now somebody does").await;
    assert_eq!(phone.hear_message().await.msg_key, key.to_string());
    app.all_settled().await;
    other.server.stop().await;
}
