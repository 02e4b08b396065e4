//! Rule C2: the app backend is asked before a message is sent.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use unsaid::apps::BeforeFailure;
use unsaid_protocol::callback::CallbackCommand;
use unsaid_testkit::{Answer, Receiver, Script};

use crate::test_app::{Actor, TestApp, join_all, of_command};

async fn start() -> (TestApp, Actor, Actor, Arc<Receiver>) {
    TestApp::start_with(|_, app| app.callback.commands = CallbackCommand::ALL.into()).await
}

/// Answers the question so, and takes everything else.
fn asked(answer: Answer) -> Script {
    Script::function(move |arrival, _| {
        let question = arrival.command().as_deref() == Some(CallbackCommand::BeforeSendMsg.as_str());
        if question { answer.clone() } else { Answer::Ok }
    })
}

fn says(answer: &Value) -> Script {
    asked(Answer::Body(answer.to_string()))
}

async fn send(app: &TestApp, body: &Value) -> Value {
    app.admin().call("openim", "sendmsg", body).await.unwrap_or_else(
        |error| json!({"ErrorCode": error.code().expect("an answer").0, "ErrorInfo": error.to_string()}),
    )
}

fn message(number: u32) -> Value {
    json!({"From_Account": "jared", "To_Account": "Jonh", "MsgSeq": number, "MsgRandom": number,
           "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "lunch at noon?"}}], "CloudCustomData": "mine"})
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_before_sending_the_backend_is_asked_with_the_key_of_the_message() {
    let (app, jared, jonh, receiver) = start().await;
    let sent = send(&app, &message(1)).await;
    assert_eq!(sent["ErrorCode"], 0, "{sent}");
    app.all_settled().await;
    let arrivals = receiver.arrivals();
    let (question, after) = (arrivals[0].json(), arrivals[1].json());
    assert_eq!(question["CallbackCommand"], "C2C.CallbackBeforeSendMsg");
    for field in [
        "From_Account",
        "To_Account",
        "MsgSeq",
        "MsgRandom",
        "MsgTime",
        "MsgKey",
        "MsgId",
        "OnlineOnlyFlag",
        "MsgBody",
        "CloudCustomData",
    ] {
        assert_eq!(question[field], after[field], "{field}");
        assert!(!question[field].is_null(), "{field}");
    }
    assert_eq!(question["MsgKey"], sent["MsgKey"]);
    assert!(question["EventTime"].as_i64().expect("milliseconds") > 1_700_000_000_000);
    assert!(arrivals[0].header("unsaid-lane").is_none() && arrivals[0].header("webhook-id").is_some());
    assert_eq!(jonh.history(&jared).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_the_codes_of_the_answer_are_obeyed() {
    let (app, jared, jonh, receiver) = start().await;
    for (number, (code, expected)) in
        (1..).zip([(1, 20006), (77, 20006), (120_001, 120_001), (130_000, 130_000), (130_001, 20006)])
    {
        receiver.play(says(&json!({"ActionStatus": "OK", "ErrorInfo": "quota exhausted", "ErrorCode": code})));
        let answer = send(&app, &message(number)).await;
        assert_eq!(answer["ErrorCode"], expected, "{answer}");
        assert!(answer["ErrorInfo"].as_str().expect("text").contains("quota exhausted"), "{answer}");
    }
    receiver.play(says(&json!({"ErrorCode": 2})));
    let discarded = send(&app, &message(20)).await;
    assert_eq!((&discarded["ErrorCode"], discarded["MsgKey"].is_string()), (&0.into(), true));
    app.all_settled().await;
    assert!(jonh.history(&jared).await.is_empty(), "nothing is stored");
    assert_eq!(jonh.unread().await, 0);
    let told = of_command(&receiver.arrivals(), CallbackCommand::AfterSendMsg);
    assert!(told.is_empty(), "what was not sent is not told");
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_what_the_backend_replaces_is_stored_and_told() {
    let (app, jared, jonh, receiver) = start().await;
    receiver.play(says(&json!({"ErrorCode": 0, "CloudCustomData": "theirs",
                              "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "l***h at noon?"}}]})));
    let first = send(&app, &message(1)).await;
    app.all_settled().await;
    let text = |message: &Value| message["MsgBody"][0]["MsgContent"]["Text"].clone();
    let history = jonh.history(&jared).await;
    assert_eq!((text(&history[0]), &history[0]["CloudCustomData"]), ("l***h at noon?".into(), &"theirs".into()));
    let told = of_command(&receiver.arrivals(), CallbackCommand::AfterSendMsg);
    assert_eq!(text(&told[0].json()), "l***h at noon?");
    // A repeat of what was sent is recognised, and nobody is asked again.
    let before = receiver.arrivals().len();
    assert_eq!(send(&app, &message(1)).await["MsgKey"], first["MsgKey"]);
    assert_eq!((receiver.arrivals().len(), jonh.unread().await), (before, 1));
    // What cannot replace it leaves it as it is.
    receiver.play(says(&json!({"ErrorCode": 0, "MsgBody": [{"MsgType": "TIMTextElem"}]})));
    assert_eq!(send(&app, &message(2)).await["ErrorCode"], 0);
    let history = jonh.history(&jared).await;
    assert!(history.iter().any(|message| text(message) == "lunch at noon?"));
}

/// What says nothing of the message, and what its sender reads of that under the policy `refuse`.
fn no_answers() -> Vec<(Answer, &'static str)> {
    let slow = Answer::Delay(Duration::from_millis(2500), Box::new(Answer::Ok));
    vec![
        (Answer::Status(500), "HTTP 500"),
        (Answer::Status(204), "HTTP 204"),
        (Answer::Body("ok".to_owned()), "not JSON"),
        (Answer::Body(r#"{"ActionStatus":"OK"}"#.to_owned()), "no integer ErrorCode"),
        (Answer::Close, "lost"),
        (Answer::Hang, "timed out"),
        (slow, "timed out"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_without_an_answer_messages_pass() {
    let (app, jared, jonh, receiver) = start().await;
    let answers = no_answers();
    for (number, (answer, _)) in (1..).zip(&answers) {
        receiver.play(asked(answer.clone()));
        let began = app.world.clock.instant();
        assert_eq!(send(&app, &message(number)).await["ErrorCode"], 0, "{answer:?}");
        assert!(began.elapsed() < Duration::from_millis(2450), "2 s in all: {answer:?}");
    }
    app.all_settled().await;
    assert_eq!((jonh.history(&jared).await.len(), jonh.unread().await), (answers.len(), answers.len() as i64));
    let questions = of_command(&receiver.arrivals(), CallbackCommand::BeforeSendMsg);
    assert_eq!(questions.len(), answers.len(), "nothing is asked twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_without_an_answer_messages_are_refused_where_the_app_says_so() {
    let (app, jared, jonh, receiver) = start().await;
    app.change_app(|app| app.callback.before_failure = BeforeFailure::Refuse).await;
    for (number, (answer, why)) in (1..).zip(no_answers()) {
        receiver.play(asked(answer.clone()));
        let before = receiver.arrivals().len();
        let refused = send(&app, &message(number)).await;
        assert_eq!(refused["ErrorCode"], 80003, "{answer:?}: {refused}");
        app.all_settled().await;
        let told = of_command(&receiver.arrivals()[before..], CallbackCommand::AfterSendMsg);
        assert_eq!(told.len(), 1, "{answer:?}");
        let told = told[0].json();
        assert_eq!((&told["SendMsgResult"], &told["UnreadMsgNum"]), (&80003.into(), &(-1).into()), "{answer:?}");
        assert!(told["ErrorInfo"].as_str().expect("text").contains(why), "{told}");
        assert_eq!(told["MsgBody"][0]["MsgContent"]["Text"], "lunch at noon?");
    }
    assert!(jonh.history(&jared).await.is_empty(), "nothing is stored");
    assert_eq!(jonh.unread().await, 0);
    // What was refused was never sent: it may be sent again.
    receiver.play(Script::default());
    assert_eq!(send(&app, &message(1)).await["ErrorCode"], 0);
    app.all_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_a_refusal_is_not_remembered() {
    let (app, jared, jonh, receiver) = start().await;
    for (code, expected) in [(1, 20006), (2, 0), (120_044, 120_044)] {
        receiver.play(says(&json!({"ErrorCode": code, "ErrorInfo": null})));
        let answer = send(&app, &message(1)).await;
        assert_eq!(answer["ErrorCode"], expected, "{answer}");
    }
    receiver.play(Script::default());
    assert_eq!(send(&app, &message(1)).await["ErrorCode"], 0);
    app.all_settled().await;
    let questions = of_command(&receiver.arrivals(), CallbackCommand::BeforeSendMsg);
    assert_eq!((questions.len(), jonh.history(&jared).await.len()), (4, 1));
}

/// What was accepted is finished, whoever reads the answer; so the caller that comes back hears what the first question
/// was answered.
#[tokio::test(flavor = "multi_thread")]
async fn c2_a_caller_that_comes_back_gets_the_answer_to_the_first_question() {
    let (app, jared, jonh, receiver) = start().await;
    receiver.play(asked(Answer::Delay(Duration::from_millis(700), Box::new(Answer::Refuse(1)))));
    let app = Arc::new(app);
    let first = tokio::spawn({
        let app = Arc::clone(&app);
        async move { send(&app, &message(1)).await }
    });
    receiver.wait_until(|arrivals| !arrivals.is_empty()).await;
    receiver.play(Script::default());
    first.abort();
    let answer = send(&app, &message(1)).await;
    assert_eq!(answer["ErrorCode"], 20006, "{answer}");
    app.all_settled().await;
    let questions = of_command(&receiver.arrivals(), CallbackCommand::BeforeSendMsg);
    assert_eq!((questions.len(), jonh.history(&jared).await.len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_who_repeats_meanwhile_waits_for_the_first_answer() {
    let (app, jared, jonh, receiver) = start().await;
    receiver.play(asked(Answer::Delay(Duration::from_millis(300), Box::new(Answer::Ok))));
    let app = Arc::new(app);
    let sends = (0..8).map(|_| {
        let app = Arc::clone(&app);
        async move { send(&app, &message(1)).await }
    });
    let answers = join_all(sends).await;
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
    let questions = of_command(&receiver.arrivals(), CallbackCommand::BeforeSendMsg);
    assert_eq!((questions.len(), jonh.history(&jared).await.len()), (1, 1));
    app.all_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_a_message_may_do_without_its_callbacks() {
    let (app, _, _, receiver) = start().await;
    for (number, forbidden, expected) in [
        (1, json!(["ForbidBeforeSendMsgCallback"]), vec!["C2C.CallbackAfterSendMsg"]),
        (2, json!(["ForbidAfterSendMsgCallback"]), vec!["C2C.CallbackBeforeSendMsg"]),
        (3, json!(["ForbidBeforeSendMsgCallback", "ForbidAfterSendMsgCallback"]), vec![]),
    ] {
        let before = receiver.arrivals().len();
        let mut message = message(number);
        message["ForbidCallbackControl"] = forbidden;
        assert_eq!(send(&app, &message).await["ErrorCode"], 0);
        app.all_settled().await;
        let came: Vec<_> =
            receiver.arrivals()[before..].iter().map(|arrival| arrival.json()["CallbackCommand"].clone()).collect();
        assert_eq!(came, expected);
    }
}
