//! The command line as a person uses it: the real program, against real servers and receivers.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use serde_json::Value;
use unsaid::manual::{EXAMPLES, Ends, Example};
use unsaid_protocol::usersig;

use crate::{
    programs::{Program, config_file, free_address},
    test_app::{SDKAPPID, SECRET_KEY, TOKEN, endpoint_url, receiver},
};

const OPERATOR: &str = "the operator's token";

/// What a command said, and its exit code.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().expect("it ends by itself");
        Self { code, out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// The program, with nothing of this machine's in its environment.
fn unsaid(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unsaid"));
    command.args(arguments).env("XDG_CONFIG_HOME", "/nowhere").env_remove("UNSAID_API_URL").stdin(Stdio::null());
    command
}

fn say(command: &mut Command) -> Said {
    tokio::task::block_in_place(|| command.output().expect("the program starts")).into()
}

/// A process that is ended when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that stays, line by line.
struct Staying {
    child: Killed,
    lines: BufReader<ChildStdout>,
}

impl Staying {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child: Killed(child), lines }
    }

    fn line(&mut self) -> String {
        tokio::task::block_in_place(|| {
            let mut line = String::new();
            self.lines.read_line(&mut line).expect("readable");
            line
        })
    }

    fn json(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("it is a line of JSON: {line:?}"))
    }

    /// SIGTERM; what is left of what it said.
    fn terminate(mut self) -> Said {
        tokio::task::block_in_place(|| {
            let killed = Command::new("kill").args(["-TERM", &self.child.0.id().to_string()]).status();
            assert!(killed.expect("kill is there").success());
            let mut out = String::new();
            std::io::Read::read_to_string(&mut self.lines, &mut out).expect("readable");
            let mut err = String::new();
            let stderr = self.child.0.stderr.take();
            std::io::Read::read_to_string(&mut stderr.expect("it is piped"), &mut err).expect("readable");
            let code = self.child.0.wait().expect("it ends").code().expect("by itself");
            Said { code, out, err }
        })
    }
}

/// A server whose apps are made at run time, with accounts jared and Jonh in app 1400000001.
struct Served {
    program: Program,
    folder: tempfile::TempDir,
}

impl Served {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("unsaid.toml");
        let text = format!(
            "listen = \"{}\"\ndata_dir = \"data\"\n[operator]\ntoken = \"{OPERATOR}\"\n[callback]\n\
             allow_networks = [\"127.0.0.0/8\"]\n",
            free_address()
        );
        fs::write(&config, text).expect("writable");
        let served = Self { program: Program::serve(&config), folder };
        let made = served.ask(&["app", "create", "1400000001"]);
        assert_eq!(made.code, 0, "{made:?}");
        served
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = unsaid(arguments);
        command.env("UNSAID_API_URL", format!("http://{}", self.program.address)).env("UNSAID_API_TOKEN", OPERATOR);
        command
    }

    fn ask(&self, arguments: &[&str]) -> Said {
        say(&mut self.command(arguments))
    }

    fn config(&self) -> String {
        self.folder.path().join("unsaid.toml").to_str().expect("text").to_owned()
    }

    /// `callback` of the app, as the API shows it.
    fn callback(&self) -> Value {
        let shown = self.ask(&["app", "show", "1400000001", "--json"]);
        serde_json::from_str::<Value>(&shown.out).expect("JSON")["callback"].clone()
    }

    /// A client of the app's admin, whose key is made by the command line.
    async fn admin(&self) -> unsaid_client::RestClient {
        let made = self.ask(&["usersig", "1400000001", "administrator"]);
        let usersig = made.out.trim();
        crate::test_app::client(&format!("http://{}", self.program.address), "administrator", usersig)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listen_stands_in_for_an_endpoint_and_puts_it_back() {
    let served = Served::start().await;
    let token = format!("callback.token={TOKEN}");
    let set = ["callback.url=https://app.example/im", "callback.commands=[\"C2C.CallbackAfterSendMsg\"]", &token];
    assert_eq!(served.ask(&[&["app", "set", "1400000001"][..], &set].concat()).code, 0);
    let before = served.callback();
    let flags =
        ["--register", "1400000001", "--listen", "127.0.0.1:0", "--answer", "FAIL:7", "--fail-first", "1", "--json"];
    let commands = ["--commands", "C2C.CallbackAfterMsgWithDraw"];
    let mut listen = served.command(&[&["listen"][..], &flags, &commands].concat());
    let mut listen = Staying::start(listen.env("UNSAID_CALLBACK_TOKEN", TOKEN));
    let begun = listen.json();
    assert_eq!(begun["registered"], 1_400_000_001, "{begun}");
    assert_eq!(served.callback()["url"], begun["listening"]);

    let admin = served.admin().await;
    for user in ["jared", "Jonh"] {
        admin.account_import(user).await.expect("valid");
    }
    let key = admin.sendmsg("jared", "Jonh", "one").await.expect("sent");
    admin.admin_msgwithdraw("jared", "Jonh", key).await.expect("recalled");
    let (refused, accepted) = (listen.json(), listen.json());
    assert_eq!(refused["command"], "C2C.CallbackAfterMsgWithDraw");
    assert_eq!((&refused["body"]["From_Account"], &refused["body"]["UnreadMsgNum"]), (&"jared".into(), &0.into()));
    let checks = refused["checks"].as_array().expect("a list");
    assert!(checks.len() >= 7 && checks.iter().all(|check| check["passed"] == true), "{refused}");
    assert!(checks.iter().any(|check| check["name"].as_str().is_some_and(|name| name.contains("Sign"))));
    assert_eq!((&refused["answered"]["status"], &refused["answered"]["handled"]), (&200.into(), &false.into()));
    // The same event, again, since it was refused.
    assert_eq!((&refused["id"], &accepted["answered"]["handled"]), (&accepted["id"], &true.into()));
    let deliveries = served.ask(&["deliveries", "1400000001", "--outcome", "refused"]);
    assert!(deliveries.out.contains(refused["id"].as_str().expect("a name")), "{deliveries:?}");

    let ended = listen.terminate();
    assert!(ended.code == 0 && ended.err.contains("https://app.example/im again"), "{ended:?}");
    assert_eq!(served.callback(), before, "what was there before");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_listen_leaves_is_put_back_by_the_line_that_it_has_printed() {
    let served = Served::start().await;
    assert_eq!(served.ask(&["app", "set", "1400000001", "callback.url=https://app.example/it's?a=b"]).code, 0);
    let before = served.callback();
    let arguments = ["listen", "--register", "1400000001", "--listen", "127.0.0.1:0", "--json"];
    let mut listen = served.command(&arguments);
    // The app lacks a token, so the one that is given is set, and taken away again.
    let mut listen = Staying::start(listen.env("UNSAID_CALLBACK_TOKEN", TOKEN));
    let line = listen.json()["put_back"].as_str().expect("a line").to_owned();
    drop(listen);
    assert_eq!(served.callback()["secrets_set"], serde_json::json!(["token"]));
    let program = Path::new(env!("CARGO_BIN_EXE_unsaid")).parent().expect("it is in a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("there is one"));
    let mut shell = Command::new("sh");
    let put_back = say(shell.args(["-c", &line]).env("PATH", path).env("UNSAID_API_TOKEN", OPERATOR));
    assert_eq!(put_back.code, 0, "{put_back:?}");
    assert_eq!(served.callback(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn listen_leaves_alone_what_it_cannot_be() {
    let (authority, folder) = (unsaid_testkit::Authority::new(), tempfile::tempdir().expect("a folder"));
    let receiver = receiver(&authority).await;
    let config = config_file(folder.path(), "127.0.0.1:0".parse().expect("valid"), &receiver, &authority);
    let text = fs::read_to_string(&config).expect("readable").replace("allow_http = true", "");
    fs::write(&config, format!("{text}[operator]\ntoken = \"{OPERATOR}\"\n")).expect("writable");
    let program = Program::serve(&config);
    let ask = |arguments: &[&str]| {
        let mut command = unsaid(arguments);
        let url = format!("http://{}", program.address);
        say(command.env("UNSAID_API_URL", url).env("UNSAID_API_TOKEN", OPERATOR))
    };
    let declared = ask(&["listen", "--register", "1400000001", "--listen", "127.0.0.1:0"]);
    assert!(declared.code == 1 && declared.err.contains("unsaid app create"), "{declared:?}");
    assert_eq!(ask(&["app", "create", "8"]).code, 0);
    let plain = ask(&["listen", "--register", "8", "--listen", "127.0.0.1:0", "--http"]);
    assert!(plain.code == 1 && plain.err.contains("callback.allow_http"), "{plain:?}");
    let missing = ask(&["listen", "--register", "9", "--listen", "127.0.0.1:0"]);
    assert_eq!(missing.code, 1, "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn listen_rejects_what_fails_a_check_and_shows_nothing_that_moves_the_cursor() {
    let mut listen = unsaid(&["listen", "--listen", "127.0.0.1:0", "--http", "--app", "7"]);
    let mut listen = Staying::start(listen.env("UNSAID_CALLBACK_TOKEN", TOKEN));
    let url = listen.line().split_whitespace().nth(3).expect("the address").trim_end_matches(',').to_owned();
    let base = url.trim_end_matches("/im");
    let client = unsaid_client::OperatorClient::new(&unsaid_client::OperatorConfig {
        base: base.to_owned(),
        ca_pem: None,
        token: String::new(),
        timeout: std::time::Duration::from_secs(10),
    });
    let body = "{\"CallbackCommand\":\"\u{1b}[2J\"}".to_owned();
    let query = "/im?SdkAppid=7&CallbackCommand=%1B%5B2J";
    let (status, _) = client.expect("an address").call(http::Method::POST, query, body).await.expect("answered");
    assert_eq!(status, 403, "it is not signed");
    let said = listen.terminate().out;
    assert!(said.contains("FAILED: Sign was made with our token") && said.contains("\\u{1b}[2J"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_the_endpoint_that_is_broken_and_not_the_one_that_works() {
    let served = Served::start().await;
    let authority = unsaid_testkit::Authority::new();
    let receiver = receiver(&authority).await;
    let set = |app: &str, url: &str| {
        let (url, token) = (format!("callback.url={url}"), format!("callback.token={TOKEN}"));
        let ca_pem = format!("callback.ca_pem={}", authority.ca_pem());
        let set = served.ask(&["app", "set", app, &url, &token, &ca_pem]);
        assert_eq!(set.code, 0, "{set:?}");
    };
    set("1400000001", &endpoint_url(receiver.address()));
    let doctor = || served.ask(&["doctor", "--config", &served.config(), "--json"]);
    let findings = |said: &Said| serde_json::from_str::<Value>(&said.out).expect("JSON")["findings"].clone();
    let of = |findings: &Value, about: &str| {
        let all = findings.as_array().expect("a list").clone();
        all.into_iter().filter(|finding| finding["about"] == about).collect::<Vec<_>>()
    };
    let well = doctor();
    assert_eq!(well.code, 0, "{well:?}");
    let found = findings(&well);
    for about in ["configuration", "store", "disk", "fsync", "server", "clock", "open files", "app 1400000001"] {
        assert!(!of(&found, about).is_empty(), "{about} is not in {found:#}");
    }
    assert!(of(&found, "store")[0]["says"].as_str().is_some_and(|says| says.contains("a server uses")), "{found:#}");
    assert!(of(&found, "app 1400000001").iter().all(|finding| finding["state"] == "ok"), "{found:#}");

    assert_eq!(served.ask(&["app", "create", "8"]).code, 0);
    set("8", &format!("https://localhost:{}/im", free_address().port()));
    let data: Vec<_> = fs::read_dir(served.folder.path().join("data")).expect("it is there").collect();
    let ill = doctor();
    assert!(ill.code == 1 && ill.err.contains("there is a problem"), "{ill:?}");
    let found = findings(&ill);
    assert!(of(&found, "app 8").iter().any(|finding| finding["state"] == "problem"), "{found:#}");
    assert!(of(&found, "app 1400000001").iter().all(|finding| finding["state"] == "ok"), "{found:#}");
    let left = fs::read_dir(served.folder.path().join("data")).expect("it is there").count();
    assert_eq!(left, data.len(), "nothing is left in the data folder");

    let viewer = served.ask(&["token", "create", "--role", "viewer", "--name", "x", "--json"]);
    let viewer = serde_json::from_str::<Value>(&viewer.out).expect("JSON")["token"].as_str().expect("text").to_owned();
    let config = served.config();
    let mut reads = served.command(&["doctor", "--config", &config]);
    let reads = say(reads.env("UNSAID_API_TOKEN", viewer));
    assert!(reads.code == 0 && reads.out.contains("only reads"), "{reads:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_tries_the_endpoints_of_the_configuration_where_no_server_runs() {
    let (authority, folder) = (unsaid_testkit::Authority::new(), tempfile::tempdir().expect("a folder"));
    let receiver = receiver(&authority).await;
    let config = config_file(folder.path(), free_address(), &receiver, &authority);
    let config = config.to_str().expect("text");
    let well = say(&mut unsaid(&["doctor", "--config", config]));
    assert!(well.code == 0 && well.out.contains("accepts a sample"), "{well:?}");
    assert!(well.out.contains("the certificate is valid until"), "{well:?}");
    assert_eq!(receiver.arrivals().len(), 1, "one sample");
    assert!(!folder.path().join("data").exists(), "it makes no store");
    drop(receiver);
    let ill = say(&mut unsaid(&["doctor", "--config", config]));
    assert!(ill.code == 1 && ill.out.contains("connection_refused"), "{ill:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_everything_that_is_wrong_and_what_is_unwise() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = unsaid_testkit::Authority::new();
    let (one, two) = (authority.issue(&["localhost"], &[]), authority.issue(&["localhost"], &[]));
    let old = authority.issue_flawed(unsaid_testkit::Flaw::Expired, &["localhost"], &[]);
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("writable");
    for (name, text) in [("one.pem", &one.cert_pem), ("one.key", &one.key_pem), ("two.key", &two.key_pem)] {
        write(name, text);
    }
    write("old.pem", &old.cert_pem);
    write("old.key", &old.key_pem);
    let check = |text: &str| {
        write("unsaid.toml", text);
        say(&mut unsaid(&["check", "--config", folder.path().join("unsaid.toml").to_str().expect("text")]))
    };
    let app =
        "[[apps]]\nsdkappid = 7\nsecret_key = \"0123456789abcdef\"\n[apps.callback]\nurl = \"http://app.example\"\n";
    let wrong = check(&format!("lisen = \"x\"\n[limits]\nbody_timeout_s = 0\n{app}"));
    assert_eq!(wrong.code, 1, "{wrong:?}");
    for part in ["is listen meant?", "limits.body_timeout_s", "callback.allow_http", "3 problems"] {
        assert!(format!("{}{}", wrong.out, wrong.err).contains(part), "{part} is not in {wrong:?}");
    }
    let other = check("[tls]\ncert_file = \"one.pem\"\nkey_file = \"two.key\"\n");
    assert!(other.code == 1 && other.out.contains("do not fit together"), "{other:?}");
    let expired = check("[tls]\ncert_file = \"old.pem\"\nkey_file = \"old.key\"\n");
    assert!(expired.code == 1 && expired.out.contains("expired: it was valid until 2001-12-31"), "{expired:?}");
    let unwise = check("listen = \"0.0.0.0:1\"\n[[apps]]\nsdkappid = 7\nsecret_key = \"0123456789abcdef\"\n");
    assert_eq!(unwise.code, 0, "{unwise:?}");
    for part in ["in clear", "operator.listen is not set", "callback.url is not set", "chmod 600"] {
        assert!(unwise.out.contains(part), "{part} is not in {unwise:?}");
    }
    let well = check("[tls]\ncert_file = \"one.pem\"\nkey_file = \"one.key\"\n");
    assert!(well.code == 0 && well.out.contains("https://127.0.0.1:8080"), "{well:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_names_a_server_and_its_token_goes_nowhere_else() {
    let served = Served::start().await;
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("unsaid/profiles.toml");
    fs::create_dir(home.path().join("unsaid")).expect("writable");
    fs::write(&file, format!("[near]\napi = \"http://{}\"\ntoken = \"{OPERATOR}\"\n", served.program.address))
        .expect("ours");
    let list = |more: &[&str]| {
        let mut command = unsaid(&[&["app", "list"][..], more].concat());
        say(command.env("XDG_CONFIG_HOME", home.path()).env_remove("UNSAID_API_TOKEN"))
    };
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("it is ours");
    mode(0o644);
    let open = list(&["--profile", "near"]);
    assert!(open.code == 1 && open.err.contains("chmod 600") && !open.err.contains(OPERATOR), "{open:?}");
    mode(0o600);
    let found = list(&["--profile", "near"]);
    assert!(found.code == 0 && found.out.contains("1400000001"), "{found:?}");
    let elsewhere =
        list(&["--profile", "near", "--api", &format!("http://localhost:{}", served.program.address.port())]);
    assert!(elsewhere.code == 4 && elsewhere.err.contains("there is no token"), "{elsewhere:?}");
    let meant = list(&["--profile", "nea"]);
    assert!(meant.code == 1 && meant.err.contains("is near meant?"), "{meant:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usersig_is_made_here_or_by_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    fs::write(&key, format!("{SECRET_KEY}\n")).expect("writable");
    let arguments = ["usersig", "1400000001", "mira", "--expire-s", "60"];
    let file = ["--secret-key-file", key.to_str().expect("text")];
    let of_file = say(&mut unsaid(&[&arguments[..], &file].concat()));
    let of_environment = say(unsaid(&arguments).env("UNSAID_SECRET_KEY", SECRET_KEY));
    for made in [of_file, of_environment] {
        assert_eq!(made.code, 0, "{made:?}");
        let claims = usersig::decode(made.out.trim()).expect("a UserSig");
        assert!(claims.verify(SECRET_KEY));
        assert_eq!((claims.identifier.as_str(), claims.sdkappid, claims.expire_s), ("mira", SDKAPPID.0.into(), 60));
    }
    let served = Served::start().await;
    assert_eq!(served.admin().await.account_import("mira").await.err().map(|error| error.to_string()), None);
    let log = served.ask(&["audit", "--action", "usersig"]);
    assert!(log.out.contains("administrator"), "{log:?}");
    let short = say(unsaid(&arguments).env("UNSAID_SECRET_KEY", "short"));
    assert!(short.code == 1 && short.err.contains("no secret key"), "{short:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_followed_in_their_order() {
    let served = Served::start().await;
    let url = format!("callback.url=https://localhost:{}/im", free_address().port());
    let set = served.ask(&["app", "set", "1400000001", &url, "callback.commands=[\"C2C.CallbackAfterSendMsg\"]"]);
    assert_eq!(set.code, 0, "{set:?}");
    let admin = served.admin().await;
    for user in ["jared", "Jonh"] {
        admin.account_import(user).await.expect("valid");
    }
    let mut follow = Staying::start(&mut served.command(&["deliveries", "1400000001", "--follow", "--json"]));
    admin.sendmsg("jared", "Jonh", "one").await.expect("sent");
    let (first, second) = (follow.json(), follow.json());
    assert!(first["record"].as_i64() < second["record"].as_i64(), "{first} {second}");
    assert_eq!((&first["outcome"], &first["event"]), (&"connection_refused".into(), &second["event"]));
}

#[test]
fn a_shell_can_complete_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Said::from(unsaid(&["completions", shell]).output().expect("the program starts"));
        assert!(script.code == 0 && script.out.contains("deliveries") && script.out.contains("doctor"), "{shell}");
    }
    let script = Said::from(unsaid(&["completions", "bash"]).output().expect("the program starts"));
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), script.out).expect("writable");
    let complete =
        "source \"$1\"; COMP_WORDS=(unsaid call); COMP_CWORD=1; _unsaid unsaid call unsaid; echo ${COMPREPLY[@]}";
    let completed =
        Command::new("bash").args(["-c", complete, "bash"]).arg(file.path()).output().expect("bash is there");
    assert_eq!(String::from_utf8_lossy(&completed.stdout).trim(), "callback");
}

#[test]
fn every_line_of_cli_md_works_beside_the_demo() {
    let mut demo = Killed(unsaid(&["demo"]).stdout(Stdio::piped()).spawn().expect("the program starts"));
    let mut lines = BufReader::new(demo.0.stdout.take().expect("it is piped")).lines().map(|line| line.expect("text"));
    let exported = lines.find(|line| line.trim().starts_with("export")).expect("it prints that line");
    // Whoever writes must have a reader.
    std::thread::spawn(move || lines.for_each(drop));
    let folder = tempfile::tempdir().expect("a folder");
    let program = Path::new(env!("CARGO_BIN_EXE_unsaid")).parent().expect("it is in a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("there is one"));
    for Example { command, script, ends } in EXAMPLES {
        let code = match ends {
            Ends::Never => continue,
            Ends::Well => 0,
            Ends::With(code) => *code,
        };
        let mut shell = Command::new("sh");
        shell.args(["-ec", &format!("{exported}\n{script}")]).env("PATH", &path).current_dir(folder.path());
        let said = Said::from(shell.output().expect("sh is there"));
        assert_eq!(said.code, code, "{command}: {script}\n{said:?}");
    }
}
