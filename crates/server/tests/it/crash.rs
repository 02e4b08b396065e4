//! The real program is killed under load and started again: no acknowledged recall is without its callback, and no
//! callback without a recall.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use unsaid_protocol::{MsgKey, callback::CallbackCommand};
use unsaid_testkit::{Arrival, Authority, Receiver};

use crate::{
    database::Database,
    programs::{Program, admin_client, config_file, free_address},
    test_app::{lanes_keep_their_order, of_command, receiver},
};

const ACCOUNTS: usize = 8;
const WORKERS: usize = 16;

/// What became of the recalls that the workers asked for.
#[derive(Default)]
struct Book {
    acknowledged: Names,
    /// Asked for, and no answer came: it may have happened or not.
    in_doubt: Names,
    /// Sends that were acknowledged.
    sent: Names,
}

fn rounds() -> usize {
    if std::env::var_os("UNSAID_TEST_FULL").is_some() { 30 } else { 10 }
}

#[tokio::test(flavor = "multi_thread")]
async fn r4_no_acknowledged_recall_is_without_its_callback_however_often_the_server_is_killed() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let receiver = receiver(&authority).await;
    let address = free_address();
    let config = config_file(folder.path(), address, &receiver, &authority);
    let book = Arc::new(Mutex::new(Book::default()));
    let database = Database::if_wanted();

    let mut program = Program::serve_on(&config, database.as_ref());
    for account in 0..ACCOUNTS {
        admin_client(address).account_import(&format!("user-{account}")).await.expect("valid");
    }
    for round in 0..rounds() {
        let stop = Arc::new(AtomicBool::new(false));
        let enough = book.lock().expect("no panic").acknowledged.len() + 50 + 37 * round % 150;
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| tokio::spawn(work(address, number, Arc::clone(&book), Arc::clone(&stop))))
            .collect();
        while book.lock().expect("no panic").acknowledged.len() < enough {
            tokio::task::yield_now().await;
        }
        program.kill();
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.await.expect("it does not panic");
        }
        program = Program::serve_on(&config, database.as_ref());
    }
    check(&receiver, &book, address).await;
    drop(program);
}

/// Sends and recalls until the server is gone.
async fn work(address: std::net::SocketAddr, number: usize, book: Arc<Mutex<Book>>, stop: Arc<AtomicBool>) {
    let admin = admin_client(address);
    let from = format!("user-{}", number % ACCOUNTS);
    for turn in 0.. {
        let to = format!("user-{}", (number + 1 + turn % (ACCOUNTS - 1)) % ACCOUNTS);
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let Ok(key) = admin.sendmsg(&from, &to, "one").await else {
            return;
        };
        let name = (from.clone(), to.clone(), key);
        book.lock().expect("no panic").sent.insert(name.clone());
        if turn % 3 == 2 {
            continue;
        }
        let recalled = admin.admin_msgwithdraw(&from, &to, key).await;
        let mut book = book.lock().expect("no panic");
        match recalled {
            Ok(()) => book.acknowledged.insert(name),
            Err(_) => book.in_doubt.insert(name),
        };
    }
}

type Names = BTreeSet<(String, String, MsgKey)>;

async fn check(receiver: &Receiver, book: &Mutex<Book>, address: std::net::SocketAddr) {
    let book = std::mem::take(&mut *book.lock().expect("no panic"));
    let tombstones = history_and_totals(&book, address).await;
    assert!(tombstones.is_superset(&book.acknowledged), "an acknowledged recall is lost");
    for name in &tombstones {
        assert!(book.acknowledged.contains(name) || book.in_doubt.contains(name), "nobody asked to recall {name:?}");
    }
    let arrivals = receiver.wait_until(|arrivals| recalls(arrivals).is_superset(&tombstones)).await;
    assert_eq!(recalls(&arrivals), tombstones, "every recall is told, and nothing else");
    assert!(arrivals.iter().all(|arrival| arrival.passed()));
    lanes_keep_their_order(&arrivals);
}

/// The recalls that were told.
fn recalls(arrivals: &[Arc<Arrival>]) -> Names {
    let name = |callback: &Arc<Arrival>| {
        let body = callback.json();
        let text = |field: &str| body[field].as_str().expect("text").to_owned();
        (text("From_Account"), text("To_Account"), text("MsgKey").parse().expect("a key"))
    };
    of_command(arrivals, CallbackCommand::AfterMsgWithDraw).iter().map(name).collect()
}

/// Every acknowledged send is there, and totals are the sum of their parts. Answers the tombstones.
async fn history_and_totals(book: &Book, address: std::net::SocketAddr) -> Names {
    let admin = admin_client(address);
    let mut unread: BTreeMap<String, i64> = BTreeMap::new();
    let (mut found, mut tombstones) = (Names::new(), Names::new());
    for (low, high) in (0..ACCOUNTS).flat_map(|low| (low + 1..ACCOUNTS).map(move |high| (low, high))) {
        for message in history(&admin, &format!("user-{low}"), &format!("user-{high}")).await {
            let text = |field: &str| message[field].as_str().expect("text").to_owned();
            let name = (text("From_Account"), text("To_Account"), text("MsgKey").parse().expect("a key"));
            let recalled = message["MsgFlagBits"] == 8;
            *unread.entry(name.1.clone()).or_default() += i64::from(!recalled);
            if recalled {
                tombstones.insert(name.clone());
            }
            found.insert(name);
        }
    }
    assert!(found.is_superset(&book.sent), "an acknowledged message is lost");
    for (user, unread) in unread {
        assert_eq!(admin.get_c2c_unread_msg_num(&user).await.expect("it exists"), unread, "{user}");
    }
    tombstones
}

async fn history(admin: &unsaid_client::RestClient, operator: &str, peer: &str) -> Vec<serde_json::Value> {
    let mut range = serde_json::json!({"Operator_Account": operator, "Peer_Account": peer, "MaxCnt": 100, "MinTime": 0,
                                       "MaxTime": u32::MAX});
    let mut messages = Vec::new();
    loop {
        let page = admin.call("openim", "admin_getroammsg", &range).await.expect("the range is right");
        messages.extend(page["MsgList"].as_array().expect("an array").iter().cloned());
        if page["Complete"] == 1 {
            return messages;
        }
        range["MaxTime"] = page["LastMsgTime"].clone();
        range["LastMsgKey"] = page["LastMsgKey"].clone();
    }
}
