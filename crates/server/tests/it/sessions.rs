//! Sessions come and go: who logs in, who is displaced, who is kicked, and what the app backend hears of it (C1,
//! callbacks 4.9).

use std::time::Duration;

use serde_json::json;
use unsaid::apps::App;
use unsaid_protocol::{
    SdkAppId,
    callback::CallbackCommand,
    session::{KickReason, Login},
};

use crate::test_app::{SDKAPPID, SECRET_KEY, TestApp, of_command, usersig};

const STATE: CallbackCommand = CallbackCommand::StateChange;

/// Only states are told.
fn states_only(_: &mut unsaid::config::Config, app: &mut App) {
    app.callback.commands = [STATE].into();
}

impl TestApp {
    /// Account, platform, action and reason of what was told, and who was displaced.
    async fn told(&self, count: usize) -> Vec<String> {
        let arrivals = self.receiver.wait_until(|arrivals| of_command(arrivals, STATE).len() >= count).await;
        let told = of_command(&arrivals, STATE).into_iter().map(|arrival| {
            let body = arrival.json();
            let (info, kicked) = (&body["Info"], &body["KickedDevice"]);
            let platform = arrival.query("OptPlatform").expect("it has one");
            let text = |name: &str| info[name].as_str().expect("text").to_owned();
            let kicked = if kicked.is_null() { String::new() } else { format!(" {kicked}") };
            format!("{} {platform} {} {}{kicked}", text("To_Account"), text("Action"), text("Reason"))
        });
        told.collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_a_second_session_of_a_platform_kicks_the_first() {
    let (app, ..) = TestApp::start_with(states_only).await;
    let mut first = app.device("jared", "Web").await;
    let mut phone = app.device("jared", "iOS").await;
    let second = app.device("jared", "Web").await;
    assert_eq!(first.kicked().await, KickReason::OtherLogin);
    assert_eq!(first.closed().await.code, Some(4003));
    phone.client.heartbeat().await.expect("another platform stays");
    second.client.logout().await.expect("it may");
    let told = app.told(4).await;
    assert_eq!(told[..2], ["jared Web Login Register", "jared IOS Login Register"]);
    assert_eq!(told[2..], [r#"jared Web Login Register [{"Platform":"Web"}]"#, "jared Web Logout Unregister"]);
    phone.client.logout().await.expect("it may");
    assert_eq!(phone.closed().await.code, Some(4004));
    assert_eq!(app.told(5).await[4], "jared IOS Logout Unregister");

    app.change_app(|app| app.sessions_per_platform = 2).await;
    let (one, two) = (app.device("jared", "Web").await, app.device("jared", "Web").await);
    for device in [&one, &two] {
        device.client.heartbeat().await.expect("both stay");
        device.client.logout().await.expect("it may");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_a_broken_connection_is_told_and_a_session_that_goes_on_is_not_displaced() {
    let (app, ..) = TestApp::start_with(states_only).await;
    let device = app.device("jared", "Windows").await;
    drop(device);
    assert_eq!(app.told(2).await[1], "jared Windows Disconnect LinkClose");
    let device = app.device("jared", "Windows").await;
    // It comes back before the server has seen that its connection is gone.
    let (session, cursor) = (device.logged_in.session.clone(), device.cursor.clone());
    let login = Login { session: Some(session), cursor: Some(cursor), ..app.login("jared", "Windows") };
    let back = app.device_with(login).await.expect("it may");
    let mut device = device;
    assert_eq!(device.closed().await.code, Some(4003), "the old one is ended");
    assert_eq!(app.told(4).await[2..], ["jared Windows Login Register", "jared Windows Login Register"]);
    back.client.logout().await.expect("it may");
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_a_device_that_was_away_does_not_end_the_one_that_took_its_place() {
    let (app, ..) = TestApp::start_with(states_only).await;
    let first = app.device("jared", "Web").await;
    let (session, cursor) = (first.logged_in.session.clone(), first.cursor.clone());
    drop(first);
    assert_eq!(app.told(2).await[1], "jared Web Disconnect LinkClose");
    let second = app.device("jared", "Web").await;
    let late = Login { session: Some(session), cursor: Some(cursor), ..app.login("jared", "Web") };
    assert_eq!(app.device_with(late.clone()).await.err(), Some(6208));
    second.client.heartbeat().await.expect("it stays");
    second.client.logout().await.expect("it may");
    let first = app.device_with(late).await.expect("its place is free");
    first.client.logout().await.expect("it may");
    assert_eq!(app.told(6).await[2..4], ["jared Web Login Register", "jared Web Logout Unregister"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_those_of_a_killed_server_who_do_not_come_back_are_told_of() {
    let (mut app, ..) = TestApp::start_with(|config, app| {
        states_only(config, app);
        config.session_return = Duration::from_secs(1);
    })
    .await;
    let (mut away, mut back) = (app.device("jared", "Web").await, app.device("Jonh", "Web").await);
    // A stop leaves sessions as a crash does: they may come back.
    app.stop().await;
    for device in [&mut away, &mut back] {
        assert_eq!(device.closed().await.code, Some(1001));
    }
    app.start_again().await;
    let back = back.come_back(&app).await;
    let told = app.told(4).await;
    assert_eq!(told[3], "jared Web Disconnect LinkClose", "{told:?}");
    back.client.logout().await.expect("it may");
    assert_eq!(app.told(5).await[4], "Jonh Web Logout Unregister");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kick_by_rest_ends_all_sessions_and_what_was_signed_before() {
    let (app, ..) = TestApp::start_with(states_only).await;
    let old = app.login("jared", "Web");
    let (mut web, mut phone) = (app.device("jared", "Web").await, app.device("jared", "iOS").await);
    app.admin().call("im_open_login_svc", "kick", &json!({"UserID": "jared"})).await.expect("he is there");
    for device in [&mut web, &mut phone] {
        assert_eq!(device.kicked().await, KickReason::AppBackend);
        assert_eq!(device.closed().await.code, Some(4003));
    }
    assert_eq!(app.device_with(old).await.err(), Some(70001));
    app.world.clock.shift(1000);
    let again = app.device("jared", "Web").await;
    again.client.logout().await.expect("it may");
    app.world.clock.shift(-1000);
    let told = app.told(6).await;
    assert_eq!(told[2..4], ["jared Web Logout Unregister", "jared IOS Logout Unregister"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_login_makes_an_account_and_a_deletion_ends_its_sessions() {
    let (app, ..) = TestApp::start_with(states_only).await;
    let mut device = app.device("newcomer", "Web").await;
    let check = json!({"CheckItem": [{"UserID": "newcomer"}]});
    let found = app.admin().call("im_open_login_svc", "account_check", &check).await.expect("answered");
    assert_eq!(found["ResultItem"][0]["AccountStatus"], "Imported");
    let delete = json!({"DeleteItem": [{"UserID": "newcomer"}]});
    app.admin().call("im_open_login_svc", "account_delete", &delete).await.expect("answered");
    assert_eq!(device.kicked().await, KickReason::AppBackend);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_log_in_is_told_why() {
    let (app, ..) = TestApp::start_with(states_only).await;
    let now_s = u64::from(app.world.clock.now().seconds());
    let good = app.login("jared", "Web");
    let signed = |user_sig: String| Login { user_sig, ..good.clone() };
    let sig = |key: &str, sdkappid: u32, name: &str, time_s: u64| usersig(key, SdkAppId(sdkappid), name, time_s, 60);
    for (login, expected) in [
        (Login { sdkappid: 7, ..good.clone() }, 60006),
        (signed(String::new()), 70002),
        (signed("nonsense".to_owned()), 70003),
        (signed(sig(SECRET_KEY, 7, "jared", now_s)), 70014),
        (signed(sig(SECRET_KEY, SDKAPPID.0, "Jonh", now_s)), 70013),
        (signed(sig("another key that is long enough", SDKAPPID.0, "jared", now_s)), 70009),
        (signed(sig(SECRET_KEY, SDKAPPID.0, "jared", now_s - 61)), 70001),
        (Login { user_id: String::new(), ..good.clone() }, 60004),
    ] {
        assert_eq!(app.device_with(login.clone()).await.err(), Some(expected), "{login:?}");
    }
    let long = "x".repeat(33);
    let login = Login { user_id: long.clone(), ..signed(sig(SECRET_KEY, SDKAPPID.0, &long, now_s)) };
    assert_eq!(app.device_with(login).await.err(), Some(70402));
    app.change_app(|app| app.disabled = true).await;
    assert_eq!(app.device_with(good).await.err(), Some(60016));
    app.change_app(|app| app.disabled = false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_claims_to_be_is_taken_only_if_it_is_one() {
    let (app, ..) = TestApp::start_with(states_only).await;
    for claim in ["RESTAPI", "Linux", "", "web"] {
        app.device("jared", claim).await.client.logout().await.expect("it may");
    }
    let told = app.told(8).await;
    assert!(told.iter().all(|told| told.starts_with("jared Unknown ")), "{told:?}");
}
