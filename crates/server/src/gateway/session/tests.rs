//! The state machine of a session: what comes in, and what it wants done. No socket, no store, no clock but the test's.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use serde_json::{Value, json};
use unsaid_protocol::{MsgKey, session::LoggedIn};

use super::*;
use crate::{
    chat::{Content, Direction, Message, MessageFlags, Shown, SyncEvent, SyncKind, Update},
    clock::Clock,
};

const START_S: i64 = 1_800_000_000;

/// A session, and the time.
struct Bench {
    session: Session,
    now: Moment,
}

impl Bench {
    fn new() -> Self {
        let now = Moment { instant: Clock::system().instant(), wall: Timestamp(START_S * 1000) };
        Self { session: Session::new(now), now }
    }

    /// One that jared has logged in, with nothing to be done.
    fn logged_in() -> Self {
        let mut bench = Self::new();
        bench.says(1, "login", json!({"sdkappid": 1, "user_id": "jared", "user_sig": "x"}));
        bench.done(Done::LoggedIn(ticket(1), Ok(Box::new(welcome(3600)))));
        bench.done(Done::Looked(Ok(Some(updates(0, Vec::new())))));
        bench
    }

    #[expect(clippy::needless_pass_by_value, reason = "what is said is written down where it is said")]
    fn says(&mut self, id: u64, request: &str, data: Value) -> Vec<String> {
        self.text(&json!({"id": id, "request": request, "data": data}).to_string())
    }

    fn text(&mut self, text: &str) -> Vec<String> {
        self.session.text(self.now, RequestId::NONE, text);
        self.outputs()
    }

    fn done(&mut self, done: Done) -> Vec<String> {
        self.session.done(done);
        self.outputs()
    }

    fn hears(&mut self, heard: Heard) -> Vec<String> {
        self.session.heard(heard);
        self.outputs()
    }

    /// Lets time pass, tick by tick, as the socket would.
    fn pass(&mut self, seconds: u64) -> Vec<String> {
        let end = self.now.instant + Duration::from_secs(seconds);
        let mut outputs = Vec::new();
        loop {
            let next = self.session.next_tick(self.now).min(end);
            let passed = next.saturating_duration_since(self.now.instant);
            self.now = Moment { instant: next, wall: self.now.wall.plus(passed) };
            self.session.tick(self.now, false);
            outputs.extend(self.outputs());
            if next >= end || self.session.is_over() {
                return outputs;
            }
        }
    }

    /// What it wants done, in short.
    fn outputs(&mut self) -> Vec<String> {
        self.session.take().iter().map(short).collect()
    }
}

fn short(output: &Output) -> String {
    match output {
        Output::Answer(ticket, code, text) => {
            let frame: Value = serde_json::from_str(text).expect("a frame is JSON");
            assert_eq!((&frame["id"], &frame["code"]), (&json!(ticket.id), &json!(code)));
            format!("answer {} {code}", ticket.id)
        }
        Output::Push(push) => {
            let frame = serde_json::to_value(push).expect("it serializes");
            format!("push {}", frame["push"].as_str().expect("a name"))
        }
        Output::Ping => "ping".to_owned(),
        Output::Close(code) => format!("close {code}"),
        Output::Work(Work::LogIn(ticket, _)) => format!("log in {}", ticket.id),
        Output::Work(Work::Change(ticket, _)) => format!("change {}", ticket.id),
        Output::Work(Work::Ask(ticket, _)) => format!("ask {}", ticket.id),
        Output::Work(Work::Look(cursor)) => format!("look {cursor}"),
    }
}

fn ticket(id: u64) -> Ticket {
    Ticket { id, place: 0, request: RequestId::NONE }
}

fn welcome(valid_s: u64) -> Welcome {
    let cursor = Cursor { epoch: "epoch".into(), life: 0, number: 0 };
    let answer = LoggedIn {
        session: "s_1".to_owned(),
        account_number: "1".to_owned(),
        cursor: cursor.to_string(),
        reload: true,
        unread: 0,
        time_ms: 0,
        recall_window_s: 120,
        nick: String::new(),
        face_url: String::new(),
    };
    let me = UserId::new("jared").expect("a valid name");
    Welcome { me, cursor, expires_s: START_S as u64 + valid_s, answer }
}

fn updates(number: i64, events: Vec<Update>) -> Updates {
    Updates { number, unread: 0, events, conversations: Vec::new(), more: false }
}

fn received(number: i64) -> Update {
    let key = MsgKey { seq: 1, random: 2, time: 3 };
    let peer = UserId::new("Jonh").expect("a valid name");
    let event = SyncEvent { kind: SyncKind::Message, peer, direction: Direction::LowToHigh, key };
    Update { number, event, message: Some(shown()) }
}

fn shown() -> Shown {
    let message = Message {
        direction: Direction::LowToHigh,
        key: MsgKey { seq: 1, random: 2, time: 3 },
        position: 1,
        flags: MessageFlags::COUNTED,
        client_time_s: 3,
        recalled_by: None,
        content: Content { body: "[]".to_owned(), ..Content::default() },
    };
    let user = |name: &str| UserId::new(name).expect("a valid name");
    Shown { from: user("Jonh"), to: user("jared"), id: "id".to_owned(), message }
}

fn empty() -> Answer {
    Ok(show::data(&Nothing {}))
}

#[test]
fn nothing_but_a_heartbeat_comes_before_the_login() {
    let mut bench = Bench::new();
    assert_eq!(bench.says(1, "heartbeat", json!({})), ["answer 1 0"]);
    assert_eq!(bench.says(2, "blocklist", json!({})), ["answer 2 20002"]);
    assert_eq!(bench.says(3, "login", json!({"sdkappid": 1, "user_id": "a", "user_sig": "b"})), ["log in 3"]);
    assert_eq!(bench.says(4, "read_all", json!({})), ["answer 4 20002"], "the login is under way");
    let refusal = Refusal::new(error::USERSIG_WRONG, "another key");
    assert_eq!(bench.done(Done::LoggedIn(ticket(3), Err(refusal))), ["answer 3 70009"]);
    assert_eq!(bench.says(5, "login", json!({"sdkappid": 1, "user_id": "a", "user_sig": "c"})), ["log in 5"]);
    let outputs = bench.done(Done::LoggedIn(ticket(5), Ok(Box::new(welcome(60)))));
    assert_eq!(outputs, ["answer 5 0", "look epoch-0-0"], "what was committed meanwhile is looked for");
    assert_eq!(bench.says(6, "login", json!({"sdkappid": 1, "user_id": "a", "user_sig": "c"})), ["answer 6 20002"]);
}

#[test]
fn who_does_not_log_in_in_time_is_closed() {
    let mut bench = Bench::new();
    assert_eq!(bench.pass(9), Vec::<String>::new());
    bench.says(1, "heartbeat", json!({}));
    assert_eq!(bench.pass(2), ["close 4001"]);
}

#[test]
fn changes_are_done_one_after_the_other_and_questions_beside_them() {
    let mut bench = Bench::logged_in();
    assert_eq!(bench.says(1, "read", json!({"peer": "a"})), ["change 1"]);
    assert_eq!(bench.says(2, "read_all", json!({})), Vec::<String>::new());
    assert_eq!(bench.says(3, "blocklist", json!({})), ["ask 3"]);
    assert_eq!(bench.says(4, "logout", json!({})), Vec::<String>::new());
    assert_eq!(bench.done(Done::Asked(ticket(3), empty())), ["answer 3 0"]);
    assert_eq!(bench.done(Done::Changed(ticket(1), empty())), ["answer 1 0", "change 2"]);
    let refusal = Refusal::new(error::BACK_END, "full");
    assert_eq!(bench.done(Done::Changed(ticket(2), Err(refusal))), ["answer 2 90992", "change 4"]);
    assert_eq!(bench.done(Done::LoggedOut(ticket(4), empty())), ["answer 4 0", "close 4004"]);
    assert_eq!(bench.session.leaving(), None, "it was told");
}

#[test]
fn nothing_is_read_while_too_much_is_under_way() {
    let mut bench = Bench::logged_in();
    for id in 0..limits::SESSION_REQUESTS_MAX as u64 {
        assert!(bench.session.reads_on());
        bench.says(id, if id % 2 == 0 { "read_all" } else { "blocklist" }, json!({}));
    }
    assert!(!bench.session.reads_on());
    bench.done(Done::Asked(ticket(1), empty()));
    assert!(bench.session.reads_on());
}

#[test]
fn r8_a_wake_up_leads_to_a_look_and_never_to_two_at_once() {
    let mut bench = Bench::logged_in();
    let wake = || Heard { something_new: true, ..Heard::default() };
    assert_eq!(bench.hears(wake()), ["look epoch-0-0"]);
    assert_eq!(bench.hears(wake()), Vec::<String>::new());
    let looked = Done::Looked(Ok(Some(updates(2, vec![received(1), received(2)]))));
    assert_eq!(bench.done(looked), ["push updates", "look epoch-0-2"], "it was woken meanwhile");
    assert_eq!(bench.done(Done::Looked(Ok(Some(updates(2, Vec::new()))))), Vec::<String>::new());
}

#[test]
fn r8_much_comes_in_pieces_and_each_goes_further() {
    let mut bench = Bench::logged_in();
    bench.hears(Heard { something_new: true, ..Heard::default() });
    let count = limits::PUSH_UPDATES_MAX as i64 * 2 + 1;
    let events = (1..=count).map(received).collect();
    bench.session.done(Done::Looked(Ok(Some(updates(count, events)))));
    let frames = bench.session.take().into_iter().map(|output| match &output {
        Output::Push(push) => serde_json::to_value(push).expect("it serializes"),
        Output::Answer(..) | Output::Ping | Output::Work(_) | Output::Close(_) => panic!("{output:?}"),
    });
    let cursors: Vec<_> = frames.map(|frame| frame["data"]["cursor"].as_str().expect("text").to_owned()).collect();
    assert_eq!(cursors, ["epoch-0-50", "epoch-0-100", "epoch-0-101"]);
}

#[test]
fn r8_what_is_left_for_another_time_is_looked_for_at_once() {
    let mut bench = Bench::logged_in();
    bench.hears(Heard { something_new: true, ..Heard::default() });
    let some = Updates { more: true, ..updates(9, vec![received(1), received(2)]) };
    assert_eq!(bench.done(Done::Looked(Ok(Some(some)))), ["push updates", "look epoch-0-2"]);
}

#[test]
fn r8_who_is_too_far_behind_is_closed_and_learns_it_when_it_comes_back() {
    let mut bench = Bench::logged_in();
    bench.hears(Heard { something_new: true, ..Heard::default() });
    assert_eq!(bench.done(Done::Looked(Ok(None))), ["close 1011"]);
}

#[test]
fn why_a_login_ends_is_said_first() {
    for (why, push) in [(EndReason::OtherLogin, true), (EndReason::AppBackend, true), (EndReason::Resumed, false)] {
        let mut bench = Bench::logged_in();
        let outputs = bench.hears(Heard { ended: Some(why), ..Heard::default() });
        let expected = if push { vec!["push kicked", "close 4003"] } else { vec!["close 4003"] };
        assert_eq!(outputs, expected);
        assert_eq!(bench.session.leaving(), None, "its row is gone already");
        assert_eq!(bench.says(1, "heartbeat", json!({})), Vec::<String>::new());
    }
    let mut bench = Bench::logged_in();
    bench.session.going_away();
    assert_eq!(bench.outputs(), ["push going_away", "close 1001"]);
    assert_eq!(bench.session.leaving(), None, "it may come back");
}

#[test]
fn an_online_message_is_pushed_at_once() {
    let mut bench = Bench::logged_in();
    let heard = Heard { online: [Arc::new(shown())].into(), ..Heard::default() };
    assert_eq!(bench.hears(heard), ["push online"]);
}

#[test]
fn who_is_silent_is_asked_and_then_given_up() {
    let mut bench = Bench::logged_in();
    assert_eq!(bench.pass(29), Vec::<String>::new());
    assert_eq!(bench.pass(2), ["ping"]);
    bench.session.sign_of_life(bench.now);
    assert_eq!(bench.pass(31), ["ping"]);
    assert_eq!(bench.pass(60), ["close 4002"]);
    assert_eq!(bench.session.leaving(), Some(Leaving::TimedOut));
}

#[test]
fn a_session_ends_with_its_usersig_and_with_its_app() {
    let mut bench = Bench::new();
    bench.says(1, "login", json!({"sdkappid": 1, "user_id": "jared", "user_sig": "x"}));
    bench.done(Done::LoggedIn(ticket(1), Ok(Box::new(welcome(20)))));
    assert_eq!(bench.pass(20), Vec::<String>::new(), "its last second still counts");
    assert_eq!(bench.pass(2), ["push kicked", "close 4003"]);
    assert_eq!(bench.session.leaving(), Some(Leaving::LoggedOut));

    let mut bench = Bench::logged_in();
    bench.session.tick(bench.now, true);
    assert_eq!(bench.outputs(), ["push kicked", "close 4003"]);
}

#[test]
fn a_usersig_without_an_end_does_not_end() {
    let mut bench = Bench::new();
    bench.says(1, "login", json!({"sdkappid": 1, "user_id": "jared", "user_sig": "x"}));
    let welcome = Welcome { expires_s: u64::MAX, ..welcome(0) };
    bench.done(Done::LoggedIn(ticket(1), Ok(Box::new(welcome))));
    bench.done(Done::Looked(Ok(Some(updates(0, Vec::new())))));
    let next = bench.session.next_tick(bench.now);
    assert_eq!(next - bench.now.instant, limits::SESSION_PING_AFTER, "only silence is looked for");
}

#[test]
fn what_is_no_request_closes() {
    for text in ["", "hello", "[]", "{}", r#"{"id":1}"#, r#"{"id":"1","request":"heartbeat"}"#, r#"{"request":"x"}"#] {
        let mut bench = Bench::logged_in();
        assert_eq!(bench.text(text), ["close 1007"], "{text}");
        assert_eq!(bench.session.leaving(), Some(Leaving::LinkClosed));
    }
    let mut bench = Bench::logged_in();
    assert_eq!(bench.says(1, "dance", json!({})), ["answer 1 20001"]);
    assert_eq!(bench.says(2, "recall", json!({"to": 1})), ["answer 2 20001"]);
    bench.session.not_text();
    assert_eq!(bench.outputs(), ["close 1003"]);
}

#[test]
fn a_flood_is_refused_and_then_closed() {
    let mut bench = Bench::logged_in();
    let mut outputs = Vec::new();
    for id in 0..1000 {
        outputs.extend(bench.says(id, "heartbeat", json!({})));
    }
    assert_eq!(outputs.iter().filter(|output| output.ends_with(" 60007")).count(), 200);
    assert_eq!(outputs.last().map(String::as_str), Some("close 1008"));

    let mut bench = Bench::logged_in();
    for _ in 0..1000 {
        bench.session.sign_of_life(bench.now);
    }
    assert_eq!(bench.outputs(), ["close 1008"], "pings are frames, too");
}

proptest! {
    /// Whatever is said in whatever order, each request gets one answer at most, and nothing panics.
    #[test]
    fn no_frames_in_no_order_make_it_panic(frames in prop::collection::vec(any_frame(), 0..40)) {
        let mut bench = Bench::new();
        let mut answers = std::collections::BTreeMap::<String, u32>::new();
        let mut working: Vec<Work> = Vec::new();
        for (id, frame) in frames.iter().enumerate() {
            bench.session.text(bench.now, RequestId::NONE, &frame.replace("ID", &id.to_string()));
            loop {
                let mut idle = true;
                for output in bench.session.take() {
                    idle = false;
                    if let Output::Work(work) = output {
                        working.push(work);
                    } else if let Some(id) = short(&output).strip_prefix("answer ") {
                        *answers.entry(id.split(' ').next().unwrap_or_default().to_owned()).or_default() += 1;
                    }
                }
                match working.pop() {
                    Some(work) => bench.session.done(finish(work)),
                    None if idle => break,
                    None => {}
                }
            }
        }
        prop_assert!(answers.values().all(|count| *count == 1), "{answers:?}");
    }
}

fn finish(work: Work) -> Done {
    match work {
        Work::LogIn(id, _) => Done::LoggedIn(id, Ok(Box::new(welcome(60)))),
        Work::Change(id, Change::Logout) => Done::LoggedOut(id, empty()),
        Work::Change(id, _) => Done::Changed(id, empty()),
        Work::Ask(id, _) => Done::Asked(id, empty()),
        Work::Look(cursor) => Done::Looked(Ok(Some(updates(cursor.number, Vec::new())))),
    }
}

fn any_frame() -> impl Strategy<Value = String> {
    let name = prop::sample::select(super::super::request::NAMES.to_vec());
    let data = prop::sample::select(vec![
        r#"{"sdkappid":1,"user_id":"a","user_sig":"b"}"#,
        r#"{"to":"a","msg_key":"1_2_3"}"#,
        r#"{"peer":"a","msg_keys":["1_2_3"],"users":[]}"#,
        "{}",
        "[]",
        "null",
        "7",
    ]);
    prop_oneof![
        20 => (name, data).prop_map(|(name, data)| format!(r#"{{"id":ID,"request":"{name}","data":{data}}}"#)),
        1 => ".{0,40}",
    ]
}
