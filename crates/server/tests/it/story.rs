//! Rule C8: every attempt can be seen.

use std::{fs, time::Duration};

use serde_json::Value;
use unsaid_protocol::callback::CallbackCommand;
use unsaid_testkit::{Answer, Script};

use crate::{
    operator_callbacks::start,
    test_app::{TOKEN, TestApp},
};

impl TestApp {
    /// The deliveries, as soon as there are so many; they are taken down a moment later.
    async fn deliveries(&self, query: &str, count: usize) -> Vec<Value> {
        let began = self.world.clock.instant();
        loop {
            let page = self.ask(&format!("/deliveries{query}")).await;
            let attempts = page["attempts"].as_array().expect("an array").clone();
            if attempts.len() >= count || began.elapsed() > Duration::from_secs(10) {
                assert_eq!(attempts.len(), count, "{query}: {page}");
                return attempts;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_a_story_has_every_attempt_with_what_came_back() {
    let (app, jared, jonh, receiver) = start().await;
    let first = Answer::Delay(Duration::from_millis(5), Box::new(Answer::Status(503)));
    receiver.play(Script::queue([first, Answer::Refuse(7)], Answer::Ok));
    let key = jared.send(&jonh, "a secret text").await;
    app.all_settled().await;
    let attempts = app.deliveries("", 3).await;
    let outcomes: Vec<_> = attempts.iter().rev().map(|attempt| attempt["outcome"].clone()).collect();
    assert_eq!(outcomes, ["status", "refused_error_code", "delivered"]);
    let id = attempts[0]["event"].as_str().expect("text");
    let story = app.ask(&format!("/events/{id}")).await;
    assert_eq!(story["event"], Value::Null, "it held text and was delivered, so only its attempts are kept");
    let attempts = story["attempts"].as_array().expect("an array");
    let (first, second, last) = (&attempts[0]["detail"], &attempts[1]["detail"], &attempts[2]["detail"]);
    assert_eq!((&first["number"], &first["status"], &last["number"]), (&1.into(), &503.into(), &3.into()));
    assert!(first["total_us"].as_u64().expect("microseconds") >= 5_000 && first["tls_us"].as_u64().is_some());
    assert!(first["message"].as_str().expect("a sentence").contains("200 is what accepts"));
    assert_eq!(first["address"], receiver.address().to_string());
    assert_eq!(
        (&first["sent"]["MsgKey"], &first["sent"]["MsgBody"][0]),
        (&key.to_string().into(), &"TIMTextElem".into())
    );
    assert!(second["sent"].is_null() && second["answer"].as_str().expect("text").contains('7'));
    assert!(second["tls_us"].is_null() && second["kept_connection"] == true, "the connection was kept");
    assert!(first["answer_us"].as_u64().expect("microseconds") >= 5_000 && second["answer_us"].as_u64().is_some());
    assert_eq!(attempts[0]["msg_key"], key.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_the_phase_in_which_an_attempt_ended_is_timed() {
    let (app, jared, jonh, receiver) = start().await;
    receiver.play(Script::queue([Answer::Hang], Answer::Ok));
    jared.send(&jonh, "one").await;
    app.all_settled().await;
    let attempts = app.deliveries("?outcome=timed_out_answer", 1).await;
    assert!(attempts[0]["detail"]["answer_us"].as_u64().expect("microseconds") > 1_500_000, "{}", attempts[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_questions_have_their_story_without_what_was_asked_or_replaced() {
    let (app, jared, jonh, receiver) = start().await;
    app.change_app(|app| app.callback.commands = CallbackCommand::ALL.into()).await;
    receiver.play(Script::function(|arrival, _| {
        let body = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"secret"}}]"#;
        match arrival.command().as_deref() {
            Some("C2C.CallbackBeforeSendMsg") => Answer::Body(format!(r#"{{"ErrorCode":0,"MsgBody":{body}}}"#)),
            _ => Answer::Ok,
        }
    }));
    let key = jared.send(&jonh, "another secret").await;
    app.all_settled().await;
    let attempts = app.deliveries("?command=C2C.CallbackBeforeSendMsg", 1).await;
    assert_eq!(attempts[0]["msg_key"], key.to_string());
    assert_eq!((&attempts[0]["outcome"], &attempts[0]["lane"]), (&"delivered".into(), &"Jonh".into()));
    assert!(!attempts[0].to_string().contains("secret"), "{}", attempts[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_attempts_are_found_by_account_key_command_outcome_and_time() {
    let (app, jared, jonh, _) = start().await;
    let key = jared.send(&jonh, "one").await;
    jared.recall(&jonh, key).await.expect("it is recalled");
    jonh.send(&jared, "two").await;
    app.all_settled().await;
    let all = app.deliveries("", 3).await;
    let later = all[0]["at_ms"].as_i64().expect("milliseconds") + 1;
    for (query, count) in [
        ("?account=Jonh".to_owned(), 2),
        ("?account=nobody".to_owned(), 0),
        (format!("?msg_key={key}"), 2),
        ("?command=C2C.CallbackAfterMsgWithDraw".to_owned(), 1),
        ("?outcome=delivered&limit=2".to_owned(), 2),
        ("?outcome=unavailable".to_owned(), 0),
        (format!("?since_ms={later}"), 0),
        (format!("?until_ms={later}"), 3),
    ] {
        app.deliveries(&query, count).await;
    }
    let page = app.ask("/deliveries?limit=2").await;
    assert_eq!(
        app.deliveries(&format!("?next={}", page["next"].as_str().expect("there is more")), 1).await[0]["event"],
        all[2]["event"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_neither_text_nor_token_nor_signature_is_in_the_stories() {
    let (mut app, jared, jonh, receiver) = start().await;
    // A receiver that repeats what it was sent.
    receiver.play(Script::function(|arrival, _| {
        let said = String::from_utf8_lossy(arrival.body()).into_owned();
        Answer::Body(format!(r#"{{"ErrorCode":0,"said":{said}}}"#))
    }));
    for number in 0..20 {
        jared.send(&jonh, &format!("a secret text {number}")).await;
    }
    app.deliveries("", 20).await;
    let sign = receiver.arrivals()[0].query("Sign").expect("it is signed").into_owned();
    app.stop().await;
    let mut files = 0;
    for name in ["stories.db", "stories.db-wal"] {
        let Ok(bytes) = fs::read(app.data_dir().join(name)) else {
            continue;
        };
        files += 1;
        for secret in ["a secret text", TOKEN, sign.as_str()] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} is in {name}");
        }
    }
    assert!(files > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_only_so_many_are_kept() {
    let (app, jared, jonh, _) = {
        let settings = |config: &mut unsaid::config::Config| {
            config.operator.token = Some(unsaid::apps::Secret::new("the operator's token"));
            config.stories.records_max = 10;
        };
        TestApp::start_with(|config, _| settings(config)).await
    };
    for number in 0..60 {
        jared.send(&jonh, &format!("text {number}")).await;
    }
    app.all_settled().await;
    // The last one is taken down last, and by then the first ones are gone.
    let last = jared.send(&jonh, "the last").await;
    app.deliveries(&format!("?msg_key={last}"), 1).await;
    app.deliveries("", 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_a_broken_file_is_put_aside_and_callbacks_go_on() {
    let (mut app, jared, jonh, receiver) = start().await;
    jared.send(&jonh, "one").await;
    app.deliveries("", 1).await;
    app.stop().await;
    for rest in ["stories.db-wal", "stories.db-shm"] {
        let _ = fs::remove_file(app.data_dir().join(rest));
    }
    fs::write(app.data_dir().join("stories.db"), "this is no database, and has never been one at all")
        .expect("writable");
    app.start_again().await;
    let (jared, jonh) = (app.actor("jared"), app.actor("Jonh"));
    jared.send(&jonh, "two").await;
    app.all_settled().await;
    assert_eq!(receiver.arrivals().len(), 2);
    app.deliveries("", 1).await;
    assert!(app.data_dir().join("stories.db.broken").exists());
}
