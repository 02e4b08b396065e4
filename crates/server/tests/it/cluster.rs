//! Several servers on one store. These tests need PostgreSQL: `cargo xtask postgres` runs them.

use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::json;
use unsaid::{apps::Secret, config::Config, server::Server};
use unsaid_protocol::callback::CallbackCommand;

use crate::{
    database::Database,
    operator_callbacks::OPERATOR_TOKEN,
    test_app::{TestApp, of_command},
};

const PEOPLE: usize = 12;

/// What others have changed is known by then.
const WITHIN: Duration = Duration::from_secs(10);

/// Everybody writes to everybody by one server, and takes it back by the other, so that each lane has events of both.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
async fn c5_on_postgres_lanes_keep_their_order_whichever_server_commits_and_delivers() {
    let database = Database::new();
    let (app, _, _, receiver) = TestApp::start_with(|config, _| config.store = database.store()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let other = app.another_server(&folder).await;
    let clients = [app.admin(), app.admin_of(&other)];
    let names: Vec<_> = (0..PEOPLE).map(|number| format!("user{number}")).collect();
    for name in &names {
        clients[0].account_import(name).await.expect("the name is valid");
    }
    let mut recalled = 0;
    for round in 0..4 {
        for (number, from) in names.iter().enumerate() {
            let to = &names[(number + 1 + round) % PEOPLE];
            let (first, second) = (&clients[(number + round) % 2], &clients[(number + round + 1) % 2]);
            let key = first.sendmsg(from, to, "text").await.expect("the message is right");
            second.admin_msgwithdraw(from, to, key).await.expect("it is there, whoever is asked");
            recalled += 1;
        }
    }
    let is_told = |arrivals: &[_]| of_command(arrivals, CallbackCommand::AfterMsgWithDraw).len() >= recalled;
    receiver.wait_until(is_told).await;
    // What came when lanes changed hands may have come twice, but never out of order: the end of the test looks at that.
    app.all_settled().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
async fn c5_on_postgres_what_a_stopped_server_delivered_is_delivered_by_the_others_at_once() {
    let database = Database::new();
    let (mut app, jared, jonh, receiver) = TestApp::start_with(|config, _| config.store = database.store()).await;
    jared.send(&jonh, "one").await;
    receiver.wait_until(|arrivals| !arrivals.is_empty()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let other = app.another_server(&folder).await;
    let client = app.admin_of(&other);
    let began = app.world.clock.instant();
    app.stop().await;
    client.sendmsg("jared", "Jonh", "two").await.expect("the message is right");
    receiver.wait_until(|arrivals| arrivals.len() >= 2).await;
    assert!(began.elapsed() < unsaid::limits::LEASE, "nobody waits for the end of a lease that was given back");
    other.stop().await;
}

/// A token that one server has made, and revoked.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
async fn on_postgres_what_one_server_changes_holds_for_all() {
    let database = Database::new();
    let set = |config: &mut Config| {
        config.store = database.store();
        config.operator.token = Some(Secret::new(OPERATOR_TOKEN));
        // A token is asked about until it is known.
        config.operator.wrong_tokens_per_min = 0;
    };
    let (app, ..) = TestApp::start_with(|config, _| set(config)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let other = app.another_server(&folder).await;
    let (_, made) = app.api(Method::POST, "/tokens", OPERATOR_TOKEN, json!({"name": "ci", "role": "viewer"})).await;
    let (id, token) = (made["id"].as_str().expect("an id"), made["token"].as_str().expect("its text"));
    until_answered(&app, &other, token, StatusCode::OK).await;
    let (status, _) = app.api(Method::DELETE, &format!("/tokens/{id}"), OPERATOR_TOKEN, json!(null)).await;
    assert_eq!(status, StatusCode::OK);
    until_answered(&app, &other, token, StatusCode::UNAUTHORIZED).await;

    app.change_app(|app| app.disabled = true).await;
    let began = app.world.clock.instant();
    let client = app.admin_of(&other);
    while client.get_c2c_unread_msg_num("jared").await.is_ok() {
        assert!(began.elapsed() < WITHIN, "the app is disabled");
        tokio::task::yield_now().await;
    }
    other.stop().await;
}

/// Asks a server until it has heard how good the token is.
async fn until_answered(app: &TestApp, server: &Server, token: &str, wanted: StatusCode) {
    let (began, client) = (app.world.clock.instant(), app.admin_of(server));
    loop {
        let request = Request::get("/api/v1/apps").header(header::AUTHORIZATION, format!("Bearer {token}"));
        let (status, ..) = client.raw(request.body(Full::default()).expect("valid")).await.expect("an answer");
        if status == wanted {
            return;
        }
        assert!(began.elapsed() < WITHIN, "{status} instead of {wanted}");
        tokio::task::yield_now().await;
    }
}
