//! One name goes from a request through its event to every attempt, and into the log; what must not be in the log is not.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use unsaid::clock::Clock;
use unsaid_client::{OperatorClient, OperatorConfig, SessionClient, SessionConfig};
use unsaid_protocol::{
    callback::CallbackCommand,
    session::{Login, Send},
};
use unsaid_testkit::{Answer, Authority, Script};

use crate::{
    operator_callbacks::{OPERATOR_TOKEN, start},
    programs::{admin_client, config_file},
    test_app::{ADMIN, SDKAPPID, SECRET_KEY, TOKEN, client, of_command, receiver, usersig},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_rest_request_is_known_by_one_name_up_to_the_receiver_and_in_the_story() {
    let (app, jared, jonh, receiver) = start().await;
    let key = jared.send(&jonh, "hello").await;
    receiver.play(Script::queue([Answer::Status(500)], Answer::Ok));
    let admin = app.admin();
    let body = json!({"From_Account": "jared", "To_Account": "Jonh", "MsgKey": key.to_string()});
    let request = Request::builder().method(Method::POST).uri(admin.path_and_query("openim", "admin_msgwithdraw"));
    let (_, headers, _) =
        admin.raw(request.body(Full::from(body.to_string())).expect("valid")).await.expect("answered");
    let name = headers["x-request-id"].to_str().expect("text").to_owned();
    assert!(name.starts_with("req_") && name.len() == 20, "{name}");
    app.all_settled().await;
    let arrivals = of_command(&receiver.arrivals(), CallbackCommand::AfterMsgWithDraw);
    assert!(!arrivals.is_empty());
    assert!(arrivals.iter().all(|arrival| arrival.header("unsaid-request") == Some(&name)), "{arrivals:?}");
    let event = arrivals[0].header("webhook-id").expect("it has one").to_owned();
    let began = app.world.clock.instant();
    let story = loop {
        let story = app.ask(&format!("/events/{event}")).await;
        if story["attempts"].as_array().is_some_and(|attempts| !attempts.is_empty()) {
            break story;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{story}");
    };
    assert_eq!((&story["event"]["request"], &story["attempts"][0]["detail"]["request"]), (&json!(name), &json!(name)));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_of_a_session_has_a_name_of_its_own() {
    let (app, jared, jonh, receiver) = start().await;
    let keys = [jared.send(&jonh, "one").await, jared.send(&jonh, "two").await];
    let phone = app.device("jared", "iOS").await;
    for key in keys {
        phone.client.recall("Jonh", &key.to_string()).await.expect("it is its own");
    }
    phone.client.logout().await.expect("it may");
    app.all_settled().await;
    let states = of_command(&receiver.arrivals(), CallbackCommand::StateChange);
    assert!(states.len() == 2 && states.iter().all(|arrival| arrival.header("unsaid-request").is_some()), "{states:?}");
    let arrivals = of_command(&receiver.arrivals(), CallbackCommand::AfterMsgWithDraw);
    let names: Vec<_> = arrivals.iter().map(|arrival| arrival.header("unsaid-request").expect("it has one")).collect();
    assert!(names.len() == 2 && names[0] != names[1] && names.iter().all(|name| name.starts_with("req_")), "{names:?}");
}

/// A server that logs all it can into a file.
struct Talkative {
    child: Child,
    log: std::path::PathBuf,
    address: SocketAddr,
}

impl Talkative {
    async fn serve(config: &Path, folder: &Path) -> Self {
        let log = folder.join("log");
        let child = Command::new(env!("CARGO_BIN_EXE_unsaid"))
            .args(["serve", "--set", "log_format=json", "--set", "log=trace", "--config"])
            .arg(config)
            .env("UNSAID_OPERATOR__TOKEN", OPERATOR_TOKEN)
            .env("UNSAID_APP_1400000001_CALLBACK_WEBHOOK_SECRET", WEBHOOK_SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("writable"))
            .spawn()
            .expect("the program starts");
        let mut server = Self { child, log, address: ([127, 0, 0, 1], 0).into() };
        let ready = server.said(|event| event["message"] == "Unsaid is ready").await;
        server.address = ready["address"].as_str().expect("text").parse().expect("an address");
        server
    }

    /// Waits until something was logged.
    async fn said(&self, what: impl Fn(&Value) -> bool) -> Value {
        let clock = Clock::system();
        let began = clock.instant();
        loop {
            let text = fs::read_to_string(&self.log).expect("readable");
            let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(event) = events.into_iter().find(&what) {
                return event;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "it was not logged: {text}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Everything that it has logged until it has stopped.
    fn stop(mut self) -> String {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(killed.expect("kill is there").success() && self.child.wait().expect("it ends").success());
        fs::read_to_string(&self.log).expect("readable")
    }
}

impl Drop for Talkative {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_however_talkative_has_texts_tokens_keys_or_signatures() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let receiver = receiver(&authority).await;
    let config = config_file(folder.path(), "127.0.0.1:0".parse().expect("valid"), &receiver, &authority);
    let server = Talkative::serve(&config, folder.path()).await;
    let (admin, now_s) = (admin_client(server.address), u64::from(Clock::system().now().seconds()));
    for user in ["jared", "Jonh"] {
        admin.account_import(user).await.expect("valid");
    }
    // What fails is logged: a status, a refusal, and what is no answer at all.
    let failures = [Answer::Status(500), Answer::Refuse(7), Answer::Body("text-of-an-answer".to_owned())];
    receiver.play(Script::queue(failures, Answer::Ok));
    let key = admin.sendmsg("jared", "Jonh", "text-by-rest").await.expect("sent");
    admin.admin_msgwithdraw("jared", "Jonh", key).await.expect("recalled");
    assert!(admin.sendmsg("nobody", "Jonh", "text-that-is-refused").await.is_err());
    let expired = usersig(SECRET_KEY, SDKAPPID, ADMIN, now_s - 100, 1);
    let base = format!("http://{}", server.address);
    assert!(client(&base, ADMIN, &expired).sendmsg("jared", "Jonh", "text-of-an-expired-one").await.is_err());

    let session = SessionConfig { base, ca_pem: None, timeout: Duration::from_secs(10) };
    let (device, _pushes) = SessionClient::connect(&session).await.expect("the gateway is there");
    let signed = usersig(SECRET_KEY, SDKAPPID, "jared", now_s, 600);
    let login = |user_sig: &str| Login {
        sdkappid: SDKAPPID.0,
        user_id: "jared".to_owned(),
        user_sig: user_sig.to_owned(),
        platform: "Web".to_owned(),
        cursor: None,
        session: None,
    };
    assert!(device.login(&login(&expired)).await.is_err());
    device.login(&login(&signed)).await.expect("it may log in");
    for to in ["Jonh", "nobody"] {
        let body = json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": "text-by-session"}}]);
        let send = json!({"to": to, "seq": 1, "random": 2, "body": body, "custom_data": "text-beside-it",
                          "client_time_s": now_s});
        let sent = device.send(&serde_json::from_value::<Send>(send).expect("its fields")).await;
        assert_eq!(sent.is_ok(), to == "Jonh");
    }
    receiver.wait_until(|arrivals| arrivals.len() >= 6).await;
    let failed = server.said(|event| event["outcome"] == "refused_error_code").await;
    assert!(failed["request"].as_str().is_some_and(|name| name.starts_with("req_")), "{failed}");
    assert!(failed["total_ms"].is_number(), "{failed}");
    let answered = server.said(|event| event["code"] == "90008" || event["code"] == "70001").await;
    assert!(answered["took_ms"].is_number() && answered["span"]["request"].is_string(), "{answered}");

    let secrets = operate(server.address).await;
    let log = server.stop();
    let known = [SECRET_KEY, TOKEN, WEBHOOK_SECRET, &expired, &signed, "text-"].map(str::to_owned);
    for secret in known.into_iter().chain(secrets) {
        let line = log.lines().find(|line| line.contains(&secret));
        assert!(line.is_none(), "{secret} is in the log: {line:?}");
    }
    assert!(log.lines().count() > 10, "it logs all it can: {log}");
}

const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Does what an operator does with secrets. Answers all that were sent, and all that came.
async fn operate(server: SocketAddr) -> Vec<String> {
    let operator = |token: &str| {
        let timeout = Duration::from_secs(10);
        let config =
            OperatorConfig { base: format!("http://{server}"), ca_pem: None, token: token.to_owned(), timeout };
        OperatorClient::new(&config).expect("valid")
    };
    let wrong = "a-token-that-nobody-has";
    let (status, _) = operator(wrong).call(Method::GET, "/apps", String::new()).await.expect("answered");
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let sent = json!({"sdkappid": 7, "secret_key": "a-key-from-over-the-network", "callback": {
        "url": "https://localhost:1/", "token": "a-token-from-over-the-network", "webhook_secret": WEBHOOK_SECRET}});
    let changed = json!({"callback": {"token": "another-token-from-over-the-network"}});
    let refused = json!({"callback": {"webhook_secret": "whsec_that-is-none"}});
    let named = json!({"name": "second", "role": "viewer"});
    let account = json!({"account": "jared"});
    let mut secrets: Vec<String> =
        [OPERATOR_TOKEN, wrong, "from-over-the-network", "whsec_"].map(str::to_owned).to_vec();
    for (method, path, body, secret) in [
        (Method::POST, "/apps", sent, "secret_key"),
        (Method::PATCH, "/apps/7", changed, ""),
        (Method::PATCH, "/apps/7", refused, ""),
        (Method::POST, "/apps/7/keys", json!({}), "secret_key"),
        (Method::POST, "/apps/7/callback/test", json!({}), ""),
        (Method::POST, "/tokens", named, "token"),
        (Method::POST, "/apps/1400000001/usersig", account, "usersig"),
    ] {
        let (_, answer) = operator(OPERATOR_TOKEN).call(method, path, body.to_string()).await.expect("answered");
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        let of_answer = answer[secret].as_str();
        assert!(secret.is_empty() || of_answer.is_some(), "{path}: {answer}");
        secrets.extend(of_answer.map(str::to_owned));
    }
    secrets
}
