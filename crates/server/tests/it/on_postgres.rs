//! The server on PostgreSQL: what is otherwise than on the embedded store. These tests need PostgreSQL: `cargo xtask postgres` runs
//! them.

use std::process::Command;

use http::{Method, StatusCode};
use serde_json::Value;
use unsaid::apps::Secret;
use unsaid_protocol::{MsgKey, callback::CallbackCommand};

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
    // Nobody uses it, and so it can be told that it was restored.
    let epoch = || database.run(&format!("SELECT value FROM {}.meta WHERE name = 'epoch'", database.schema()));
    let before = epoch();
    database.wait_until_unused();
    let (status, said, error) = run(&["restored", "--store", &url]);
    assert!(status.success() && said.contains(&epoch()[0]) && epoch() != before, "{said}{error}");
    let (status, _, error) = run(&["restored"]);
    assert!(!status.success() && error.contains("unsaid restore"), "{error}");
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
