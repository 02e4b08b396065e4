//! The server on PostgreSQL: what is otherwise than on the embedded store. These tests need PostgreSQL: `cargo xtask postgres` runs
//! them.

use std::process::Command;

use http::{Method, StatusCode};
use serde_json::Value;
use unsaid::{
    apps::Secret,
    config::{Config, StoreSettings},
};
use unsaid_protocol::{MsgKey, callback::CallbackCommand};
use unsaid_testkit::{Answer, Script};

use crate::{
    database::Database,
    operator_callbacks::OPERATOR_TOKEN,
    programs::run,
    test_app::{TestApp, of_command},
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
async fn on_postgres_what_was_recalled_is_told_and_stays_recalled_after_a_restart() {
    let database = Database::new();
    let (mut app, jared, jonh, receiver) = TestApp::start_with(|config, _| config.store = database.store()).await;
    let (kept, recalled) = (jared.send(&jonh, "one").await, jared.send(&jonh, "two").await);
    jared.recall(&jonh, recalled).await.expect("it is his");
    let is_told = |arrivals: &[_]| of_command(arrivals, CallbackCommand::AfterMsgWithDraw).len() == 1;
    let arrivals = of_command(&receiver.wait_until(is_told).await, CallbackCommand::AfterMsgWithDraw);
    let body = arrivals[0].json();
    assert_eq!((&body["MsgKey"], &body["UnreadMsgNum"]), (&recalled.to_string().into(), &1.into()));
    app.all_settled().await;

    app.restart_with(|_| ()).await;
    let (jared, jonh) = (app.actor("jared"), app.actor("Jonh"));
    assert_eq!(jonh.unread().await, 1);
    let history = jonh.history(&jared).await;
    // Both are of one second, in which their order is that of random numbers.
    let is_of = |key: MsgKey, flags: i64| {
        history.iter().any(|message| message["MsgKey"] == key.to_string() && message["MsgFlagBits"] == flags)
    };
    assert!(history.len() == 2 && is_of(kept, 0) && is_of(recalled, 8), "{history:?}");
    assert_eq!(jared.recall(&jonh, recalled).await, Err(20023));
    assert!(!app.data_dir().join("unsaid.db").exists(), "nothing of the store is in data_dir");
    drop(app);
}

/// Five messages, of which two are taken back while the receiver is away.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
async fn on_postgres_a_server_that_moved_there_tells_what_it_owed_in_order() {
    let database = Database::new();
    let embedded = |config: &mut Config| config.store = StoreSettings::Embedded;
    let (mut app, jared, jonh, receiver) = TestApp::start_with(|config, _| embedded(config)).await;
    jared.send(&jonh, "told before").await;
    let before = receiver.wait_until(|arrivals| !arrivals.is_empty()).await;
    app.all_settled().await;
    receiver.play(Script::always(Answer::Status(503)));
    let mut keys = Vec::new();
    for text in ["one", "two", "three", "four"] {
        keys.push(jared.send(&jonh, text).await);
    }
    jared.recall(&jonh, keys[2]).await.expect("it is his");
    jared.recall(&jonh, keys[0]).await.expect("it is his");
    app.tried_in_vain(1).await;

    let url = database.url().replacen("postgres://postgres@", "postgres://postgres:s3cret-word@", 1);
    assert!(url.contains("s3cret-word"), "{url}");
    app.restart_with(|config| {
        let from = format!("sqlite:{}", config.data_dir.display());
        let (status, said, error) = run(&["migrate", "--from", &from, "--to", &url]);
        assert!(status.success() && said.contains("rows a second") && error.is_empty(), "{said}{error}");
        let left = std::fs::read_to_string(config.data_dir.join("moved.txt")).expect("readable");
        assert!(
            said.contains("unread messages: 3.") && !said.contains("s3cret") && !left.contains("s3cret"),
            "{said}{left}"
        );
        let (status, _, error) =
            run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", from.trim_start_matches("sqlite:")]);
        assert!(!status.success() && error.contains("was moved to PostgreSQL"), "{error}");
        let data_dir = config.data_dir.display().to_string();
        let (status, said, _) = run(&["doctor", "--no-samples", "--data-dir", &data_dir]);
        assert!(!status.success() && said.contains("was moved to PostgreSQL"), "{said}");
        config.store = database.store();
        receiver.play(Script::always(Answer::Ok));
    })
    .await;
    let is_told = |arrivals: &[_]| of_command(arrivals, CallbackCommand::AfterMsgWithDraw).len() >= 2;
    let told = of_command(&receiver.wait_until(is_told).await, CallbackCommand::AfterMsgWithDraw);
    let seen: Vec<_> =
        told.iter().map(|arrival| (arrival.json()["MsgKey"].clone(), arrival.json()["UnreadMsgNum"].clone())).collect();
    assert_eq!(seen, [(keys[2].to_string().into(), 4.into()), (keys[0].to_string().into(), 3.into())]);
    assert_eq!(told[0].header("unsaid-lane"), before[0].header("unsaid-lane"), "its lanes go on");
    app.all_settled().await;
    // New ones are behind those, which is checked when the app is dropped.
    let (jared, jonh) = (app.actor("jared"), app.actor("Jonh"));
    let recalled = jared.send(&jonh, "after").await;
    jared.recall(&jonh, recalled).await.expect("it is his");
    assert_eq!((jonh.unread().await, jonh.history(&jared).await.len()), (3, 6));
    assert_eq!(jared.recall(&jonh, keys[0]).await, Err(20023));
    drop(app);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
async fn on_postgres_backups_are_made_by_its_own_tools() {
    let database = Database::new();
    let (app, ..) = TestApp::start_with(|config, _| {
        config.store = database.store();
        config.operator.token = Some(Secret::new(OPERATOR_TOKEN));
    })
    .await;
    let (status, answer) = app.api(Method::POST, "/backups", OPERATOR_TOKEN, Value::Null).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    assert!(answer["message"].as_str().expect("text").contains("pg_dump"), "{answer}");
    let (status, answer) = app.api(Method::GET, "/backups", OPERATOR_TOKEN, Value::Null).await;
    assert_eq!((status, &answer["backups"]), (StatusCode::OK, &Value::Array(Vec::new())));
    drop(app);
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn on_postgres_the_demo_tells_its_story_once_in_a_database() {
    let database = Database::new();
    let url = database.url();
    let (status, said, error) = run(&["demo", "--once", "--store", &url]);
    assert!(status.success() && said.contains("A server, on a store in PostgreSQL"), "{said}{error}");
    let (status, _, error) = run(&["demo", "--once", "--store", &url]);
    assert!(!status.success() && error.contains("holds a store already"), "{error}");
    let another = Database::new();
    let (status, said, error) = run(&["demo", "--once", "--store", &another.url(), "--servers", "2"]);
    assert!(status.success() && said.contains("More servers on the same store"), "{said}{error}");
    let (status, _, error) = run(&["demo", "--once", "--servers", "2"]);
    assert!(!status.success() && error.contains("--store"), "{error}");
    // Nobody uses it, and so it can be told that it was restored.
    let epoch = || database.run(&format!("SELECT value FROM {}.meta WHERE name = 'epoch'", database.schema()));
    let before = epoch();
    database.wait_until_unused();
    let (status, said, error) = run(&["restored", "--store", &url]);
    assert!(status.success() && said.contains(&epoch()[0]) && epoch() != before, "{said}{error}");
    let (status, _, error) = run(&["restored"]);
    assert!(!status.success() && error.contains("unsaid restore"), "{error}");
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn on_postgres_a_migration_that_has_not_ended_keeps_servers_out_and_is_found_by_doctor() {
    let (database, folder) = (Database::new(), tempfile::tempdir().expect("a folder"));
    let url = database.url();
    let data_dir = folder.path().join("data").display().to_string();
    let asked = |arguments: &[&str]| run(&[arguments, &["--store", &url, "--data-dir", &data_dir]].concat());
    let (status, ..) = run(&["demo", "--once", "--store", &url]);
    assert!(status.success());
    database.run(&format!("INSERT INTO {}.meta VALUES ('migrating', 'of_other')", database.schema()));
    for (arguments, expected) in [
        (&["serve", "--listen", "127.0.0.1:0"][..], "has not ended: run unsaid migrate again"),
        (&["doctor", "--no-samples"], "a migration into it has not ended"),
    ] {
        let (status, said, error) = asked(arguments);
        assert!(!status.success() && format!("{said}{error}").contains(expected), "{said}{error}");
    }
}

/// What the program says to an address with a password, in whatever way it is asked.
#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn on_postgres_the_password_is_never_shown() {
    let (database, folder) = (Database::new(), tempfile::tempdir().expect("a folder"));
    let url = database.url().replacen("postgres://postgres@", "postgres://postgres:s3cret-word@", 1);
    assert!(url.contains("s3cret-word"), "{url}");
    let away = "postgres://ann:s3cret-word@127.0.0.1:1/unsaid";
    let asked = |arguments: &[&str], store: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_unsaid"))
            .args(arguments)
            .args(["--set", "log=debug", "--data-dir"])
            .arg(folder.path().join("data"))
            .env("UNSAID_STORE", store)
            .output()
            .expect("the program starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    for (arguments, store, is_done, expected) in [
        (&["check"][..], url.as_str(), true, "PostgreSQL, database postgres at"),
        (&["doctor", "--no-samples"], &url, true, "holds no store yet"),
        (&["doctor", "--no-samples"], away, false, "PostgreSQL, database unsaid at 127.0.0.1:1: "),
        (&["serve"], away, false, "refused"),
        (&["serve"], "postgres://ann:s3cret-word@host:port/unsaid", false, "UNSAID_STORE"),
    ] {
        let (done, said) = asked(arguments, store);
        assert_eq!(done, is_done, "{said}");
        assert!(said.contains(expected) && !said.contains("s3cret"), "{said}");
    }
}
