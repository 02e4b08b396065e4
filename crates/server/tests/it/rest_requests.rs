//! Requests byte for byte, as the libraries that exist send them: each of them is understood, or refused clearly.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use unsaid_client::RestClient;

use crate::test_app::{ADMIN, SDKAPPID, SECRET_KEY, TestApp, usersig};

const UNREAD: &str = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"AllC2CUnreadMsgNum":0}"#;
const BODY: &str = r#"{"To_Account":"Jonh"}"#;

/// The same, compressed by gzip.
const GZIP: [u8; 41] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 10, 201, 143, 119, 76, 78, 206, 47, 205, 43, 81, 178, 82, 242, 202, 207,
    203, 80, 170, 5, 0, 18, 189, 37, 199, 21, 0, 0, 0,
];

async fn connect(app: &TestApp) -> TcpStream {
    #[expect(clippy::disallowed_methods, reason = "it is the caller's side of the server's own socket")]
    TcpStream::connect(app.server().address()).await.expect("it listens")
}

/// What comes back until the server closes the connection; this side stays open and sends nothing more.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("it closes in time").expect("nothing is cut");
    String::from_utf8(answer).expect("text")
}

async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut answer = String::new();
    let read = async {
        while !answer.contains(end) {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).await.expect("nothing is cut");
            assert_ne!(count, 0, "it was closed after {answer}");
            answer += std::str::from_utf8(&bytes[..count]).expect("text");
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("it answers in time");
    answer
}

/// The answer to one request over a connection of its own.
async fn exchange(app: &TestApp, request: &[u8]) -> String {
    let mut stream = connect(app).await;
    stream.write_all(request).await.expect("it reads");
    until_closed(&mut stream).await
}

fn unread_path(admin: &RestClient) -> String {
    admin.path_and_query("openim", "get_c2c_unread_msg_num")
}

/// A request of this form, which ends its connection.
fn request(path: &str, version: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = if headers.contains("Transfer-Encoding") {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let head = format!("POST {path} HTTP/{version}\r\nHost: x\r\nConnection: close\r\n{headers}{length}\r\n");
    [head.as_bytes(), body].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_libraries_send_is_understood() {
    let (app, ..) = TestApp::start().await;
    let path = unread_path(&app.admin());
    let now_s = u64::from(app.world.clock.now().seconds());
    // Go and Java paste the UserSig as it is, with its asterisks; PHP escapes them, and others much more.
    let sig = (0..).map(|more| usersig(SECRET_KEY, SDKAPPID, ADMIN, now_s - more, 600)).find(|sig| sig.contains('*'));
    let sig = sig.expect("most have one");
    let with_sig = |sig: &str| {
        format!(
            "/v4/openim/get_c2c_unread_msg_num?usersig={sig}&identifier={ADMIN}&sdkappid={SDKAPPID}&contenttype=json"
        )
    };
    let every_letter = sig.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let pretty = "{\r\n\t\"To_Account\" : \"Jonh\",\r\n\t\"Unknown\" : { }\r\n}\r\n";
    let chunked =
        format!("b\r\n{}\r\n{:X};x=y\r\n{}\r\n0\r\nTrailer: z\r\n\r\n", &BODY[..11], BODY.len() - 11, &BODY[11..]);
    let cases: [(&str, Vec<u8>); 16] = [
        ("plain", request(&path, "1.1", "", BODY.as_bytes())),
        ("HTTP/1.0", request(&path, "1.0", "", BODY.as_bytes())),
        ("raw asterisks", request(&with_sig(&sig), "1.1", "", BODY.as_bytes())),
        ("%2A", request(&with_sig(&sig.replace('*', "%2A")), "1.1", "", BODY.as_bytes())),
        ("everything escaped", request(&with_sig(&every_letter), "1.1", "", BODY.as_bytes())),
        ("chunked", request(&path, "1.1", "Transfer-Encoding: chunked\r\n", chunked.as_bytes())),
        ("Chunked", request(&path, "1.1", "Transfer-Encoding: Chunked\r\n", chunked.as_bytes())),
        ("pretty", request(&path, "1.1", "Content-Type: application/json\r\n", pretty.as_bytes())),
        ("charset", request(&path, "1.1", "Content-Type: application/json; charset=UTF-8\r\n", BODY.as_bytes())),
        ("form", request(&path, "1.1", "Content-Type: application/x-www-form-urlencoded\r\n", BODY.as_bytes())),
        ("text", request(&path, "1.1", "content-type: text/plain;charset=utf-8\r\n", BODY.as_bytes())),
        ("byte order mark", request(&path, "1.1", "", format!("\u{feff}{BODY}").as_bytes())),
        ("identity", request(&path, "1.1", "Content-Encoding: identity\r\n", BODY.as_bytes())),
        ("IDENTITY", request(&path, "1.1", "Content-Encoding: IDENTITY\r\n", BODY.as_bytes())),
        ("no coding", request(&path, "1.1", "Content-Encoding:\r\n", BODY.as_bytes())),
        ("gzip is taken", request(&path, "1.1", "Accept-Encoding: gzip, deflate\r\n", BODY.as_bytes())),
    ];
    for (what, request) in cases {
        let answer = exchange(&app, &request).await;
        assert!(
            answer.starts_with("HTTP/1.") && answer.contains(" 200 OK") && answer.contains(UNREAD),
            "{what}: {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_whether_to_go_on_is_told() {
    let (app, ..) = TestApp::start().await;
    let mut stream = connect(&app).await;
    let path = unread_path(&app.admin());
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n", BODY.len());
    for _ in 0..2 {
        stream.write_all(head.as_bytes()).await.expect("it reads");
        let first = until(&mut stream, "\r\n\r\n").await;
        assert!(first.starts_with("HTTP/1.1 100 Continue"), "{first}");
        stream.write_all(BODY.as_bytes()).await.expect("it reads");
        let answer = until(&mut stream, "}").await;
        assert!(answer.contains(UNREAD), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_packed_is_refused_with_the_name_of_what_it_is_packed_with() {
    let (app, ..) = TestApp::start().await;
    let path = unread_path(&app.admin());
    let in_chunks = [b"29\r\n".as_slice(), &GZIP, b"\r\n0\r\n\r\n"].concat();
    for (headers, body, named) in [
        ("Content-Encoding: gzip\r\n", GZIP.to_vec(), "Content-Encoding gzip"),
        ("Content-Encoding: identity\r\nContent-Encoding: deflate\r\n", GZIP.to_vec(), "Content-Encoding deflate"),
        ("Transfer-Encoding: gzip, chunked\r\n", in_chunks, "Transfer-Encoding gzip"),
    ] {
        let answer = exchange(&app, &request(&path, "1.1", headers, &body)).await;
        assert!(answer.contains("\"ErrorCode\":60008") && answer.contains(named), "{headers}: {answer}");
    }
    // Compressed bytes of which nobody says so are no JSON.
    let silent = exchange(&app, &request(&path, "1.1", "", &GZIP)).await;
    assert!(silent.contains("\"ErrorCode\":90001"), "{silent}");
    // Where such a body would end, nobody can tell.
    let endless = exchange(&app, &request(&path, "1.1", "Transfer-Encoding: gzip\r\n", &GZIP)).await;
    assert!(endless.starts_with("HTTP/1.1 400"), "{endless}");
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_a_request_beyond_its_bound_is_answered_and_closed() {
    let (app, ..) = TestApp::start().await;
    let path = app.admin().path_and_query("openim", "sendmsg");
    let beyond = 131_073;
    let announced = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {beyond}\r\n\r\n").into_bytes();
    let chunked = format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{beyond:x}\r\n");
    let body = vec![b' '; beyond];
    for (what, request) in [
        ("announced, and not sent", announced.clone()),
        ("announced and sent", [announced, body.clone()].concat()),
        ("in chunks", [chunked.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat()),
    ] {
        let answer = exchange(&app, &request).await;
        assert!(answer.contains("\"ErrorCode\":93000") && answer.contains("Connection: close"), "{what}: {answer}");
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{what}: {answer}");
    }
    let long = format!("{path}&x={}", "x".repeat(64 * 1024));
    let answer = exchange(&app, &request(&long, "1.1", "", BODY.as_bytes())).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}

/// What fits comes through: the bound is one of bytes, and the last one is within it.
#[tokio::test(flavor = "multi_thread")]
async fn i6_a_request_of_exactly_its_bound_is_read() {
    let (app, ..) = TestApp::start().await;
    let path = unread_path(&app.admin());
    let body = format!("{BODY}{}", " ".repeat(131_072 - BODY.len()));
    let answer = exchange(&app, &request(&path, "1.1", "", body.as_bytes())).await;
    assert!(answer.contains(UNREAD), "{answer}");
}
