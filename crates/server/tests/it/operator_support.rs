//! Looking into lanes, accounts and conversations, for support.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use unsaid_testkit::{Answer, Script};

use crate::operator_callbacks::{OPERATOR_TOKEN, start};

#[tokio::test(flavor = "multi_thread")]
async fn lanes_that_wait_are_shown_with_their_head() {
    let (app, jared, jonh, receiver) = start().await;
    let busy = http::Response::builder().status(503).header("retry-after", "600");
    receiver.play(Script::always(Answer::Response(busy.body(bytes::Bytes::new()).expect("valid"))));
    for _ in 0..2 {
        jared.send(&jonh, "hello").await;
    }
    jonh.send(&jared, "hello").await;
    app.tried_in_vain(1).await;
    let page = app.ask("/lanes?limit=1").await;
    assert_eq!((&page["lanes"][0]["lane"], &page["lanes"][0]["waiting"]), (&json!("Jonh"), &json!(2)), "{page}");
    assert_eq!(page["lanes"][0]["head"]["attempts"], 1, "{page}");
    let page = app.ask(&format!("/lanes?limit=1&next={}", page["next"].as_str().expect("more"))).await;
    assert_eq!((&page["lanes"][0]["lane"], &page["lanes"][0]["waiting"]), (&json!("jared"), &json!(1)), "{page}");
    receiver.play(Script::always(Answer::Ok));
    app.operate(Method::POST, "/callback/back", Value::Null).await;
    app.all_settled().await;
    assert_eq!(app.ask("/lanes").await["lanes"], json!([]));
    assert_eq!(app.operate(Method::GET, "/lanes?limit=0", Value::Null).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(app.operate(Method::GET, "/lanes?page=2", Value::Null).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_event_that_is_thrown_away_is_never_sent() {
    let (app, jared, jonh, receiver) = start().await;
    app.change_app(|app| app.callback.retry = unsaid::apps::Retry::Off).await;
    receiver.play(Script::always(Answer::Status(500)));
    jared.send(&jonh, "a secret text").await;
    app.all_settled().await;
    let id = app.ask("/parked").await["events"][0]["id"].as_str().expect("text").to_owned();
    let (status, gone) = app.operate(Method::DELETE, &format!("/parked/{id}"), Value::Null).await;
    assert_eq!((status, &gone["id"]), (StatusCode::OK, &json!(id)), "{gone}");
    assert_eq!(app.operate(Method::DELETE, &format!("/parked/{id}"), Value::Null).await.0, StatusCode::NOT_FOUND);
    assert_eq!(app.backlog().await.parked, 0);
    receiver.play(Script::always(Answer::Ok));
    assert_eq!(app.operate(Method::POST, "/replay", json!({"parked": {}})).await.1["replayed"], 0);
    let entries = app.audit("?action=event.discard").await;
    assert!(entries[0]["what"].as_str().expect("text").contains(&id), "{entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_and_its_conversations_are_found() {
    let (app, jared, jonh, _) = start().await;
    let mira = app.account("mira").await;
    let key = jared.send(&jonh, "a secret text").await;
    jared.send(&jonh, "another secret text").await;
    mira.send(&jonh, "hello").await;
    jared.recall(&jonh, key).await.expect("it is recalled");
    jonh.read(&mira, None).await;
    app.all_settled().await;
    let account = app.ask("/accounts/Jonh").await;
    assert_eq!((&account["unread"], &account["deleted"], &account["blocked"]), (&json!(1), &json!(false), &json!(0)));
    assert_eq!(app.operate(Method::GET, "/accounts/nobody", Value::Null).await.0, StatusCode::NOT_FOUND);
    let first = app.ask("/accounts/Jonh/conversations?limit=1").await;
    let next = first["next"].as_str().expect("there are two").replace(' ', "%20");
    let second = app.ask(&format!("/accounts/Jonh/conversations?limit=1&next={next}")).await;
    let peers: Vec<_> = [&first, &second].iter().map(|page| page["conversations"][0]["peer"].clone()).collect();
    assert!(peers.contains(&json!("jared")) && peers.contains(&json!("mira")), "{peers:?}");
    assert!(second["next"].is_null(), "{second}");
    let page = app.ask("/accounts/Jonh/conversations/jared/messages").await;
    let messages = page["messages"].as_array().expect("an array");
    assert_eq!(messages.len(), 2, "{page}");
    let recalled = messages.iter().find(|message| message["msg_key"] == key.to_string()).expect("its place stays");
    assert_eq!((&recalled["from"], &recalled["recalled_by"]), (&json!("jared"), &json!("administrator")), "{page}");
    let other = messages.iter().find(|message| message["msg_key"] != key.to_string()).expect("it is there");
    assert_eq!((&other["read"], &other["types"]), (&json!(false), &json!(["TIMTextElem"])), "{page}");
    assert!(!page.to_string().contains("secret text"), "{page}");
    let read = app.ask("/accounts/mira/conversations/Jonh/messages").await;
    assert_eq!(read["messages"][0]["read"], true, "{read}");
    let (status, answer) =
        app.operate(Method::GET, "/accounts/Jonh/conversations/jared/messages?text=true", Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{answer}");
    assert!(answer["message"].as_str().expect("text").contains("operator.show_text"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_look_at_text_is_noted_and_only_an_operator_may_look() {
    let (mut app, jared, jonh, _) = start().await;
    app.restart_with(|config| config.operator.show_text = true).await;
    let (jared, jonh) = (app.actor(&jared.name), app.actor(&jonh.name));
    jared.send(&jonh, "a secret text").await;
    let path = "/accounts/Jonh/conversations/jared/messages?text=true";
    let body = json!({"name": "dashboard", "role": "viewer"});
    let (_, made) = app.api(Method::POST, "/tokens", OPERATOR_TOKEN, body).await;
    let viewer = made["token"].as_str().expect("text");
    let (status, answer) = app.api(Method::GET, &format!("/apps/1400000001{path}"), viewer, Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{answer}");
    assert!(app.audit("?action=text").await.is_empty());
    let page = app.ask(path).await;
    assert!(page["messages"][0]["text"].to_string().contains("a secret text"), "{page}");
    let entries = app.audit("?action=text").await;
    assert_eq!((&entries[0]["action"], &entries[0]["actor"]), (&json!("text.show"), &json!("configuration")));
    let what = entries[0]["what"].as_str().expect("text");
    assert!(what.contains("Jonh") && what.contains("jared") && !what.contains("secret"), "{what}");
}
