//! The operator's edge: apps that are made at run time, and who may make them.

use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};
use unsaid_protocol::SdkAppId;

use crate::{
    operator_callbacks::{OPERATOR_TOKEN, start},
    test_app::{ADMIN, TestApp, client, endpoint_url, usersig},
};

async fn call(app: &TestApp, method: Method, token: &str, body: &str) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri("/api/v1/apps")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Full::from(body.to_owned()))
        .expect("valid");
    let (status, _, body) = app.admin().raw(request).await.expect("an answer");
    (status, serde_json::from_slice(&body).expect("JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_made_at_run_time_works_at_once() {
    let (app, _, _, receiver) = start().await;
    let body = json!({"sdkappid": 7, "name": "Seven", "callback": {"url": endpoint_url(receiver.address()),
        "token": "s3cret-Token_01", "ca_pem": app.authority.ca_pem(), "commands": ["C2C.CallbackAfterMsgWithDraw"]}});
    let (status, made) = call(&app, Method::POST, OPERATOR_TOKEN, &body.to_string()).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let key = made["secret_key"].as_str().expect("a drawn key is shown once");
    assert_eq!(key.len(), 64);

    let now_s = u64::from(app.world.clock.now().seconds());
    let admin = client(&app.base(), ADMIN, &usersig(key, SdkAppId(7), ADMIN, now_s, 60));
    let path = admin.path_and_query("im_open_login_svc", "account_import").replace("sdkappid=1400000001", "sdkappid=7");
    let request = Request::builder().method(Method::POST).uri(path).body(Full::from(r#"{"UserID":"mira"}"#));
    let (_, _, answer) = admin.raw(request.expect("valid")).await.expect("an answer");
    assert_eq!(answer, r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#);

    let (_, apps) = call(&app, Method::GET, OPERATOR_TOKEN, "").await;
    assert_eq!(apps["apps"][0]["sdkappid"], 7);
    assert_eq!(apps["apps"][0]["callback"]["commands"], json!(["C2C.CallbackAfterMsgWithDraw"]));
    assert_eq!(apps["apps"][0]["callback"]["secrets_set"], json!(["token"]));
    assert!(!apps.to_string().contains(key), "secrets are never shown again");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_operator_may_and_only_what_can_work() {
    let (app, ..) = start().await;
    let ok = r#"{"sdkappid":7}"#;
    assert_eq!(call(&app, Method::POST, "another token", ok).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(call(&app, Method::POST, "", ok).await.0, StatusCode::UNAUTHORIZED);
    for (body, status, part) in [
        ("{", StatusCode::BAD_REQUEST, "EOF"),
        (r#"{"sdkappid":0}"#, StatusCode::UNPROCESSABLE_ENTITY, "sdkappid"),
        (r#"{"sdkappid":7,"key":1}"#, StatusCode::BAD_REQUEST, "unknown field"),
        (r#"{"sdkappid":7,"secret_key":"short"}"#, StatusCode::UNPROCESSABLE_ENTITY, "secret_key"),
        (r#"{"sdkappid":7,"secret_key_file":"/etc/passwd"}"#, StatusCode::UNPROCESSABLE_ENTITY, "configuration file"),
        (r#"{"sdkappid":7,"callback":{"ca_file":"/etc/passwd"}}"#, StatusCode::UNPROCESSABLE_ENTITY, "ca_file"),
        (
            r#"{"sdkappid":7,"callback":{"url":"https://10.0.0.1/"}}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "allow_networks",
        ),
        (
            r#"{"sdkappid":7,"callback":{"commands":["C2C.CallbackAfterMsgWithDraw"]}}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "callback.url",
        ),
        (
            r#"{"sdkappid":7,"callback":{"webhook_secret":424242}}"#,
            StatusCode::BAD_REQUEST,
            "webhook_secret: must be a string",
        ),
        (r#"{"sdkappid":1400000001}"#, StatusCode::CONFLICT, "already"),
    ] {
        let (found, answer) = call(&app, Method::POST, OPERATOR_TOKEN, body).await;
        assert_eq!(found, status, "{body}: {answer}");
        assert!(answer["message"].as_str().expect("a sentence").contains(part), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_token_is_drawn_once_where_there_is_none() {
    let (mut app, ..) = TestApp::start().await;
    assert_eq!(call(&app, Method::GET, "", "").await.0, StatusCode::UNAUTHORIZED);
    let token = app.server().first_token().expect("there was none").expose().to_owned();
    assert_eq!(call(&app, Method::GET, &token, "").await.0, StatusCode::OK);
    app.stop().await;
    app.start_again().await;
    assert!(app.server().first_token().is_none(), "it is kept");
    assert_eq!(call(&app, Method::GET, &token, "").await.0, StatusCode::OK);
    assert!(!app.keeps(&token), "only its hash is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_tells_that_it_lives_and_is_ready() {
    let (app, ..) = TestApp::start().await;
    for path in ["/healthz", "/readyz"] {
        let request = Request::builder().uri(path).body(Full::default()).expect("valid");
        assert_eq!(app.admin().raw(request).await.expect("an answer").0, StatusCode::OK, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_too_little_free_disk_turns_readiness_off_and_the_rest_goes_on() {
    // No disk has that.
    let (app, jared, jonh, _) = TestApp::start_with(|config, _| config.disk_free_min_bytes = u64::MAX).await;
    let request = |path: &str| Request::builder().uri(path).body(Full::default()).expect("valid");
    let (status, _, body) = app.admin().raw(request("/readyz")).await.expect("an answer");
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(String::from_utf8_lossy(&body).contains("limits.disk_free_min_mb"), "{body:?}");
    assert_eq!(app.admin().raw(request("/healthz")).await.expect("an answer").0, StatusCode::OK);
    jared.send(&jonh, "hello").await;
    assert_eq!(app.all_settled().await.waiting, 0);
}
