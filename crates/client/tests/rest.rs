//! The client over real sockets, against a scripted server.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use unsaid_client::{ClientError, HistoryRange, RestClient, RestConfig};
use unsaid_protocol::{ErrorCode, MsgKey, SdkAppId};
use unsaid_testkit::{Answer, Authority, Receiver, ReceiverConfig, Script};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

const KEY: MsgKey = MsgKey { seq: 1, random: 2, time: 3 };

#[tokio::test]
async fn commands_are_called_with_their_fields() {
    let (server, client) = start(Script::function(|arrival, _| {
        Answer::Body(match arrival.path_and_query().split(['/', '?']).nth(3) {
            Some("sendmsg") => ok(json!({ "MsgTime": 3, "MsgKey": "1_2_3", "MsgId": "m" })),
            Some("get_c2c_unread_msg_num") => ok(json!({
                "AllC2CUnreadMsgNum": 11,
                "C2CUnreadMsgNumList": [{ "Peer_Account": "jared", "C2CUnreadMsgNum": 8 }],
            })),
            _ => ok(json!({ "MsgCnt": 0 })),
        })
    }))
    .await;

    client.account_import("jared").await.expect("ok");
    assert_eq!(client.sendmsg("jared", "jonh", "hello").await.expect("ok"), KEY);
    client.admin_msgwithdraw("jared", "jonh", KEY).await.expect("ok");
    client.admin_set_msg_read("jonh", "jared", None).await.expect("ok");
    client.admin_set_msg_read("jonh", "jared", Some(3)).await.expect("ok");
    assert_eq!(client.get_c2c_unread_msg_num("jonh").await.expect("ok"), 11);
    assert_eq!(client.get_c2c_unread_msg_num_of("jonh", "jared").await.expect("ok"), 8);
    let range = HistoryRange { count_max: 5, from_time_s: 1, to_time_s: 9, before: Some(KEY) };
    assert_eq!(client.admin_getroammsg("jonh", "jared", range).await.expect("ok")["MsgCnt"], 0);

    let message = json!([{ "MsgType": "TIMTextElem", "MsgContent": { "Text": "hello" } }]);
    let expected = [
        ("im_open_login_svc/account_import", json!({ "UserID": "jared" })),
        (
            "openim/sendmsg",
            json!({ "From_Account": "jared", "To_Account": "jonh", "MsgRandom": 2, "MsgBody": message }),
        ),
        ("openim/admin_msgwithdraw", json!({ "From_Account": "jared", "To_Account": "jonh", "MsgKey": "1_2_3" })),
        ("openim/admin_set_msg_read", json!({ "Report_Account": "jonh", "Peer_Account": "jared" })),
        ("openim/admin_set_msg_read", json!({ "Report_Account": "jonh", "Peer_Account": "jared", "MsgReadTime": 3 })),
        ("openim/get_c2c_unread_msg_num", json!({ "To_Account": "jonh" })),
        ("openim/get_c2c_unread_msg_num", json!({ "To_Account": "jonh", "Peer_Account": ["jared"] })),
        (
            "openim/admin_getroammsg",
            json!({ "Operator_Account": "jonh", "Peer_Account": "jared", "MaxCnt": 5, "MinTime": 1, "MaxTime": 9, "LastMsgKey": "1_2_3" }),
        ),
    ];
    for (arrival, (command, body)) in server.arrivals().iter().zip(expected) {
        assert!(arrival.path_and_query().starts_with(&format!("/v4/{command}?")), "{}", arrival.path_and_query());
        assert_eq!(arrival.json(), body, "{command}");
    }
    assert_eq!((server.arrived(), server.connections()), (8, 1), "one connection serves all");
}

#[tokio::test]
async fn the_query_carries_who_calls() {
    let (server, client) = start(Script::default()).await;
    client.post("openim", "sendmsg", "{}").await.expect("answered");
    client.post("openim", "sendmsg", "{}").await.expect("answered");

    let first = server.next().await;
    let query = |name| first.query(name).expect("present").into_owned();
    assert_eq!(query("sdkappid"), "7");
    assert_eq!(query("identifier"), "the admin");
    assert_eq!(query("usersig"), "eJw*a-b_");
    assert_eq!(query("contenttype"), "json");
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(first.header("host"), Some(server.address().to_string().as_str()));
    assert_ne!(query("random"), server.next().await.query("random").expect("present"));
}

#[tokio::test]
async fn a_refusal_is_an_error_with_its_code() {
    let (_server, client) = start(Script::always(Answer::Refuse(20023))).await;
    let error = client.admin_msgwithdraw("jared", "jonh", KEY).await.expect_err("refused");
    assert_eq!(error.code(), Some(ErrorCode(20023)));

    let answer = client.post("openim", "admin_msgwithdraw", "{").await.expect("answered");
    assert_eq!((answer.status, answer.code().expect("an envelope")), (StatusCode::OK, ErrorCode(20023)));
    assert_eq!(answer.envelope().expect("an envelope").action_status, "FAIL");
}

#[tokio::test]
async fn anything_can_be_sent_raw() {
    let (server, client) = start(Script::always(Answer::Status(418))).await;
    let request = Request::put("/nowhere?x=%").header("x-odd", "1").body(Full::from("not JSON")).expect("valid");

    let (status, headers, body) = client.raw(request).await.expect("answered");

    assert_eq!((status.as_u16(), headers["content-length"].as_bytes(), body), (418, &b"0"[..], Bytes::new()));
    let arrival = server.next().await;
    assert_eq!((arrival.method(), arrival.path_and_query()), ("PUT", "/nowhere?x=%"));
    assert_eq!((arrival.header("x-odd"), &arrival.body[..]), (Some("1"), &b"not JSON"[..]));
}

#[tokio::test]
async fn no_more_connections_than_allowed() {
    let delayed = Answer::Delay(Duration::from_millis(5), Box::new(Answer::Ok));
    let (server, client) = start(Script::always(delayed)).await;
    let client = Arc::new(client);
    let mut calls = JoinSet::new();
    for _ in 0..12 {
        let client = Arc::clone(&client);
        calls.spawn(async move { client.account_import("jared").await });
    }
    while let Some(result) = calls.join_next().await {
        result.expect("no panic").expect("ok");
    }
    assert_eq!((server.arrived(), server.connections()), (12, 2));
}

#[tokio::test]
async fn a_connection_that_died_while_idle_is_replaced() {
    let (mut server, client) = start(Script::default()).await;
    client.account_import("jared").await.expect("ok");

    server.stop().await;
    let error = client.account_import("jared").await.expect_err("nobody listens");
    assert!(matches!(error, ClientError::Connect { .. }), "{error}");
    server.start_again().await.expect("starts");

    client.account_import("jared").await.expect("ok");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_request_that_may_have_been_carried_out_is_not_repeated() {
    let (server, client) = start(Script::queue([Answer::Ok, Answer::Close], Answer::Ok)).await;
    client.account_import("jared").await.expect("ok");

    let error = client.account_import("jared").await.expect_err("cut");

    assert!(matches!(error, ClientError::Broken(_)), "{error}");
    assert_eq!(server.arrived(), 2);
    client.account_import("jared").await.expect("ok over a new connection");
}

#[tokio::test]
async fn what_hangs_ends_with_the_time_limit() {
    let server = server(ReceiverConfig { script: Script::always(Answer::Hang), ..ReceiverConfig::default() }).await;
    let limit = Duration::from_millis(50);
    let client = RestClient::new(&RestConfig { timeout: limit, ..config(&server) }).expect("valid");

    let error = client.account_import("jared").await.expect_err("no answer");

    assert!(matches!(error, ClientError::TimedOut { after } if after == limit), "{error}");
    server.play(Script::always(Answer::Ok));
    client.account_import("jared").await.expect("the connection that hangs is not used again");
}

#[tokio::test]
async fn an_answer_is_read_up_to_a_bound() {
    let (_server, client) = start(Script::always(Answer::Body(" ".repeat(1024 * 1024 + 1)))).await;
    let error = client.account_import("jared").await.expect_err("too large");
    assert!(matches!(error, ClientError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn https_trusts_the_authority_that_is_given_and_no_other() {
    let authority = Authority::new();
    let identity = Some(authority.issue(&["localhost"], &[LOCALHOST]));
    let server = server(ReceiverConfig { identity, ..ReceiverConfig::default() }).await;

    let ca_pem = Some(authority.ca_pem().into_bytes());
    let client = RestClient::new(&RestConfig { ca_pem, ..config(&server) }).expect("valid");
    client.account_import("jared").await.expect("ok");
    client.account_import("jonh").await.expect("ok");
    assert_eq!(server.connections(), 1);

    let ca_pem = Some(Authority::new().ca_pem().into_bytes());
    let client = RestClient::new(&RestConfig { ca_pem, ..config(&server) }).expect("valid");
    let error = client.account_import("jared").await.expect_err("not trusted");
    assert!(matches!(error, ClientError::Tls { .. }), "{error}");
}

async fn start(script: Script) -> (Receiver, RestClient) {
    let server = server(ReceiverConfig { script, ..ReceiverConfig::default() }).await;
    let client = RestClient::new(&config(&server)).expect("valid");
    (server, client)
}

async fn server(config: ReceiverConfig) -> Receiver {
    Receiver::start(config).await.expect("starts")
}

fn config(server: &Receiver) -> RestConfig {
    RestConfig {
        base: server.base(),
        ca_pem: None,
        sdkappid: SdkAppId(7),
        identifier: "the admin".to_owned(),
        usersig: "eJw*a-b_".to_owned(),
        connections_max: 2,
        timeout: Duration::from_secs(5),
    }
}

/// The envelope of success around these fields.
fn ok(fields: Value) -> String {
    let mut envelope = json!({ "ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0 });
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    envelope.as_object_mut().expect("an object").extend(fields);
    envelope.to_string()
}
