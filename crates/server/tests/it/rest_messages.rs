//! What REST does with messages beyond their fields: what is one message, what is a repeat of it, and what it may hold.

use serde_json::{Value, json};
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

#[tokio::test(flavor = "multi_thread")]
async fn admin_getroammsg_shows_what_a_deleted_account_sent() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let admin = app.admin();
    jared.send(&jonh, "one").await;
    let delete = json!({"DeleteItem": [{"UserID": "jared"}]});
    admin.call("im_open_login_svc", "account_delete", &delete).await.expect("it is there");
    let of = |operator: &str, peer: &str| {
        format!(
            r#"{{"Operator_Account":"{operator}","Peer_Account":"{peer}","MaxCnt":9,"MinTime":0,"MaxTime":4294967295}}"#
        )
    };
    let page = openim(&admin, "admin_getroammsg", &of("Jonh", "jared")).await;
    assert_eq!((&page["ErrorCode"], &page["MsgCnt"]), (&0.into(), &1.into()), "{page}");
    assert_eq!(openim(&admin, "admin_getroammsg", &of("Jonh", "ghost")).await["ErrorCode"], 90003);
    assert_eq!(openim(&admin, "admin_getroammsg", &of("jared", "Jonh")).await["ErrorCode"], 90008, "it is gone");
    for command in ["recentcontact/delete", "openim/admin_set_msg_read", "openim/delete_c2c_msg_ramble"] {
        let (service, name) = command.split_once('/').expect("service/command");
        let body = json!({"From_Account": "Jonh", "Type": 1, "To_Account": "jared", "Report_Account": "Jonh",
                          "Operator_Account": "Jonh", "Peer_Account": "jared", "MsgKeyList": ["1_2_3"]});
        admin.call(service, name, &body).await.expect("so do the others");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_what_is_sent_again_to_a_new_life_arrives() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let admin = app.admin();
    let send = format!("{{{}}}", message(1, "hello"));
    let import = format!(r#"{{"SyncFromOldSystem":5,"MsgTimeStamp":1700000000,{}}}"#, message(2, "hello"));
    let first = openim(&admin, "sendmsg", &send).await;
    assert_eq!(openim(&admin, "importmsg", &import).await["ErrorCode"], 0);
    let renew = async |user: &str| {
        let delete = json!({"DeleteItem": [{"UserID": user}]});
        admin.call("im_open_login_svc", "account_delete", &delete).await.expect("it is there");
        app.account(user).await;
    };
    renew("Jonh").await;
    let second = openim(&admin, "sendmsg", &send).await;
    assert_ne!(second["MsgKey"], first["MsgKey"]);
    assert_eq!((jonh.unread().await, jared.history(&jonh).await.len()), (1, 3));
    let refused = openim(&admin, "importmsg", &import).await;
    assert_eq!(refused["ErrorCode"], 90006, "{refused}");
    assert!(refused["ErrorInfo"].as_str().expect("text").contains("2_7_1700000000"), "{refused}");
    renew("jared").await;
    assert_eq!(openim(&admin, "importmsg", &import).await["ErrorCode"], 0);
    assert_eq!((jonh.unread().await, jared.history(&jonh).await.len()), (2, 1));
}
