//! Backups of a running server, and a server that is started on one.

use std::{path::Path, sync::Arc};

use http::{Method, StatusCode};
use serde_json::{Value, json};
use unsaid_client::{SessionClient, SessionConfig};
use unsaid_protocol::{callback::CallbackCommand, session::Login};
use unsaid_testkit::{Arrival, Authority};

use crate::{
    database::left_out_on_postgres,
    device::PATIENCE,
    operator_callbacks::{OPERATOR_TOKEN, start},
    programs::{Program, admin_client, config_file, exit, run},
    test_app::{SDKAPPID, SECRET_KEY, of_command, receiver, usersig},
};

/// The server's epoch, as a receiver sees it.
fn epoch(arrival: &Arrival) -> String {
    let lane = arrival.header("unsaid-lane").expect("every callback has one");
    lane.split('.').next().expect("it has a first part").to_owned()
}

fn login(name: &str, cursor: Option<String>) -> Login {
    let now_s = u64::from(unsaid::clock::Clock::system().now().seconds());
    let user_sig = usersig(SECRET_KEY, SDKAPPID, name, now_s, 86_400);
    let (user_id, platform) = (name.to_owned(), "Web".to_owned());
    Login { sdkappid: SDKAPPID.0, user_id, user_sig, platform, cursor, session: None }
}

async fn session(program: &Program, login: &Login) -> unsaid_protocol::session::LoggedIn {
    let gateway = SessionConfig { base: format!("http://{}", program.address), ca_pem: None, timeout: PATIENCE };
    let (client, _pushes) = SessionClient::connect(&gateway).await.expect("the gateway is there");
    client.login(login).await.expect("it may log in")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_lost_is_restored_from_a_backup_that_was_made_under_load() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let receiver = Arc::new(receiver(&authority).await);
    let config = config_file(folder.path(), "127.0.0.1:0".parse().expect("valid"), &receiver, &authority);
    let text = std::fs::read_to_string(&config).expect("readable");
    std::fs::write(&config, format!("{text}[operator]\ntoken = \"{OPERATOR_TOKEN}\"\n")).expect("writable");
    let program = Program::serve(&config);
    let ask = |arguments: &[&str]| tokio::task::block_in_place(|| exit(program.address, OPERATOR_TOKEN, arguments));
    let admin = admin_client(program.address);
    for user in ["jared", "Jonh"] {
        admin.account_import(user).await.expect("valid");
    }
    let cursor = session(&program, &login("Jonh", None)).await.cursor;
    let (kept, recalled) = (
        admin.sendmsg("jared", "Jonh", "one").await.expect("sent"),
        admin.sendmsg("jared", "Jonh", "two").await.expect("sent"),
    );
    admin.admin_msgwithdraw("jared", "Jonh", recalled).await.expect("recalled");
    let before =
        receiver.wait_until(|arrivals| of_command(arrivals, CallbackCommand::AfterMsgWithDraw).len() == 1).await;

    let load = tokio::spawn({
        let admin = admin_client(program.address);
        async move {
            while let Ok(key) = admin.sendmsg("jared", "Jonh", "more").await {
                let _ = admin.admin_msgwithdraw("jared", "Jonh", key).await;
            }
        }
    });
    let (code, said) = ask(&["backup", "create", "--json"]);
    assert_eq!(code, 0, "{said}");
    let made: Value = serde_json::from_str(&said).expect("JSON");
    let name = made["name"].as_str().expect("text");
    assert_eq!(made["state"], "done");
    let file = folder.path().join("data/backups").join(name);
    assert_eq!(made["bytes"].as_u64(), Some(std::fs::metadata(&file).expect("it is there").len()));
    let (code, listed) = ask(&["backup", "list"]);
    assert!(code == 0 && listed.contains(name) && listed.contains("done"), "{listed}");
    program.kill();
    load.await.expect("it ends with the server");

    let restore = |to: &Path| {
        let text = |path: &Path| path.to_str().expect("text").to_owned();
        run(&["restore", "--from", &text(&file), "--data-dir", &text(to)])
    };
    let (status, said, error) = restore(&folder.path().join("restored"));
    assert!(status.success() && said.contains("unsaid serve --data-dir"), "{said}{error}");
    let (status, _, error) = restore(&folder.path().join("restored"));
    assert!(!status.success() && error.contains("holds a store already"), "{error}");
    let text = std::fs::read_to_string(&config).expect("readable").replace("\"data\"", "\"restored\"");
    std::fs::write(&config, text).expect("writable");

    let program = Program::serve(&config);
    let admin = admin_client(program.address);
    let again = admin.admin_msgwithdraw("jared", "Jonh", recalled).await.expect_err("it was recalled before");
    assert_eq!(again.code().map(|code| code.0), Some(20023));
    let back = session(&program, &login("Jonh", Some(cursor))).await;
    assert!(back.reload, "a cursor of before is of no use");
    admin.admin_msgwithdraw("jared", "Jonh", kept).await.expect("it is there");
    let is_kept = |arrival: &Arc<Arrival>| arrival.json()["MsgKey"] == kept.to_string();
    let told =
        |arrivals: &[Arc<Arrival>]| of_command(arrivals, CallbackCommand::AfterMsgWithDraw).into_iter().find(is_kept);
    let arrivals = receiver.wait_until(|arrivals| told(arrivals).is_some()).await;
    let (old, new) = (epoch(&before[0]), epoch(&told(&arrivals).expect("it came")));
    assert!(!old.is_empty() && old != new, "{old} {new}");
    assert!(program.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_made_shown_and_deleted_and_no_name_leaves_their_folder() {
    if left_out_on_postgres("it makes no backups itself") {
        return;
    }
    let (app, ..) = start().await;
    let ask = async |method: Method, path: &str| app.api(method, path, OPERATOR_TOKEN, json!({})).await;
    let (status, begun) = ask(Method::POST, "/backups").await;
    assert_eq!(status, StatusCode::ACCEPTED, "{begun}");
    let name = begun["name"].as_str().expect("text");
    let path = format!("/backups/{name}");
    let clock = unsaid::clock::Clock::system();
    let began = clock.instant();
    let mut shown = begun.clone();
    while shown["state"] == "running" {
        assert!(clock.instant() - began < PATIENCE, "{shown}");
        shown = ask(Method::GET, &path).await.1;
    }
    assert!(shown["state"] == "done" && shown["bytes"].as_u64() > Some(10_000) && shown["took_ms"].is_u64(), "{shown}");
    assert_eq!(ask(Method::GET, "/backups").await.1["backups"], json!([shown]));

    std::fs::write(app.data_dir().join("backups/other.db"), "not ours").expect("writable");
    for name in ["..%2Funsaid.db", "other.db", "%2e%2e%2funsaid.db", "unsaid-20261124-000000-000.db"] {
        for method in [Method::GET, Method::DELETE] {
            let (status, answer) = ask(method, &format!("/backups/{name}")).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{answer}");
        }
    }
    assert!(app.data_dir().join("unsaid.db").exists() && app.data_dir().join("backups/other.db").exists());
    assert_eq!(ask(Method::DELETE, &path).await.0, StatusCode::OK);
    assert_eq!(ask(Method::GET, "/backups").await.1["backups"], json!([]));
    let actions: Vec<_> = app.audit("?action=backup").await.iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["backup.delete", "backup.create"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_not_begun_where_it_has_no_room() {
    if left_out_on_postgres("it makes no backups itself") {
        return;
    }
    let (mut app, ..) = start().await;
    app.restart_with(|config| config.disk_free_min_bytes = u64::MAX / 2).await;
    let (status, answer) = app.api(Method::POST, "/backups", OPERATOR_TOKEN, json!({})).await;
    assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE, "{answer}");
    assert!(answer["message"].as_str().expect("text").contains("make room"), "{answer}");
    assert!(app.audit("?action=backup").await.is_empty());
}
