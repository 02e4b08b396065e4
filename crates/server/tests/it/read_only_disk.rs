//! A disk that is read-only, at the start and while the server runs.

use std::sync::Arc;

use unsaid_protocol::{MsgKey, callback::CallbackCommand};
use unsaid_testkit::{Arrival, Authority};

use crate::{
    disk::{FailingDisk, SmallDisk},
    programs::{Program, admin_client, config_file, run},
    test_app::{of_command, receiver},
};

#[tokio::test(flavor = "multi_thread")]
async fn i1_a_server_on_a_read_only_disk_says_so_and_starts_when_it_is_writable() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let Some(disk) = SmallDisk::mount(folder.path()) else { return };
    let receiver = receiver(&authority).await;
    let config = config_file(folder.path(), "127.0.0.1:0".parse().expect("valid"), &receiver, &authority);
    let serve = ["serve", "--config", config.to_str().expect("text")];

    for sent in 0..2 {
        disk.remount("ro");
        let (status, _, said) = run(&serve);
        assert!(!status.success(), "{said}");
        let folder = folder.path().join("data");
        assert!(said.contains(folder.to_str().expect("text")) && said.contains("Read-only file system"), "{said}");
        disk.remount("rw");
        let program = Program::serve(&config);
        let admin = admin_client(program.address);
        for user in ["jared", "Jonh"] {
            admin.account_import(user).await.expect("valid");
        }
        assert_eq!(admin.get_c2c_unread_msg_num("Jonh").await.expect("it exists"), sent, "nothing was lost");
        admin.sendmsg("jared", "Jonh", "one").await.expect("sent");
        program.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_a_disk_that_becomes_read_only_answers_with_an_error_and_loses_nothing_that_was_acknowledged() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let Some(disk) = FailingDisk::mount(folder.path()) else { return };
    let receiver = receiver(&authority).await;
    let config = config_file(folder.path(), "127.0.0.1:0".parse().expect("valid"), &receiver, &authority);
    let data_dir = disk.folder().join("data");
    let serve = || Program::serve_with(&config, &[("UNSAID_DATA_DIR", data_dir.to_str().expect("text"))]);
    let program = serve();
    let admin = admin_client(program.address);
    for user in ["jared", "Jonh"] {
        admin.account_import(user).await.expect("valid");
    }
    let mut sent = Vec::new();
    for _ in 0..20 {
        sent.push(admin.sendmsg("jared", "Jonh", "one").await.expect("sent"));
    }
    admin.admin_msgwithdraw("jared", "Jonh", sent[0]).await.expect("recalled");

    disk.fail();
    let refused = [
        admin.sendmsg("jared", "Jonh", "two").await.expect_err("it cannot be stored"),
        admin.admin_msgwithdraw("jared", "Jonh", sent[1]).await.expect_err("it cannot be stored"),
    ];
    for refused in refused {
        assert_eq!(refused.code().map(|code| code.0), Some(91000), "{refused}");
        assert!(refused.to_string().contains("the disk cannot be read or written"), "{refused}");
    }
    assert_eq!(admin.get_c2c_unread_msg_num("Jonh").await.expect("reads go on"), 19);

    // Whoever mends the disk starts the server again.
    program.kill();
    disk.repair();
    let program = serve();
    let admin = admin_client(program.address);
    assert_eq!(admin.get_c2c_unread_msg_num("Jonh").await.expect("it exists"), 19);
    assert!(admin.admin_msgwithdraw("jared", "Jonh", sent[0]).await.is_err(), "it is recalled already");
    admin.admin_msgwithdraw("jared", "Jonh", sent[1]).await.expect("its recall was refused, and may be asked again");
    admin.sendmsg("jared", "Jonh", "two").await.expect("sent");
    let told = |arrivals: &[Arc<Arrival>], key: &MsgKey| {
        let recalls = of_command(arrivals, CallbackCommand::AfterMsgWithDraw);
        recalls.iter().any(|arrival| arrival.json()["MsgKey"] == key.to_string())
    };
    receiver.wait_until(|arrivals| sent[..2].iter().all(|key| told(arrivals, key))).await;
}
