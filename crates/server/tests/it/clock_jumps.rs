//! The wall clock jumps by hours, forth and back: nothing is lost, nothing waits for it to come back, and order stays.

use std::sync::Arc;

use serde_json::json;
use unsaid_protocol::{MsgKey, callback::CallbackCommand};
use unsaid_testkit::{Answer, Arrival, Authority, Receiver, Script};

use crate::test_app::{TestApp, endpoint_url, lanes_keep_their_order, of_command, receiver};

const HOUR_MS: i64 = 3600 * 1000;

/// Forth, far back behind where it was, and to where it should be.
const JUMPS_MS: [i64; 3] = [5 * HOUR_MS, -12 * HOUR_MS, 7 * HOUR_MS];

/// An app whose callbacks go to a receiver that lets any time pass: the usual one holds their signatures against its own clock.
async fn start() -> (TestApp, Arc<Receiver>) {
    let authority = Authority::new();
    let receiver = Arc::new(receiver(&authority).await);
    let (url, ca_pem) = (endpoint_url(receiver.address()), authority.ca_pem());
    let (app, ..) = TestApp::start_with(|_, app| {
        let endpoint = app.callback.endpoint.as_mut().expect("it has one");
        (endpoint.url, endpoint.ca_pem) = (url, Some(ca_pem));
        app.callback.commands.retain(|command| *command != CallbackCommand::StateChange);
    })
    .await;
    (app, receiver)
}

fn recalls(arrivals: &[Arc<Arrival>]) -> Vec<MsgKey> {
    let recalls = of_command(arrivals, CallbackCommand::AfterMsgWithDraw);
    recalls.iter().map(|arrival| arrival.json()["MsgKey"].as_str().expect("text").parse().expect("a key")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_and_recalls_go_on_and_are_told_in_order_whatever_the_clock_says() {
    let (app, receiver) = start().await;
    let (jared, jonh) = (app.actor("jared"), app.actor("Jonh"));
    let mut device = app.device("Jonh", "Web").await;
    let (mut recalled, mut kept) = (Vec::new(), Vec::new());
    for jump_ms in [0].into_iter().chain(JUMPS_MS) {
        app.world.clock.shift(jump_ms);
        for _ in 0..3 {
            let key = jared.send(&jonh, "one").await;
            assert_eq!(device.hear_message().await.msg_key, key.to_string(), "a session hears of it");
            assert_eq!(jared.recall(&jonh, key).await, Ok(()));
            assert_eq!(device.hear_recall().await.msg_key, key.to_string());
            recalled.push(key);
            kept.push(jared.send(&jonh, "two").await);
            device.hear_message().await;
        }
        // What was sent before the jump is recalled after it as well.
        let earlier = kept.remove(0);
        assert_eq!(jared.recall(&jonh, earlier).await, Ok(()));
        recalled.push(earlier);
        device.hear_recall().await;
        assert_eq!(jonh.unread().await, kept.len() as i64);
        app.all_settled().await;
    }
    let arrivals = receiver.arrivals();
    assert_eq!(recalls(&arrivals), recalled, "each once, in the order of their commits");
    lanes_keep_their_order(&arrivals);
    let history = jonh.history(&jared).await;
    let mut keys: Vec<MsgKey> =
        history.iter().map(|message| message["MsgKey"].as_str().expect("text").parse().expect("a key")).collect();
    assert_eq!(keys.len(), recalled.len() + kept.len());
    assert!(keys.is_sorted_by_key(|key| key.time), "a history is in the order of its messages' times");
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), recalled.len() + kept.len(), "no two messages have one key");
    jonh.read(&jared, None).await;
    assert_eq!(jonh.unread().await, 0, "what is read is read, whenever it was sent");
    device.client.logout().await.expect("it may");
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_what_waits_for_its_next_try_does_not_wait_for_the_clock() {
    for jump_ms in JUMPS_MS {
        let (app, receiver) = start().await;
        let (jared, jonh) = (app.actor("jared"), app.actor("Jonh"));
        receiver.play(Script::always(Answer::Status(503)));
        let mut sent = Vec::new();
        for _ in 0..5 {
            let key = jared.send(&jonh, "one").await;
            assert_eq!(jared.recall(&jonh, key).await, Ok(()));
            sent.push(key);
        }
        app.tried_in_vain(2).await;
        app.world.clock.shift(jump_ms);
        receiver.play(Script::always(Answer::Ok));
        assert_eq!(app.all_settled().await.parked, 0, "it is not too old after {jump_ms} ms");
        let mut told = recalls(&receiver.arrivals());
        told.dedup();
        assert_eq!(told, sent);
        lanes_keep_their_order(&receiver.arrivals());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_nor_does_it_after_a_restart() {
    let (mut app, receiver) = start().await;
    receiver.play(Script::always(Answer::Status(503)));
    let key = app.actor("jared").send(&app.actor("Jonh"), "one").await;
    assert_eq!(app.actor("jared").recall(&app.actor("Jonh"), key).await, Ok(()));
    app.tried_in_vain(2).await;
    app.stop().await;
    app.world.clock.shift(-5 * HOUR_MS);
    app.start_again().await;
    receiver.play(Script::always(Answer::Ok));
    // It waits for no more than the longest pause, which ends when the receiver is said to be back.
    app.admin().call("unsaid", "callback_back", &json!({})).await.expect("it may");
    assert_eq!(app.all_settled().await.parked, 0);
    assert!(recalls(&receiver.arrivals()).contains(&key));
}

#[tokio::test(flavor = "multi_thread")]
async fn r1_a_clock_that_was_set_back_closes_no_window() {
    let (app, receiver) = start().await;
    let (jared, jonh) = (app.actor("jared"), app.actor("Jonh"));
    let keys = [jared.send(&jonh, "one").await, jared.send(&jonh, "two").await];
    app.world.clock.shift(-5 * HOUR_MS);
    assert_eq!(app.recall_as_client(&jared, "Jonh", keys[0]).await, Ok(()), "it is not older than a moment");
    app.world.clock.shift(10 * HOUR_MS);
    assert_eq!(app.recall_as_client(&jared, "Jonh", keys[1]).await, Err(20016));
    assert_eq!(jared.recall(&jonh, keys[1]).await, Ok(()), "the admin recalls at any age");
    app.all_settled().await;
    assert_eq!(recalls(&receiver.arrivals()), keys);
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_a_repeat_is_one_after_the_clock_was_set_back() {
    let (app, _receiver) = start().await;
    let element = json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": "one"}}]);
    let body = json!({"From_Account": "jared", "To_Account": "Jonh", "MsgSeq": 5, "MsgRandom": 6, "MsgBody": element});
    let first = app.admin().call("openim", "sendmsg", &body).await.expect("sent");
    app.world.clock.shift(-5 * HOUR_MS);
    let again = app.admin().call("openim", "sendmsg", &body).await.expect("sent");
    assert_eq!(again["MsgKey"], first["MsgKey"]);
    assert_eq!(app.actor("Jonh").unread().await, 1);
    // The receiver goes before the app does.
    app.all_settled().await;
}
