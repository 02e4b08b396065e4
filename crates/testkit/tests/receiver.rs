//! The receiver over real sockets, seen from a client that knows only rustls and hyper.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use unsaid_receiver::{ANSWER_OK, SdkAppId, Verifier};
use unsaid_testkit::{Answer, Authority, Flaw, Receiver, ReceiverConfig, Recording, Script};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

const PATH: &str = "/im?SdkAppid=7&CallbackCommand=C2C.CallbackAfterMsgWithDraw&ClientIP=2001%3Adb8::1";

#[tokio::test]
async fn a_callback_over_https_is_checked_kept_and_answered() {
    let authority = Authority::new();
    let mut receiver = Receiver::start(ReceiverConfig {
        identity: Some(authority.issue(&["localhost"], &[LOCALHOST])),
        verifier: Some(Verifier::without_sign(SdkAppId(7))),
        ..ReceiverConfig::default()
    })
    .await
    .expect("starts");
    assert!(receiver.base().starts_with("https://127.0.0.1:"));
    let mut sender = connect_tls(&receiver, &authority, "localhost").await.expect("trusted");

    assert_eq!(post(&mut sender, PATH).await, Some((200, ANSWER_OK.to_owned())));

    let arrival = receiver.next().await;
    assert_eq!(arrival.command().as_deref(), Some("C2C.CallbackAfterMsgWithDraw"));
    assert_eq!(arrival.query("ClientIP").as_deref(), Some("2001:db8::1"));
    assert_eq!(arrival.query("Sign"), None);
    assert_eq!(arrival.header("webhook-id"), Some("evt_1"));
    assert_eq!(arrival.json()["MsgKey"], "1_2_3");
    assert_eq!((arrival.number, arrival.method(), arrival.path_and_query()), (1, "POST", PATH));
    assert!(arrival.passed() && !arrival.checks.is_empty(), "{:?}", arrival.checks);
    receiver.stop().await;
}

#[tokio::test]
async fn the_script_is_followed_over_one_connection() {
    let answers = [
        Answer::Refuse(7),
        Answer::Status(503),
        Answer::Body("<html>".to_owned()),
        Answer::Response(Response::builder().status(429).header("retry-after", "3").body(Bytes::new()).expect("valid")),
        Answer::Delay(Duration::from_millis(1), Box::new(Answer::Ok)),
    ];
    let config = ReceiverConfig { script: Script::queue(answers, Answer::Close), ..ReceiverConfig::default() };
    let receiver = Receiver::start(config).await.expect("starts");
    let mut sender = connect(&receiver).await;

    let refusal = r#"{"ActionStatus":"FAIL","ErrorInfo":"refused by the script","ErrorCode":7}"#;
    for expected in [(200, refusal), (503, ""), (200, "<html>"), (429, ""), (200, ANSWER_OK)] {
        assert_eq!(post(&mut sender, PATH).await, Some((expected.0, expected.1.to_owned())));
    }
    assert_eq!(post(&mut sender, PATH).await, None, "the connection is closed");
    assert_eq!((receiver.connections(), receiver.arrived(), receiver.arrivals().len()), (1, 6, 6));
}

#[tokio::test]
async fn a_script_can_decide_by_what_arrives_and_be_exchanged() {
    let script = Script::function(|arrival, nth| match arrival.query("fail") {
        Some(_) => Answer::Status(500),
        None => Answer::Body(nth.to_string()),
    });
    let receiver = Receiver::start(ReceiverConfig { script, ..ReceiverConfig::default() }).await.expect("starts");
    let mut sender = connect(&receiver).await;
    assert_eq!(post(&mut sender, "/").await, Some((200, "1".to_owned())));
    assert_eq!(post(&mut sender, "/?fail=1").await, Some((500, String::new())));

    receiver.play(Script::always(Answer::Ok));

    assert_eq!(post(&mut sender, "/?fail=1").await, Some((200, ANSWER_OK.to_owned())));
    assert_eq!(receiver.wait_until(|arrivals| arrivals.len() == 3).await[1].path_and_query(), "/?fail=1");
}

#[tokio::test]
async fn stopping_cuts_what_hangs_and_the_same_port_opens_again() {
    let config = ReceiverConfig { script: Script::always(Answer::Hang), ..ReceiverConfig::default() };
    let mut receiver = Receiver::start(config).await.expect("starts");
    let address = receiver.address();
    let mut sender = connect(&receiver).await;
    let waiting = tokio::spawn(async move { post(&mut sender, PATH).await });
    receiver.next().await;

    receiver.stop().await;

    assert_eq!(waiting.await.expect("no panic"), None);
    assert!(dial(address).await.is_err(), "nobody listens");
    receiver.play(Script::always(Answer::Ok));
    receiver.start_again().await.expect("the port is free");
    assert_eq!(receiver.address(), address);
    let mut sender = connect(&receiver).await;
    assert_eq!(post(&mut sender, PATH).await, Some((200, ANSWER_OK.to_owned())));
    assert_eq!(receiver.next().await.number, 2, "the record goes on");
}

#[tokio::test]
async fn a_sink_sees_what_is_not_kept() {
    let seen = Arc::new(AtomicU64::new(0));
    let sink = Arc::clone(&seen);
    let receiver = Receiver::start(ReceiverConfig {
        recording: Recording::Off,
        sink: Some(Arc::new(move |arrival| {
            sink.fetch_add(arrival.number, Ordering::Relaxed);
        })),
        ..ReceiverConfig::default()
    })
    .await
    .expect("starts");
    let mut sender = connect(&receiver).await;

    for _ in 0..3 {
        assert!(post(&mut sender, PATH).await.is_some());
    }

    assert_eq!(seen.load(Ordering::Relaxed), 1 + 2 + 3);
}

#[tokio::test]
#[should_panic(expected = "more than 1 requests arrived")]
async fn a_record_that_is_not_complete_cannot_be_read() {
    let config = ReceiverConfig { recording: Recording::UpTo(1), ..ReceiverConfig::default() };
    let receiver = Receiver::start(config).await.expect("starts");
    let mut sender = connect(&receiver).await;
    for _ in 0..2 {
        assert!(post(&mut sender, PATH).await.is_some());
    }
    receiver.arrivals();
}

#[tokio::test]
async fn flawed_certificates_are_not_trusted() {
    let authority = Authority::new();
    for (flaw, reason) in [
        (Flaw::Expired, "expired"),
        (Flaw::OtherName, "not valid for name \"localhost\""),
        (Flaw::SelfSigned, "UnknownIssuer"),
    ] {
        let identity = Some(authority.issue_flawed(flaw, &["localhost"], &[LOCALHOST]));
        let receiver = Receiver::start(ReceiverConfig { identity, ..ReceiverConfig::default() }).await.expect("starts");

        let error = connect_tls(&receiver, &authority, "localhost").await.expect_err("not trusted").to_string();

        assert!(error.contains(reason), "{flaw:?}: {error}");
        assert_eq!((receiver.connections(), receiver.arrived()), (1, 0));
    }
}

/// Status and body, or none if the connection broke.
async fn post(sender: &mut SendRequest<Full<Bytes>>, path_and_query: &str) -> Option<(u16, String)> {
    let body = r#"{"CallbackCommand":"C2C.CallbackAfterMsgWithDraw","MsgKey":"1_2_3"}"#;
    let request = Request::post(path_and_query)
        .header(header::HOST, "localhost")
        .header("webhook-id", "evt_1")
        .body(Full::from(body))
        .expect("valid");
    sender.ready().await.ok()?;
    let response = sender.send_request(request).await.ok()?;
    let status = response.status().as_u16();
    let body = read(response).await;
    Some((status, String::from_utf8(body.to_vec()).expect("text")))
}

#[allow(clippy::disallowed_methods, reason = "the body is wrapped in Limited")]
async fn read(response: Response<hyper::body::Incoming>) -> Bytes {
    Limited::new(response.into_body(), 64 * 1024).collect().await.expect("a short body").to_bytes()
}

async fn connect(receiver: &Receiver) -> SendRequest<Full<Bytes>> {
    speak_http(dial(receiver.address()).await.expect("listens")).await
}

async fn connect_tls(
    receiver: &Receiver,
    authority: &Authority,
    name: &'static str,
) -> std::io::Result<SendRequest<Full<Bytes>>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.ca_pem().as_bytes()).expect("PEM")).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("supported")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = dial(receiver.address()).await?;
    let name = ServerName::try_from(name).expect("a name");
    Ok(speak_http(TlsConnector::from(Arc::new(config)).connect(name, stream).await?).await)
}

async fn speak_http<S>(stream: S) -> SendRequest<Full<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("fresh");
    // Ends when the sender is dropped.
    tokio::spawn(connection);
    sender
}

#[allow(clippy::disallowed_methods, reason = "the test is the client")]
async fn dial(address: SocketAddr) -> std::io::Result<TcpStream> {
    TcpStream::connect(address).await
}
