//! The life of an app over the operator API: settings, keys, switched off, deleted.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use unsaid::apps::Origin;
use unsaid_protocol::session::KickReason;
use unsaid_testkit::{Answer, Script};

use crate::{
    operator_callbacks::{OPERATOR_TOKEN, start},
    test_app::{SDKAPPID, SECRET_KEY, TOKEN},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_change_leaves_what_it_does_not_name() {
    let (app, ..) = start().await;
    let before = app.settings().await;
    let (status, shown) = app.operate(Method::PATCH, "", json!({"name": "renamed"})).await;
    assert_eq!((status, &shown["name"]), (StatusCode::OK, &json!("renamed")), "{shown}");
    assert_eq!(app.settings().await, unsaid::apps::App { name: "renamed".to_owned(), ..before.clone() });
    let change =
        json!({"recall_window_s": 60, "callback": {"rate_per_s_max": 7, "previous_token": "the one of before"}});
    app.operate(Method::PATCH, "", change).await;
    let after = app.settings().await;
    let endpoint = after.callback.endpoint.as_ref().expect("it stays");
    assert_eq!((after.recall_window_s, after.callback.rate_per_s_max), (60, 7));
    assert_eq!(endpoint.token.as_ref().expect("it stays").expose(), TOKEN);
    assert_eq!(endpoint.previous_token.as_ref().expect("it is new").expose(), "the one of before");
    let gone = json!({"recall_window_s": null, "callback": {"token": null, "previous_token": null}});
    app.operate(Method::PATCH, "", gone).await;
    let after = app.settings().await;
    assert_eq!(after.recall_window_s, 120);
    assert!(after.callback.endpoint.expect("it stays").token.is_none());
    let no_url = json!({"callback": {"url": null}});
    let (status, answer) = app.operate(Method::PATCH, "", no_url).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "switches are on: {answer}");
    let (status, answer) = app.operate(Method::PATCH, "", json!({"callback": null})).await;
    assert_eq!((status, &answer["callback"]["url"]), (StatusCode::OK, &Value::Null), "{answer}");
    let (status, answer) = app.operate(Method::PATCH, "", json!({"secret_key": "0123456789abcdef"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    // The endpoint's token was taken away, so what arrives now would not pass the receiver's checks; nothing is owed.
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_without_a_gap() {
    let (app, jared, ..) = start().await;
    let (status, added) = app.operate(Method::POST, "/keys", json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "{added}");
    let new = added["secret_key"].as_str().expect("it is shown once");
    let keys = async || app.settings().await.keys.iter().map(|key| key.secret.expose().to_owned()).collect::<Vec<_>>();
    assert_eq!(keys().await, [new, SECRET_KEY]);
    assert_eq!(jared.unread().await, 0, "the old key is still valid");
    let old = added["keys"][1]["id"].as_str().expect("text");
    assert_eq!(app.operate(Method::DELETE, &format!("/keys/{old}"), Value::Null).await.0, StatusCode::OK);
    assert_eq!(keys().await, [new]);
    let (_, list) = app.operate(Method::GET, "/keys", Value::Null).await;
    assert!(!list.to_string().contains(new), "{list}");
    let id = list["keys"][0]["id"].as_str().expect("text");
    assert_eq!(app.operate(Method::DELETE, &format!("/keys/{id}"), Value::Null).await.0, StatusCode::CONFLICT);
    assert_eq!(app.operate(Method::DELETE, &format!("/keys/{old}"), Value::Null).await.0, StatusCode::NOT_FOUND);
    let (_, back) = app.operate(Method::POST, "/keys", json!({"secret_key": SECRET_KEY})).await;
    assert_eq!(back["keys"][0]["id"].as_str(), Some(old));
    let same = app.operate(Method::POST, "/keys", json!({"secret_key": SECRET_KEY})).await;
    assert_eq!(same.0, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_given_twice_is_one() {
    let (app, ..) = start().await;
    let key = "0123456789abcdef";
    let body = json!({"sdkappid": 7, "secret_key": key, "previous_secret_key": key});
    let (status, made) = app.api(Method::POST, "/apps", OPERATOR_TOKEN, body).await;
    assert_eq!((status, &made["keys"]), (StatusCode::CREATED, &json!(1)), "{made}");
}

#[tokio::test(flavor = "multi_thread")]
async fn c11_an_app_of_the_file_is_read_only() {
    let (app, ..) = start().await;
    app.change_app(|app| app.origin = Origin::File).await;
    for (method, path, body) in [
        (Method::PUT, "", json!({"sdkappid": SDKAPPID.0})),
        (Method::PATCH, "", json!({"name": "x"})),
        (Method::POST, "/disable", Value::Null),
        (Method::POST, "/enable", Value::Null),
        (Method::POST, "/keys", json!({})),
        (Method::DELETE, "?confirm=1400000001", Value::Null),
    ] {
        let (status, answer) = app.operate(method, path, body).await;
        assert_eq!(status, StatusCode::CONFLICT, "{path}: {answer}");
        assert!(answer["message"].as_str().expect("a sentence").contains("configuration file"), "{answer}");
    }
    assert_eq!(app.operate(Method::GET, "", Value::Null).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn c11_a_deletion_that_was_interrupted_goes_on_at_the_next_start() {
    let (mut app, jared, jonh, _) = start().await;
    jared.send(&jonh, "a text that has to go").await;
    app.all_settled().await;
    // What a server leaves that is killed between the first commit of a deletion and the last one.
    app.change_app(|app| (app.disabled, app.erasing) = (true, true)).await;
    assert_eq!(app.operate(Method::GET, "", Value::Null).await.1["erasing"], true, "nobody has gone on yet");
    app.stop().await;
    app.start_again().await;
    // Nobody asks for it but the server itself.
    let began = app.world.clock.instant();
    while !app.server().store().apps().await.expect("readable").is_empty() {
        assert!(began.elapsed() < Duration::from_secs(10), "the app is still there");
        tokio::task::yield_now().await;
    }
    assert_eq!(app.operate(Method::GET, "", Value::Null).await.0, StatusCode::NOT_FOUND);
    app.stop().await;
    assert!(!app.keeps("a text that has to go"), "nothing of it stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn c11_a_session_of_an_app_that_is_switched_off_ends_while_its_client_talks() {
    let (mut app, _, _, _) = start().await;
    let mut device = app.device("jared", "Web").await;
    device.send("Jonh", "one").await;
    assert_eq!(app.operate(Method::POST, "/disable", Value::Null).await.0, StatusCode::OK);
    // It talks on until it is told, and nothing that it says is done.
    let ended = loop {
        match device.client.read("Jonh", None).await {
            Ok(()) => panic!("an app that is switched off answers nobody"),
            Err(unsaid_client::ClientError::Refused { code, .. }) => assert_eq!(code.0, 60016),
            Err(error) => break error,
        }
    };
    assert!(matches!(ended, unsaid_client::ClientError::Ended { .. }), "{ended}");
    assert_eq!(device.kicked().await, KickReason::AppDisabled);
    assert_eq!(device.closed().await.code, Some(4003));
    assert_eq!(app.device_with(app.login("jared", "Web")).await.err(), Some(60016));
    app.leave_backlog();
}

#[tokio::test(flavor = "multi_thread")]
async fn c11_a_deleted_app_is_gone_with_everything_and_stays_gone() {
    let (mut app, jared, jonh, receiver) = start().await;
    receiver.play(Script::always(Answer::Status(500)));
    let key = jared.send(&jonh, "a text that has to go").await;
    jonh.send(&jared, "another").await;
    jared.recall(&jonh, key).await.expect("it is recalled");
    app.tried_in_vain(1).await;
    let (status, answer) = app.operate(Method::DELETE, "?confirm=7", Value::Null).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    let (status, answer) = app.operate(Method::DELETE, "", Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    let (status, erased) = app.operate(Method::DELETE, "?confirm=1400000001", Value::Null).await;
    assert_eq!((status, &erased["done"]), (StatusCode::OK, &json!(true)), "{erased}");
    assert_eq!(app.operate(Method::GET, "", Value::Null).await.0, StatusCode::NOT_FOUND);
    assert_eq!(app.backlog().await, unsaid::chat::Backlog::default());
    receiver.play(Script::always(Answer::Ok));
    app.stop().await;
    app.start_again().await;
    assert_eq!(app.operate(Method::GET, "", Value::Null).await.0, StatusCode::NOT_FOUND);
    // Its number can be used again, and nobody of before is in it.
    let (status, made) = app.api(Method::POST, "/apps", OPERATOR_TOKEN, json!({"sdkappid": SDKAPPID.0})).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(app.operate(Method::GET, "/accounts/jared", Value::Null).await.0, StatusCode::NOT_FOUND);
    assert_eq!(app.ask("/parked").await["events"], json!([]));
    app.stop().await;
    assert!(!app.keeps("a text that has to go"), "nothing of it stays");
}
