//! A disk that is really full: a small file system of its own, where the tests may mount one.

use serde_json::json;
use unsaid_testkit::Authority;

use crate::{
    disk::SmallDisk,
    programs::{Program, admin_client, config_file},
    test_app::receiver,
};

#[tokio::test(flavor = "multi_thread")]
async fn i1_a_full_disk_answers_with_an_error_and_loses_nothing_that_was_acknowledged() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let Some(disk) = SmallDisk::mount(folder.path()) else { return };
    let receiver = receiver(&authority).await;
    let config = config_file(folder.path(), "127.0.0.1:0".parse().expect("valid"), &receiver, &authority);
    let program = Program::serve(&config);
    let admin = admin_client(program.address);
    for user in ["jared", "Jonh"] {
        admin.account_import(user).await.expect("valid");
    }

    let mut sent = Vec::new();
    let refused = loop {
        match admin.sendmsg("jared", "Jonh", &"x".repeat(4000)).await {
            Ok(key) => sent.push(key),
            Err(error) => break error,
        }
        assert!(sent.len() < 10_000, "the disk never becomes full");
    };
    assert_eq!(refused.code().map(|code| code.0), Some(91000), "{refused}");
    assert!(refused.to_string().contains("disk is full"), "{refused}");
    assert_eq!(admin.get_c2c_unread_msg_num("Jonh").await.expect("reads go on"), sent.len() as i64);

    // With room again, the same server goes on, and so does the next one.
    disk.remount("size=64m");
    admin.admin_msgwithdraw("jared", "Jonh", sent[0]).await.expect("recalled");
    program.kill();
    let program = Program::serve(&config);
    let admin = admin_client(program.address);
    assert_eq!(admin.get_c2c_unread_msg_num("Jonh").await.expect("it exists"), sent.len() as i64 - 1);
    let told = receiver.wait_until(|arrivals| {
        let told =
            arrivals.iter().filter(|arrival| arrival.json()["CallbackCommand"] == "C2C.CallbackAfterMsgWithDraw");
        told.count() >= 1
    });
    assert_eq!(told.await.last().expect("it was waited for").json()["MsgKey"], json!(sent[0].to_string()));
}
