//! Rules C4 and C6: what is tried again, when, and that a restart changes nothing of it.

use std::{sync::Arc, time::Duration};

use unsaid::callback::AlarmSettings;
use unsaid_testkit::{Answer, Arrival, Receiver, ReceiverConfig, Script};

use crate::test_app::{SDKAPPID, TestApp};

fn pauses_ms(arrivals: &[Arc<Arrival>]) -> Vec<u128> {
    arrivals.windows(2).map(|pair| (pair[1].at - pair[0].at).as_millis()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_what_was_unavailable_is_tried_again_with_growing_pauses() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let down = [Answer::Status(500), Answer::Status(302), Answer::Body("no JSON".to_owned())];
    receiver.play(Script::queue(down, Answer::Ok));
    jared.send(&jonh, "one").await;
    app.all_settled().await;
    let arrivals = receiver.arrivals();
    assert_eq!(arrivals.len(), 4);
    for (pause, least) in pauses_ms(&arrivals).into_iter().zip([160, 320, 640]) {
        assert!(pause >= least && pause < 4 * least, "{pause} ms, {least} ms at least");
    }
    let same = |arrival: &Arc<Arrival>| arrival.body == arrivals[0].body;
    assert!(arrivals.iter().all(same), "every try sends the same bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_a_refused_event_is_parked_and_the_next_one_goes() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    receiver.play(Script::function(|arrival, _| {
        if arrival.header("unsaid-number") == Some("2") { Answer::Refuse(1) } else { Answer::Ok }
    }));
    for text in ["one", "two", "three"] {
        jared.send(&jonh, text).await;
    }
    assert_eq!(app.all_settled().await.parked, 1);
    let arrivals = receiver.arrivals();
    let header = |name: &'static str| arrivals.iter().map(move |arrival| arrival.header(name).expect("it is there"));
    assert_eq!(header("unsaid-number").collect::<Vec<_>>(), ["1", "2", "2", "2", "3"]);
    assert_eq!(header("unsaid-previous").collect::<Vec<_>>(), ["0", "1", "1", "1", "1"], "2 was never delivered");
    let pauses = pauses_ms(&arrivals[1..4]);
    assert!((1000..2000).contains(&pauses[0]) && (4000..5000).contains(&pauses[1]), "{pauses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn c4_a_receiver_that_stalls_is_left_after_two_seconds() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    receiver.play(Script::queue([Answer::Hang], Answer::Ok));
    jared.send(&jonh, "one").await;
    app.all_settled().await;
    let arrivals = receiver.arrivals();
    let pause = arrivals[1].at - arrivals[0].at;
    assert!(pause > Duration::from_millis(2000) && pause < Duration::from_millis(4000), "{pause:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_a_receiver_that_is_down_gets_everything_in_order_when_it_is_back() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    receiver.play(Script::always(Answer::Status(503)));
    for _ in 0..40 {
        let key = jared.send(&jonh, "one").await;
        assert_eq!(jared.recall(&jonh, key).await, Ok(()));
    }
    receiver.wait_until(|arrivals| arrivals.len() >= 2).await;
    receiver.play(Script::always(Answer::Ok));
    app.all_settled().await;
    let numbers: std::collections::BTreeSet<i64> = receiver
        .arrivals()
        .iter()
        .map(|arrival| arrival.header("unsaid-number").expect("it has one").parse().expect("digits"))
        .collect();
    assert_eq!(numbers, (1..=80).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_a_restart_changes_nothing() {
    let (mut app, jared, jonh, receiver) = TestApp::start().await;
    receiver.play(Script::always(Answer::Status(503)));
    for _ in 0..30 {
        jared.send(&jonh, "one").await;
    }
    let tried = receiver.wait_until(|arrivals| arrivals.len() >= 3).await;
    app.stop().await;
    receiver.play(Script::always(Answer::Ok));
    app.start_again().await;
    app.all_settled().await;
    let arrivals = receiver.arrivals();
    let delivered: Vec<i64> = arrivals
        .iter()
        .filter(|arrival| arrival.number > tried.len() as u64)
        .map(|arrival| arrival.header("unsaid-number").expect("it has one").parse().expect("digits"))
        .collect();
    let last = delivered.iter().rposition(|number| *number == 1).expect("the first one was delivered at last");
    assert_eq!(delivered[last..], (1..=30).collect::<Vec<i64>>());
    let first = arrivals.iter().filter(|arrival| arrival.header("unsaid-number") == Some("1"));
    assert!(first.into_iter().all(|arrival| arrival.body == arrivals[0].body), "a restart changes no byte");
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_the_pause_of_a_refused_event_goes_on_after_a_restart() {
    let (mut app, jared, jonh, receiver) = TestApp::start().await;
    receiver.play(Script::always(Answer::Refuse(1)));
    jared.send(&jonh, "one").await;
    receiver.wait_until(|arrivals| arrivals.len() == 2).await;
    app.stop().await;
    app.start_again().await;
    assert_eq!(app.all_settled().await.parked, 1);
    let arrivals = receiver.arrivals();
    assert_eq!(arrivals.len(), 3, "the tries before the restart count");
    let pause = pauses_ms(&arrivals)[1];
    assert!((4000..5500).contains(&pause), "{pause} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_lag_is_told_once_and_once_when_it_is_over() {
    let alarms = Receiver::start(ReceiverConfig::default()).await.expect("a free port");
    let url = format!("{}/alarm?key=7", alarms.base());
    let (app, jared, jonh, receiver) = TestApp::start_with(|config, app| {
        config.alarm = AlarmSettings { url: Some(url), lag_max: Duration::from_millis(400) };
        app.callback.backlog_events_max = 1_000_000;
    })
    .await;
    receiver.play(Script::always(Answer::Status(503)));
    // The first try at telling it fails.
    alarms.play(Script::queue([Answer::Status(500)], Answer::Ok));
    jared.send(&jonh, "hello").await;
    let (failed, told) = (alarms.next().await, alarms.next().await);
    assert_eq!(told.path_and_query(), "/alarm?key=7");
    for alarm in [&failed, &told] {
        let alarm = alarm.json();
        assert_eq!((&alarm["alarm"], &alarm["state"]), (&"lag".into(), &"begins".into()));
        assert_eq!((&alarm["sdkappid"], &alarm["waiting"]), (&SDKAPPID.0.into(), &1.into()));
    }
    receiver.play(Script::always(Answer::Ok));
    let over = alarms.next().await.json();
    assert_eq!((&over["alarm"], &over["state"], &over["waiting"]), (&"lag".into(), &"over".into(), &0.into()));
    app.all_settled().await;
}
