//! Refusals that need more than a body, word for word: what the app backend, the operator's bounds and the gate say.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use http::{Method, Request, header};
use http_body_util::Full;
use serde_json::{Value, json};
use unsaid::{
    apps::{App, BeforeFailure, Origin, Secret},
    rest::{COMMANDS, RateSettings},
};
use unsaid_client::RestClient;
use unsaid_protocol::{ErrorCode, SdkAppId, callback::CallbackCommand};
use unsaid_testkit::{Answer, Receiver, Script};

use crate::{
    rest_docs::{is_the_snapshot, normalized},
    test_app::{ADMIN, SDKAPPID, SECRET_KEY, TestApp, usersig},
};

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/rest_refusals.txt");

/// The answers so far.
#[derive(Default)]
struct Snapshot(String);

impl Snapshot {
    /// What was done, and what came of it, which has to be that code.
    fn note(&mut self, what: &str, answer: &str, code: i32) {
        let json: Value = serde_json::from_str(answer).unwrap_or_else(|_| panic!("{what}: {answer}"));
        assert_eq!(json["ErrorCode"], code, "{what}: {answer}");
        let _ = writeln!(self.0, "{what}\n    {}", normalized(answer));
    }

    async fn post(&mut self, admin: &RestClient, what: &str, command: &str, body: &Value, code: i32) {
        let (service, name) = command.split_once('/').expect("service/command");
        let answer = admin.post(service, name, body.to_string()).await.expect("an answer");
        let answer = String::from_utf8(answer.body.to_vec()).expect("text");
        self.note(&format!("{command}, {what}"), &answer, code);
        let command = COMMANDS.iter().find(|command| command.service == service && command.name == name);
        let listed = command.expect("there is that command").refusals.iter().any(|(listed, _)| listed.0 == code);
        assert!(listed || code / 1000 == 60, "{name}: its table does not tell of {code}");
    }
}

fn text(bytes: usize) -> Value {
    json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": "x".repeat(bytes)}}])
}

fn message(to: &Value, bytes: usize) -> Value {
    json!({"From_Account": "jared", "To_Account": to, "MsgRandom": 1, "MsgBody": text(bytes)})
}

fn asked(answer: Answer) -> Script {
    Script::function(move |arrival, _| {
        let question = arrival.command().as_deref() == Some(CallbackCommand::BeforeSendMsg.as_str());
        if question { answer.clone() } else { Answer::Ok }
    })
}

/// 20006, 120001 and 80003.
async fn by_the_app_backend(snapshot: &mut Snapshot) {
    let (app, _, _, receiver) = TestApp::start_with(|_, app| {
        app.callback.commands = CallbackCommand::ALL.into();
        app.callback.before_failure = BeforeFailure::Refuse;
    })
    .await;
    let (admin, send) = (app.admin(), message(&"Jonh".into(), 1));
    for (what, answer, code) in [
        ("the app backend answers 1", Answer::Body(r#"{"ErrorCode":1}"#.to_owned()), 20006),
        ("it says why", Answer::Body(r#"{"ErrorCode":1,"ErrorInfo":"no adverts"}"#.to_owned()), 20006),
        ("it answers HTTP 500", Answer::Status(500), 80003),
    ] {
        receiver.play(asked(answer));
        snapshot.post(&admin, what, "openim/sendmsg", &send, code).await;
    }
    let own = Answer::Body(r#"{"ErrorCode":120001,"ErrorInfo":"its own"}"#.to_owned());
    receiver.play(asked(own));
    let answer = admin.post("openim", "sendmsg", send.to_string()).await.expect("an answer");
    snapshot.note("openim/sendmsg, it answers 120001", std::str::from_utf8(&answer.body).expect("text"), 120_001);
    app.all_settled().await;
}

/// 90992: nobody delivers what waits.
async fn by_a_full_backlog(snapshot: &mut Snapshot) {
    let (mut app, _, _, receiver): (TestApp, _, _, Arc<Receiver>) = TestApp::start_with(|_, app| {
        app.callback.commands = CallbackCommand::AFTER.into();
        app.callback.backlog_events_max = 1;
    })
    .await;
    receiver.play(Script::always(Answer::Status(500)));
    let admin = app.admin();
    // What waits is as long each time: numbers that the server draws are not.
    let first = json!({"From_Account": "jared", "To_Account": "Jonh", "MsgSeq": 1_000_000_001, "MsgRandom": 1_000_000_002,
        "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "one"}}]});
    let sent: Value = admin.call("openim", "sendmsg", &first).await.expect("sent");
    let key = sent["MsgKey"].as_str().expect("its key");
    let named = json!({"From_Account": "jared", "To_Account": "Jonh", "MsgKey": key});
    let modify = json!({"From_Account": "jared", "To_Account": "Jonh", "MsgKey": key, "CloudCustomData": "x"});
    let report = json!({"Report_Account": "Jonh", "Peer_Account": "jared"});
    let receipt = json!({"Operator_Account": "Jonh", "Peer_Account": "jared", "C2CMsgInfo": [named]});
    for (command, body) in [
        ("openim/sendmsg", &message(&"Jonh".into(), 1)),
        ("openim/admin_msgwithdraw", &named),
        ("openim/modify_c2c_msg", &modify),
        ("openim/admin_set_msg_read", &report),
        ("openim/c2c_msg_read_receipt", &receipt),
    ] {
        snapshot.post(&admin, "one callback waits, and one may", command, body, 90992).await;
    }
    app.leave_backlog();
}

/// 60007.
async fn by_rates(snapshot: &mut Snapshot) {
    let (app, ..) = TestApp::start_with(|config, _| {
        config.rest.rates = RateSettings { commands_per_s: 2, recipients_per_min: 3 };
    })
    .await;
    let admin = app.admin();
    let unread = json!({"To_Account": "Jonh"});
    // However slow the machine is, three of them come within a second at last.
    for _ in 0..1000 {
        let answer = admin.post("openim", "get_c2c_unread_msg_num", unread.to_string()).await.expect("an answer");
        let answer = String::from_utf8(answer.body.to_vec()).expect("text");
        if !answer.contains("\"ErrorCode\":0") {
            snapshot.note("openim/get_c2c_unread_msg_num, two calls a second may be", &answer, 60007);
            break;
        }
    }
    let batch = message(&json!(["Jonh", "jared", "x", "y"]), 1);
    snapshot.post(&admin, "four recipients, and three may be in a minute", "openim/batchsendmsg", &batch, 60007).await;
}

/// 93000, 90055, 40601.
async fn by_length(snapshot: &mut Snapshot) {
    let (app, jared, jonh, _) = TestApp::start().await;
    let admin = app.admin();
    let key = jared.send(&jonh, "one").await.to_string();
    let import = json!({"SyncFromOldSystem": 2, "From_Account": "jared", "To_Account": "Jonh", "MsgRandom": 1,
                        "MsgTimeStamp": 1_700_000_000, "MsgBody": text(8192)});
    let modify = json!({"From_Account": "jared", "To_Account": "Jonh", "MsgKey": key, "MsgBody": text(8192)});
    for (command, body, code) in [
        ("openim/sendmsg", message(&"Jonh".into(), 8192), 93000),
        ("openim/batchsendmsg", message(&json!(["Jonh"]), 8192), 90055),
        ("openim/importmsg", import, 93000),
        ("openim/modify_c2c_msg", modify, 93000),
        ("im_open_login_svc/account_import", json!({"UserID": "mira", "Nick": "x".repeat(501)}), 40601),
        ("im_open_login_svc/account_import", json!({"UserID": "mira", "FaceUrl": "x".repeat(501)}), 40601),
    ] {
        snapshot.post(&admin, "too long", command, &body, code).await;
    }
    snapshot.post(&admin, "a request too long", "openim/sendmsg", &message(&"Jonh".into(), 200_000), 93000).await;
}

async fn raw(app: &TestApp, request: http::request::Builder, body: &'static str) -> String {
    let request = request.body(Full::from(body)).expect("valid");
    let (_, _, body) = app.admin().raw(request).await.expect("an answer");
    String::from_utf8(body.to_vec()).expect("text")
}

/// 60008.
async fn by_form(snapshot: &mut Snapshot) {
    let (app, ..) = TestApp::start_with(|config, _| config.rest.body_timeout = Duration::from_millis(200)).await;
    let admin = app.admin();
    let path = admin.path_and_query("openim", "sendmsg");
    let post = || Request::builder().method(Method::POST).uri(&path);
    for method in [Method::GET, Method::PUT] {
        let answer = raw(&app, Request::builder().method(&method).uri(&path), "").await;
        snapshot.note(&format!("{method} openim/sendmsg"), &answer, 60008);
    }
    for coding in ["gzip", "identity, br"] {
        let answer = raw(&app, post().header(header::CONTENT_ENCODING, coding), "x").await;
        snapshot.note(&format!("Content-Encoding: {coding}"), &answer, 60008);
    }
    let list = admin.path_and_query("ConfigSvc", "GetIPList") + "&nettype=9";
    snapshot.note("nettype=9", &raw(&app, Request::builder().method(Method::POST).uri(list), "{}").await, 60008);
}

/// 60002 to 70014: who calls, in the order of the checks; and 60009.
async fn by_the_gate(snapshot: &mut Snapshot) {
    let (app, ..) = TestApp::start().await;
    let mut other = App::new(SdkAppId(7), Secret::new("the key of another app"), Origin::Runtime);
    other.disabled = true;
    app.save_app(other).await;
    let now_s = u64::from(app.world.clock.now().seconds());
    let id = SDKAPPID.0;
    let sig =
        |key: &str, app: u32, who: &str, time_s: u64| usersig(key, SdkAppId(app), who, time_s, 60).replace('*', "%2A");
    let good = sig(SECRET_KEY, id, ADMIN, now_s);
    for (what, query, code) in [
        ("a name that is no UTF-8", format!("sdkappid={id}&identifier=%ff&usersig={good}"), 60002),
        ("no sdkappid", format!("identifier={ADMIN}&usersig={good}"), 60012),
        ("sdkappid=x", format!("sdkappid=x&identifier={ADMIN}&usersig={good}"), 60006),
        ("an app that is disabled", format!("sdkappid=7&identifier={ADMIN}&usersig={good}"), 60016),
        ("no usersig", format!("sdkappid={id}&identifier={ADMIN}"), 70002),
        ("usersig=abc", format!("sdkappid={id}&identifier={ADMIN}&usersig=abc"), 70003),
        (
            "of another app",
            format!("sdkappid={id}&identifier={ADMIN}&usersig={}", sig(SECRET_KEY, 7, ADMIN, now_s)),
            70014,
        ),
        ("no identifier", format!("sdkappid={id}&usersig={good}"), 60004),
        ("of another identifier", format!("sdkappid={id}&identifier=Jonh&usersig={good}"), 70013),
        (
            "by another key",
            format!("sdkappid={id}&identifier={ADMIN}&usersig={}", sig("another", id, ADMIN, now_s)),
            70009,
        ),
        ("of 1970", format!("sdkappid={id}&identifier={ADMIN}&usersig={}", sig(SECRET_KEY, id, ADMIN, 0)), 70001),
        ("of no admin", format!("sdkappid={id}&identifier=Jonh&usersig={}", sig(SECRET_KEY, id, "Jonh", now_s)), 60010),
    ] {
        let request = Request::builder().method(Method::POST).uri(format!("/v4/openim/sendmsg?{query}"));
        snapshot.note(&format!("UserSig and query: {what}"), &raw(&app, request, "{}").await, code);
    }
    for (service, name) in [
        ("openim", "sendmesage"),
        ("openim", "im_push"),
        ("openim", "sendmsg/x"),
        ("sns", "friend_add"),
        ("profile", "portrait_set"),
        ("recentcontact", "mark_contact"),
        ("openim_msg_ext_http_svc", "get_key_values"),
        ("group_open_http_svc", "create_group"),
        ("nothing", ""),
        ("", ""),
    ] {
        let request = Request::builder().method(Method::POST).uri(app.admin().path_and_query(service, name));
        snapshot.note(&format!("/v4/{service}/{name}"), &raw(&app, request, "{}").await, 60009);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_that_of_the_snapshot() {
    let mut snapshot = Snapshot::default();
    by_the_app_backend(&mut snapshot).await;
    by_a_full_backlog(&mut snapshot).await;
    by_rates(&mut snapshot).await;
    by_length(&mut snapshot).await;
    by_form(&mut snapshot).await;
    by_the_gate(&mut snapshot).await;
    let Snapshot(snapshot) = snapshot;
    for code in [20006, 80003, 90992, 60007, 93000, 90055, 40601, 60008].map(ErrorCode) {
        assert!(snapshot.contains(&format!("\"ErrorCode\":{code}")), "{code}");
    }
    is_the_snapshot(&snapshot, SNAPSHOT);
}

/// A wrong base address is told, too; what is outside of the API is 404.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_outside_of_the_api_says_where_it_is() {
    let (app, ..) = TestApp::start().await;
    for path in ["/openim/sendmsg?sdkappid=1", "/", "/v5/openim/sendmsg"] {
        let request = Request::builder().method(Method::POST).uri(path).body(Full::from("{}")).expect("valid");
        let (status, headers, body) = app.admin().raw(request).await.expect("an answer");
        assert_eq!(
            (status.as_u16(), &headers[header::CONTENT_TYPE]),
            (404, &"application/json".parse().expect("valid"))
        );
        let answer: Value = serde_json::from_slice(&body).expect("the envelope");
        assert_eq!((&answer["ActionStatus"], &answer["ErrorCode"]), (&"FAIL".into(), &60009.into()), "{answer}");
        assert!(answer["ErrorInfo"].as_str().expect("text").contains("/v4/{service}/{command}"), "{answer}");
    }
}
