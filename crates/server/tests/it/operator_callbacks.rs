//! Rules C6, C8, C9, C10 and C11 as the operator meets them, over `/api/v1`.

use std::sync::Arc;

use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};
use unsaid::apps::{Retry, Secret};
use unsaid_testkit::{Answer, Arrival, Receiver, Script};

use crate::test_app::{Actor, SDKAPPID, TestApp, endpoint_url};

pub(crate) const OPERATOR_TOKEN: &str = "the operator's token";

pub(crate) async fn start() -> (TestApp, Actor, Actor, Arc<Receiver>) {
    TestApp::start_with(|config, _| config.operator.token = Some(Secret::new(OPERATOR_TOKEN))).await
}

impl TestApp {
    pub(crate) async fn operate(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        self.api(method, &format!("/apps/{SDKAPPID}{path}"), OPERATOR_TOKEN, body).await
    }

    /// A call of the operator API; its answer is held against the document.
    pub(crate) async fn api(&self, method: Method, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method.clone())
            .uri(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::from(body))
            .expect("valid");
        let (status, _, body) = self.admin().raw(request).await.expect("an answer");
        let answer = serde_json::from_slice(&body).expect("JSON");
        crate::document::check(&method, path, status, &answer);
        (status, answer)
    }

    pub(crate) async fn ask(&self, path: &str) -> Value {
        let (status, answer) = self.operate(Method::GET, path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    async fn tell(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.operate(Method::POST, path, body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    /// Parks whatever is owed from now on.
    async fn park_everything(&self, receiver: &Receiver) {
        self.change_app(|app| app.callback.retry = Retry::Off).await;
        receiver.play(Script::always(Answer::Status(500)));
    }

    async fn deliver_everything(&self, receiver: &Receiver) {
        self.change_app(|app| app.callback.retry = Retry::On).await;
        receiver.play(Script::always(Answer::Ok));
    }
}

fn ids(arrivals: &[Arc<Arrival>]) -> Vec<String> {
    arrivals.iter().map(|arrival| arrival.header("webhook-id").expect("it has one").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn c10_a_test_tells_what_happened_at_each_step() {
    let (app, _, _, receiver) = start().await;
    let states = |report: &Value| {
        let steps = report["steps"].as_array().expect("an array").iter();
        steps.map(|step| step["state"].as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    for command in unsaid_protocol::callback::CallbackCommand::ALL {
        let report = app.tell("/callback/test", json!({"command": command.as_str()})).await;
        assert_eq!(report["outcome"], "delivered", "{report}");
        assert_eq!(states(&report), ["done"; 5], "{report}");
        assert!(report["steps"][2]["took_us"].as_u64().expect("microseconds") > 0);
        assert_eq!(report["steps"][3]["seen"], "200");
        let arrival = receiver.next().await;
        assert_eq!(arrival.json()["CallbackCommand"], command.as_str());
        assert!(arrival.header("unsaid-lane").is_none(), "nobody is owed a test");
    }
    receiver.play(Script::always(Answer::Body("<html>".to_owned())));
    let report = app.tell("/callback/test", json!({})).await;
    assert_eq!(states(&report), ["done", "done", "done", "done", "failed"], "{report}");
    assert_eq!((&report["outcome"], &report["steps"][4]["seen"]), (&"not_json".into(), &"<html>".into()));
    app.change_app(|app| app.callback.endpoint.as_mut().expect("it has one").ca_pem = None).await;
    let report = app.tell("/callback/test", json!({})).await;
    assert_eq!(states(&report), ["done", "done", "failed", "not_reached", "not_reached"], "{report}");
    assert!(report["message"].as_str().expect("text").contains("callback.ca_file"), "{report}");
    app.change_app(|app| {
        let endpoint = app.callback.endpoint.as_mut().expect("it has one");
        endpoint.url = "https://localhost:1/".to_owned();
    })
    .await;
    let report = app.tell("/callback/test", json!({})).await;
    assert_eq!(report["outcome"], "connection_refused", "{report}");
    assert_eq!(app.operate(Method::POST, "/callback/test", json!({"command": "C2C.No"})).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_parked_events_are_shown_and_replayed_with_their_id_and_body() {
    let (app, jared, jonh, receiver) = start().await;
    app.park_everything(&receiver).await;
    let key = jared.send(&jonh, "a secret text").await;
    jared.recall(&jonh, key).await.expect("it is recalled");
    jonh.send(&jared, "another").await;
    app.all_settled().await;
    let first = receiver.arrivals();
    let shown = app.ask("/parked").await;
    let events = shown["events"].as_array().expect("an array").clone();
    assert_eq!(events.len(), 3, "{shown}");
    assert!(!shown.to_string().contains("secret text"), "what a message says is left out");
    assert!(events.iter().all(|event| event["reason"].as_str().expect("text").contains("callback.retry")));
    let recall = events.iter().find(|event| event["command"] == "C2C.CallbackAfterMsgWithDraw").expect("it is there");
    assert_eq!(recall["body"]["MsgKey"], key.to_string());
    assert_eq!(app.ask("/parked?account=Jonh").await["events"].as_array().expect("an array").len(), 2);
    let page = app.ask("/parked?limit=2").await;
    let next = page["next"].as_str().expect("there is more").replace(' ', "%20");
    assert_eq!(app.ask(&format!("/parked?limit=2&next={next}")).await["events"].as_array().expect("one").len(), 1);

    app.deliver_everything(&receiver).await;
    let id = recall["id"].as_str().expect("text");
    assert_eq!(app.tell("/replay", json!({"parked": {"id": id}})).await, json!({"replayed": 1, "skipped": 0}));
    assert_eq!(app.tell("/replay", json!({"parked": {}})).await["replayed"], 2);
    app.all_settled().await;
    let again = &receiver.arrivals()[first.len()..];
    let (mut before, mut after) = (ids(&first), ids(again));
    before.sort();
    after.sort();
    assert_eq!(before, after);
    for arrival in again {
        assert!(arrival.header("unsaid-replay").is_some());
        let original = first.iter().find(|one| one.header("webhook-id") == arrival.header("webhook-id"));
        assert_eq!(original.expect("it came before").body(), arrival.body());
    }
    assert_eq!(app.ask(&format!("/events/{id}")).await["event"]["state"], "delivered");
    assert_eq!(app.operate(Method::GET, "/events/evt_no", Value::Null).await.0, StatusCode::NOT_FOUND);
    for (wrong, status) in [
        (json!({}), StatusCode::BAD_REQUEST),
        (json!({"parked": {}, "delivered_since_ms": 1}), StatusCode::BAD_REQUEST),
        (json!({"parked": {}, "next": "x"}), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(app.operate(Method::POST, "/replay", wrong).await.0, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_a_receiver_that_was_restored_gets_what_was_delivered_since_then() {
    let (app, jared, jonh, receiver) = start().await;
    let key = jared.send(&jonh, "one").await;
    let other = jared.send(&jonh, "two").await;
    jared.recall(&jonh, key).await.expect("it is recalled");
    app.all_settled().await;
    // A moment that lies between the two recalls.
    let backup_ms = app.world.clock.now().0 + 1;
    app.world.clock.shift(2);
    jared.recall(&jonh, other).await.expect("it is recalled");
    jonh.read(&jared, None).await;
    app.all_settled().await;
    let before = receiver.arrivals().len();
    let answer = app.tell("/replay", json!({"delivered_since_ms": backup_ms})).await;
    assert_eq!(answer["replayed"], 2, "the later recall and the read report: {answer}");
    app.all_settled().await;
    let again = receiver.arrivals()[before..].to_vec();
    assert_eq!(again[0].json()["MsgKey"], other.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_i_am_back_ends_the_waiting_at_once() {
    for as_admin in [false, true] {
        let (mut app, jared, jonh, receiver) = start().await;
        // It asks to be left alone for ten minutes, which is honoured.
        let busy = http::Response::builder().status(503).header("retry-after", "600");
        receiver.play(Script::always(Answer::Response(busy.body(bytes::Bytes::new()).expect("valid"))));
        jared.send(&jonh, "hello").await;
        app.tried_in_vain(1).await;
        let state = app.ask("/callback").await;
        assert_eq!((&state["waiting"], &state["state"]), (&1.into(), &"flowing".into()), "{state}");
        receiver.play(Script::always(Answer::Ok));
        if as_admin {
            app.admin().call("unsaid", "callback_back", &json!({})).await.expect("it is heard");
        } else {
            app.tell("/callback/back", json!({})).await;
        }
        assert_eq!(app.all_settled().await.waiting, 0);
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_an_open_breaker_is_shown_and_one_event_at_a_time_is_tried() {
    let (app, jared, jonh, receiver) = start().await;
    receiver.play(Script::always(Answer::Status(500)));
    let mut others = Vec::new();
    for number in 0..30 {
        others.push(app.account(&format!("other{number}")).await);
        jared.send(&others[number], "hello").await;
    }
    jared.send(&jonh, "hello").await;
    let began = app.world.clock.instant();
    let state = loop {
        let state = app.ask("/callback").await;
        if state["state"] == "unavailable" {
            break state;
        }
        assert!(began.elapsed().as_secs() < 10, "{state}");
    };
    assert_eq!((&state["waiting"], &state["at_once"]), (&31.into(), &1.into()), "{state}");
    receiver.play(Script::always(Answer::Ok));
    app.tell("/callback/back", json!({})).await;
    app.all_settled().await;
    assert_eq!(app.ask("/callback").await["state"], "flowing");
}

#[tokio::test(flavor = "multi_thread")]
async fn c11_an_endpoint_that_is_removed_parks_what_it_is_owed() {
    let (app, jared, jonh, receiver) = start().await;
    receiver.play(Script::always(Answer::Status(500)));
    jared.send(&jonh, "hello").await;
    jared.send(&jonh, "hello again").await;
    app.tried_in_vain(1).await;
    let (status, shown) = app.operate(Method::PUT, "", json!({"sdkappid": SDKAPPID.0})).await;
    assert_eq!((status, &shown["callback"]["url"]), (StatusCode::OK, &Value::Null), "{shown}");
    assert!(shown["secret_key"].is_null());
    app.all_settled().await;
    let parked = app.ask("/parked").await;
    assert_eq!(parked["events"].as_array().expect("an array").len(), 2);
    assert!(parked.to_string().contains("the endpoint was removed"));
    // With an endpoint again they can be replayed; the app's key has stayed.
    receiver.play(Script::always(Answer::Ok));
    let callback = json!({"url": endpoint_url(receiver.address()), "ca_pem": app.authority.ca_pem(),
                          "token": crate::test_app::TOKEN});
    let (status, shown) = app.operate(Method::PUT, "", json!({"sdkappid": SDKAPPID.0, "callback": callback})).await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    assert!(!shown.to_string().contains(crate::test_app::TOKEN), "secrets are never shown again");
    assert_eq!(app.tell("/replay", json!({"parked": {}})).await["replayed"], 2);
    app.all_settled().await;
    assert_eq!(app.operate(Method::PUT, "", json!({"sdkappid": 7})).await.0, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_replaced_without_keys_leave_all_keys_of_the_app() {
    let (app, ..) = start().await;
    let keys = async || {
        let keys = app.settings().await.keys;
        keys.iter().map(|key| key.secret.expose().to_owned()).collect::<Vec<_>>()
    };
    let (old, new) = (crate::test_app::SECRET_KEY, "fedcba9876543210fedcba9876543210");
    let callback = json!({"url": endpoint_url(app.receiver.address()), "ca_pem": app.authority.ca_pem(),
                          "token": crate::test_app::TOKEN});
    let put = async |more: Value| {
        let mut body = json!({"sdkappid": SDKAPPID.0, "callback": callback});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let (status, shown) = app.operate(Method::PUT, "", body).await;
        assert_eq!(status, StatusCode::OK, "{shown}");
    };
    put(json!({"secret_key": new, "previous_secret_key": old})).await;
    assert_eq!(keys().await, [new, old]);
    put(json!({"name": "renamed"})).await;
    assert_eq!(keys().await, [new, old], "both are still valid");
    put(json!({"secret_key": new})).await;
    assert_eq!(keys().await, [new], "the old one is retired");
}
