//! The program: its command line, its configuration file, its signals, and the demo.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use unsaid_protocol::SdkAppId;
use unsaid_testkit::{Authority, Receiver};

use crate::{
    database::Database,
    test_app::{SDKAPPID, SECRET_KEY, TOKEN, client, endpoint_url, receiver, usersig},
};

/// A real server process, killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Program {
    /// `unsaid serve --config FILE`; returns when it says that it is ready.
    pub(crate) fn serve(config: &Path) -> Self {
        Self::serve_with(config, &[])
    }

    /// The same, with these variables in its environment.
    pub(crate) fn serve_with(config: &Path, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_unsaid"))
            .envs(environment.iter().copied())
            .args(["serve", "--set", "log_format=json", "--config"])
            .arg(config)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).expect("readable"), 0, "it ended before it was ready: {said}");
            if let Ok(event) = serde_json::from_str::<serde_json::Value>(&line)
                && event["message"] == "Unsaid is ready"
            {
                break event["address"].as_str().expect("text").parse().expect("an address");
            }
            said += &line;
        };
        // Whoever writes a log must have a reader.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, address }
    }

    /// The same, on a database if there is one.
    pub(crate) fn serve_on(config: &Path, database: Option<&Database>) -> Self {
        let url = database.map(Database::url);
        let variable = url.as_deref().map(|url| ("UNSAID_STORE", url));
        Self::serve_with(config, variable.as_slice())
    }

    /// SIGKILL, and wait until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was killed");
    }

    /// SIGTERM, and wait until it is gone.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal("-TERM");
        self.child.wait().expect("it ends")
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A configuration file as the documentation shows it, with its own authority's file beside it.
pub(crate) fn config_file(
    folder: &Path,
    listen: SocketAddr,
    receiver: &Receiver,
    authority: &Authority,
) -> std::path::PathBuf {
    std::fs::write(folder.join("receiver-ca.pem"), authority.ca_pem()).expect("writable");
    let path = folder.join("unsaid.toml");
    let text = format!(
        r#"
listen = "{listen}"
data_dir = "data"

[callback]
allow_http = true
allow_networks = ["127.0.0.0/8"]

[[apps]]
sdkappid = {SDKAPPID}
secret_key = "{SECRET_KEY}"
admins = ["administrator"]

[apps.callback]
url = "{}"
token = "{TOKEN}"
ca_file = "receiver-ca.pem"
commands = ["C2C.CallbackAfterSendMsg", "C2C.CallbackAfterMsgReport", "C2C.CallbackAfterMsgWithDraw"]
"#,
        endpoint_url(receiver.address())
    );
    std::fs::write(&path, text).expect("writable");
    path
}

/// A port that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has one")
}

pub(crate) fn admin_client(address: SocketAddr) -> unsaid_client::RestClient {
    let now_s = u64::from(unsaid::clock::Clock::system().now().seconds());
    client(
        &format!("http://{address}"),
        "administrator",
        &usersig(SECRET_KEY, SDKAPPID, "administrator", now_s, 86_400),
    )
}

pub(crate) fn run(args: &[&str]) -> (ExitStatus, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_unsaid")).args(args).output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status, text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_set_up_by_its_file_alone() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let receiver = receiver(&authority).await;
    let config = config_file(folder.path(), "127.0.0.1:0".parse().expect("valid"), &receiver, &authority);
    let program = Program::serve(&config);
    let admin = admin_client(program.address);
    for user in ["jared", "Jonh"] {
        admin.account_import(user).await.expect("valid");
    }
    let key = admin.sendmsg("jared", "Jonh", "one").await.expect("sent");
    admin.admin_msgwithdraw("jared", "Jonh", key).await.expect("recalled");
    let arrivals = receiver.wait_until(|arrivals| arrivals.len() == 2).await;
    assert!(arrivals.iter().all(|arrival| arrival.passed() && !arrival.checks.is_empty()));
    let data_dir = std::fs::metadata(folder.path().join("data")).expect("it was made");
    assert_eq!(data_dir.permissions().mode() & 0o777, 0o700, "the store is for the server alone");
    assert!(program.terminate().success(), "SIGTERM is an orderly stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn c7_proxies_of_the_environment_are_not_used() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let receiver = receiver(&authority).await;
    let config = config_file(folder.path(), "127.0.0.1:0".parse().expect("valid"), &receiver, &authority);
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    proxy.set_nonblocking(true).expect("it can");
    let url = format!("http://{}", proxy.local_addr().expect("it has one"));
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let program = Program::serve_with(&config, &names.map(|name| (name, url.as_str())));
    let admin = admin_client(program.address);
    for user in ["jared", "Jonh"] {
        admin.account_import(user).await.expect("valid");
    }
    admin.sendmsg("jared", "Jonh", "one").await.expect("sent");
    receiver.next().await;
    let nobody = proxy.accept().map(|(_, address)| address);
    assert_eq!(nobody.expect_err("nobody came").kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_no_longer_declared_is_disabled() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let receiver = receiver(&authority).await;
    let config = config_file(folder.path(), "127.0.0.1:0".parse().expect("valid"), &receiver, &authority);
    Program::serve(&config).kill();
    let text = std::fs::read_to_string(&config).expect("readable").replace("sdkappid = 1400000001", "sdkappid = 7");
    std::fs::write(&config, text).expect("writable");
    let program = Program::serve(&config);
    let error = admin_client(program.address).account_import("x").await.expect_err("disabled");
    assert_eq!(error.code().map(|code| code.0), Some(60016));
    let text = std::fs::read_to_string(&config).expect("readable").replace("sdkappid = 7", "sdkappid = 1400000001");
    std::fs::write(&config, text).expect("writable");
    drop(program);
    let program = Program::serve(&config);
    admin_client(program.address).account_import("x").await.expect("enabled again");
    assert_ne!(SDKAPPID, SdkAppId(7));
}

#[test]
fn a_configuration_that_cannot_work_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("unsaid.toml");
    std::fs::write(&path, "lisen = \"x\"").expect("writable");
    let (status, _, said) = run(&["serve", "--config", path.to_str().expect("text")]);
    assert!(!status.success());
    assert!(said.contains("unsaid.toml") && said.contains("lisen") && said.contains("is listen meant?"), "{said}");
    let (status, _, said) = run(&["serve", "--listen", "nowhere"]);
    assert!(!status.success() && said.contains("listen must be an address and port"), "{said}");
}

#[test]
fn the_default_configuration_can_be_printed() {
    let (status, said, _) = run(&["config"]);
    assert!(status.success() && said.contains("listen = "), "{said}");
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    for command in [&["config"][..], &["completions", "bash"], &["check"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_unsaid")).args(command).stdout(writer).output();
        let output = output.expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{command:?}: {said}");
    }
}

#[test]
fn the_demo_ends_well() {
    let (status, said, error) = run(&["demo", "--once"]);
    assert!(status.success(), "{said}\n{error}");
    assert!(said.contains("C2C.CallbackAfterMsgWithDraw") && said.ends_with("and was right.\n"), "{said}");
}

#[test]
fn the_demo_stays_up_with_lines_that_work() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_unsaid"))
        .arg("demo")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map(|line| line.expect("text"));
    let mut line = |what: &str| lines.find(|line| line.contains(what)).expect("it prints that line");
    let (base, query) = (line("UNSAID="), line("QUERY="));
    let (send, recall) = (line("openim/sendmsg"), line("openim/admin_msgwithdraw"));
    let script = [base, query, send, recall].join("\n");
    let output = Command::new("sh").args(["-c", &script]).output().expect("sh is there");
    let said = String::from_utf8(output.stdout).expect("text");
    if output.status.code() == Some(127) {
        eprintln!("skipped: curl is not installed");
    } else {
        assert_eq!(said.matches("\"ErrorCode\":0").count(), 2, "{said}");
    }
    child.kill().expect("it runs");
    let mut rest = String::new();
    drop(lines);
    let _ = child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut rest));
    child.wait().expect("it was killed");
}

/// What a command of the program says, and whether it succeeded.
fn say(address: SocketAddr, token: &str, arguments: &[&str]) -> (bool, String) {
    let (code, said) = exit(address, token, arguments);
    (code == 0, said)
}

/// What a command of the program says, and its exit code.
pub(crate) fn exit(address: SocketAddr, token: &str, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_unsaid"))
        .args(arguments)
        .env("UNSAID_API_URL", format!("http://{address}"))
        .env("UNSAID_API_TOKEN", token)
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("it ends by itself"), said)
}

const OPERATOR: &str = "the operator's token";

/// A server with an operator's token, and the receiver of its app.
struct Operated {
    program: Program,
    receiver: Receiver,
    _folder: tempfile::TempDir,
}

/// `callback` is a further line of the app's callback settings.
async fn operated(callback: &str) -> Operated {
    let authority = Authority::new();
    let receiver = receiver(&authority).await;
    let folder = tempfile::tempdir().expect("a folder");
    let config = config_file(folder.path(), free_address(), &receiver, &authority);
    let text = std::fs::read_to_string(&config).expect("readable");
    let text = format!("{text}{callback}\n[operator]\ntoken = \"{OPERATOR}\"\n");
    std::fs::write(&config, text).expect("writable");
    Operated { program: Program::serve(&config), receiver, _folder: folder }
}

/// What a command says that succeeds.
fn done(program: &Program, arguments: &[&str]) -> String {
    let (succeeded, said) = tokio::task::block_in_place(|| say(program.address, OPERATOR, arguments));
    assert!(succeeded, "{arguments:?}: {said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_c9_c10_the_command_line_asks_a_running_server() {
    let Operated { program, receiver, _folder } = operated("retry = \"off\"").await;
    let app = SDKAPPID.to_string();
    let ask = |arguments: &[&str]| done(&program, arguments);

    let tested = ask(&["callback", "test", &app]);
    for part in ["name", "connection", "tls", "ok", "200", "delivered"] {
        assert!(tested.contains(part), "{part} is not in {tested}");
    }
    let admin = admin_client(program.address);
    for name in ["jared", "Jonh"] {
        admin.account_import(name).await.expect("the name is valid");
    }
    receiver.play(unsaid_testkit::Script::always(unsaid_testkit::Answer::Status(500)));
    let (succeeded, said) = say(program.address, OPERATOR, &["callback", "test", &app]);
    assert!(!succeeded && said.contains("FAILED"), "{said}");
    admin.sendmsg("jared", "Jonh", "hello").await.expect("it is sent");
    receiver.wait_until(|arrivals| arrivals.len() == 3).await;
    let clock = unsaid::clock::Clock::system();
    let began = clock.instant();
    let mut parked = ask(&["parked", &app]);
    while !parked.contains("callback.retry") {
        assert!(began.elapsed().as_secs() < 10, "{parked}");
        parked = ask(&["parked", &app]);
    }
    let event = parked.split_whitespace().find(|word| word.starts_with("evt_")).expect("its name").to_owned();
    receiver.play(unsaid_testkit::Script::always(unsaid_testkit::Answer::Ok));
    assert!(ask(&["replay", &app, "--id", &event]).contains("1 are sent again"));
    receiver.wait_until(|arrivals| arrivals.len() == 4).await;
    assert!(ask(&["callback", "back", &app]).contains("callbacks flow"));
    assert!(ask(&["callback", "status", &app, "--json"]).contains("\"sdkappid\""));
    let mut story = ask(&["story", &app, &event]);
    while story.matches("try 1").count() < 2 {
        assert!(began.elapsed().as_secs() < 10, "{story}");
        story = ask(&["story", &app, &event]);
    }
    assert!(story.contains("HTTP 500") && !story.contains("hello"), "{story}");
    assert!(ask(&["deliveries", &app, "--account", "Jonh"]).contains(&event));
    let (succeeded, said) = say(program.address, "another token entirely", &["parked", &app]);
    assert!(!succeeded && said.contains("this token is not valid"), "{said}");
    let (succeeded, said) = say(program.address, OPERATOR, &["replay", &app]);
    assert!(!succeeded && said.contains("--all"), "{said}");
    assert!(program.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_makes_apps_and_tokens_and_its_exit_codes_mean_something() {
    let Operated { program, receiver: _receiver, _folder } = operated("").await;
    let app = SDKAPPID.to_string();
    let ask = |arguments: &[&str]| done(&program, arguments);

    let made = ask(&["token", "create", "--role", "viewer", "--name", "on call"]);
    let viewer = made.lines().find_map(|line| line.trim().strip_prefix("unsaid_")).expect("it is shown once");
    let viewer = format!("unsaid_{viewer}");
    let (code, apps) = exit(program.address, &viewer, &["app", "list"]);
    assert!(code == 0 && apps.contains(&app) && apps.contains("file"), "{apps}");
    let (code, said) = exit(program.address, &viewer, &["app", "create", "8"]);
    assert!(code == 4 && said.contains("only reads"), "{said}");
    let (code, said) = exit(program.address, OPERATOR, &["app", "rename", &app, "x"]);
    assert!(code == 1 && said.contains("configuration file"), "{said}");
    assert_eq!(exit(program.address, OPERATOR, &["app", "create", "none"]).0, 2);
    assert_eq!(exit(free_address(), OPERATOR, &["app", "list"]).0, 3);
    assert!(ask(&["app", "create", "8", "--name", "Eight"]).contains("secret_key"));
    assert!(ask(&["app", "rename", "8", "Acht"]).contains("Acht"));
    assert!(ask(&["app", "set", "8", "recall_window_s=60"]).contains("60"));
    assert!(ask(&["app", "key", "rotate", "8"]).contains("still valid"));
    assert!(ask(&["app", "usersig", "8", "mira"]).starts_with("eJ"));
    assert!(ask(&["app", "delete", "8", "--confirm", "8"]).contains("gone"));
    let tokens = ask(&["token", "list"]);
    let id = tokens.lines().find(|line| line.contains("on call")).and_then(|line| line.split(' ').next());
    assert!(ask(&["token", "revoke", id.expect("it is listed")]).contains("revoked"));
    let log = ask(&["audit", "--app", "8"]);
    assert!(log.contains("app.delete") && log.contains("usersig.make") && log.contains("mira"), "{log}");
    assert!(program.terminate().success());
}
