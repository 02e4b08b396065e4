//! Rule C1: modifying, receipts, reading everything; and the addresses that callbacks come from.

use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use unsaid::chat::{Command, Origin, ReadAll};
use unsaid_client::RestClient;
use unsaid_protocol::{UserId, callback::CallbackCommand};

use crate::test_app::{SDKAPPID, TestApp, of_command};

async fn code(app: &TestApp, command: &str, body: &Value) -> i32 {
    match app.admin().call("openim", command, body).await {
        Ok(_) => 0,
        Err(error) => error.code().expect("an answer").0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_a_modification_is_told_and_history_shows_it() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let key = jared.send(&jonh, "lunch at noon?").await;
    let body = json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": "lunch at one?"}}]);
    let modify = json!({"From_Account": "jared", "To_Account": "Jonh", "MsgKey": key.to_string(), "MsgBody": body});
    assert_eq!(code(&app, "modify_c2c_msg", &modify).await, 0);
    let custom =
        json!({"From_Account": "jared", "To_Account": "Jonh", "MsgKey": key.to_string(), "CloudCustomData": "v2"});
    assert_eq!(code(&app, "modify_c2c_msg", &custom).await, 0);
    app.all_settled().await;
    let history = jonh.history(&jared).await;
    assert_eq!((&history[0]["MsgBody"], &history[0]["CloudCustomData"]), (&body, &"v2".into()));
    assert_eq!(jonh.unread().await, 1);
    let told = of_command(&receiver.arrivals(), CallbackCommand::AfterModifyMsg);
    let mut expected = json!({"CallbackCommand": "C2C.CallbackAfterModifyMsg", "Operator_Account": "administrator",
                              "From_Account": "jared", "To_Account": "Jonh", "MsgSeq": key.seq, "MsgRandom": key.random,
                              "MsgTime": key.time, "MsgKey": key.to_string(), "MsgBody": body, "CloudCustomData": "v2"});
    let last = told[1].json();
    expected["EventTime"] = last["EventTime"].clone();
    assert_eq!((told.len(), last), (2, expected));

    jared.recall(&jonh, key).await.expect("it is recalled");
    assert_eq!(code(&app, "modify_c2c_msg", &modify).await, 20023);
    for (change, expected) in [
        (json!({"MsgKey": "1_2_3"}), 20022),
        (json!({"From_Account": "nobody"}), 90008),
        (json!({"To_Account": "nobody"}), 90003),
        (json!({"MsgKey": 1}), 90054),
        (json!({"MsgBody": "text"}), 90007),
        (json!({"MsgBody": null}), 90002),
        (json!({"CloudCustomData": 1}), 90001),
        (json!({"MsgBody": null, "CloudCustomData": "x".repeat(9000)}), 20023),
    ] {
        let mut wrong = modify.clone();
        change.as_object().expect("an object").iter().for_each(|(name, value)| wrong[name] = value.clone());
        assert_eq!(code(&app, "modify_c2c_msg", &wrong).await, expected, "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_a_receipt_is_told_once_for_each_message() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let (one, two) = (jared.send(&jonh, "one").await, jared.send(&jonh, "two").await);
    let info = |key: &str| json!({"From_Account": "jared", "To_Account": "Jonh", "MsgKey": key});
    let receipt = |keys: &[String]| {
        let messages: Vec<_> = keys.iter().map(|key| info(key)).collect();
        json!({"Operator_Account": "Jonh", "Peer_Account": "jared", "C2CMsgInfo": messages})
    };
    for keys in [vec![one.to_string()], vec![one.to_string()], vec![one.to_string(), two.to_string(), two.to_string()]]
    {
        assert_eq!(code(&app, "c2c_msg_read_receipt", &receipt(&keys)).await, 0);
    }
    app.all_settled().await;
    let told = of_command(&receiver.arrivals(), CallbackCommand::AfterMsgReadReceipt);
    let keys: Vec<_> = told.iter().map(|arrival| arrival.json()["C2CMsgInfo"][0]["MsgKey"].clone()).collect();
    assert_eq!(keys, [one.to_string(), two.to_string()]);
    let mut first = told[0].json();
    let id = first["C2CMsgInfo"][0]["MsgId"].take();
    assert!(id.as_str().expect("text").starts_with("14411518807585587"), "{id}");
    assert!(first["EventTime"].take().as_i64().expect("milliseconds") > 1_700_000_000_000);
    let messages = json!([{"From_Account": "jared", "To_Account": "Jonh", "MsgKey": one.to_string(), "MsgId": null}]);
    let expected = json!({"CallbackCommand": "C2C.CallbackAfterMsgReadReceipt", "Operator_Account": "Jonh",
                          "Peer_Account": "jared", "C2CMsgInfo": messages, "EventTime": null});
    assert_eq!(first, expected);
    assert!(told[0].header("unsaid-lane").expect("a lane").ends_with(".Jonh"), "C5: the lane of who sent it");
    assert!(jared.history(&jonh).await.iter().all(|message| message["IsPeerRead"] == 1));
    assert_eq!(jonh.unread().await, 2, "a receipt is no read report");
    let with = |name: &str, value: Value| {
        let mut body = receipt(&[one.to_string()]);
        body[name] = value;
        body
    };
    for (body, expected) in [
        (with("Operator_Account", json!("nobody")), 90003),
        (with("Peer_Account", json!("nobody")), 90008),
        (with("Peer_Account", json!(1)), 90003),
        (with("C2CMsgInfo", json!([])), 90001),
        (with("C2CMsgInfo", json!("one")), 90001),
        (with("C2CMsgInfo", json!([info("1_2_3")])), 20022),
        (with("C2CMsgInfo", json!([info("x")])), 90054),
        (with("C2CMsgInfo", json!(vec![info(&one.to_string()); 31])), 90001),
        (receipt(&[]), 90001),
    ] {
        assert_eq!(code(&app, "c2c_msg_read_receipt", &body).await, expected, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_reading_everything_is_told_once() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let mira = app.account("mira").await;
    jared.send(&jonh, "one").await;
    mira.send(&jonh, "two").await;
    let read = || ReadAll { app: SDKAPPID, reader: UserId::new("Jonh").expect("valid"), origin: Origin::LOCAL };
    for _ in 0..2 {
        app.server().chat().run(Command::ReadAll(read())).await.expect("it exists");
    }
    app.all_settled().await;
    assert_eq!(jonh.unread().await, 0);
    let told = of_command(&receiver.arrivals(), CallbackCommand::AfterMsgReadAll);
    let mut expected =
        json!({"CallbackCommand": "C2C.CallbackAfterMsgReadAll", "Report_Account": "Jonh", "GroupReadInfo": []});
    expected["EventTime"] = told[0].json()["EventTime"].clone();
    assert_eq!((told.len(), told[0].json()), (1, expected));
    jared.send(&jonh, "three").await;
    assert_eq!(jonh.unread().await, 1, "R6: what comes later is unread");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addresses_that_callbacks_come_from_can_be_asked_for() {
    let networks = ["198.51.100.7/32", "192.0.2.0/26"].map(|network| network.parse().expect("valid"));
    let (app, ..) = TestApp::start_with(|config, _| config.rest.egress_addresses = networks.to_vec()).await;
    let admin = app.admin();
    let all = json!(["198.51.100.7", "192.0.2.0/26"]);
    for (nettype, expected) in [
        ("", &all),
        ("&nettype=0", &all),
        ("&nettype=1", &json!([])),
        ("&nettype=2", &json!([])),
        ("&nettype=3", &json!([])),
        ("&nettype=4", &json!([])),
        ("&nettype=5", &all),
        ("&nettype=6", &all),
    ] {
        let answer = addresses(&admin, nettype).await;
        assert_eq!((&answer["ErrorCode"], &answer["IPList"]), (&0.into(), expected), "{nettype}");
    }
    for nettype in ["&nettype=7", "&nettype=", "&nettype=all"] {
        assert_eq!(addresses(&admin, nettype).await["ErrorCode"], 60008, "{nettype}");
    }
}

/// The answer of `GetIPList` with this at the end of its query.
async fn addresses(admin: &RestClient, nettype: &str) -> Value {
    let path = admin.path_and_query("ConfigSvc", "GetIPList") + nettype;
    let request = Request::post(path).body(Full::from("{}")).expect("a request");
    let (_, _, body) = admin.raw(request).await.expect("an answer");
    serde_json::from_slice(&body).expect("JSON")
}
