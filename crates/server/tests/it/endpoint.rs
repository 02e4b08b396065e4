//! Rules C3, C4 and C7: how an endpoint is secured, and what is said of one that does not work.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use unsaid::{
    apps::{ClientCertificate, EndpointSettings, Retry, Secret},
    chat::{ParkedFilter, Standing},
};
use unsaid_protocol::{sign::sign, webhook::WebhookSecret};
use unsaid_testkit::{Answer, Arrival, Authority, Flaw, Identity, Receiver, ReceiverConfig, Script};

use crate::test_app::{Actor, SDKAPPID, TestApp, endpoint_url};

const OLD: &str = "the token of before";
const NEW: &str = "the new token";
const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OLD_SECRET: &str = "whsec_Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

/// A receiver that checks nothing by itself.
async fn plain_receiver(identity: Option<Identity>, client_ca_pem: Option<String>) -> Receiver {
    let config = ReceiverConfig { identity, client_ca_pem, ..ReceiverConfig::default() };
    Receiver::start(config).await.expect("a free port")
}

fn signed_with(arrival: &Arrival, token: &str) -> bool {
    let time = arrival.query("RequestTime").expect("it is signed").parse().expect("seconds");
    arrival.query("Sign").as_deref() == Some(sign(token, time).as_str())
}

/// Takes only what is signed with that token.
fn only(token: &'static str, otherwise: Answer) -> Script {
    Script::function(move |arrival, _| if signed_with(arrival, token) { Answer::Ok } else { otherwise.clone() })
}

impl TestApp {
    async fn endpoint(&self, receiver: &Receiver, change: impl FnOnce(&mut EndpointSettings)) {
        let mut endpoint = EndpointSettings {
            ca_pem: Some(self.authority.ca_pem()),
            ..EndpointSettings::new(endpoint_url(receiver.address()))
        };
        change(&mut endpoint);
        self.change_app(|app| app.callback.endpoint = Some(endpoint)).await;
    }

    /// What is said of an attempt at this endpoint.
    async fn said_of(&self, from: &Actor, to: &Actor, endpoint: EndpointSettings) -> String {
        self.change_app(|app| {
            app.callback.retry = Retry::Off;
            app.callback.endpoint = Some(endpoint);
        })
        .await;
        from.send(to, "hello").await;
        self.all_settled().await;
        let parked = self.server().store().parked(SDKAPPID, ParkedFilter::default(), None, 1000).await;
        let last = parked.expect("readable").events.into_iter().max_by_key(|event| event.row).expect("it was parked");
        match last.standing {
            Standing::Parked { reason, .. } => reason.to_string(),
            other @ (Standing::Waiting { .. } | Standing::Delivered) => panic!("{other:?}"),
        }
    }
}

fn localhost(authority: &Authority) -> Identity {
    authority.issue(&["localhost"], &[Ipv4Addr::LOCALHOST.into()])
}

#[tokio::test(flavor = "multi_thread")]
async fn c3_a_token_is_replaced_without_a_gap_whichever_side_changes_first() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let receiver = plain_receiver(Some(localhost(&app.authority)), None).await;
    for rejection in [Answer::Status(401), Answer::Status(403), Answer::Refuse(1)] {
        // The server knows both already, the receiver the old one only; later it knows the new one only.
        receiver.play(only(OLD, rejection.clone()));
        app.endpoint(&receiver, |endpoint| {
            (endpoint.token, endpoint.previous_token) = (Some(Secret::new(NEW)), Some(Secret::new(OLD)));
        })
        .await;
        let before = receiver.arrivals().len();
        jared.send(&jonh, "one").await;
        jared.send(&jonh, "two").await;
        app.all_settled().await;
        assert_eq!(receiver.arrivals().len() - before, 3, "only the first try was in vain");
        receiver.play(only(NEW, rejection));
        jared.send(&jonh, "three").await;
        jared.send(&jonh, "four").await;
        app.all_settled().await;
        assert_eq!(receiver.arrivals().len() - before, 6, "and the first one after the change");
        let events = app.backlog().await;
        assert_eq!(events.parked, 0);
    }
    let tries = app.server().store().parked(SDKAPPID, ParkedFilter::default(), None, 10).await;
    assert!(tries.expect("readable").events.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn c3_callbacks_are_signed_as_standard_webhooks_with_both_secrets() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let receiver = plain_receiver(Some(localhost(&app.authority)), None).await;
    app.endpoint(&receiver, |endpoint| {
        endpoint.webhook_secret = Some(Secret::new(SECRET));
        endpoint.previous_webhook_secret = Some(Secret::new(OLD_SECRET));
    })
    .await;
    jared.send(&jonh, "hello").await;
    app.all_settled().await;
    let arrival = receiver.next().await;
    let header = |name| arrival.header(name).expect("it is there");
    let signatures = header("webhook-signature");
    for secret in [SECRET, OLD_SECRET] {
        let secret = WebhookSecret::parse(secret).expect("valid");
        assert!(secret.verifies(header("webhook-id"), header("webhook-timestamp"), arrival.body(), signatures));
    }
    assert_eq!(signatures.split(' ').count(), 2);
    assert!(arrival.query("Sign").is_none(), "no token is set");
}

#[tokio::test(flavor = "multi_thread")]
async fn c7_a_receiver_that_asks_for_a_certificate_gets_it() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let clients = Authority::new();
    let receiver = plain_receiver(Some(localhost(&app.authority)), Some(clients.ca_pem())).await;
    let endpoint = |client: Option<Identity>| EndpointSettings {
        ca_pem: Some(app.authority.ca_pem()),
        client_certificate: client
            .map(|client| ClientCertificate { chain_pem: client.cert_pem, key_pem: Secret::new(client.key_pem) }),
        ..EndpointSettings::new(endpoint_url(receiver.address()))
    };
    let said = app.said_of(&jared, &jonh, endpoint(None)).await;
    assert!(said.contains("asks for a client certificate: set callback.client_cert_file"), "{said}");
    let said = app.said_of(&jared, &jonh, endpoint(Some(Authority::new().issue_client("other")))).await;
    assert!(said.contains("client certificate"), "{said}");
    app.change_app(|app| app.callback.endpoint = Some(endpoint(Some(clients.issue_client("unsaid"))))).await;
    jared.send(&jonh, "hello").await;
    receiver.next().await;
    app.all_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c7_a_client_certificate_whose_key_does_not_fit_is_refused_when_it_is_set() {
    let (app, ..) = TestApp::start().await;
    let (one, other) = (app.authority.issue_client("one"), app.authority.issue_client("other"));
    for (chain_pem, key_pem, setting) in [
        (one.cert_pem.clone(), other.key_pem.clone(), "callback.client_key_file"),
        (one.cert_pem.clone(), "no key".to_owned(), "callback.client_key_file"),
        ("no chain".to_owned(), one.key_pem.clone(), "callback.client_cert_file"),
    ] {
        let mut settings = app.settings().await;
        let endpoint = settings.callback.endpoint.as_mut().expect("it has one");
        endpoint.client_certificate = Some(ClientCertificate { chain_pem, key_pem: Secret::new(key_pem) });
        let error = app.server().save_app(settings).await.expect_err("it cannot work").to_string();
        assert!(error.contains(setting) && !error.contains("PRIVATE KEY"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c4_what_people_really_have_works_or_explains_itself() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let authority = &app.authority;
    let (names, addresses) = (&["localhost"][..], &[Ipv4Addr::LOCALHOST.into()][..]);
    let flawed = |flaw| authority.issue_flawed(flaw, names, addresses);
    let (intermediate, with_intermediate, without) = authority.issue_by_intermediate(names, addresses);
    let self_signed = flawed(Flaw::SelfSigned);
    for (identity, ca_pem, expected) in [
        (localhost(authority), None, "set callback.ca_file"),
        (self_signed.clone(), None, "set callback.ca_file"),
        (flawed(Flaw::Expired), Some(authority.ca_pem()), "has expired: renew it"),
        (flawed(Flaw::NotYetValid), Some(authority.ca_pem()), "not valid yet: check the clocks"),
        (flawed(Flaw::OtherName), Some(authority.ca_pem()), "elsewhere.example"),
        (without.clone(), Some(authority.ca_pem()), "sends its intermediate certificates"),
        (without, Some(intermediate), "delivered"),
        (with_intermediate, Some(authority.ca_pem()), "delivered"),
        (self_signed.clone(), Some(self_signed.cert_pem), "delivered"),
    ] {
        let receiver = plain_receiver(Some(identity), None).await;
        let endpoint = EndpointSettings { ca_pem, ..EndpointSettings::new(endpoint_url(receiver.address())) };
        if expected == "delivered" {
            app.change_app(|app| app.callback.endpoint = Some(endpoint)).await;
            jared.send(&jonh, "hello").await;
            receiver.next().await;
            app.all_settled().await;
        } else {
            let said = app.said_of(&jared, &jonh, endpoint).await;
            assert!(said.contains(expected), "{expected:?} is not in {said:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c4_the_wrong_protocol_on_a_port_explains_itself() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let plain = plain_receiver(None, None).await;
    let tls = plain_receiver(Some(localhost(&app.authority)), None).await;
    let said = app.said_of(&jared, &jonh, EndpointSettings::new(endpoint_url(plain.address()))).await;
    assert!(said.contains("does not speak TLS: check the port"), "{said}");
    let http = format!("http://localhost:{}/im", tls.address().port());
    let said = app.said_of(&jared, &jonh, EndpointSettings::new(http)).await;
    assert!(said.contains("https://"), "{said}");
}

/// A server that answers whatever it reads with these bytes, and then neither closes nor says anything.
async fn answering(bytes: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it has one");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let mut asked = [0; 16 * 1024];
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(&bytes).await;
                std::future::pending::<()>().await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn c4_old_tls_explains_itself() {
    let (app, jared, jonh, _) = TestApp::start().await;
    // What OpenSSL answers that knows TLS 1.1 at most, and what servers answer that find no cipher that both know.
    for alert in [&[0x15, 3, 3, 0, 2, 2, 70], &[0x15, 3, 1, 0, 2, 2, 40]] {
        let address = answering(alert.to_vec()).await;
        let said = app.said_of(&jared, &jonh, EndpointSettings::new(endpoint_url(address))).await;
        assert!(said.contains("speaks no TLS 1.2 or 1.3") && said.contains("update it"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c4_answers_that_are_none_explain_themselves() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n";
    let html = "<!doctype html><title>Sign in</title>";
    let endless = format!("{head}X: {}", "x".repeat(100_000));
    let chunk = format!("{:x}\r\n{}\r\n", 40_000, "x".repeat(40_000));
    for (answer, expected) in [
        (format!("{head}Content-Length: {}\r\n\r\n{html}", html.len()), "not JSON"),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), "HTTP 204"),
        (endless, "the answer is too large"),
        (format!("{head}Content-Length: 10000000\r\n\r\n{}", "x".repeat(100_000)), "the answer is too large"),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}{chunk}"), "the answer is too large"),
        (format!("{head}Content-Length: 10\r\n\r\nshort"), "timed out while waiting for the answer"),
        ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), "does not speak HTTP/1.1"),
    ] {
        let url = format!("http://localhost:{}/im", answering(answer.into_bytes()).await.port());
        let said = app.said_of(&jared, &jonh, EndpointSettings::new(url)).await;
        assert!(said.contains(expected), "{expected:?} is not in {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c7_redirects_are_not_followed() {
    let (app, jared, jonh, _) = TestApp::start().await;
    let other = Arc::new(plain_receiver(None, None).await);
    let receiver = plain_receiver(None, None).await;
    let moved = http::Response::builder().status(302).header("location", other.base());
    receiver.play(Script::always(Answer::Response(moved.body(bytes::Bytes::new()).expect("valid"))));
    let url = format!("{}/im", receiver.base());
    let said = app.said_of(&jared, &jonh, EndpointSettings::new(url)).await;
    assert!(said.contains("HTTP 302"), "{said}");
    assert_eq!(other.arrived(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn c7_a_url_that_already_has_what_callbacks_add_is_refused() {
    let (app, ..) = TestApp::start().await;
    for name in ["SdkAppid", "Sign", "contenttype"] {
        let mut settings = app.settings().await;
        let url = format!("https://backend.example/im?tenant=7&{name}=1");
        settings.callback.endpoint = Some(EndpointSettings::new(url));
        let error = app.server().save_app(settings).await.expect_err("it cannot work").to_string();
        assert!(error.contains("callback.url") && error.contains(name), "{error}");
    }
}
