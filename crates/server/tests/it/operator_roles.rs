//! Who may do what over the operator API, and what is written down of it.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use unsaid::operator::document;

use crate::{
    operator_callbacks::{OPERATOR_TOKEN, start},
    test_app::{SDKAPPID, SECRET_KEY, TOKEN, TestApp},
};

impl TestApp {
    async fn made_token(&self, name: &str, role: &str) -> String {
        let body = json!({"name": name, "role": role});
        let (status, made) = self.api(Method::POST, "/tokens", OPERATOR_TOKEN, body).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["token"].as_str().expect("text").to_owned()
    }

    pub(crate) async fn audit(&self, query: &str) -> Vec<Value> {
        let (status, log) = self.api(Method::GET, &format!("/audit{query}"), OPERATOR_TOKEN, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{log}");
        log["entries"].as_array().expect("an array").clone()
    }
}

/// Every operation of the document, with a path that names what is there.
fn operations() -> Vec<(Method, String, Value)> {
    let document = document();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("an object") {
        let path = path.trim_start_matches("/api/v1").replace("{sdkappid}", &SDKAPPID.to_string());
        let path = path.replace("{account}", "jared").replace("{peer}", "Jonh");
        let path = path
            .replace("{event}", "evt_none")
            .replace("{key}", "key_none")
            .replace("{id}", "tok_none")
            .replace("{name}", "none");
        for (method, operation) in methods.as_object().expect("an object") {
            operations.push((method.to_uppercase().parse().expect("a method"), path.clone(), operation.clone()));
        }
    }
    assert!(operations.len() > 25);
    operations
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_reads_everything_and_changes_nothing() {
    let (app, jared, jonh, _) = start().await;
    jared.send(&jonh, "hello").await;
    app.all_settled().await;
    let viewer = app.made_token("dashboard", "viewer").await;
    let before = (app.settings().await, app.audit("").await.len());
    for (method, path, operation) in operations() {
        let is_open = operation.get("security").is_none();
        let (status, answer) = app.api(method.clone(), &path, "", Value::Null).await;
        assert_eq!(status == StatusCode::UNAUTHORIZED, !is_open, "{method} {path} without a token: {answer}");
        let (status, answer) = app.api(method.clone(), &path, &viewer, json!({})).await;
        if method == Method::GET {
            let may_miss = path.contains("evt_none") || path.contains("/none");
            assert!(status == StatusCode::OK || (may_miss && status == StatusCode::NOT_FOUND), "{path}: {answer}");
        } else {
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {answer}");
        }
    }
    assert_eq!((app.settings().await, app.audit("").await.len()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_has_a_secret() {
    let (app, jared, jonh, _) = start().await;
    app.change_app(|app| {
        let endpoint = app.callback.endpoint.as_mut().expect("it has one");
        endpoint.webhook_secret = Some(unsaid::apps::Secret::new("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"));
        endpoint.previous_token = Some(unsaid::apps::Secret::new("an-older-token-of-before"));
    })
    .await;
    jared.send(&jonh, "hello").await;
    app.all_settled().await;
    let viewer = app.made_token("dashboard", "viewer").await;
    let mut seen = String::new();
    for (method, path, _) in operations() {
        if method != Method::DELETE {
            seen += &app.api(method, &path, OPERATOR_TOKEN, json!({})).await.1.to_string();
        }
    }
    for secret in [SECRET_KEY, TOKEN, "c2VjcmV0", "an-older-token", OPERATOR_TOKEN, &viewer, "hello"] {
        assert!(!seen.contains(secret), "{secret:?} was shown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_kept_and_revoked() {
    let (mut app, ..) = start().await;
    let second = app.made_token("second", "operator").await;
    let again = json!({"name": "second", "role": "viewer"});
    assert_eq!(app.api(Method::POST, "/tokens", &second, again).await.0, StatusCode::CONFLICT);
    for (wrong, expected) in [
        (json!({"name": "", "role": "viewer"}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"name": "x"}), StatusCode::BAD_REQUEST),
        (json!({"name": "x", "role": "admin"}), StatusCode::BAD_REQUEST),
    ] {
        let (status, answer) = app.api(Method::POST, "/tokens", &second, wrong).await;
        assert_eq!(status, expected, "{answer}");
    }
    app.stop().await;
    app.start_again().await;
    let (_, list) = app.api(Method::GET, "/tokens", &second, Value::Null).await;
    assert!(!list.to_string().contains(&second), "{list}");
    let tokens = list["tokens"].as_array().expect("an array");
    let names: Vec<_> = tokens.iter().map(|token| token["name"].as_str().expect("text")).collect();
    assert_eq!(names, ["configuration", "second"]);
    let id = tokens[1]["id"].as_str().expect("text");
    let revoke =
        async |id: &str| app.api(Method::DELETE, &format!("/tokens/{id}"), OPERATOR_TOKEN, Value::Null).await.0;
    assert_eq!(revoke("configuration").await, StatusCode::CONFLICT);
    assert_eq!(revoke("tok_none").await, StatusCode::NOT_FOUND);
    assert_eq!(revoke(id).await, StatusCode::OK);
    assert_eq!(app.api(Method::GET, "/tokens", &second, Value::Null).await.0, StatusCode::UNAUTHORIZED);
    let actions: Vec<_> = app.audit("?action=token").await.iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["token.revoke", "token.create"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_operator_is_not_revoked() {
    let (app, ..) = TestApp::start().await;
    let token = app.server().first_token().expect("there was none").expose().to_owned();
    let (_, list) = app.api(Method::GET, "/tokens", &token, Value::Null).await;
    let id = list["tokens"][0]["id"].as_str().expect("text");
    let (status, answer) = app.api(Method::DELETE, &format!("/tokens/{id}"), &token, Value::Null).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tokens_are_bounded_for_each_address() {
    let (app, ..) = start().await;
    let ask = async |token: &str| app.api(Method::GET, "/apps", token, Value::Null).await.0;
    for number in 0..20 {
        assert_eq!(ask(&format!("wrong {number}")).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(ask("wrong once more").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(ask(OPERATOR_TOKEN).await, StatusCode::TOO_MANY_REQUESTS, "a right one is not told apart from here");
    assert_eq!(ask("").await, StatusCode::UNAUTHORIZED, "whoever sends none has guessed none");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_noted_with_who_and_what_and_no_secret() {
    let (app, ..) = start().await;
    let second = app.made_token("second", "operator").await;
    let tell = async |method: Method, path: &str, body: Value| {
        let (status, answer) = app.api(method, path, &second, body).await;
        assert!(status.is_success(), "{path}: {answer}");
        answer
    };
    let key = tell(Method::POST, "/apps", json!({"sdkappid": 7, "name": "Seven"})).await["secret_key"].clone();
    let callback = json!({"url": "https://backend.example/im", "token": "a token that nobody reads"});
    tell(Method::PATCH, "/apps/7", json!({"name": "7", "callback": callback})).await;
    tell(Method::POST, "/apps/7/disable", Value::Null).await;
    tell(Method::POST, "/apps/7/enable", Value::Null).await;
    tell(Method::POST, "/apps/7/keys", json!({})).await;
    let usersig = tell(Method::POST, "/apps/7/usersig", json!({"account": "mira"})).await["usersig"].clone();
    tell(Method::POST, "/apps/7/callback/back", Value::Null).await;
    tell(Method::DELETE, "/apps/7?confirm=7", Value::Null).await;
    let entries = app.audit("?app=7").await;
    let told: Vec<_> =
        entries.iter().rev().map(|entry| (entry["action"].as_str().expect("text"), &entry["what"])).collect();
    assert_eq!(told[0], ("app.create", &json!("Seven")));
    assert_eq!(told[1], ("app.change", &json!("callback.token, callback.url, name")));
    let actions: Vec<_> = told.iter().map(|(action, _)| *action).skip(2).collect();
    assert_eq!(actions, ["app.disable", "app.enable", "app.key.add", "usersig.make", "callback.back", "app.delete"]);
    assert!(told[5].1.as_str().expect("text").contains("mira"));
    for entry in &entries {
        assert_eq!((&entry["actor"], &entry["client_ip"]), (&json!("second"), &json!("127.0.0.1")));
        let line = entry.to_string();
        let secrets = [key.as_str().expect("text"), usersig.as_str().expect("text"), "a token that nobody reads"];
        assert!(secrets.iter().all(|secret| !line.contains(secret)), "{line}");
    }
    let page = app.api(Method::GET, "/audit?app=7&limit=3", &second, Value::Null).await.1;
    let next = page["next"].as_str().expect("there is more");
    let rest = app.audit(&format!("?app=7&limit=100&next={next}")).await;
    assert_eq!(rest, entries[3..]);
    assert!(app.audit("?actor=nobody").await.is_empty());
    assert_eq!(app.audit("?action=app.key").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_not_noted() {
    let (app, ..) = start().await;
    let before = app.audit("").await.len();
    for (method, path, body, expected) in [
        (Method::POST, "/apps", json!({"sdkappid": 0}), StatusCode::UNPROCESSABLE_ENTITY),
        (Method::POST, "/apps/1400000001/usersig", json!({"account": ""}), StatusCode::BAD_REQUEST),
        (Method::PATCH, "/apps/1400000001", json!({"nme": "x"}), StatusCode::BAD_REQUEST),
    ] {
        let (status, answer) = app.api(method, path, OPERATOR_TOKEN, body).await;
        assert_eq!(status, expected, "{answer}");
    }
    let (status, answer) = app.operate(Method::DELETE, "?confirm=7", Value::Null).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    assert_eq!(app.audit("").await.len(), before);
}
