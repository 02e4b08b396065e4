//! The contract of the REST API: every command's answers, word for word, made from the same table as `docs/rest.md`.

use std::fmt::Write as _;

use http::{Method, Request};
use http_body_util::Full;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Map, Value, json};
use unsaid::{
    apps::{App, Origin, Secret},
    rest::{COMMANDS, Command, Field, Kind},
};
use unsaid_client::RestClient;
use unsaid_protocol::{ErrorCode, SdkAppId, error};

use crate::{
    rest_docs::{is_the_snapshot, normalized},
    test_app::{ADMIN, SDKAPPID, SECRET_KEY, TestApp, client, client_of, usersig},
};

const RECALLED: &str = "9_1009_1764500009";
const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/rest_contract.txt");

/// An app with the people and messages of the demo, and one that was recalled.
async fn start() -> (TestApp, RestClient) {
    let (app, ..) = TestApp::start().await;
    let admin = app.admin();
    unsaid::demo::prepare(&admin).await.expect("the samples are right");
    let element = json!({"MsgType": "TIMTextElem", "MsgContent": {"Text": "recalled"}});
    let message = json!({"SyncFromOldSystem": 2, "From_Account": "mira", "To_Account": "tomas", "MsgSeq": 9,
                         "MsgRandom": 1009, "MsgTimeStamp": 1_764_500_009, "MsgBody": [element]});
    admin.call("openim", "importmsg", &message).await.expect("it is right");
    let key = RECALLED.parse().expect("a key");
    admin.admin_msgwithdraw("mira", "tomas", key).await.expect("it is there");
    (app, admin)
}

async fn post(admin: &RestClient, command: &Command, body: &str) -> (u16, String) {
    let answer = admin.post(command.service, command.name, body.to_owned()).await.expect("an answer");
    (answer.status.as_u16(), String::from_utf8(answer.body.to_vec()).expect("text"))
}

fn code(answer: &str) -> ErrorCode {
    let answer: Value = serde_json::from_str(answer).expect("the envelope");
    assert!(answer["ErrorInfo"].is_string(), "{answer}");
    let code = ErrorCode(answer["ErrorCode"].as_i64().and_then(|code| i32::try_from(code).ok()).expect("an i32"));
    let status = answer["ActionStatus"].as_str().expect("a String");
    assert!(if code.0 == 0 { ["OK", "SomeError"].contains(&status) } else { status == "FAIL" }, "{answer}");
    assert_eq!(code.0 == 0, answer["ErrorInfo"] == "", "an error says what to change: {answer}");
    code
}

/// A body that is right but for one field, and the code for it.
fn wrong_bodies(command: &Command) -> Vec<(String, ErrorCode)> {
    let right: Map<String, Value> = serde_json::from_str(command.examples[0].body).expect("an object");
    let with = |field: &Field, value: Option<Value>| {
        let mut body = right.clone();
        body.remove(field.name);
        body.extend(value.map(|value| (field.name.to_owned(), value)));
        Value::Object(body).to_string()
    };
    let mut wrong = Vec::new();
    for field in command.fields {
        if field.required {
            wrong.push((with(field, None), field.code));
            wrong.push((with(field, Some(Value::Null)), field.code));
        }
        wrong.extend(wrong_values(field).into_iter().map(|(value, code)| (with(field, Some(value)), code)));
    }
    wrong
}

fn wrong_values(field: &Field) -> Vec<(Value, ErrorCode)> {
    let of_type = |values: &[Value]| values.iter().map(|value| (value.clone(), field.type_code)).collect::<Vec<_>>();
    let mut wrong = match field.kind {
        Kind::Text => of_type(&[json!(7), json!([])]),
        Kind::Account => of_type(&[json!(7), json!({})]),
        Kind::Key => of_type(&[json!(7), json!("1_2"), json!("1_2_4294967296")]),
        Kind::Number => of_type(&[json!("x"), json!(-1), json!(1.5), json!(4_294_967_296_u64), json!(true)]),
        Kind::Integer => of_type(&[json!("x"), json!(1.5), json!([])]),
        Kind::Duration => of_type(&[json!("x"), json!(-1), json!(1.5), json!(true)]),
        Kind::Seconds => of_type(&[json!("soon"), json!(-1)]),
        Kind::Texts => of_type(&[json!("x"), json!([1]), json!({})]),
        Kind::Object => of_type(&[json!([]), json!("x")]),
        Kind::Objects => of_type(&[json!({}), json!([1])]),
        Kind::Elements => vec![
            (json!({}), error::MSG_BODY_NOT_ARRAY),
            (json!([]), error::MSG_BODY_FORMAT),
            (json!([{"MsgType": "TIMTextElem"}]), error::ELEMENT_FORMAT),
            (json!([{"MsgType": "Unknown", "MsgContent": {}}]), error::ELEMENT_FORMAT),
        ],
    };
    if field.required && [Kind::Texts, Kind::Objects].contains(&field.kind) {
        wrong.push((json!([]), field.code));
    }
    if let Some((most, code)) = field.most {
        let item = if field.kind == Kind::Texts { json!("mira") } else { json!({"UserID": "mira"}) };
        wrong.push((Value::Array(vec![item; most + 1]), code));
    }
    wrong
}

/// Bodies whose fields are right, and which are refused for what they say.
const REFUSED: &[(&str, &[&str])] = &[
    ("account_import", &[r#"{"UserID":"mir\u00e4"}"#, r#"{"UserID":""}"#]),
    ("multiaccount_import", &["{}", r#"{"AccountList":[{}]}"#]),
    ("account_check", &[r#"{"CheckItem":[{"UserID":7}]}"#]),
    ("kick", &[r#"{"UserID":"ghost"}"#]),
    ("account_delete", &[r#"{"DeleteItem":[{"UserID":"administrator"},{"UserID":""}]}"#]),
    (
        "sendmsg",
        &[
            r#"{"From_Account":"ghost","To_Account":"tomas","MsgRandom":1,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"x"}}]}"#,
            r#"{"To_Account":"ghost","MsgRandom":1,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"x"}}]}"#,
        ],
    ),
    (
        "batchsendmsg",
        &[
            r#"{"From_Account":"ghost","To_Account":["tomas"],"MsgRandom":1,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"x"}}]}"#,
            r#"{"To_Account":["ghost",""],"MsgRandom":1,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"x"}}]}"#,
        ],
    ),
    (
        "importmsg",
        &[
            r#"{"SyncFromOldSystem":3,"From_Account":"mira","To_Account":"tomas","MsgRandom":1,"MsgTimeStamp":1,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"x"}}]}"#,
            r#"{"SyncFromOldSystem":2,"From_Account":"ghost","To_Account":"tomas","MsgRandom":1,"MsgTimeStamp":1,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"x"}}]}"#,
            r#"{"SyncFromOldSystem":2,"From_Account":"mira","To_Account":"ghost","MsgRandom":1,"MsgTimeStamp":1,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"x"}}]}"#,
        ],
    ),
    (
        "admin_getroammsg",
        &[
            r#"{"Operator_Account":"ghost","Peer_Account":"mira","MaxCnt":1,"MinTime":0,"MaxTime":1}"#,
            r#"{"Operator_Account":"mira","Peer_Account":"ghost","MaxCnt":1,"MinTime":0,"MaxTime":1}"#,
            r#"{"Operator_Account":"mira","Peer_Account":"tomas","MaxCnt":0,"MinTime":0,"MaxTime":1}"#,
            r#"{"Operator_Account":"mira","Peer_Account":"tomas","MaxCnt":1,"MinTime":0,"MaxTime":1,"LastMsgKey":"x"}"#,
        ],
    ),
    ("get_c2c_unread_msg_num", &[r#"{"To_Account":"ghost"}"#]),
    (
        "admin_set_msg_read",
        &[r#"{"Report_Account":"ghost","Peer_Account":"mira"}"#, r#"{"Report_Account":"mira","Peer_Account":"ghost"}"#],
    ),
    (
        "c2c_msg_read_receipt",
        &[
            r#"{"Operator_Account":"ghost","Peer_Account":"mira","C2CMsgInfo":[{"From_Account":"mira","To_Account":"ghost","MsgKey":"1_2_3"}]}"#,
            r#"{"Operator_Account":"tomas","Peer_Account":"ghost","C2CMsgInfo":[{"From_Account":"ghost","To_Account":"tomas","MsgKey":"1_2_3"}]}"#,
            r#"{"Operator_Account":"tomas","Peer_Account":"mira","C2CMsgInfo":[{"From_Account":"tomas","To_Account":"tomas","MsgKey":"1_2_3"}]}"#,
            r#"{"Operator_Account":"tomas","Peer_Account":"mira","C2CMsgInfo":[{"From_Account":"mira","To_Account":"mira","MsgKey":"1_2_3"}]}"#,
            r#"{"Operator_Account":"tomas","Peer_Account":"mira","C2CMsgInfo":[{"From_Account":"mira","To_Account":"tomas"}]}"#,
            r#"{"Operator_Account":"tomas","Peer_Account":"mira","C2CMsgInfo":[{"From_Account":"mira","To_Account":"tomas","MsgKey":"1_2_3"}]}"#,
        ],
    ),
    (
        "modify_c2c_msg",
        &[
            r#"{"From_Account":"ghost","To_Account":"tomas","MsgKey":"1_2_3","CloudCustomData":"x"}"#,
            r#"{"From_Account":"mira","To_Account":"ghost","MsgKey":"1_2_3","CloudCustomData":"x"}"#,
            r#"{"From_Account":"mira","To_Account":"tomas","MsgKey":"1_2_3"}"#,
            r#"{"From_Account":"mira","To_Account":"tomas","MsgKey":"1_2_3","CloudCustomData":"x"}"#,
            r#"{"From_Account":"tomas","To_Account":"mira","MsgKey":"1_1001_1764500001","CloudCustomData":"x"}"#,
            r#"{"From_Account":"mira","To_Account":"tomas","MsgKey":"9_1009_1764500009","CloudCustomData":"x"}"#,
        ],
    ),
    (
        "delete_c2c_msg_ramble",
        &[
            r#"{"Operator_Account":"ghost","Peer_Account":"mira","MsgKeyList":["1_2_3"]}"#,
            r#"{"Operator_Account":"mira","Peer_Account":"ghost","MsgKeyList":["1_2_3"]}"#,
        ],
    ),
    (
        "admin_msgwithdraw",
        &[
            r#"{"From_Account":"ghost","To_Account":"tomas","MsgKey":"1_2_3"}"#,
            r#"{"From_Account":"mira","To_Account":"ghost","MsgKey":"1_2_3"}"#,
            r#"{"From_Account":"mira","To_Account":"tomas","MsgKey":"1_2_3"}"#,
            r#"{"From_Account":"tomas","To_Account":"mira","MsgKey":"1_1001_1764500001"}"#,
        ],
    ),
    (
        "get_list",
        &[
            r#"{"From_Account":"ghost","TimeStamp":0,"StartIndex":0,"TopTimeStamp":0,"TopStartIndex":0,"AssistFlags":7}"#,
        ],
    ),
    (
        "delete",
        &[
            r#"{"From_Account":"ghost","Type":1,"To_Account":"mira"}"#,
            r#"{"From_Account":"mira","Type":1,"To_Account":"ghost"}"#,
            r#"{"From_Account":"mira","Type":2,"ToGroupid":"g"}"#,
        ],
    ),
    ("black_list_add", &[r#"{"From_Account":"ghost","To_Account":["mira"]}"#]),
    ("black_list_delete", &[r#"{"From_Account":"ghost","To_Account":["mira"]}"#]),
    ("black_list_get", &[r#"{"From_Account":"ghost","StartIndex":0,"MaxLimited":1,"LastSequence":0}"#]),
    (
        "black_list_check",
        &[
            r#"{"From_Account":"ghost","To_Account":["mira"],"CheckType":"BlackCheckResult_Type_Both"}"#,
            r#"{"From_Account":"mira","To_Account":["yuki"],"CheckType":"Both"}"#,
        ],
    ),
];

/// What needs more than a body; tests of their own have them.
const OF_THEIR_OWN: [ErrorCode; 8] = [
    error::BEFORE_REFUSED,
    error::BEFORE_FAILED,
    error::BACK_END,
    error::TOO_OFTEN,
    error::TOO_LONG,
    error::BATCH_TOO_LONG,
    error::PROFILE_TOO_LONG,
    error::REQUEST_FORMAT,
];

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_that_of_the_snapshot() {
    let (_app, admin) = start().await;
    let mut snapshot = String::new();
    for command in COMMANDS {
        let Command { service, name, .. } = command;
        let mut seen = Vec::new();
        for body in ["", "[]", r#"{"unfinished":"#].map(str::to_owned) {
            let answer = note(&mut snapshot, &admin, command, &body).await;
            assert_eq!(code(&answer), not_json(service), "{service}/{name} {body}: {answer}");
        }
        for (body, expected) in wrong_bodies(command) {
            let answer = note(&mut snapshot, &admin, command, &body).await;
            assert_eq!(code(&answer), expected, "{service}/{name} {body}: {answer}");
            seen.push(expected);
        }
        for body in REFUSED.iter().filter(|(of, _)| of == name).flat_map(|(_, bodies)| *bodies) {
            seen.push(code(&note(&mut snapshot, &admin, command, body).await));
        }
        for example in command.examples {
            let answer = note(&mut snapshot, &admin, command, example.body).await;
            assert_eq!(normalized(&answer), normalized(example.answer), "{service}/{name}");
            seen.push(code(&answer));
        }
        for code in seen.iter().filter(|code| code.0 != 0) {
            assert!(is_listed(command, *code), "{service}/{name}: its table does not tell of {code}");
        }
        for (code, when) in command.refusals.iter().filter(|(code, _)| !OF_THEIR_OWN.contains(code)) {
            assert!(seen.contains(code), "{service}/{name}: nothing was refused with {code}, {when}");
        }
    }
    is_the_snapshot(&snapshot, SNAPSHOT);
}

/// What each service says of a body that is no JSON object (rest 1.6).
fn not_json(service: &str) -> ErrorCode {
    match service {
        "im_open_login_svc" => error::ACCOUNT_PARAMETER,
        "openim" => error::BODY_NOT_JSON,
        _ => error::HTTP_BODY_NOT_JSON,
    }
}

/// Whether the documentation of a command says that it may answer so.
fn is_listed(command: &Command, code: ErrorCode) -> bool {
    let of_field = |field: &&Field| {
        [field.code, field.type_code].contains(&code) || field.most.is_some_and(|(_, too_many)| too_many == code)
    };
    command.refusals.iter().any(|(refused, _)| *refused == code) || command.fields.iter().any(of_field)
}

/// Sends a body, and adds it to the snapshot with its answer; long ones are cut.
async fn note(snapshot: &mut String, admin: &RestClient, command: &Command, body: &str) -> String {
    let (status, answer) = post(admin, command, body).await;
    assert_eq!(status, 200, "{answer}");
    let shown: String =
        if body.len() > 500 { body.chars().take(80).chain("...".chars()).collect() } else { body.to_owned() };
    let shown = if shown.is_empty() { "(nothing)" } else { &shown };
    let _ = writeln!(snapshot, "{}/{} {shown}\n    {}", command.service, command.name, normalized(&answer));
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn i7_no_command_is_done_for_another_app_or_for_who_is_no_admin() {
    const OTHER: SdkAppId = SdkAppId(7);
    const OTHER_KEY: &str = "the key of another app";
    let (app, admin) = start().await;
    let other = App::new(OTHER, Secret::new(OTHER_KEY), Origin::Runtime);
    app.save_app(other).await;
    app.all_settled().await;
    let everything = everything(&app, &admin).await;
    let now_s = u64::from(app.world.clock.now().seconds());
    for (usersig, who, expected) in [
        (usersig(OTHER_KEY, OTHER, ADMIN, now_s, 60), ADMIN, error::USERSIG_SDKAPPID),
        (usersig(OTHER_KEY, SDKAPPID, ADMIN, now_s, 60), ADMIN, error::USERSIG_WRONG),
        (usersig(SECRET_KEY, SDKAPPID, "mira", now_s, 60), "mira", error::NOT_ADMIN),
    ] {
        let stranger = client(&app.base(), who, &usersig);
        for command in COMMANDS {
            let (_, answer) = post(&stranger, command, command.examples[0].body).await;
            assert_eq!(code(&answer), expected, "{}/{}: {answer}", command.service, command.name);
        }
        assert_eq!(self::everything(&app, &admin).await, everything, "{expected}");
    }
    // Nothing of one app is there for the admin of another one, who may call.
    let own = client_of(OTHER, &app.base(), ADMIN, &usersig(OTHER_KEY, OTHER, ADMIN, now_s, 60));
    for command in COMMANDS {
        post(&own, command, command.examples[0].body).await;
        assert_eq!(self::everything(&app, &admin).await, everything, "{}/{}", command.service, command.name);
    }
}

/// The app's settings, accounts, messages, lists and what it is owed, as text.
async fn everything(app: &TestApp, admin: &RestClient) -> String {
    const WHO: [&str; 5] = ["mira", "tomas", "yuki", "spammer", "leaver"];
    let ask = async |service: &str, name: &str, body: Value| {
        let answer = admin.post(service, name, body.to_string()).await.expect("an answer");
        String::from_utf8(answer.body.to_vec()).expect("text") + "\n"
    };
    let items: Vec<_> = WHO.iter().map(|name| json!({"UserID": name})).collect();
    let mut seen = ask("im_open_login_svc", "account_check", json!({"CheckItem": items})).await;
    for who in WHO {
        let unread = json!({"To_Account": who, "Peer_Account": WHO});
        let list = json!({"From_Account": who, "TimeStamp": 0, "StartIndex": 0, "TopTimeStamp": 0, "TopStartIndex": 0,
                          "AssistFlags": 7});
        let blocked = json!({"From_Account": who, "StartIndex": 0, "MaxLimited": 30, "LastSequence": 0});
        seen += &ask("openim", "get_c2c_unread_msg_num", unread).await;
        seen += &ask("recentcontact", "get_list", list).await;
        seen += &ask("sns", "black_list_get", blocked).await;
        for peer in WHO {
            let range = json!({"Operator_Account": who, "Peer_Account": peer, "MaxCnt": 100, "MinTime": 0,
                               "MaxTime": u32::MAX});
            seen += &ask("openim", "admin_getroammsg", range).await;
        }
    }
    let settings = app.settings().await;
    seen + &format!("{settings:?} {:?}", app.backlog().await)
}

/// Codes that say that the server, and not its caller, is at fault.
const INTERNAL: [ErrorCode; 4] =
    [error::INTERNAL, error::ACCOUNT_INTERNAL, error::CONTACT_INTERNAL, error::SNS_INTERNAL];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["mira", "tomas", "", "1_2_3", "1764500001", "TIMTextElem", "\u{0}\u{1f}é"])
            .prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let name =
            prop::sample::select(vec!["MsgType", "MsgContent", "UserID", "From_Account", "To_Account", "MsgKey"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.prop_map(str::to_owned), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// For each of some fields, right ones replaced by anything.
fn any_body(command: &'static Command) -> impl Strategy<Value = String> {
    let right: Map<String, Value> = serde_json::from_str(command.examples[0].body).expect("an object");
    let names: Vec<_> = command.fields.iter().map(|field| field.name).chain(["Unknown"]).collect();
    let changes = prop::collection::vec((prop::sample::select(names), any_json()), 0..4);
    changes.prop_map(move |changes| {
        let mut body = right.clone();
        body.extend(changes.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Value::Object(body).to_string()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_json_makes_the_server_panic_or_answer_outside_the_envelope() {
    let (app, admin) = start().await;
    let cases = if std::env::var_os("UNSAID_TEST_FULL").is_some() { 1000 } else { 60 };
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        for command in COMMANDS {
            let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
            let outcome = runner.run(&any_body(command), |body| {
                let (status, answer) = runtime.block_on(post(&admin, command, &body));
                prop_assert_eq!(status, 200);
                prop_assert!(!INTERNAL.contains(&code(&answer)), "{}", answer);
                Ok(())
            });
            if let Err(why) = outcome {
                panic!("{}/{}: {why}", command.service, command.name);
            }
        }
    });
    app.all_settled().await;
}

/// Something like a request, from its path to its body, whether that is text or not.
fn any_request(path: String) -> impl Strategy<Value = (String, Vec<u8>)> {
    let piece = prop::sample::select(vec![
        "sdkappid=1400000001",
        "sdkappid=",
        "identifier=administrator",
        "identifier=%ff",
        "usersig=eJx",
        "usersig=*-_",
        "%2A",
        "&&",
        "=",
        "%",
        "%00",
        "random=x",
        "contenttype=json",
        "sdkappid=99999999999999999999",
    ]);
    let letters = "[!-~&&[^#?\"<>\\\\^`{|}]]{0,12}";
    let query = prop::collection::vec(prop_oneof![piece.prop_map(str::to_owned), letters.prop_map(|text| text)], 0..6);
    let right = path.clone();
    let target = prop_oneof![
        3 => Just(right),
        2 => query.prop_map(move |pieces| format!("{}?{}", path.split('?').next().unwrap_or_default(), pieces.join("&"))),
    ];
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        any_json().prop_map(|value| value.to_string().into_bytes()),
        (any_json(), 0_usize..20).prop_map(|(value, cut)| {
            let mut body = value.to_string().into_bytes();
            body.truncate(body.len().saturating_sub(cut));
            body
        }),
    ];
    (target, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_query_and_no_bytes_make_the_server_panic_or_answer_outside_the_envelope() {
    let (app, admin) = start().await;
    let cases = if std::env::var_os("UNSAID_TEST_FULL").is_some() { 2000 } else { 60 };
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        for command in COMMANDS {
            let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
            let requests = any_request(admin.path_and_query(command.service, command.name));
            let outcome = runner.run(&requests, |(target, body)| {
                let request = Request::builder().method(Method::POST).uri(target).body(Full::from(body));
                let request = request.map_err(|error| TestCaseError::reject(error.to_string()))?;
                let (status, _, answer) = runtime.block_on(admin.raw(request)).expect("an answer");
                prop_assert_eq!(status.as_u16(), 200);
                let answer = std::str::from_utf8(&answer).expect("text");
                prop_assert!(!INTERNAL.contains(&code(answer)), "{}", answer);
                Ok(())
            });
            if let Err(why) = outcome {
                panic!("{}/{}: {why}", command.service, command.name);
            }
        }
    });
    app.all_settled().await;
}

/// Bodies that mean the same, in pairs: a field under its other name, a number as its text, what is null as if it were not
/// there (rest 8.1 to 8.8).
fn same_bodies(command: &Command) -> Vec<(String, String)> {
    let right: Map<String, Value> = serde_json::from_str(command.examples[0].body).expect("an object");
    let with = |name: &str, value: Option<Value>| {
        let mut body = right.clone();
        body.remove(name);
        body.extend(value.map(|value| (name.to_owned(), value)));
        body
    };
    let text = |body: Map<String, Value>| Value::Object(body).to_string();
    let mut pairs = Vec::new();
    for field in command.fields {
        if !field.required {
            pairs.push((text(with(field.name, None)), text(with(field.name, Some(Value::Null)))));
        }
        if matches!(field.kind, Kind::Number | Kind::Integer | Kind::Seconds | Kind::Duration) {
            let number = right.get(field.name).cloned().unwrap_or_else(|| json!(1));
            let digits = number.to_string();
            pairs.push((text(with(field.name, Some(number))), text(with(field.name, Some(digits.into())))));
        }
        if let (Some(alias), Some(value)) = (field.alias, right.get(field.name)) {
            let mut other = with(field.name, None);
            other.insert(alias.to_owned(), value.clone());
            pairs.push((text(right.clone()), text(other)));
        }
        let mut unknown = right.clone();
        unknown.insert("Unknown".to_owned(), json!({"of": [null, 1.5]}));
        pairs.push((text(right.clone()), text(unknown)));
    }
    pairs
}

#[tokio::test(flavor = "multi_thread")]
async fn other_names_numbers_as_text_and_null_mean_the_same() {
    let (app, admin) = start().await;
    for command in COMMANDS {
        // What can be done once only is done.
        post(&admin, command, command.examples[0].body).await;
        for (one, other) in same_bodies(command) {
            let (_, first) = post(&admin, command, &one).await;
            let (_, second) = post(&admin, command, &other).await;
            assert_eq!(code(&first), code(&second), "{}/{}: {one} and {other}", command.service, command.name);
        }
    }
    let aliases = COMMANDS.iter().flat_map(|command| command.fields).filter_map(|field| field.alias).count();
    assert!(aliases >= 5, "there are some to try");
    app.all_settled().await;
}
