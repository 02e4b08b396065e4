//! What a power cut may leave of SQLite's log. What was synced is there, and with it all that was acknowledged; behind it may be
//! anything. And wherever the log ends, what it holds fits together.

use std::{collections::BTreeSet, fs, path::PathBuf};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rusqlite::{Connection, OpenFlags};
use unsaid_client::RestClient;
use unsaid_protocol::MsgKey;
use unsaid_testkit::Authority;

use crate::{
    database::left_out_on_postgres,
    programs::{Program, admin_client, config_file},
    test_app::{of_command, receiver},
};

const SENDS: usize = 12;

/// How often the log is cut.
const CUTS: usize = 12;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// What happened, in its order, and the files that were left when the server was killed.
struct Crashed {
    authority: Authority,
    happened: Vec<Happened>,
    database: Vec<u8>,
    log: Log,
    /// What of the log may be in the database already, so that it is there for certain.
    kept: usize,
}

#[derive(Clone, Copy, Debug)]
enum Happened {
    Sent(MsgKey),
    Recalled(MsgKey),
}

/// What is stored: messages, and which of them are recalled.
#[derive(PartialEq, Eq, Default, Debug)]
struct Found {
    sent: BTreeSet<MsgKey>,
    recalled: BTreeSet<MsgKey>,
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_what_is_torn_behind_the_end_of_the_log_takes_nothing_that_was_acknowledged() {
    if left_out_on_postgres("PostgreSQL keeps its own log") {
        return;
    }
    let crashed = Crashed::after_sends_and_recalls().await;
    let whole = crashed.log.bytes[..crashed.log.end()].to_vec();
    let (stale, next) = (crashed.log.first_frame().to_vec(), crashed.log.uncommitted_frame());
    let mut torn_commit = crashed.log.frame_behind(1);
    let sector = torn_commit.len() - 512;
    torn_commit[sector..].fill(0);
    let garbage = |bytes: usize| (0..bytes).map(|byte| (byte * 7 + 3) as u8).collect::<Vec<_>>();
    for (what, tail) in [
        ("nothing", Vec::new()),
        ("a byte", garbage(1)),
        ("garbage", garbage(10_000)),
        ("a frame of before", stale),
        ("half a frame", next[..next.len() / 2].to_vec()),
        ("a frame without its commit", next),
        ("a commit whose last sector is missing", torn_commit),
    ] {
        let log = [&whole[..], &tail[..]].concat();
        assert_eq!(crashed.opened_with(&log).await, crashed.found_after(crashed.happened.len()), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_ends_anywhere_holds_a_beginning_of_what_happened() {
    if left_out_on_postgres("PostgreSQL keeps its own log") {
        return;
    }
    let crashed = Crashed::after_sends_and_recalls().await;
    let mut random = StdRng::seed_from_u64(8);
    let mut cuts: Vec<usize> =
        (0..CUTS).map(|_| random.random_range(crashed.kept..=crashed.log.end())).chain([crashed.kept]).collect();
    cuts.sort_unstable();
    let mut least = 0;
    for cut in cuts {
        let found = crashed.opened_with(&crashed.log.bytes[..cut]).await;
        let steps = (0..=crashed.happened.len()).find(|steps| crashed.found_after(*steps) == found);
        let steps = steps.unwrap_or_else(|| panic!("cut at {cut}: {found:?} of {:?}", crashed.happened));
        assert!(steps >= least, "a longer log holds more: {steps} after {least}, cut at {cut}");
        least = steps;
    }
    assert!(least > 0, "the cuts reach what happened");
}

impl Crashed {
    /// One after the other, so that each has a commit of its own. The receiver is down, so all that is owed still is.
    async fn after_sends_and_recalls() -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
        let mut receiver = receiver(&authority).await;
        receiver.stop().await;
        let config = config_file(folder.path(), "127.0.0.1:0".parse().expect("valid"), &receiver, &authority);
        let program = Program::serve(&config);
        let admin = admin_client(program.address);
        for user in ["jared", "Jonh"] {
            admin.account_import(user).await.expect("valid");
        }
        let database = folder.path().join("data").join("unsaid.db");
        let log = database.with_extension("db-wal");
        // A checkpoint goes no further than a reader that has not ended.
        let reader = Connection::open_with_flags(&database, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("it is there");
        reader.execute_batch("BEGIN; SELECT count(*) FROM message").expect("it reads");
        let kept = Log::read(&log).end();

        let mut happened = Vec::new();
        for turn in 0..SENDS {
            let key = admin.sendmsg("jared", "Jonh", "one").await.expect("sent");
            happened.push(Happened::Sent(key));
            if turn % 3 != 0 {
                admin.admin_msgwithdraw("jared", "Jonh", key).await.expect("recalled");
                happened.push(Happened::Recalled(key));
            }
        }
        program.kill();
        let (database, log) = (fs::read(database).expect("readable"), Log::read(&log));
        assert!(log.end() > kept + happened.len() * log.frame_bytes(), "all that happened is in the log");
        drop(reader);
        Self { authority, happened, database, log, kept }
    }

    /// What is there after so many steps.
    fn found_after(&self, steps: usize) -> Found {
        let mut found = Found::default();
        for step in &self.happened[..steps] {
            let is_new = match step {
                Happened::Sent(key) => found.sent.insert(*key),
                Happened::Recalled(key) => found.recalled.insert(*key),
            };
            assert!(is_new, "{step:?} happened once");
        }
        found
    }

    /// Starts a server on the database with this log. Whatever it finds, totals are what messages say, and each recall is told.
    async fn opened_with(&self, log: &[u8]) -> Found {
        let folder = tempfile::tempdir().expect("a folder");
        let receiver = receiver(&self.authority).await;
        let config = config_file(folder.path(), "127.0.0.1:0".parse().expect("valid"), &receiver, &self.authority);
        let database = folder.path().join("data").join("unsaid.db");
        fs::create_dir(folder.path().join("data")).expect("writable");
        fs::write(&database, &self.database).expect("writable");
        fs::write(database.with_extension("db-wal"), log).expect("writable");
        let program = Program::serve(&config);
        let admin = admin_client(program.address);

        let found = found(&admin).await;
        let unread = (found.sent.len() - found.recalled.len()) as i64;
        assert_eq!(admin.get_c2c_unread_msg_num("Jonh").await.expect("it exists"), unread);
        admin.call("unsaid", "callback_back", &serde_json::json!({})).await.expect("it may");
        receiver.wait_until(|arrivals| told(arrivals).is_superset(&found.recalled)).await;
        assert!(program.terminate().success());
        assert_eq!(told(&receiver.arrivals()), found.recalled, "every recall is told, and nothing else");
        found
    }
}

async fn found(admin: &RestClient) -> Found {
    let range =
        unsaid_client::HistoryRange { count_max: 100, from_time_s: 0, to_time_s: i64::from(u32::MAX), before: None };
    let page = admin.admin_getroammsg("Jonh", "jared", range).await.expect("the range is right");
    assert_eq!(page["Complete"], 1);
    let mut found = Found::default();
    for message in page["MsgList"].as_array().expect("an array") {
        let key: MsgKey = message["MsgKey"].as_str().expect("text").parse().expect("a key");
        found.sent.insert(key);
        if message["MsgFlagBits"] == 8 {
            found.recalled.insert(key);
        }
    }
    found
}

fn told(arrivals: &[std::sync::Arc<unsaid_testkit::Arrival>]) -> BTreeSet<MsgKey> {
    let key = |arrival: &std::sync::Arc<unsaid_testkit::Arrival>| {
        arrival.json()["MsgKey"].as_str().expect("text").parse().expect("a key")
    };
    of_command(arrivals, unsaid_protocol::callback::CallbackCommand::AfterMsgWithDraw).iter().map(key).collect()
}

/// A write-ahead log of SQLite: a header, and frames of a header and a page each. (<https://sqlite.org/fileformat2.html#walformat>)
struct Log {
    bytes: Vec<u8>,
    page: usize,
}

impl Log {
    fn read(path: &PathBuf) -> Self {
        let bytes = fs::read(path).expect("readable");
        let page = word(&bytes, 8) as usize;
        Self { bytes, page }
    }

    fn frame_bytes(&self) -> usize {
        FRAME_HEADER + self.page
    }

    /// Where what is committed ends. Behind it may be frames of before the log began anew, which have other salts.
    fn end(&self) -> usize {
        let (mut at, mut end) = (HEADER, HEADER);
        while at + self.frame_bytes() <= self.bytes.len() && self.bytes[at + 8..at + 16] == self.bytes[16..24] {
            let is_commit = word(&self.bytes, at + 4) != 0;
            at += self.frame_bytes();
            end = if is_commit { at } else { end };
        }
        end
    }

    fn first_frame(&self) -> &[u8] {
        &self.bytes[HEADER..HEADER + self.frame_bytes()]
    }

    fn uncommitted_frame(&self) -> Vec<u8> {
        self.frame_behind(0)
    }

    /// A frame that follows on the last one: its second page, full of ones. `pages` is what a commit says of the database's size.
    fn frame_behind(&self, pages: u32) -> Vec<u8> {
        let last = self.end() - self.frame_bytes();
        let mut frame = Vec::new();
        for number in [2, pages] {
            frame.extend(number.to_be_bytes());
        }
        let checked = [&frame[..], &vec![0xff; self.page]].concat();
        let (mut one, mut two) = (word(&self.bytes, last + 16), word(&self.bytes, last + 20));
        for pair in checked.chunks(8) {
            one = one.wrapping_add(self.checked_word(pair, 0)).wrapping_add(two);
            two = two.wrapping_add(self.checked_word(pair, 4)).wrapping_add(one);
        }
        frame.extend(&self.bytes[16..24]);
        frame.extend(one.to_be_bytes());
        frame.extend(two.to_be_bytes());
        frame.extend(vec![0xff; self.page]);
        frame
    }

    /// Checksums are made of words as the machine that wrote them has them.
    fn checked_word(&self, bytes: &[u8], at: usize) -> u32 {
        let word = word(bytes, at);
        if self.bytes[3] & 1 == 0 { word.swap_bytes() } else { word }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
