//! The edge itself: slow and broken callers, TLS, and a stop that finishes what was accepted.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use unsaid::config::TlsFiles;
use unsaid_client::{RestClient, RestConfig};
use unsaid_testkit::{Answer, Authority, Script};

use crate::test_app::{ADMIN, SDKAPPID, SECRET_KEY, TestApp, usersig};

/// What comes back over a connection that sends `bytes` and then nothing more.
async fn exchange(app: &TestApp, bytes: &[u8]) -> String {
    #[expect(clippy::disallowed_methods, reason = "it is the caller's side of the server's own socket")]
    let mut stream = TcpStream::connect(app.server().address()).await.expect("it listens");
    stream.write_all(bytes).await.expect("it reads");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("it closes in time").expect("it is readable");
    String::from_utf8(answer).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_does_not_come_is_not_waited_for() {
    let (app, ..) = TestApp::start_with(|config, _| config.listener.header_timeout = Duration::from_millis(200)).await;
    assert_eq!(exchange(&app, b"POST /v4/openim/sendmsg HTTP/1.1\r\nHost: x\r\n").await, "");
    assert_eq!(exchange(&app, b"").await, "", "a connection that stands idle is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let (app, ..) = TestApp::start_with(|config, _| config.rest.body_timeout = Duration::from_millis(200)).await;
    let path = app.admin().path_and_query("openim", "sendmsg");
    let request = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{");
    let answer = exchange(&app, request.as_bytes()).await;
    assert!(answer.contains("\"ErrorCode\":60008"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_requests_are_answered_or_closed() {
    let (app, ..) = TestApp::start().await;
    for bytes in ["GARBAGE\r\n\r\n", "POST / HTTP/9.9\r\n\r\n", "\0\0\0\0\r\n\r\n"] {
        let answer = exchange(&app, bytes.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    let answer = exchange(&app, long.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_and_chunked_bodies_are_understood() {
    let (app, ..) = TestApp::start().await;
    let path = app.admin().path_and_query("openim", "get_c2c_unread_msg_num");
    let body = r#"{"To_Account":"Jonh"}"#;
    let old = format!("POST {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert!(exchange(&app, old.as_bytes()).await.ends_with("\"AllC2CUnreadMsgNum\":0}"));
    let chunked = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    assert!(exchange(&app, chunked.as_bytes()).await.contains("\"AllC2CUnreadMsgNum\":0}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_waits_for_its_turn() {
    let (mut app, ..) = TestApp::start().await;
    app.restart_with(|config| config.listener.connections_max = 1).await;
    let address = app.server().address();
    #[expect(clippy::disallowed_methods, reason = "it is the caller's side of the server's own socket")]
    let mut first = TcpStream::connect(address).await.expect("it listens");
    let health = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut answer = [0; 1024];
    first.write_all(health).await.expect("it reads");
    assert_ne!(first.read(&mut answer).await.expect("it answers"), 0);

    let second = tokio::spawn(async move {
        #[expect(clippy::disallowed_methods, reason = "it is the caller's side of the server's own socket")]
        let mut second = TcpStream::connect(address).await.expect("the system takes it");
        second.write_all(health).await.expect("the system takes it");
        let mut answer = [0; 1024];
        second.read(&mut answer).await.expect("it is answered in its turn")
    });
    for _ in 0..100 {
        first.write_all(health).await.expect("it reads");
        assert_ne!(first.read(&mut answer).await.expect("it answers"), 0);
    }
    assert!(!second.is_finished(), "the first connection holds the only place");
    drop(first);
    assert_ne!(second.await.expect("it does not panic"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_where_a_certificate_is_given() {
    let authority = Authority::new();
    let (mut app, ..) = TestApp::start().await;
    let files = tls_files(&app, &authority);
    app.restart_with(|config| config.tls = Some(files)).await;
    let now_s = u64::from(app.world.clock.now().seconds());
    let client = RestClient::new(&RestConfig {
        base: format!("https://localhost:{}", app.server().address().port()),
        ca_pem: Some(authority.ca_pem().into_bytes()),
        sdkappid: SDKAPPID,
        identifier: ADMIN.to_owned(),
        usersig: usersig(SECRET_KEY, SDKAPPID, ADMIN, now_s, 60),
        connections_max: 1,
        timeout: Duration::from_secs(10),
    })
    .expect("the address is right");
    assert_eq!(client.get_c2c_unread_msg_num("Jonh").await.expect("an answer"), 0);
}

/// A certificate for the server itself, in its data folder.
pub(crate) fn tls_files(app: &TestApp, authority: &Authority) -> TlsFiles {
    let identity = authority.issue(&["localhost"], &[std::net::Ipv4Addr::LOCALHOST.into()]);
    let files = TlsFiles { cert: app.data_dir().join("cert.pem"), key: app.data_dir().join("key.pem") };
    std::fs::write(&files.cert, &identity.cert_pem).expect("writable");
    std::fs::write(&files.key, &identity.key_pem).expect("writable");
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_requests_and_attempts() {
    let (mut app, jared, jonh, receiver) = TestApp::start().await;
    receiver.play(Script::always(Answer::Delay(Duration::from_millis(400), Box::new(Answer::Ok))));
    let key = jared.send(&jonh, "one").await;
    receiver.wait_until(|arrivals| arrivals.len() == 1).await;
    let recalling = {
        let (jared, jonh) = (jared.clone(), jonh.clone());
        tokio::spawn(async move { jared.recall(&jonh, key).await })
    };
    assert_eq!(recalling.await.expect("it does not panic"), Ok(()));
    app.stop().await;
    app.start_again().await;
    app.all_settled().await;
    let numbers: Vec<_> =
        receiver.arrivals().iter().map(|arrival| arrival.header("unsaid-number").expect("one").to_owned()).collect();
    assert_eq!(numbers, ["1", "2"], "the attempt that was under way was finished, so nothing is repeated");
}

/// Sends the pieces one after the other, and reads what comes back until the connection ends or is quiet after an
/// answer.
async fn converse(app: &TestApp, pieces: &[Vec<u8>]) -> String {
    #[expect(clippy::disallowed_methods, reason = "it is the caller's side of the server's own socket")]
    let mut stream = TcpStream::connect(app.server().address()).await.expect("it listens");
    for piece in pieces {
        stream.write_all(piece).await.expect("it reads");
        stream.flush().await.expect("it reads");
        tokio::task::yield_now().await;
    }
    stream.shutdown().await.expect("it is open");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("it closes in time").expect("nothing is cut");
    String::from_utf8(answer).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_before_its_body_came_can_go_on_over_the_same_connection() {
    let (app, ..) = TestApp::start().await;
    let body = r#"{"To_Account":"Jonh"}"#;
    let head =
        |path: &str| format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    let good = app.admin().path_and_query("openim", "get_c2c_unread_msg_num");
    let bad = good.replace("usersig=", "usersig=x");
    let unknown = app.admin().path_and_query("openim", "nothing");
    for _ in 0..20 {
        let pieces = [head(&bad), body.into(), head(&unknown), body.into(), head(&good), body.into()];
        let answer = converse(&app, &pieces).await;
        for part in ["\"ErrorCode\":70003", "\"ErrorCode\":60009", "AllC2CUnreadMsgNum"] {
            assert!(answer.contains(part), "{part} is not in {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_far_too_much_still_gets_the_answer() {
    let (app, ..) = TestApp::start().await;
    let path = app.admin().path_and_query("openim", "sendmsg");
    let bytes = 10 * 1024 * 1024;
    let announced = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {bytes}\r\n\r\n").into_bytes();
    let chunked =
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{bytes:x}\r\n").into_bytes();
    for head in [announced, chunked] {
        let answer = converse(&app, &[head, vec![b' '; bytes]]).await;
        assert!(answer.contains("\"ErrorCode\":93000"), "{answer}");
        assert!(answer.contains("Connection: close"), "{answer}");
    }
}
