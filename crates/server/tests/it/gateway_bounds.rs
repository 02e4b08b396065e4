//! The gateway and callers that do not keep to the protocol: floods, frames of the wrong kind, readers that do not read.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Bytes, Message, client::IntoClientRequest},
};

use unsaid_protocol::session::KickReason;

use crate::test_app::TestApp;

pub(crate) type Socket = WebSocketStream<TcpStream>;

const PATIENCE: Duration = Duration::from_secs(10);

impl TestApp {
    /// A connection that says whatever a test wants.
    pub(crate) async fn socket(&self) -> Socket {
        let address = self.server().address();
        let stream = connect(address).await;
        let request = format!("ws://{address}/ws").into_client_request().expect("a request");
        client_async(request, stream).await.expect("it becomes a WebSocket").0
    }

    /// The same, logged in.
    async fn logged_in(&self, name: &str) -> Socket {
        let mut socket = self.socket().await;
        let login = json!({"id": 1, "request": "login", "data": self.login(name, "Web")});
        socket.send(Message::text(login.to_string())).await.expect("written");
        let answer = socket.next().await.expect("an answer").expect("a frame");
        assert!(answer.to_text().expect("text").contains(r#""code":0"#), "{answer}");
        socket
    }
}

impl TestApp {
    /// Waits until no session of this account is left.
    async fn is_offline(&self, name: &str) {
        let users = json!({"To_Account": [name]});
        let began = self.world.clock.instant();
        loop {
            let state: Value = self.admin().call("openim", "query_online_status", &users).await.expect("answered");
            if state["QueryResult"][0]["Status"] == "Offline" {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "it is still thought to be there");
            // Whether it is alive is asked by nothing else meanwhile.
            tokio::task::yield_now().await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the test is the client")]
async fn connect(address: std::net::SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("the server listens")
}

/// The code with which it is closed.
async fn closed(socket: &mut Socket) -> u16 {
    let end = async {
        loop {
            match socket.next().await.expect("a close frame comes first").expect("a frame") {
                Message::Close(frame) => return frame.expect("with its reason").code.into(),
                Message::Text(_) | Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, end).await.expect("it is closed in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_the_wrong_kind_are_closed_with_their_code() {
    let (app, ..) = TestApp::start().await;
    for (frame, expected) in [
        (Message::text("hello"), 1007),
        (Message::text("{}"), 1007),
        (Message::Binary(Bytes::from_static(b"hello")), 1003),
        (Message::text("x".repeat(65_537)), 1009),
    ] {
        let mut socket = app.socket().await;
        socket.send(frame).await.expect("written");
        assert_eq!(closed(&mut socket).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_refused_and_then_closed() {
    let (app, ..) = TestApp::start().await;
    let mut socket = app.logged_in("jared").await;
    for id in 2..600 {
        let beat = json!({"id": id, "request": "heartbeat"});
        // The server may have closed by now.
        if socket.feed(Message::text(beat.to_string())).await.is_err() {
            break;
        }
    }
    let _ = socket.flush().await;
    assert_eq!(closed(&mut socket).await, 1008);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_cut_and_loses_nothing() {
    let (app, jared, jonh, _) = TestApp::start_with(|config, app| {
        config.listener.write_timeout = Duration::from_millis(500);
        app.callback.commands.clear();
    })
    .await;
    let device = app.device("Jonh", "Web").await;
    let (cursor, session) = (device.cursor.clone(), device.logged_in.session.clone());
    drop(device);
    // It logs in and reads nothing more, until what is pushed fills every buffer.
    let mut deaf = app.socket().await;
    let login = unsaid_protocol::session::Login {
        cursor: Some(cursor.clone()),
        session: Some(session.clone()),
        ..app.login("Jonh", "Web")
    };
    let login = json!({"id": 1, "request": "login", "data": login});
    deaf.send(Message::text(login.to_string())).await.expect("written");
    let long = "x".repeat(8000);
    for id in 2..60 {
        let asks = json!({"id": id, "request": "history", "data": {"peer": "jared", "count": 50}});
        deaf.feed(Message::text(asks.to_string())).await.expect("written");
    }
    for _ in 0..300 {
        jared.send(&jonh, &long).await;
    }
    let _ = deaf.flush().await;
    app.is_offline("Jonh").await;
    drop(deaf);
    let login = unsaid_protocol::session::Login { cursor: Some(cursor), session: None, ..app.login("Jonh", "Web") };
    let mut device = app.device_with(login).await.expect("it may come back");
    assert!(!device.logged_in.reload);
    for _ in 0..300 {
        device.hear_message().await;
    }
    assert_eq!(device.unread, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_handshake_is_told_what_this_is() {
    let (app, ..) = TestApp::start().await;
    for head in
        ["", "Upgrade: websocket\r\n", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"]
    {
        let mut stream = connect(app.server().address()).await;
        let request = format!("GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n");
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
        assert!(answer.contains("docs/gateway.md"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_count_among_the_connections() {
    let (app, ..) = TestApp::start_with(|config, _| config.listener.connections_max = 24).await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(app.socket().await);
    }
    // The admin has one or two; the rest waits until somebody goes.
    let waiting: Vec<_> = (0..8).map(|_| connect(app.server().address())).collect();
    let mut streams = futures_util::future::join_all(waiting).await;
    let address = app.server().address();
    let upgrade = async {
        let request = format!("ws://{address}/ws").into_client_request().expect("a request");
        client_async(request, streams.pop().expect("eight")).await
    };
    assert!(tokio::time::timeout(Duration::from_millis(300), upgrade).await.is_err(), "there is no room for it");
    drop(streams);
    drop(sockets);
    app.socket().await;
}

/// Whoever has to give way to a login hears of it, even if nobody waits for the login's answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_whose_connection_ends_at_once_leaves_no_session_behind() {
    if crate::test_app::left_out_without_a_bus("the reason of an end is inferred") {
        return;
    }
    let (app, ..) = TestApp::start().await;
    for round in 0..20 {
        let mut first = app.device("jared", "Web").await;
        let (mut socket, login) = (app.socket().await, app.login("jared", "Web"));
        let login = json!({"id": 1, "request": "login", "data": login}).to_string();
        socket.feed(Message::text(login)).await.expect("written");
        socket.feed(Message::Binary(Bytes::from_static(&[0]))).await.expect("written");
        socket.flush().await.expect("written");
        assert_eq!(closed(&mut socket).await, 1003);
        assert_eq!(first.kicked().await, KickReason::OtherLogin, "round {round}");
        app.is_offline("jared").await;
    }
}
