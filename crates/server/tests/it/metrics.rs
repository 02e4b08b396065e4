//! `/metrics`: what a server has done can be read there, and of whom it speaks.

use std::time::Duration;

use http::{Request, StatusCode, header};
use http_body_util::Full;
use unsaid::callback::AlarmSettings;
use unsaid_testkit::{Answer, Script};

use crate::test_app::TestApp;

async fn page(app: &TestApp) -> String {
    let request = Request::builder().uri("/metrics").body(Full::default()).expect("valid");
    let (status, headers, body) = app.admin().raw(request).await.expect("an answer");
    assert_eq!(status, StatusCode::OK);
    let kind = headers[header::CONTENT_TYPE].to_str().expect("text");
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    String::from_utf8(body.to_vec()).expect("it is text")
}

/// The value of the line that begins so.
fn value(page: &str, sample: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample} in {page}")).parse().expect("a number")
}

/// Asks until the line is there with that value.
async fn until(app: &TestApp, sample: &str, expected: f64) -> String {
    let began = app.world.clock.instant();
    loop {
        let page = page(app).await;
        let found = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        if found.is_some_and(|found| found.parse() == Ok(expected)) {
            return page;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{sample} did not become {expected}: {page}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_recall_has_done_is_counted() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let key = jared.send(&jonh, "hello").await;
    assert_eq!(jared.recall(&jonh, key).await, Ok(()));
    assert_eq!(jared.recall(&jonh, key).await, Err(20023));
    assert!(app.admin().call("openim", "no_such_command", &serde_json::json!({})).await.is_err());
    app.all_settled().await;
    let page = page(&app).await;
    let recall = r#"command="openim/admin_msgwithdraw""#;
    let callback = r#"command="C2C.CallbackAfterMsgWithDraw""#;
    for (sample, expected) in [
        (format!(r#"unsaid_rest_requests_total{{{recall},code="0"}}"#), 1.0),
        (format!(r#"unsaid_rest_requests_total{{{recall},code="20023"}}"#), 1.0),
        (r#"unsaid_rest_requests_total{command="unknown",code="60009"}"#.to_owned(), 1.0),
        (format!(r#"unsaid_rest_request_seconds_count{{{recall}}}"#), 2.0),
        (format!(r#"unsaid_callback_attempts_total{{app="1400000001",{callback},outcome="delivered"}}"#), 1.0),
        (format!(r#"unsaid_callback_delivery_seconds_count{{{callback}}}"#), 1.0),
        (r#"unsaid_callback_phase_seconds_count{phase="tls"}"#.to_owned(), 1.0),
        (r#"unsaid_callback_phase_seconds_count{phase="answer"}"#.to_owned(), 2.0),
        (r#"unsaid_backlog_events{app="1400000001"}"#.to_owned(), 0.0),
        (r#"unsaid_breaker_open{app="1400000001",why="unavailable"}"#.to_owned(), 0.0),
        ("unsaid_ready".to_owned(), 1.0),
    ] {
        assert_eq!(value(&page, &sample), expected, "{sample}");
    }
    for sample in ["unsaid_store_commit_seconds_count", "process_resident_memory_bytes", "process_open_fds"] {
        assert!(value(&page, sample) > 0.0, "{sample}");
    }
    assert!(!page.contains("jared") && !page.contains("Jonh") && !page.contains("administrator"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_measured_and_an_open_breaker_shown() {
    let (app, jared, jonh, receiver) = TestApp::start_with(|config, _| {
        config.alarm = AlarmSettings { url: None, lag_max: Duration::from_millis(400) };
    })
    .await;
    receiver.play(Script::always(Answer::Status(503)));
    for _ in 0..3 {
        jared.send(&jonh, "one").await;
    }
    // Twenty others, so that twenty attempts fail in a row.
    for number in 0..20 {
        let other = app.account(&format!("other{number}")).await;
        jared.send(&other, "one").await;
    }
    let page = until(&app, r#"unsaid_breaker_open{app="1400000001",why="unavailable"}"#, 1.0).await;
    assert_eq!(value(&page, r#"unsaid_backlog_events{app="1400000001"}"#), 23.0);
    assert!(value(&page, r#"unsaid_backlog_bytes{app="1400000001"}"#) > 23.0 * 100.0);
    let began = app.world.clock.instant();
    while value(&self::page(&app).await, r#"unsaid_backlog_oldest_seconds{app="1400000001"}"#) == 0.0 {
        assert!(began.elapsed() < Duration::from_secs(10), "the oldest was not looked for");
    }
    receiver.play(Script::always(Answer::Ok));
    app.all_settled().await;
    until(&app, r#"unsaid_breaker_open{app="1400000001",why="unavailable"}"#, 0.0).await;
    until(&app, r#"unsaid_backlog_oldest_seconds{app="1400000001"}"#, 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_counted_from_their_login_to_their_end() {
    let (app, ..) = TestApp::start().await;
    let phone = app.device("jared", "iOS").await;
    let page = until(&app, "unsaid_sessions", 1.0).await;
    assert_eq!(value(&page, r#"unsaid_session_logins_total{platform="iOS"}"#), 1.0);
    assert_eq!(value(&page, r#"unsaid_gateway_requests_total{request="login",code="0"}"#), 1.0);
    app.admin().call("im_open_login_svc", "kick", &serde_json::json!({"UserID": "jared"})).await.expect("it is there");
    let page = until(&app, r#"unsaid_session_closes_total{code="4003"}"#, 1.0).await;
    assert_eq!(value(&page, r#"unsaid_session_kicks_total{reason="app_backend"}"#), 1.0);
    assert_eq!(value(&page, r#"unsaid_gateway_pushes_total{push="kicked"}"#), 1.0);
    drop(phone);
    until(&app, "unsaid_sessions", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_not_where_clients_come_in() {
    let (app, ..) = TestApp::start_with(|config, _| {
        config.operator.listen = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let request = Request::builder().uri("/metrics").body(Full::default()).expect("valid");
    assert_eq!(app.admin().raw(request).await.expect("an answer").0, StatusCode::NOT_FOUND);
}
