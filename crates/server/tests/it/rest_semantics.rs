//! What commands do beyond their answers: who hears of it, what is counted, what is kept, how often one may call.

use std::{net::Ipv4Addr, time::Duration};

use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use unsaid::{
    chat::{Command, HistoryQuery, ImportMessage, Lifetime, MessageFlags, Origin, RequestId, Send},
    rest::RateSettings,
};
use unsaid_client::RestClient;
use unsaid_protocol::{
    UserId,
    callback::{CallbackCommand, Platform},
    element::MsgBody,
    error,
    usersig::{self, Order},
};

use crate::{
    device,
    test_app::{ADMIN, Actor, SDKAPPID, SECRET_KEY, TestApp, client, of_command},
};

const ELEMENT: &str = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hello"}}]"#;

/// The code of the answer.
async fn code(admin: &RestClient, command: &str, body: &Value) -> i64 {
    let (service, name) = command.split_once('/').expect("service/command");
    let answer = admin.post(service, name, body.to_string()).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK);
    let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
    answer["ErrorCode"].as_i64().expect("a number")
}

/// As a client sends it.
fn message_of(from: &Actor, to: &Actor, number: u32) -> Send {
    let user = |actor: &Actor| UserId::new(&actor.name).expect("valid");
    let raw = serde_json::value::RawValue::from_string(ELEMENT.to_owned()).expect("JSON");
    Send {
        app: SDKAPPID,
        from: user(from),
        to: user(to),
        seq: number,
        random: number,
        body: MsgBody::parse(&raw).expect("a body"),
        custom_data: String::new(),
        push_info: String::new(),
        lifetime: Lifetime::Stored,
        flags: MessageFlags::COUNTED,
        client_time_s: None,
        forbidden_callbacks: Vec::new(),
        origin: Origin { client_ip: Ipv4Addr::LOCALHOST.into(), platform: Platform::Ios, request: RequestId::NONE },
        by_client: true,
        asked: None,
    }
}

impl TestApp {
    /// Through the client's door, by a device that comes and goes.
    async fn send_as_client(&self, from: &Actor, to: &Actor, number: u32) -> Result<(), i32> {
        let mut device = self.device(&from.name, "iOS").await;
        let message = device.message(&to.name, &format!("hello {number}"));
        let sent = device.client.send(&message).await.map(drop).map_err(device::code);
        device.client.logout().await.expect("it may");
        sent
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_what_a_blocklist_stops_is_told_as_failed_and_admins_pass_it() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    let admin = app.admin();
    let block = json!({"From_Account": "Jonh", "To_Account": ["jared"]});
    assert_eq!(code(&admin, "sns/black_list_add", &block).await, 0);
    assert_eq!(app.send_as_client(&jared, &jonh, 1).await, Err(20007));
    app.all_settled().await;
    let told = of_command(&receiver.arrivals(), CallbackCommand::AfterSendMsg);
    let body = told[0].json();
    assert_eq!((told.len(), &body["SendMsgResult"], &body["UnreadMsgNum"]), (1, &20007.into(), &(-1).into()), "{body}");
    assert_eq!((jonh.unread().await, jonh.history(&jared).await.len()), (0, 0));
    jared.send(&jonh, "by the admin").await;
    assert_eq!((app.send_as_client(&jonh, &jared, 2).await, jonh.unread().await), (Ok(()), 1));
    assert_eq!(code(&admin, "sns/black_list_delete", &block).await, 0);
    assert_eq!(app.send_as_client(&jared, &jonh, 3).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_batches_and_imports_owe_no_callbacks_and_their_recalls_do() {
    let (app, jared, jonh, receiver) = TestApp::start().await;
    app.account("mira").await;
    let admin = app.admin();
    let batch = format!(
        r#"{{"From_Account":"jared","To_Account":["Jonh","mira"],"MsgSeq":1,"MsgRandom":2,"MsgBody":{ELEMENT}}}"#
    );
    let sent = admin.call("openim", "batchsendmsg", &serde_json::from_str(&batch).expect("JSON")).await.expect("sent");
    let import = format!(
        r#"{{"SyncFromOldSystem":5,"From_Account":"jared","To_Account":"Jonh","MsgSeq":3,"MsgRandom":4,"MsgTimeStamp":1700000000,"MsgBody":{ELEMENT}}}"#
    );
    assert_eq!(code(&admin, "openim/importmsg", &serde_json::from_str(&import).expect("JSON")).await, 0);
    assert_eq!((jonh.unread().await, app.backlog().await.waiting, receiver.arrivals().len()), (2, 0, 0));
    let key = sent["MsgKey"].as_str().expect("a key").parse().expect("a key");
    assert_eq!(jared.recall(&jonh, key).await, Ok(()));
    assert_eq!(jared.recall(&jonh, "3_4_1700000000".parse().expect("a key")).await, Ok(()));
    app.all_settled().await;
    let told: Vec<_> = receiver.arrivals().iter().map(|arrival| arrival.json()["UnreadMsgNum"].clone()).collect();
    assert_eq!(told, [1, 0]);
    assert_eq!(app.actor("mira").unread().await, 1, "the other one's copy stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_a_repeat_is_recognised_across_a_restart() {
    let (mut app, ..) = TestApp::start().await;
    let body =
        format!(r#"{{"From_Account":"jared","To_Account":"Jonh","MsgSeq":5,"MsgRandom":6,"MsgBody":{ELEMENT}}}"#);
    let body = serde_json::from_str(&body).expect("JSON");
    let first = app.admin().call("openim", "sendmsg", &body).await.expect("sent");
    app.stop().await;
    app.start_again().await;
    assert_eq!(app.admin().call("openim", "sendmsg", &body).await.expect("sent"), first);
    assert_eq!(app.actor("Jonh").unread().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_kept_for_the_days_of_their_app() {
    let (mut app, jared, jonh, _) = TestApp::start().await;
    app.change_app(|app| app.history_days = 7).await;
    let key = jared.send(&jonh, "one").await;
    app.all_settled().await;
    let day = 24 * 3600 * 1000;
    for (days, left) in [(6, 1), (2, 0)] {
        app.world.clock.shift(days * day);
        app.stop().await;
        // What is too old is looked for at the start.
        app.start_again().await;
        let jonh = app.actor("Jonh");
        let began = app.world.clock.instant();
        while jonh.unread().await != left {
            assert!(began.elapsed() < Duration::from_secs(10), "{days} days later");
        }
        assert_eq!(jonh.history(&app.actor("jared")).await.len() as i64, left);
    }
    assert_eq!(app.actor("jared").recall(&app.actor("Jonh"), key).await, Err(20022));
}

/// Many messages are erased in pieces, and sends come between them.
#[tokio::test(flavor = "multi_thread")]
async fn sends_do_not_wait_until_everything_old_is_erased() {
    const OLD: u32 = 20_000;
    const OLD_S: u32 = 1_700_000_000;
    let (mut app, jared, jonh, _) = TestApp::start().await;
    for piece in (0..OLD).collect::<Vec<_>>().chunks(1000) {
        let import = |number: u32| {
            let send = message_of(&jared, &jonh, number);
            Command::ImportMessage(Box::new(ImportMessage { send, time_s: OLD_S + number }))
        };
        let done = piece.iter().map(|number| app.server().chat().run(import(*number)));
        assert!(futures_util::future::join_all(done).await.iter().all(Result::is_ok));
    }
    app.change_app(|app| app.history_days = 30).await;
    // What is too old is looked for at the start.
    app.stop().await;
    app.start_again().await;
    let Send { from, to, .. } = message_of(&jared, &jonh, 0);
    let old = HistoryQuery { max_time_s: OLD_S + OLD, messages_max: 1, ..HistoryQuery::all(SDKAPPID, to, from) };
    let (jared, jonh) = (app.actor("jared"), app.actor("Jonh"));
    let (mut sent, mut slowest) = (0, Duration::ZERO);
    while !app.server().store().history(old.clone()).await.expect("readable").is_empty() {
        let began = app.world.clock.instant();
        jared.send(&jonh, "hello").await;
        (sent, slowest) = (sent + 1, slowest.max(began.elapsed()));
    }
    assert!(sent >= 10, "only {sent} messages were sent meanwhile");
    assert!(slowest < Duration::from_secs(1), "one of {sent} sends took {slowest:?}");
    assert_eq!(jonh.unread().await, sent, "what was erased does not count any more");
    app.all_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_too_often_is_told_so() {
    let (app, ..) = TestApp::start_with(|config, _| {
        config.rest.rates = RateSettings { commands_per_s: 10, recipients_per_min: 3 };
    })
    .await;
    let admin = app.admin();
    let ask = json!({"To_Account": "Jonh"});
    let mut codes = Vec::new();
    for _ in 0..30 {
        codes.push(code(&admin, "openim/get_c2c_unread_msg_num", &ask).await);
    }
    assert_eq!(codes[..10], [0; 10]);
    assert!(codes.contains(&60007), "{codes:?}");
    assert_eq!(code(&admin, "openim/query_online_status", &json!({"To_Account": ["Jonh"]})).await, 0, "each by itself");
    let batch = |random: u32| {
        let body: Value = serde_json::from_str(ELEMENT).expect("JSON");
        json!({"From_Account": "jared", "To_Account": ["Jonh", "jared"], "MsgRandom": random, "MsgBody": body})
    };
    assert_eq!(code(&admin, "openim/batchsendmsg", &batch(1)).await, 0);
    assert_eq!(code(&admin, "openim/batchsendmsg", &batch(2)).await, 60007);
}

#[tokio::test(flavor = "multi_thread")]
async fn account_check_is_taken_by_get_and_nothing_else_is() {
    let (app, ..) = TestApp::start().await;
    let admin = app.admin();
    for (name, body, expected) in [
        ("account_check", r#"{"CheckItem":[{"UserID":"Jonh"}]}"#, 0),
        ("account_import", r#"{"UserID":"x"}"#, error::REQUEST_FORMAT.0),
    ] {
        let request = Request::builder().method(Method::GET).uri(admin.path_and_query("im_open_login_svc", name));
        let (status, _, body) = admin.raw(request.body(Full::from(body)).expect("valid")).await.expect("an answer");
        let answer: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((status, &answer["ErrorCode"]), (StatusCode::OK, &expected.into()), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usersig_with_userbuf_is_as_good() {
    let (app, ..) = TestApp::start().await;
    let now_s = u64::from(app.world.clock.now().seconds());
    let order = Order {
        sdkappid: SDKAPPID,
        identifier: ADMIN,
        time_s: now_s,
        expire_s: 60,
        userbuf: Some(&b"a room and its rights"[..]),
    };
    let with_userbuf = client(&app.base(), ADMIN, &usersig::make(SECRET_KEY, order));
    let ask = json!({"To_Account": "Jonh"});
    assert_eq!(code(&with_userbuf, "openim/get_c2c_unread_msg_num", &ask).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_before_is_valid_where_the_app_says_so() {
    let (app, ..) = TestApp::start().await;
    let config = r#"[[apps]]
        sdkappid = 7
        secret_key = "fedcba9876543210fedcba9876543210"
        previous_secret_key = "0123456789abcdef0123456789abcdef""#;
    let file = app.data_dir().join("apps.toml");
    std::fs::write(&file, config).expect("writable");
    let sources = unsaid::config::Sources { file: Some(file), ..unsaid::config::Sources::default() };
    let declared = unsaid::config::Config::load(&sources).expect("valid");
    let keys: Vec<_> = declared.apps[0].keys.iter().map(|key| key.secret.expose()).collect();
    assert_eq!(keys, ["fedcba9876543210fedcba9876543210", "0123456789abcdef0123456789abcdef"]);
    assert_ne!(declared.apps[0].keys[0].generation, declared.apps[0].keys[1].generation);
}
