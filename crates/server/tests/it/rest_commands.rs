//! Each command of the REST API: what it answers, and the code for every way in which its input can be wrong.

use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};
use unsaid_client::RestClient;

use crate::test_app::TestApp;

const TEXT: &str = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi"}}]"#;

/// The answer to a body, which is always HTTP 200 and the envelope.
async fn post(admin: &RestClient, command: &str, body: &str) -> Value {
    let (service, name) = command.split_once('/').expect("service/command");
    let answer = admin.post(service, name, body.to_owned()).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK, "{command} {body}");
    let json: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let status = if json["ErrorCode"] == 0 { "OK" } else { "FAIL" };
    assert_eq!(json["ActionStatus"], status, "{json}");
    assert!(json["ErrorInfo"].is_string(), "{json}");
    json
}

async fn expect_codes(admin: &RestClient, command: &str, cases: &[(String, i32)]) {
    for (body, code) in cases {
        let answer = post(admin, command, body).await;
        assert_eq!(answer["ErrorCode"], *code, "{command} {body}: {answer}");
        assert_ne!(answer["ErrorInfo"], "", "an error says what to change: {answer}");
    }
}

fn cases(cases: &[(&str, i32)]) -> Vec<(String, i32)> {
    cases.iter().map(|(body, code)| ((*body).to_owned(), *code)).collect()
}

/// An object with one field replaced, or taken out where there is no value.
fn with(object: &str, field: &str, value: Option<&str>) -> String {
    let mut object: serde_json::Map<String, Value> = serde_json::from_str(object).expect("an object");
    match value {
        Some(value) => drop(object.insert(field.to_owned(), serde_json::from_str(value).expect("JSON"))),
        None => drop(object.remove(field)),
    }
    Value::Object(object).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_but_a_json_object_is_accepted() {
    let (app, ..) = TestApp::start().await;
    let admin = app.admin();
    for body in ["", "  ", "x", "[]", "1", "null", "{", "{}}", r#"{"a":1,}"#, "{}\u{feff}"] {
        for (command, code) in [
            ("openim/sendmsg", 90001),
            ("openim/admin_msgwithdraw", 90001),
            ("openim/admin_set_msg_read", 90001),
            ("openim/get_c2c_unread_msg_num", 90001),
            ("openim/admin_getroammsg", 90001),
            ("openim/modify_c2c_msg", 90001),
            ("openim/c2c_msg_read_receipt", 90001),
            ("im_open_login_svc/account_import", 70402),
        ] {
            expect_codes(&admin, command, &cases(&[(body, code)])).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn account_import() {
    let (app, ..) = TestApp::start().await;
    let admin = app.admin();
    let command = "im_open_login_svc/account_import";
    let ok = json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0});
    for body in [
        r#"{"UserID":"mira","Nick":"Mira K.","FaceUrl":"https://img.example/mira.png"}"#,
        r#"{"UserID":"mira"}"#,
        r#"{"Identifier":"tomas","New":[1]}"#,
        r#"{"UserID":"a b*c.~","Nick":null}"#,
    ] {
        assert_eq!(post(&admin, command, body).await, ok, "{body}");
    }
    let long = "x".repeat(501);
    let mut wrong = cases(&[
        ("{}", 70402),
        (r#"{"UserID":""}"#, 70402),
        (r#"{"UserID":7}"#, 70402),
        (r#"{"UserID":"mir\u00e4"}"#, 70402),
        (r#"{"UserID":"x","Nick":1}"#, 70402),
    ]);
    wrong.push((format!(r#"{{"UserID":"{}"}}"#, "x".repeat(33)), 70402));
    wrong.push((format!(r#"{{"UserID":"x","Nick":"{long}"}}"#), 40601));
    wrong.push((format!(r#"{{"UserID":"x","FaceUrl":"{long}"}}"#), 40601));
    expect_codes(&admin, command, &wrong).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn multiaccount_import_names_who_could_not_be_made_and_makes_the_others() {
    let (app, ..) = TestApp::start().await;
    let (admin, long) = (app.admin(), "x".repeat(501));
    let command = "im_open_login_svc/multiaccount_import";
    let body = json!({"AccountList": [{"UserID": "mira", "Nick": "x".repeat(500)}, {"UserID": "tomas", "Nick": long},
                                      {"UserID": "yuki", "FaceUrl": long}, {"UserID": ""}, {"Identifier": "older"}]});
    let answer = post(&admin, command, &body.to_string()).await;
    assert_eq!(answer["FailAccounts"], json!(["tomas", "yuki", ""]), "{answer}");
    let check = ["mira", "tomas", "yuki", "older"].map(|name| json!({"UserID": name}));
    let there = post(&admin, "im_open_login_svc/account_check", &json!({"CheckItem": check}).to_string()).await;
    let there: Vec<_> =
        there["ResultItem"].as_array().expect("items").iter().map(|item| &item["AccountStatus"]).collect();
    assert_eq!(there, ["Imported", "NotImported", "NotImported", "Imported"]);
    let wrong = cases(&[(r#"{"AccountList":[{"UserID":"mira"},{"UserID":"tomas","Nick":7}]}"#, 70402)]);
    expect_codes(&admin, command, &wrong).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sendmsg_checks_its_fields_in_the_order_of_its_table() {
    let (app, ..) = TestApp::start().await;
    let admin = app.admin();
    let right = format!(r#"{{"From_Account":"jared","To_Account":"Jonh","MsgRandom":1,"MsgBody":{TEXT}}}"#);
    let case = |field, value, code| (with(&right, field, value), code);
    let wrong = vec![
        case("SyncOtherMachine", Some("\"x\""), 90031),
        case("From_Account", Some("7"), 60015),
        case("From_Account", Some("\"nobody\""), 90008),
        case("To_Account", None, 90003),
        case("To_Account", Some("[\"Jonh\"]"), 90003),
        case("To_Account", Some("\"nobody\""), 90012),
        case("To_Account", Some("\"\""), 90003),
        case("To_Account", Some("\"a name that has more than thirty-two bytes\""), 90012),
        case("OnlineOnlyFlag", Some("\"x\""), 90001),
        case("MsgLifeTime", Some("\"x\""), 90044),
        case("MsgLifeTime", Some("-1"), 90044),
        case("MsgSeq", Some("\"x\""), 90001),
        case("MsgRandom", None, 90005),
        case("MsgRandom", Some("1.5"), 90005),
        case("MsgRandom", Some("4294967296"), 90005),
        case("MsgTimeStamp", Some("\"now\""), 90006),
        case("ForbidCallbackControl", Some("\"x\""), 90001),
        case("SendMsgControl", Some("[1]"), 90001),
        case("MsgBody", None, 90007),
        case("MsgBody", Some("{}"), 90007),
        case("MsgBody", Some("[]"), 90002),
        case("MsgBody", Some(r#"[{"MsgType":"TIMTextElem"}]"#), 90010),
        case("CloudCustomData", Some("{}"), 90001),
        case("OfflinePushInfo", Some("[]"), 90043),
        (with(&with(&right, "To_Account", None), "MsgRandom", None), 90003),
    ];
    expect_codes(&admin, "openim/sendmsg", &wrong).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_at_most_8192_bytes() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let admin = app.admin();
    let message = |bytes: usize| {
        let empty = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":""}}]"#.len();
        let text = "x".repeat(bytes - empty);
        let body = json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]);
        serde_json::to_string_pretty(
            &json!({"From_Account": "jared", "To_Account": "Jonh", "MsgRandom": 1, "MsgBody": body}),
        )
        .expect("serializes")
    };
    expect_codes(&admin, "openim/sendmsg", &[(message(8193), 93000)]).await;
    assert_eq!(post(&admin, "openim/sendmsg", &message(8192)).await["ErrorCode"], 0);
    assert_eq!(jonh.history(&jared).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sendmsg_answers_time_key_and_id_and_knows_a_repeat() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let admin = app.admin();
    let body = format!(r#"{{"From_Account":"jared","To_Account":"Jonh","MsgSeq":5,"MsgRandom":6,"MsgBody":{TEXT}}}"#);
    let first = post(&admin, "openim/sendmsg", &body).await;
    let time = first["MsgTime"].as_u64().expect("seconds");
    assert_eq!(first["MsgKey"], format!("5_6_{time}"));
    assert!(first["MsgId"].as_str().expect("a String").ends_with(&format!("-{time}-6")), "{first}");

    assert_eq!(post(&admin, "openim/sendmsg", &body).await, first, "a repeat is answered as the first was");
    let other = post(&admin, "openim/sendmsg", &with(&body, "CloudCustomData", Some("\"x\""))).await;
    assert_ne!(other["MsgKey"], first["MsgKey"], "other content is another message");
    app.all_settled().await;
    assert_eq!((jonh.unread().await, jared.history(&jonh).await.len(), receiver.arrivals().len()), (2, 2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn sendmsg_does_what_its_flags_say() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let admin = app.admin();
    let right = format!(r#"{{"From_Account":"jared","To_Account":"Jonh","MsgRandom":1,"MsgBody":{TEXT}}}"#);
    let send = async |field: &str, value: &str| {
        let answer = post(&admin, "openim/sendmsg", &with(&right, field, Some(value))).await;
        assert_eq!(answer["ErrorCode"], 0, "{answer}");
        answer["MsgKey"].as_str().expect("a String").parse().expect("a key")
    };
    send("SendMsgControl", r#"["NoUnread"]"#).await;
    assert_eq!((jonh.unread().await, jonh.history(&jared).await.len()), (0, 1));
    send("SyncOtherMachine", "2").await;
    assert_eq!((jonh.history(&jared).await.len(), jared.history(&jonh).await.len()), (2, 1));
    let online_only = send("OnlineOnlyFlag", "1").await;
    send("MsgLifeTime", "0").await;
    assert_eq!(jonh.history(&jared).await.len(), 2, "what is for who is online is not stored");
    assert_eq!(jared.recall(&jonh, online_only).await, Err(20022));
    app.all_settled().await;
    let told = receiver.arrivals().len();
    assert_eq!(receiver.arrivals()[2].json()["OnlineOnlyFlag"], 1);
    send("ForbidCallbackControl", r#"["ForbidBeforeSendMsgCallback","ForbidAfterSendMsgCallback"]"#).await;
    assert_eq!(app.backlog().await.waiting, 0);
    assert_eq!(receiver.arrivals().len(), told);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sends_in_its_own_name_where_no_sender_is_given() {
    let (app, _, jonh, _) = TestApp::start().await;
    let body = format!(r#"{{"To_Account":"Jonh","MsgRandom":1,"MsgBody":{TEXT}}}"#);
    assert_eq!(post(&app.admin(), "openim/sendmsg", &body).await["ErrorCode"], 0);
    let history = jonh.history(&app.actor("administrator")).await;
    assert_eq!(history[0]["From_Account"], "administrator");
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_msgwithdraw_checks_its_fields_in_the_order_of_its_table() {
    let (app, ..) = TestApp::start().await;
    let right = r#"{"From_Account":"jared","To_Account":"Jonh","MsgKey":"1_2_3"}"#;
    let case = |field, value, code| (with(right, field, value), code);
    let wrong = vec![
        ("{}".to_owned(), 90008),
        case("From_Account", None, 90008),
        case("From_Account", Some("1"), 90008),
        case("From_Account", Some("\"nobody\""), 90008),
        case("To_Account", None, 90003),
        case("To_Account", Some("[]"), 90003),
        case("To_Account", Some("\"nobody\""), 90003),
        case("MsgKey", None, 90054),
        case("MsgKey", Some("7"), 90054),
        case("MsgKey", Some("\"\""), 90054),
        case("MsgKey", Some("\"1_2\""), 90054),
        case("MsgKey", Some("\"1_2_3_4\""), 90054),
        (right.to_owned(), 20022),
    ];
    expect_codes(&app.admin(), "openim/admin_msgwithdraw", &wrong).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modify_c2c_msg_checks_its_fields_in_the_order_of_its_table() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let key = jared.send(&jonh, "one").await.to_string();
    let right = format!(r#"{{"From_Account":"jared","To_Account":"Jonh","MsgKey":"{key}","MsgBody":{TEXT}}}"#);
    let case = |field, value, code| (with(&right, field, value), code);
    let long = format!("\"{}\"", "x".repeat(8192));
    let wrong = vec![
        ("{}".to_owned(), 90008),
        case("From_Account", None, 90008),
        case("From_Account", Some("1"), 90008),
        case("From_Account", Some("\"nobody\""), 90008),
        case("To_Account", None, 90003),
        case("To_Account", Some("[\"Jonh\"]"), 90003),
        case("To_Account", Some("\"nobody\""), 90003),
        case("MsgKey", None, 90054),
        case("MsgKey", Some("7"), 90054),
        case("MsgKey", Some("\"1_2\""), 90054),
        case("MsgKey", Some("\"1_2_3\""), 20022),
        case("MsgBody", None, 90002),
        case("MsgBody", Some("{}"), 90007),
        case("MsgBody", Some("[]"), 90002),
        case("MsgBody", Some(r#"[{"MsgType":"TIMTextElem"}]"#), 90010),
        case("CloudCustomData", Some("1"), 90001),
        case("CloudCustomData", Some(&long), 93000),
    ];
    expect_codes(&app.admin(), "openim/modify_c2c_msg", &wrong).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c2c_msg_read_receipt_checks_its_fields_in_the_order_of_its_table() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let key = jared.send(&jonh, "one").await.to_string();
    let message = format!(r#"{{"From_Account":"jared","To_Account":"Jonh","MsgKey":"{key}"}}"#);
    let right = format!(r#"{{"Operator_Account":"Jonh","Peer_Account":"jared","C2CMsgInfo":[{message}]}}"#);
    let case = |field, value, code| (with(&right, field, value), code);
    let of_message = |field, value, code| {
        let messages = format!("[{message},{}]", with(&message, field, value));
        (with(&right, "C2CMsgInfo", Some(&messages)), code)
    };
    // Who was not imported has no messages either, so those of the right name have to be missing, too.
    let by_nobody = right.replace("\"Jonh\"", "\"nobody\"");
    let from_nobody = right.replace("\"jared\"", "\"nobody\"");
    let many = format!("[{}]", vec![message.as_str(); 31].join(","));
    let wrong = vec![
        ("{}".to_owned(), 90008),
        case("Operator_Account", None, 90008),
        case("Operator_Account", Some("1"), 90008),
        (by_nobody, 90008),
        case("Peer_Account", None, 90003),
        case("Peer_Account", Some("[]"), 90003),
        (from_nobody, 90003),
        case("C2CMsgInfo", None, 90001),
        case("C2CMsgInfo", Some("{}"), 90001),
        case("C2CMsgInfo", Some("[]"), 90001),
        case("C2CMsgInfo", Some("[1]"), 90001),
        case("C2CMsgInfo", Some(&many), 90001),
        of_message("From_Account", None, 90008),
        of_message("From_Account", Some("\"Jonh\""), 90008),
        of_message("To_Account", None, 90003),
        of_message("To_Account", Some("\"jared\""), 90003),
        of_message("MsgKey", None, 90054),
        of_message("MsgKey", Some("7"), 90054),
        of_message("MsgKey", Some("\"1_2\""), 90054),
        of_message("MsgKey", Some("\"1_2_3\""), 20022),
    ];
    expect_codes(&app.admin(), "openim/c2c_msg_read_receipt", &wrong).await;
    assert!(jared.history(&jonh).await.iter().all(|message| message["IsPeerRead"] == 0), "nothing was acknowledged");
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_set_msg_read_takes_the_time_as_number_or_text() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let admin = app.admin();
    let key = jared.send(&jonh, "one").await;
    let right = r#"{"Report_Account":"Jonh","Peer_Account":"jared"}"#;
    let case = |field, value, code| (with(right, field, value), code);
    let wrong = vec![
        case("Report_Account", None, 90008),
        case("Report_Account", Some("\"nobody\""), 90008),
        case("Peer_Account", Some("1"), 90003),
        case("Peer_Account", Some("\"nobody\""), 90003),
        case("MsgReadTime", Some("\"soon\""), 90001),
        case("MsgReadTime", Some("1.5"), 90001),
    ];
    expect_codes(&admin, "openim/admin_set_msg_read", &wrong).await;
    for (time, left) in [
        (format!("{}", key.time - 1), 1),
        (format!("\"{}\"", key.time - 1), 1),
        (format!("\"{}\"", key.time), 0),
        ("null".to_owned(), 0),
    ] {
        post(&admin, "openim/admin_set_msg_read", &with(right, "MsgReadTime", Some(&time))).await;
        assert_eq!(jonh.unread().await, left, "{time}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn get_c2c_unread_msg_num_counts_in_all_and_by_peer() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let admin = app.admin();
    jared.send(&jonh, "one").await;
    jared.send(&jonh, "two").await;
    let command = "openim/get_c2c_unread_msg_num";
    let total = json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "AllC2CUnreadMsgNum": 2});
    assert_eq!(post(&admin, command, r#"{"To_Account":"Jonh"}"#).await, total);
    let body = r#"{"To_Account":"Jonh","Peer_Account":["jared","administrator","ghost",""]}"#;
    let expected = json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0,
        "C2CUnreadMsgNumList": [{"Peer_Account": "jared", "C2CUnreadMsgNum": 2},
                                {"Peer_Account": "administrator", "C2CUnreadMsgNum": 0}],
        "ErrorList": [{"Peer_Account": "ghost", "ErrorCode": 70107}, {"Peer_Account": "", "ErrorCode": 70107}]});
    assert_eq!(post(&admin, command, body).await, expected);
    let eleven = json!({"To_Account": "Jonh", "Peer_Account": vec!["jared"; 11]}).to_string();
    let mut wrong = cases(&[
        ("{}", 90003),
        (r#"{"To_Account":1}"#, 90003),
        (r#"{"To_Account":"ghost"}"#, 90003),
        (r#"{"To_Account":"Jonh","Peer_Account":"jared"}"#, 90001),
        (r#"{"To_Account":"Jonh","Peer_Account":[1]}"#, 90001),
    ]);
    wrong.push((eleven, 90001));
    expect_codes(&admin, command, &wrong).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_getroammsg_walks_back_page_by_page() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let admin = app.admin();
    let mut sent = Vec::new();
    for seq in 0..7 {
        let body =
            format!(r#"{{"From_Account":"jared","To_Account":"Jonh","MsgSeq":{seq},"MsgRandom":1,"MsgBody":{TEXT}}}"#);
        let answer = post(&admin, "openim/sendmsg", &body).await;
        sent.push(answer["MsgKey"].as_str().expect("a String").to_owned());
    }
    let mut seen: Vec<String> = Vec::new();
    let mut range = json!({"Operator_Account": "Jonh", "Peer_Account": "jared", "MaxCnt": 3, "MinTime": 0,
                           "MaxTime": u32::MAX});
    for (count, complete) in [(3, 0), (3, 0), (1, 1)] {
        let page = post(&admin, "openim/admin_getroammsg", &range.to_string()).await;
        assert_eq!((&page["MsgCnt"], &page["Complete"]), (&count.into(), &complete.into()), "{page}");
        let messages = page["MsgList"].as_array().expect("an array");
        let keys = messages.iter().map(|message| message["MsgKey"].as_str().expect("a String").to_owned());
        seen.splice(0..0, keys);
        assert_eq!((&page["LastMsgKey"], &page["LastMsgTime"]), (&messages[0]["MsgKey"], &messages[0]["MsgTimeStamp"]));
        range["MaxTime"] = page["LastMsgTime"].clone();
        range["LastMsgKey"] = page["LastMsgKey"].clone();
    }
    assert_eq!(seen, sent);
    let older = r#"{"From_Account":"Jonh","To_Account":"jared","MaxCnt":2,"MinTime":0,"MaxTime":1}"#;
    let empty = json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "Complete": 1, "MsgCnt": 0,
                       "LastMsgTime": 0, "LastMsgKey": "", "MsgList": []});
    assert_eq!(post(&admin, "openim/admin_getroammsg", older).await, empty);
    assert_eq!(jared.history(&jonh).await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_getroammsg_checks_its_fields_in_the_order_of_its_table() {
    let (app, ..) = TestApp::start().await;
    let right = r#"{"Operator_Account":"Jonh","Peer_Account":"jared","MaxCnt":2,"MinTime":0,"MaxTime":1}"#;
    let case = |field, value, code| (with(right, field, value), code);
    let wrong = vec![
        case("Operator_Account", None, 90008),
        case("Operator_Account", Some("\"ghost\""), 90008),
        case("Peer_Account", Some("7"), 90003),
        case("Peer_Account", Some("\"ghost\""), 90003),
        case("MaxCnt", None, 90001),
        case("MaxCnt", Some("0"), 90001),
        case("MaxCnt", Some("-1"), 90001),
        case("MinTime", None, 90001),
        case("MaxTime", Some("[]"), 90001),
        case("LastMsgKey", Some("\"x\""), 90054),
    ];
    expect_codes(&app.admin(), "openim/admin_getroammsg", &wrong).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_history_has_at_most_13_kib_and_at_least_one_message() {
    let (app, jared, jonh, _) = TestApp::start().await;
    for _ in 0..3 {
        jared.send(&jonh, &"x".repeat(8000)).await;
    }
    let range = r#"{"Operator_Account":"Jonh","Peer_Account":"jared","MaxCnt":9,"MinTime":0,"MaxTime":4294967295}"#;
    let page = post(&app.admin(), "openim/admin_getroammsg", range).await;
    assert_eq!((&page["MsgCnt"], &page["Complete"]), (&1.into(), &0.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_client_says_of_its_body_it_is_read_as_json() {
    let (app, ..) = TestApp::start().await;
    let admin = app.admin();
    for content_type in [None, Some("application/json; charset=utf-8"), Some("application/x-www-form-urlencoded")] {
        let mut request =
            Request::builder().method(Method::POST).uri(admin.path_and_query("openim", "get_c2c_unread_msg_num"));
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let body = Full::from(r#" { "To_Account" : "Jonh" , "Unknown" : null } "#);
        let (status, headers, body) = admin.raw(request.body(body).expect("valid")).await.expect("an answer");
        assert_eq!(
            (status, &headers[header::CONTENT_TYPE]),
            (StatusCode::OK, &"application/json".parse().expect("valid"))
        );
        let expected = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"AllC2CUnreadMsgNum":0}"#;
        assert_eq!(body, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_bound_is_refused_and_its_connection_closed() {
    let (app, ..) = TestApp::start().await;
    let admin = app.admin();
    let long = format!(r#"{{"To_Account":"{}"}}"#, "x".repeat(200_000));
    let request = Request::builder()
        .method(Method::POST)
        .uri(admin.path_and_query("openim", "sendmsg"))
        .body(Full::from(long))
        .expect("valid");
    let (status, headers, body) = admin.raw(request).await.expect("an answer");
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((status, &answer["ErrorCode"]), (StatusCode::OK, &93000.into()));
    assert_eq!(headers[header::CONNECTION], "close");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_refused_clearly() {
    let (app, ..) = TestApp::start().await;
    let admin = app.admin();
    let request = Request::builder()
        .method(Method::POST)
        .uri(admin.path_and_query("openim", "sendmsg"))
        .header(header::CONTENT_ENCODING, "gzip")
        .body(Full::from("x"))
        .expect("valid");
    let (_, _, body) = admin.raw(request).await.expect("an answer");
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(answer["ErrorCode"], 60008);
    assert!(answer["ErrorInfo"].as_str().expect("a String").contains("Content-Encoding"));
}
