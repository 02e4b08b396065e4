//! What clients send once their connection has become a WebSocket, and the cursors that they come back with.

use std::{net::Ipv4Addr, sync::Arc};

use serde_json::Value;
use unsaid_protocol::{MsgKey, session::RequestFrame};

use super::{
    cursor::Cursor,
    session::{Done, Output, Session, Work},
    show,
    work::{Seat, Worker, log_in},
};
use crate::{
    chat::{RequestId, Shown},
    fuzz::Reader,
    stage::{Lasting, Stage},
};

/// So many frames of one input are heard.
const FRAMES_MAX: usize = 32;

/// Frames, one a line: each request is answered once, by JSON with its id and a code.
pub(crate) fn open() -> Reader {
    let lasting = Lasting::new();
    Box::new(move |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        check_names(text);
        let stage = lasting.stage();
        let mut bench = Bench { stage: &stage, session: Session::new(stage.gateway.moment()), seat: None };
        for line in text.lines().take(FRAMES_MAX) {
            let answers = lasting.runtime.block_on(bench.hear(line));
            if let Ok(frame) = serde_json::from_str::<RequestFrame<'_>>(line) {
                let mine = answers.iter().filter(|answer| answer["id"] == frame.id);
                assert!(bench.session.is_over() || mine.count() == 1, "{line} has {answers:?}");
            }
        }
    })
}

/// What is read as the name of a place or of a message is written so, too.
fn check_names(text: &str) {
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
    if let Ok(key) = text.parse::<MsgKey>() {
        assert_eq!(key.to_string(), text);
    }
}

/// What a device is shown of a message that another server told of.
pub(crate) fn show(shown: &Shown) {
    let text = show::frame(&show::message(shown));
    let message: Value = serde_json::from_str(&text).expect("what is shown is JSON");
    assert_eq!(message["from"], shown.from.as_str());
}

/// A session whose work is done at once, as `socket.rs` would have it done.
struct Bench<'a> {
    stage: &'a Stage,
    session: Session,
    seat: Option<Arc<Seat>>,
}

impl Bench<'_> {
    /// What a frame is answered.
    async fn hear(&mut self, line: &str) -> Vec<Value> {
        let now = self.stage.gateway.moment();
        self.session.tick(now, false);
        self.session.text(now, RequestId::NONE, line);
        let mut answers = self.put_out().await;
        if let Some(heard) = self.seat.as_ref().map(|seat| seat.registration.line().take()) {
            self.session.heard(heard);
            answers.extend(self.put_out().await);
        }
        assert!(self.session.next_tick(now) >= now.instant, "what has to come is to come");
        answers
    }

    async fn put_out(&mut self) -> Vec<Value> {
        let mut answers = Vec::new();
        loop {
            let outputs = self.session.take();
            if outputs.is_empty() {
                return answers;
            }
            for output in outputs {
                match output {
                    Output::Answer(_, code, text) => {
                        let answer: Value = serde_json::from_str(&text).expect("an answer is JSON");
                        assert_eq!(answer["code"], code.0, "{text}");
                        assert_eq!(code.0 == 0, answer.get("info").is_none(), "{text}");
                        answers.push(answer);
                    }
                    Output::Push(push) => {
                        let push: Value = serde_json::from_str(&show::frame(&push)).expect("a push is JSON");
                        assert!(push["push"].is_string(), "{push}");
                    }
                    Output::Work(work) => self.work(work).await,
                    Output::Ping | Output::Close(_) => {}
                }
            }
        }
    }

    async fn work(&mut self, work: Work) {
        let gateway = Arc::clone(&self.stage.gateway);
        let done = match (work, &self.seat) {
            (Work::LogIn(ticket, login), _) => {
                let seated = log_in(gateway, Ipv4Addr::LOCALHOST.into(), ticket, login).await;
                let result = seated.result.map(|(seat, welcome)| {
                    self.seat = Some(Arc::new(seat));
                    welcome
                });
                Done::LoggedIn(ticket, result)
            }
            (work, Some(seat)) => Worker { gateway, seat: Arc::clone(seat) }.work(work).await,
            (_, None) => unreachable!("who has not logged in asks for nothing"),
        };
        self.session.done(done);
    }
}
