//! One app's dead or slow endpoint takes nothing from another app's.

use std::{net::Ipv4Addr, time::Duration};

use unsaid::{
    apps::{App, CallbackSettings, EndpointSettings, Origin, Secret},
    chat::Backlog,
};
use unsaid_client::{RestClient, RestConfig};
use unsaid_protocol::{SdkAppId, callback::CallbackCommand};
use unsaid_testkit::{Answer, Receiver, ReceiverConfig, Script};

use crate::test_app::{ADMIN, SECRET_KEY, TestApp, endpoint_url, usersig};

const OTHER: SdkAppId = SdkAppId(1_400_000_002);

/// As many lanes as one app may have attempts under way, and more.
const LANES: usize = 400;

/// Another app of the same server, with accounts of its own.
async fn other_app(app: &TestApp, receiver: &Receiver) -> RestClient {
    let endpoint = EndpointSettings {
        ca_pem: Some(app.authority.ca_pem()),
        ..EndpointSettings::new(endpoint_url(receiver.address()))
    };
    let callback = CallbackSettings {
        endpoint: Some(endpoint),
        commands: [CallbackCommand::AfterSendMsg].into(),
        ..CallbackSettings::default()
    };
    let other = App { callback, ..App::new(OTHER, Secret::new(SECRET_KEY), Origin::Runtime) };
    app.save_app(other).await;
    let now_s = u64::from(app.world.clock.now().seconds());
    let client = RestClient::new(&RestConfig {
        base: app.base(),
        ca_pem: None,
        sdkappid: OTHER,
        identifier: ADMIN.to_owned(),
        usersig: usersig(SECRET_KEY, OTHER, ADMIN, now_s, 86_400),
        connections_max: 8,
        timeout: Duration::from_secs(10),
    })
    .expect("the address is right");
    client.account_import("sender").await.expect("the name is valid");
    for number in 0..LANES {
        client.account_import(&format!("user{number}")).await.expect("the name is valid");
    }
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_a_stalling_receiver_takes_nothing_from_another_app() {
    let (mut app, jared, jonh, receiver) = TestApp::start().await;
    let stalling = ReceiverConfig {
        identity: Some(app.authority.issue(&["localhost"], &[Ipv4Addr::LOCALHOST.into()])),
        ..ReceiverConfig::default()
    };
    let stalling = Receiver::start(stalling).await.expect("a free port");
    stalling.play(Script::always(Answer::Hang));
    let other = other_app(&app, &stalling).await;
    for number in 0..LANES {
        other.sendmsg("sender", &format!("user{number}"), "hello").await.expect("it is sent");
    }
    stalling.wait_until(|arrivals| arrivals.len() >= 20).await;
    // Meanwhile every callback of the healthy app is there at once.
    for number in 0..50 {
        let sent = app.world.clock.instant();
        jared.send(&jonh, &format!("text {number}")).await;
        let arrival = receiver.next().await;
        assert_eq!(arrival.json()["MsgBody"][0]["MsgContent"]["Text"], format!("text {number}"));
        assert!(sent.elapsed() < Duration::from_millis(500), "it waited for the other app: {:?}", sent.elapsed());
    }
    let backlogs = app.server().store().backlogs().await.expect("readable");
    assert_eq!(backlogs[&OTHER], Backlog { parked: 0, ..backlogs[&OTHER] });
    assert_eq!(backlogs[&OTHER].waiting, LANES as u64, "and nothing of the stalled app is lost");
    app.leave_backlog();
}
