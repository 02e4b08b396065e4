//! The configuration is read again while the real program runs, and a supervisor is told how it is.

use std::{os::unix::net::UnixDatagram, path::Path};

use unsaid::config::{Config, Sources, StoreSettings};
use unsaid_client::{RestClient, RestConfig};
use unsaid_protocol::SdkAppId;
use unsaid_testkit::{Authority, Identity};

use crate::{
    device::PATIENCE,
    operator_callbacks::OPERATOR_TOKEN,
    programs::{Program, config_file, free_address},
    test_app::{ADMIN, SDKAPPID, SECRET_KEY, receiver, usersig},
};

const OTHER: SdkAppId = SdkAppId(7);

/// A client of an app that trusts an authority.
fn client(program: &Program, app: SdkAppId, authority: &Authority) -> RestClient {
    let now_s = u64::from(unsaid::clock::Clock::system().now().seconds());
    RestClient::new(&RestConfig {
        base: format!("https://localhost:{}", program.address.port()),
        ca_pem: Some(authority.ca_pem().into_bytes()),
        sdkappid: app,
        identifier: ADMIN.to_owned(),
        usersig: usersig(SECRET_KEY, app, ADMIN, now_s, 86_400),
        connections_max: 1,
        timeout: PATIENCE,
    })
    .expect("the address is right")
}

fn write_certificate(folder: &Path, authority: &Authority) {
    let Identity { cert_pem, key_pem } = authority.issue(&["localhost"], &[std::net::Ipv4Addr::LOCALHOST.into()]);
    std::fs::write(folder.join("cert.pem"), cert_pem).expect("writable");
    std::fs::write(folder.join("key.pem"), key_pem).expect("writable");
    std::fs::write(folder.join("ca.pem"), authority.ca_pem()).expect("writable");
}

/// `unsaid reload`, and what it says.
fn reload(program: &Program, folder: &Path) -> (bool, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_unsaid"))
        .args(["reload", "--api", &format!("https://localhost:{}", program.address.port()), "--ca-file"])
        .arg(folder.join("ca.pem"))
        .env("UNSAID_API_TOKEN", OPERATOR_TOKEN)
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn c11_certificates_apps_and_bounds_change_without_a_start_and_a_broken_file_changes_nothing() {
    let (before, after, folder) = (Authority::new(), Authority::new(), tempfile::tempdir().expect("a folder"));
    let receiver = receiver(&before).await;
    write_certificate(folder.path(), &before);
    let path = config_file(folder.path(), free_address(), &receiver, &before);
    let usual = std::fs::read_to_string(&path).expect("readable")
        + &format!(
            "[operator]\ntoken = \"{OPERATOR_TOKEN}\"\n[tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n"
        );
    let other = format!("[[apps]]\nsdkappid = {OTHER}\nsecret_key = \"{SECRET_KEY}\"\nadmins = [\"{ADMIN}\"]\n");
    std::fs::write(&path, &usual).expect("writable");
    let program = Program::serve(&path);
    let held = client(&program, SDKAPPID, &before);
    held.account_import("jared").await.expect("valid");

    // SIGHUP: another certificate, and one more app.
    write_certificate(folder.path(), &after);
    std::fs::write(&path, format!("{usual}{other}")).expect("writable");
    program.signal("-HUP");
    let clock = unsaid::clock::Clock::system();
    let began = clock.instant();
    while client(&program, OTHER, &after).account_import("mira").await.is_err() {
        assert!(clock.instant() - began < PATIENCE, "neither the certificate nor the app has come");
    }
    assert!(client(&program, SDKAPPID, &before).account_import("x").await.is_err(), "new connections get the new one");
    held.account_import("Jonh").await.expect("a connection that was there goes on");

    // A broken file, and a key that does not fit.
    let (reloaded, said) = reload(&program, folder.path());
    assert!(reloaded && said.contains("nothing was changed"), "{said}");
    for (broken, why) in [("rates = 7\n[tls", "line"), ("log = \"unsaid=loud\"", "log must be like")] {
        std::fs::write(&path, format!("{broken}\n{usual}")).expect("writable");
        let (reloaded, said) = reload(&program, folder.path());
        assert!(!reloaded && said.contains("stays as it is") && said.contains(why), "{said}");
    }
    std::fs::write(&path, &usual).expect("writable");
    std::fs::write(folder.path().join("key.pem"), before.issue(&["localhost"], &[]).key_pem).expect("writable");
    let (reloaded, said) = reload(&program, folder.path());
    assert!(!reloaded && said.contains("do not fit together"), "{said}");
    client(&program, OTHER, &after).account_import("still").await.expect("the app is there as before");

    // What cannot change is named each time; an app that is no longer declared is disabled.
    write_certificate(folder.path(), &after);
    let moved = usual.replace("data_dir = \"data\"", "data_dir = \"elsewhere\"\nlog = \"debug\"");
    std::fs::write(&path, format!("{moved}[rates]\ncommands_per_s = 1\n")).expect("writable");
    let (reloaded, said) = reload(&program, folder.path());
    for part in
        ["holds now             apps.7", "rates.commands_per_s", "log", "after the next start  data_dir", "certificate"]
    {
        assert!(reloaded && said.contains(part), "{part} is not in {said}");
    }
    let disabled = client(&program, OTHER, &after).account_import("x").await.expect_err("disabled");
    assert_eq!(disabled.code().map(|code| code.0), Some(60016));
    let admin = client(&program, SDKAPPID, &after);
    let first = admin.account_import("x").await;
    let second = admin.account_import("x").await;
    let is_too_often = |answer: &Result<(), unsaid_client::ClientError>| {
        answer.as_ref().is_err_and(|error| error.code().map(|code| code.0) == Some(60007))
    };
    assert!(is_too_often(&first) || is_too_often(&second), "{first:?} {second:?}");
    let (reloaded, said) = reload(&program, folder.path());
    assert!(reloaded && said.contains("after the next start  data_dir") && !said.contains("apps.7"), "{said}");
    assert!(program.terminate().success());
}

#[test]
fn compose_yaml_has_settings_that_a_server_takes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compose.yaml");
    let compose = std::fs::read_to_string(file).expect("readable");
    let variables = compose.lines().filter_map(|line| line.trim().strip_prefix("UNSAID_")?.split_once(": "));
    let set: Vec<_> = variables.map(|(name, value)| format!("{}={value}", name.to_lowercase())).collect();
    assert_eq!(set.len(), 2, "store and bus: {set:?}");
    let config = Config::load(&Sources { set, ..Sources::default() }).expect("a server takes them");
    assert!(matches!(config.store, StoreSettings::Postgres(_)) && config.bus.is_some());
}

/// What is deployed with names what there is: flags of the program, settings, and the version of Rust.
#[test]
fn the_systemd_unit_and_the_dockerfile_fit_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).expect("readable");
    let (unit, dockerfile) = (read("docs/unsaid.service"), read("Dockerfile"));
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("it starts something");
    let arguments: Vec<_> = start.split_whitespace().skip(1).collect();
    // A flag that is none ends with 2, a file that is missing with 1.
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_unsaid")).args(&arguments).output();
    let output = output.expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("/etc/unsaid/unsaid.toml: cannot be read"), "{said}");

    let rust = read("Cargo.toml").lines().find_map(|line| line.strip_prefix("rust-version = ").map(str::to_owned));
    let rust = rust.expect("it has one").trim_matches('"').to_owned();
    assert!(dockerfile.contains(&format!("FROM rust:{rust}-")), "the Dockerfile builds with another Rust than {rust}");
    let known = unsaid::config::DEFAULT_TOML.parse::<toml::Table>().expect("valid");
    let variables = dockerfile.split_whitespace().filter_map(|word| word.strip_prefix("UNSAID_")?.split_once('='));
    let mut count = 0;
    for (name, value) in variables.filter(|(name, _)| !name.starts_with("API_")) {
        let key = name.to_lowercase();
        let found = match key.split_once("__") {
            Some((section, key)) => known[section].get(key),
            None => known.get(&key),
        };
        assert!(found.is_some_and(toml::Value::is_str) && !value.is_empty(), "{name} is no setting");
        count += 1;
    }
    assert!(count >= 3, "{dockerfile}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_is_told_when_the_server_is_ready_and_when_it_stops() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let receiver = receiver(&authority).await;
    let path = config_file(folder.path(), "127.0.0.1:0".parse().expect("valid"), &receiver, &authority);
    let socket = folder.path().join("notify");
    let supervisor = UnixDatagram::bind(&socket).expect("a socket");
    supervisor.set_read_timeout(Some(PATIENCE)).expect("it can");
    let told = || {
        let mut word = [0; 100];
        let length = supervisor.recv(&mut word).expect("a word");
        String::from_utf8_lossy(&word[..length]).into_owned()
    };
    let program = Program::serve_with(&path, &[("NOTIFY_SOCKET", socket.to_str().expect("text"))]);
    assert_eq!(told(), "READY=1");
    let api = format!("http://{}", program.address);
    let (status, said, error) = crate::programs::run(&["ready", "--api", &api]);
    assert!(status.success() && said == "ready\n", "{said}{error}");
    let (status, ..) = crate::programs::run(&["ready", "--api", &format!("http://{}", free_address())]);
    assert_eq!(status.code(), Some(3));
    assert!(program.terminate().success());
    assert_eq!(told(), "STOPPING=1");
}
