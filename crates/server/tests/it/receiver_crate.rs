//! The crate `unsaid-receiver` as an app backend uses it, as a route of axum, with a real server that calls it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use unsaid::apps::{EndpointSettings, Secret};
use unsaid_protocol::callback::CallbackCommand;
use unsaid_receiver::{Answer, Callback, Element, Event, Receiver, Recent, Replacement, Verifier, axum::callbacks};

use crate::test_app::{Actor, SDKAPPID, TOKEN, TestApp};

const WEBHOOK_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// What the handler was given, in order.
type Told = Arc<Mutex<Vec<Callback>>>;

/// A server whose callbacks go to `answer`, by way of the crate.
async fn start(answer: impl Fn(&Callback) -> Answer + Clone + Send + Sync + 'static) -> (TestApp, Actor, Actor, Told) {
    let told = Told::default();
    let tell = Arc::clone(&told);
    let handler = move |callback: Callback| {
        let answer = answer(&callback);
        tell.lock().expect("no holder panics").push(callback);
        std::future::ready(answer)
    };
    let verifier = Verifier::with_tokens(SDKAPPID, [TOKEN]).expect("a token");
    let verifier = verifier.and_webhook_secrets([WEBHOOK_SECRET]).expect("a secret");
    let route = callbacks(Arc::new(Receiver::new(verifier, Recent::default())), handler);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/im?tenant=7", listener.local_addr().expect("it listens"));
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/im", route)).await });
    let (app, jared, jonh, _) = TestApp::start_with(|_, app| {
        app.callback.commands = CallbackCommand::ALL.into();
        app.callback.endpoint = Some(EndpointSettings {
            token: Some(Secret::new(TOKEN)),
            webhook_secret: Some(Secret::new(WEBHOOK_SECRET)),
            ..EndpointSettings::new(url)
        });
    })
    .await;
    (app, jared, jonh, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn c3_a_backend_with_the_crate_is_told_everything_once_and_in_order() {
    let busy = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&busy);
    // The first recall is answered with "come again" once.
    let (app, jared, jonh, told) = start(move |callback| {
        let recall = matches!(callback.event, Event::AfterMsgWithDraw(_));
        if recall && counts.fetch_add(1, Ordering::Relaxed) == 0 {
            return Answer::later(Some(0), "starting");
        }
        Answer::accept()
    })
    .await;
    let key = jared.send(&jonh, "one").await;
    jonh.read(&jared, None).await;
    let other = jared.send(&jonh, "two").await;
    jared.recall(&jonh, other).await.expect("it is there");
    jared.recall(&jonh, key).await.expect("it is there");
    app.all_settled().await;

    let told = told.lock().expect("no holder panics").clone();
    assert!(told.iter().all(|callback| callback.missed.is_none()), "{told:?}");
    let recalls = told.iter().filter_map(|callback| {
        let Event::AfterMsgWithDraw(recall) = &callback.event else { return None };
        Some((recall.key.clone(), recall.unread))
    });
    let (key, other) = (key.to_string(), other.to_string());
    assert_eq!(recalls.collect::<Vec<_>>(), [(other.clone(), Some(0)), (other, Some(0)), (key, Some(0))]);
    let platform = told.last().and_then(|callback| callback.platform.clone());
    assert_eq!(platform.as_deref(), Some("RESTAPI"));
    assert!(told.iter().all(|callback| !matches!(callback.event, Event::Unknown(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_a_backend_with_the_crate_replaces_and_refuses_messages() {
    let (app, jared, jonh, told) = start(|callback| {
        let Event::BeforeSendMsg(question) = &callback.event else { return Answer::accept() };
        let element = &question.message.body[0];
        if element.content["Text"] == "spam" {
            return Answer::refuse_with(120_044, "quota exhausted").expect("a code of our own");
        }
        let content = serde_json::json!({"Text": "l***h?"});
        let body = Some(vec![Element { content, ..element.clone() }]);
        Answer::replace(Replacement { body, custom_data: None })
    })
    .await;
    jared.send(&jonh, "lunch?").await;
    let refused = app.admin().sendmsg(&jared.name, &jonh.name, "spam").await.expect_err("it is refused");
    assert_eq!(refused.code().map(|code| code.0), Some(120_044));
    app.all_settled().await;
    let history = jonh.history(&jared).await;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0]["MsgBody"][0]["MsgContent"]["Text"], "l***h?");
    let told = told.lock().expect("no holder panics").clone();
    let sent = told.iter().find_map(|callback| {
        let Event::AfterSendMsg(sent) = &callback.event else { return None };
        Some(sent.message.body[0].content["Text"].clone())
    });
    assert_eq!(sent, Some("l***h?".into()));
}
