//! Rules R1 to R7, from the request to the receiver.

use serde_json::json;
use unsaid::apps::RecallBody;
use unsaid_protocol::{MsgKey, callback::CallbackCommand};

use crate::test_app::{TestApp, join_all, of_command};

const WITHDRAW: CallbackCommand = CallbackCommand::AfterMsgWithDraw;

#[tokio::test(flavor = "multi_thread")]
async fn r3_r5_r7_a_recall_by_the_admin_reaches_the_backend() {
    let (_app, jared, jonh, receiver) = TestApp::start().await;
    let (first, second) = (jared.send(&jonh, "one").await, jared.send(&jonh, "two").await);
    let before = receiver.wait_until(|arrivals| arrivals.len() == 2).await.len();

    assert_eq!(jared.recall(&jonh, second).await, Ok(()));

    let arrivals = receiver.wait_until(|arrivals| arrivals.len() > before).await;
    let callback = arrivals.last().expect("it was waited for");
    let mut body = callback.json();
    assert!(body["EventTime"].as_i64().expect("a number") > i64::from(first.time) * 1000);
    body["EventTime"] = json!(0);
    let expected = json!({"CallbackCommand": "C2C.CallbackAfterMsgWithDraw", "From_Account": "jared",
        "To_Account": "Jonh", "MsgKey": second.to_string(), "UnreadMsgNum": 1, "EventTime": 0});
    assert_eq!(body, expected);

    let (path, query) = callback.path_and_query().split_once('?').expect("a query");
    assert_eq!(path, "/im");
    let names: Vec<_> = query.split('&').map(|pair| pair.split('=').next().expect("a name")).collect();
    let expected =
        ["tenant", "SdkAppid", "CallbackCommand", "contenttype", "ClientIP", "OptPlatform", "Sign", "RequestTime"];
    assert_eq!(names, expected);
    assert!(query.starts_with("tenant=7&SdkAppid=1400000001&CallbackCommand=C2C.CallbackAfterMsgWithDraw&"));
    assert!(query.contains("contenttype=json&ClientIP=127.0.0.1&OptPlatform=RESTAPI&Sign="));
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_a_recalled_message_is_a_tombstone_in_both_histories() {
    let (_app, jared, jonh, _) = TestApp::start().await;
    let key = jared.send(&jonh, "a secret").await;
    assert_eq!(jared.recall(&jonh, key).await, Ok(()));
    for (operator, peer) in [(&jared, &jonh), (&jonh, &jared)] {
        let history = operator.history(peer).await;
        let expected = json!([{"From_Account": "jared", "To_Account": "Jonh", "MsgSeq": key.seq, "MsgRandom": key.random,
            "MsgTimeStamp": key.time, "MsgFlagBits": 8, "IsPeerRead": 0, "MsgKey": key.to_string(), "MsgBody": [],
            "CloudCustomData": ""}]);
        assert_eq!(json!(history), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_nothing_of_a_recalled_text_is_left_after_an_orderly_stop() {
    let (mut app, jared, jonh, _) = TestApp::start().await;
    let key = jared.send(&jonh, "I never liked your soup").await;
    assert_eq!(jared.recall(&jonh, key).await, Ok(()));
    app.all_settled().await;
    app.stop().await;
    for file in std::fs::read_dir(app.data_dir()).expect("readable") {
        let path = file.expect("readable").path();
        // The database's last connection may be taking its log away just now.
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(!bytes.windows(8).any(|window| window == b"your sou"), "{} holds it", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r1_r7_a_client_recalls_its_own_message_within_the_window() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let key = jared.send(&jonh, "one").await;
    assert_eq!(app.recall_as_client(&jonh, "jared", key).await, Err(20022), "it is not Jonh's message");
    assert_eq!(app.recall_as_client(&jared, "Jonh", key).await, Ok(()));
    let arrivals = receiver.wait_until(|arrivals| !of_command(arrivals, WITHDRAW).is_empty()).await;
    let callback = &of_command(&arrivals, WITHDRAW)[0];
    assert_eq!(callback.query("ClientIP").as_deref(), Some("127.0.0.1"));
    assert_eq!(callback.query("OptPlatform").as_deref(), Some("Android"));
}

#[tokio::test(flavor = "multi_thread")]
async fn r1_after_the_window_only_the_admin_recalls() {
    let (app, jared, jonh, _) = TestApp::start().await;
    app.change_app(|app| app.callback.commands.retain(|command| *command != CallbackCommand::StateChange)).await;
    let key = jared.send(&jonh, "one").await;
    // Callbacks are signed by the server's clock, and the receiver has its own.
    app.all_settled().await;
    let past = (i64::from(key.time) + 121) * 1000 - app.world.clock.now().0;
    app.world.clock.shift(past);
    assert_eq!(app.recall_as_client(&jared, "Jonh", key).await, Err(20016));
    app.world.clock.shift(-past);
    assert_eq!(jared.recall(&jonh, key).await, Ok(()));
    assert_eq!(app.recall_as_client(&jared, "Jonh", key).await, Err(20023), "recalled comes before too late");
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_what_is_not_there_is_not_recalled_and_calls_nobody() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let key = jared.send(&jonh, "one").await;
    let nobody = app.actor("nobody");
    let other = MsgKey { random: key.random ^ 1, ..key };
    assert_eq!(jonh.recall(&jared, key).await, Err(20022), "the other way round");
    assert_eq!(jared.recall(&jonh, other).await, Err(20022), "another key");
    assert_eq!(nobody.recall(&jonh, key).await, Err(90008), "an unknown sender");
    assert_eq!(jared.recall(&nobody, key).await, Err(90003), "an unknown recipient");
    assert_eq!(jonh.unread().await, 1);
    assert_eq!(jared.recall(&jonh, key).await, Ok(()));
    app.all_settled().await;
    assert_eq!(of_command(&receiver.arrivals(), WITHDRAW).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r4_of_two_recalls_at_once_one_succeeds_and_one_callback_comes() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    for _ in 0..10 {
        let key = jared.send(&jonh, "one").await;
        let racing = (0..4).map(|_| {
            let (jared, jonh) = (jared.clone(), jonh.clone());
            async move { jared.recall(&jonh, key).await }
        });
        let mut results = join_all(racing).await;
        results.sort();
        assert_eq!(results, [Ok(()), Err(20023), Err(20023), Err(20023)]);
    }
    app.all_settled().await;
    assert_eq!(of_command(&receiver.arrivals(), WITHDRAW).len(), 10);
    assert_eq!(jonh.unread().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r5_a_strict_receiver_gets_the_fields_it_knows() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let base = ["CallbackCommand", "From_Account", "MsgKey", "To_Account"];
    for (body, more) in [
        (RecallBody::Unread, vec!["UnreadMsgNum"]),
        (RecallBody::Time, vec!["EventTime"]),
        (RecallBody::All, vec!["EventTime", "UnreadMsgNum"]),
        (
            RecallBody::Detail,
            vec!["EventTime", "MsgId", "MsgRandom", "MsgSeq", "MsgTime", "Operator_Account", "UnreadMsgNum"],
        ),
    ] {
        app.change_app(|app| app.recall_body = body).await;
        let key = jared.send(&jonh, "one").await;
        assert_eq!(jared.recall(&jonh, key).await, Ok(()));
        let arrivals = receiver.wait_until(|arrivals| {
            of_command(arrivals, WITHDRAW).iter().any(|callback| callback.json()["MsgKey"] == key.to_string())
        });
        let callback = of_command(&arrivals.await, WITHDRAW).pop().expect("it was waited for").json();
        let mut expected: Vec<_> = base.into_iter().chain(more).collect();
        expected.sort_unstable();
        let fields: Vec<_> = callback.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(fields, expected);
        if body == RecallBody::Detail {
            assert_eq!(callback["Operator_Account"], "administrator");
            assert_eq!(callback["MsgSeq"], key.seq);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r6_unread_falls_only_for_a_message_that_was_unread() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let mira = app.account("mira").await;
    let read = jared.send(&jonh, "read").await;
    mira.send(&jonh, "from another").await;
    jonh.read(&jared, None).await;
    let unread = jared.send(&jonh, "unread, in the same second as the report").await;
    assert_eq!(jonh.unread().await, 2);
    assert_eq!(jared.recall(&jonh, read).await, Ok(()));
    assert_eq!(jonh.unread().await, 2, "it was read");
    assert_eq!(jared.recall(&jonh, unread).await, Ok(()));
    assert_eq!(jonh.unread().await, 1, "it was not");
    app.all_settled().await;
    let totals: Vec<_> = of_command(&receiver.arrivals(), WITHDRAW)
        .iter()
        .map(|callback| callback.json()["UnreadMsgNum"].clone())
        .collect();
    assert_eq!(totals, [2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn r4_without_the_switch_nothing_is_owed() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    app.change_app(|app| app.callback.commands.clear()).await;
    let key = jared.send(&jonh, "one").await;
    assert_eq!(jared.recall(&jonh, key).await, Ok(()));
    assert_eq!(app.backlog().await.waiting, 0, "an event is in the outbox as soon as the recall is answered, or never");
    assert!(receiver.arrivals().is_empty());
}
