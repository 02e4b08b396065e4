//! What REST does with messages beyond their fields: what is one message, what is a repeat of it, and what it may hold.

use serde_json::{Value, json};
use unsaid_client::RestClient;
use unsaid_protocol::callback::CallbackCommand;
use unsaid_testkit::{Answer, Script};

use crate::test_app::{TestApp, of_command};

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

/// `MsgBody` of so many bytes, and so much around it that is no part of the message.
fn body_of(bytes: usize) -> String {
    let empty = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":""}}]"#.len();
    format!(r#"[ {{ "MsgType" : "TIMTextElem" , "MsgContent" : {{ "Text" : "{}" }} }} ]"#, "x".repeat(bytes - empty))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_one_bound_at_every_door() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let admin = app.admin();
    let key = jared.send(&jonh, "to be modified").await;
    let doors: [(&str, &str, String, i32); 4] = [
        ("sendmsg", "MsgBody", r#""From_Account":"jared","To_Account":"Jonh","MsgRandom":1"#.to_owned(), 93000),
        ("batchsendmsg", "MsgBody", r#""From_Account":"jared","To_Account":["Jonh"],"MsgRandom":2"#.to_owned(), 90055),
        (
            "importmsg",
            "MsgBody",
            r#""SyncFromOldSystem":2,"From_Account":"jared","To_Account":"Jonh","MsgRandom":3,"MsgTimeStamp":1700000000"#
                .to_owned(),
            93000,
        ),
        (
            "modify_c2c_msg",
            "MsgBody",
            format!(r#""From_Account":"jared","To_Account":"Jonh","MsgKey":"{key}""#),
            93000,
        ),
    ];
    for (name, field, rest, code) in doors {
        for (bytes, custom_bytes, expected) in [(8193, 0, code), (8192, 1, code), (8192, 0, 0), (192, 8000, 0)] {
            let custom = "y".repeat(custom_bytes);
            let body = format!(r#"{{{rest},"{field}":{},"CloudCustomData":"{custom}"}}"#, body_of(bytes));
            let answer = openim(&admin, name, &body).await;
            assert_eq!(answer["ErrorCode"], expected, "{name}, {bytes} and {custom_bytes} bytes: {answer}");
        }
    }
    let device = app.device("jared", "Web").await;
    for (number, bytes, custom_bytes, expected) in
        [(1, 8193, 0, Some(80002)), (2, 8192, 1, Some(80002)), (3, 8192, 0, None)]
    {
        let send = json!({"to": "Jonh", "seq": number, "random": number, "client_time_s": 1, "custom_data": "y".repeat(custom_bytes)});
        let mut send = send.to_string();
        send.insert_str(send.len() - 1, &format!(r#","body":{}"#, body_of(bytes)));
        let send: unsaid_protocol::session::Send = serde_json::from_str(&send).expect("a send");
        let refused = device.client.send(&send).await.err().map(crate::device::code);
        assert_eq!(refused, expected, "the client's door, {bytes} and {custom_bytes} bytes");
    }
    // What is not given stays, and counts.
    let longer = format!(
        r#"{{"From_Account":"jared","To_Account":"Jonh","MsgKey":"{key}","CloudCustomData":"{}"}}"#,
        "y".repeat(8001)
    );
    assert_eq!(openim(&admin, "modify_c2c_msg", &longer).await["ErrorCode"], 93000);
    app.all_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_an_answer_that_would_make_a_message_too_long_replaces_nothing() {
    let (app, jared, jonh, receiver) =
        TestApp::start_with(|_, app| app.callback.commands = CallbackCommand::ALL.into()).await;
    for (number, (bytes, replaced)) in (1..).zip([(8192, true), (8193, false)]) {
        let body: Value = serde_json::from_str(&body_of(bytes)).expect("JSON");
        let answer = json!({"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": "", "MsgBody": body}).to_string();
        receiver.play(Script::function(move |arrival, _| {
            let question = arrival.command().as_deref() == Some(CallbackCommand::BeforeSendMsg.as_str());
            if question { Answer::Body(answer.clone()) } else { Answer::Ok }
        }));
        let sent = openim(&app.admin(), "sendmsg", &format!("{{{}}}", message(number, "short"))).await;
        assert_eq!(sent["ErrorCode"], 0, "{sent}");
        let history = jonh.history(&jared).await;
        let stored = history.iter().find(|message| message["MsgKey"] == sent["MsgKey"]).expect("it is stored");
        assert_eq!(stored["MsgBody"].to_string().len() == bytes, replaced, "{bytes} bytes");
    }
    app.all_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_what_is_kept_for_a_push_has_a_bound_and_can_be_read() {
    let (app, ..) = TestApp::start().await;
    let admin = app.admin();
    let info = |bytes: usize| format!(r#"{{ "Desc" : "{}" }}"#, "x".repeat(bytes - r#"{"Desc":""}"#.len()));
    let deep = format!(r#"{{"Ext":{}{}}}"#, "[".repeat(80), "]".repeat(80));
    for (name, to) in [("sendmsg", r#""Jonh""#), ("batchsendmsg", r#"["Jonh"]"#)] {
        for (number, (push_info, expected)) in (1..).zip([
            (info(4096), 0),
            (info(4097), 90043),
            (r#"{"Ext":"\ud800"}"#.to_owned(), 90043),
            (deep.clone(), 90043),
            (r#"{"Ext":"\ud83d\ude00","New":[1,null]}"#.to_owned(), 0),
            ("null".to_owned(), 0),
        ]) {
            let body = format!(
                r#"{{"From_Account":"jared","To_Account":{to},"MsgRandom":{number},"MsgBody":{},"OfflinePushInfo":{push_info}}}"#,
                body_of(100)
            );
            let answer = openim(&admin, name, &body).await;
            assert_eq!(answer["ErrorCode"], expected, "{name} {push_info:.60}: {answer}");
        }
    }
    app.all_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_a_repeat_of_what_is_stored_nowhere_is_recognised_until_a_restart() {
    let (mut app, _, jonh, receiver) =
        TestApp::start_with(|_, app| app.callback.commands = CallbackCommand::ALL.into()).await;
    let body = format!(r#"{{"OnlineOnlyFlag":1,{}}}"#, message(1, "typing"));
    let admin = app.admin();
    let both = tokio::join!(openim(&admin, "sendmsg", &body), openim(&admin, "sendmsg", &body));
    assert_eq!((&both.0["ErrorCode"], &both.1), (&0.into(), &both.0));
    assert_eq!(openim(&admin, "sendmsg", &body.replace("OnlineOnlyFlag\":1", "MsgLifeTime\":0")).await, both.0);
    app.all_settled().await;
    let of = |command| of_command(&receiver.arrivals(), command).len();
    let counts = || (of(CallbackCommand::BeforeSendMsg), of(CallbackCommand::AfterSendMsg));
    assert_eq!(counts(), (1, 1), "the backend is asked and told once");
    for other in [message(1, "other"), message(2, "typing")] {
        let other = openim(&admin, "sendmsg", &format!(r#"{{"OnlineOnlyFlag":1,{other}}}"#)).await;
        assert_eq!(other["ErrorCode"], 0, "{other}");
    }
    let stored = openim(&admin, "sendmsg", &format!("{{{}}}", message(1, "typing"))).await;
    assert_eq!((&stored["ErrorCode"], jonh.unread().await), (&0.into(), 1), "one that is stored is another message");
    app.all_settled().await;
    assert_eq!(counts(), (4, 4));
    app.stop().await;
    app.start_again().await;
    assert_eq!(openim(&app.admin(), "sendmsg", &body).await["ErrorCode"], 0);
    app.all_settled().await;
    assert_eq!(counts(), (5, 5), "nothing of it was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_time_of_any_length_is_seven_days_and_none_is_online_only() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let admin = app.admin();
    let lengths = ["604800", "604801", "4294967296", "99999999999999999999999999", r#""604801""#, "null"];
    for (number, length) in (1..).zip(lengths) {
        let body = format!(r#"{{"MsgLifeTime":{length},{}}}"#, message(number, "hello"));
        assert_eq!(openim(&admin, "sendmsg", &body).await["ErrorCode"], 0, "{length}");
        assert_eq!(jonh.history(&jared).await.len(), number as usize, "{length}: it is stored");
    }
    for length in ["-1", "-99999999999999999999999999", "1.5", r#""soon""#, r#""""#] {
        let body = format!(r#"{{"MsgLifeTime":{length},{}}}"#, message(100, "hello"));
        assert_eq!(openim(&admin, "sendmsg", &body).await["ErrorCode"], 90044, "{length}");
    }
    app.all_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_not_imported_into_the_future() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let admin = app.admin();
    let now_s = u64::from(app.world.clock.now().seconds());
    // A minute for slow machines.
    for (number, (time_s, expected)) in
        (1..).zip([(0, 0), (now_s, 0), (now_s + 86_340, 0), (now_s + 86_460, 90006), (now_s * 1000, 90006)])
    {
        let fields = message(number, "hello");
        let body = format!(r#"{{"SyncFromOldSystem":2,"MsgTimeStamp":{time_s},{fields}}}"#);
        let answer = openim(&admin, "importmsg", &body).await;
        assert_eq!(answer["ErrorCode"], expected, "{time_s}: {answer}");
    }
    assert_eq!(jonh.history(&jared).await.len(), 3);
}
