//! What REST does with messages beyond their fields: what is one message, what is a repeat of it, and what it may hold.

use serde_json::Value;
use unsaid_client::RestClient;

use crate::test_app::TestApp;

/// The answer to a command of `openim`.
async fn openim(admin: &RestClient, name: &str, body: &str) -> Value {
    let answer = admin.post("openim", name, body.to_owned()).await.expect("an answer");
    assert_eq!(answer.status, 200, "{name}");
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// The fields of a message from jared to Jonh, with this `MsgSeq` and text as it stands in JSON.
fn message(seq: u32, text: &str) -> String {
    format!(
        r#""From_Account":"jared","To_Account":"Jonh","MsgSeq":{seq},"MsgRandom":7,"MsgBody":[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"{text}"}}}}]"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_how_a_library_escapes_a_message_makes_no_other_message() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let admin = app.admin();
    let raw = "你好 / 😀";
    let escaped = r"\u4f60\u597d \/ \uD83D\ude00";
    let first = openim(&admin, "sendmsg", &format!("{{{}}}", message(1, raw))).await;
    assert_eq!(first["ErrorCode"], 0, "{first}");
    assert_eq!(openim(&admin, "sendmsg", &format!("{{{}}}", message(1, escaped))).await, first);
    let history = jonh.history(&jared).await;
    assert_eq!((history.len(), &history[0]["MsgBody"][0]["MsgContent"]["Text"]), (1, &raw.into()));
    app.all_settled().await;
    assert_eq!(receiver.arrivals().len(), 1);
    // 2,700 characters of three bytes are within the bound, however they are written.
    let many = format!("{{{}}}", message(2, &r"\u4f60".repeat(2700)));
    assert_eq!(openim(&admin, "sendmsg", &many).await["ErrorCode"], 0);
}
