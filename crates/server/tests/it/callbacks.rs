//! Rules C3, C5 and C7: what a callback carries, in which order, and over what connection.

use std::time::Duration;

use unsaid::apps::{AnswerRule, LaneBy};
use unsaid_protocol::callback::CallbackCommand;
use unsaid_testkit::{Answer, Authority, Receiver, ReceiverConfig, Script};

use crate::test_app::{TestApp, endpoint_url, of_command, receiver};

#[tokio::test(flavor = "multi_thread")]
async fn c1_a_send_and_a_read_report_reach_the_backend() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let key = jared.send(&jonh, "one").await;
    jonh.read(&jared, None).await;
    jonh.read(&jared, None).await;
    app.all_settled().await;
    let arrivals = receiver.arrivals();
    assert_eq!(arrivals.len(), 2, "a report that moves no mark is not told");

    let sent = arrivals[0].json();
    assert_eq!(sent["CallbackCommand"], "C2C.CallbackAfterSendMsg");
    assert_eq!(sent["MsgKey"], key.to_string());
    assert_eq!(sent["MsgBody"][0]["MsgContent"]["Text"], "one");
    assert_eq!((&sent["SendMsgResult"], &sent["ErrorInfo"]), (&0.into(), &"send msg succeed".into()));
    assert_eq!((&sent["UnreadMsgNum"], &sent["OnlineOnlyFlag"]), (&1.into(), &0.into()));

    let report = arrivals[1].json();
    assert_eq!(report["CallbackCommand"], "C2C.CallbackAfterMsgReport");
    assert_eq!((&report["Report_Account"], &report["Peer_Account"]), (&"Jonh".into(), &"jared".into()));
    assert_eq!(report["UnreadMsgNum"], 0);
    assert!(report["LastReadTime"].as_i64().expect("seconds") >= i64::from(key.time));
}

#[tokio::test(flavor = "multi_thread")]
async fn c3_headers_name_the_event_its_lane_and_what_came_before() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    for text in ["one", "two", "three"] {
        jared.send(&jonh, text).await;
    }
    app.all_settled().await;
    let arrivals = receiver.arrivals();
    let header = |name: &'static str| arrivals.iter().map(move |arrival| arrival.header(name).expect("it is there"));
    assert_eq!(header("unsaid-number").collect::<Vec<_>>(), ["1", "2", "3"]);
    assert_eq!(header("unsaid-previous").collect::<Vec<_>>(), ["0", "1", "2"]);
    assert!(header("unsaid-lane").all(|lane| lane == format!("{}.Jonh", app.server().store().epoch())));
    assert!(header("webhook-id").all(|id| id.starts_with("evt_")));
    assert!(header("content-type").all(|kind| kind == "application/json; charset=utf-8"));
}

#[tokio::test(flavor = "multi_thread")]
async fn c5_a_lane_waits_for_its_first_event_and_no_other_lane_does() {
    if crate::test_app::left_out_without_a_bus("another lane may be found a second later") {
        return;
    }
    let (app, jared, jonh, receiver) = TestApp::start().await;
    // The first callback is answered late.
    receiver.play(Script::function(|arrival, _| {
        if arrival.header("unsaid-lane").is_some_and(|lane| lane.ends_with(".Jonh")) {
            Answer::Delay(Duration::from_millis(300), Box::new(Answer::Ok))
        } else {
            Answer::Ok
        }
    }));
    jared.send(&jonh, "one").await;
    jared.send(&jonh, "two").await;
    jonh.send(&jared, "to jared").await;
    let arrivals = receiver.wait_until(|arrivals| arrivals.len() == 3).await;
    let texts: Vec<_> =
        arrivals.iter().map(|arrival| arrival.json()["MsgBody"][0]["MsgContent"]["Text"].clone()).collect();
    assert_eq!(texts, ["one", "to jared", "two"]);
    app.all_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c5_an_app_may_have_a_lane_for_each_conversation() {
    let (app, jared, jonh, receiver) = TestApp::start_with(|_, app| app.lane = LaneBy::Conversation).await;
    let mira = app.account("mira").await;
    jared.send(&jonh, "one").await;
    mira.send(&jonh, "two").await;
    jonh.send(&jared, "three").await;
    app.all_settled().await;
    let arrivals = receiver.arrivals();
    let mut lanes: Vec<_> = arrivals
        .iter()
        .map(|arrival| (arrival.header("unsaid-lane").expect("a lane"), arrival.header("unsaid-number").expect("one")))
        .collect();
    lanes.sort_unstable();
    let epoch = app.server().store().epoch();
    let (of_jared, of_mira) = (format!("{epoch}.Jonh%09jared"), format!("{epoch}.Jonh%09mira"));
    assert_eq!(lanes, [(of_jared.as_str(), "1"), (of_jared.as_str(), "2"), (of_mira.as_str(), "1")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn c7_connections_are_kept_between_callbacks() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    for _ in 0..20 {
        jared.send(&jonh, "one").await;
    }
    app.all_settled().await;
    assert_eq!((receiver.arrivals().len(), receiver.connections()), (20, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn c7_a_receiver_that_closes_idle_connections_loses_nothing() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    receiver.play(Script::function(|_, number| if number % 2 == 0 { Answer::Close } else { Answer::Ok }));
    for _ in 0..6 {
        jared.send(&jonh, "one").await;
    }
    app.all_settled().await;
    let sent = of_command(&receiver.arrivals(), CallbackCommand::AfterSendMsg);
    let delivered: std::collections::BTreeSet<_> =
        sent.iter().map(|arrival| arrival.json()["MsgKey"].to_string()).collect();
    assert_eq!(delivered.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn c3_the_endpoint_is_that_of_the_moment_of_the_attempt() {
    let (app, jared, jonh, first) = TestApp::start().await;
    first.play(Script::always(Answer::Status(503)));
    jared.send(&jonh, "one").await;
    let tried = first.next().await;

    let second = receiver(&app.authority).await;
    let url = endpoint_url(second.address());
    app.change_app(|app| app.callback.endpoint.as_mut().expect("it has one").url = url).await;

    let arrived = second.next().await;
    assert_eq!(arrived.body, tried.body, "the bytes of the body never change");
    assert_eq!(arrived.header("webhook-id"), tried.header("webhook-id"));
    app.all_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c7_a_certificate_of_another_authority_is_not_accepted() {
    let (mut app, jared, jonh, receiver) = TestApp::start().await;
    let other = Authority::new();
    app.change_app(|app| app.callback.endpoint.as_mut().expect("it has one").ca_pem = Some(other.ca_pem())).await;
    let key = jared.send(&jonh, "one").await;
    app.tried_in_vain(1).await;
    // The right authority again: the next attempt delivers.
    let ca_pem = app.authority.ca_pem();
    app.change_app(|app| app.callback.endpoint.as_mut().expect("it has one").ca_pem = Some(ca_pem)).await;
    let arrived = receiver.next().await;
    assert_eq!(arrived.json()["MsgKey"], key.to_string());
    assert_eq!(arrived.number, 1, "nothing was sent over a connection that was not trusted");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c7_loopback_is_not_called_unless_the_operator_allows_it() {
    let (mut app, jared, jonh, receiver) =
        TestApp::start_with(|config, _| config.callback.allow_networks.clear()).await;
    app.leave_backlog();
    jared.send(&jonh, "one").await;
    app.tried_in_vain(2).await;
    app.stop().await;
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn c7_plain_http_is_not_called_any_more_when_the_operator_forbids_it() {
    let (mut app, jared, jonh, secure) = TestApp::start().await;
    let plain = Receiver::start(ReceiverConfig::default()).await.expect("a free port");
    let url = format!("{}/im", plain.base());
    app.change_app(|app| app.callback.endpoint.as_mut().expect("it has one").url = url).await;
    jared.send(&jonh, "one").await;
    plain.next().await;
    app.restart_with(|config| config.callback.allow_http = false).await;
    app.leave_backlog();
    let (jared, jonh) = (app.actor("jared"), app.actor("Jonh"));
    jared.send(&jonh, "two").await;
    app.tried_in_vain(1).await;
    app.stop().await;
    assert_eq!((plain.arrivals().len(), secure.arrivals().len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn c4_with_the_rule_status_any_answer_with_200_counts() {
    let (app, jared, jonh, receiver) = TestApp::start_with(|_, app| app.callback.answer = AnswerRule::Status).await;
    receiver.play(Script::always(Answer::Body("thanks".to_owned())));
    jared.send(&jonh, "one").await;
    app.all_settled().await;
    assert_eq!(receiver.arrivals().len(), 1);
}
