//! The hot pieces of the server, each by itself, so that its instructions can be counted: a busy machine changes how long they
//! take, not how many they are. Built for the load tool and for tests alone; `cargo xtask count` counts.
//!
//! A piece that needs the inside of a room stands there, in its `pieces.rs`.

use axum::http::StatusCode;
use unsaid_protocol::SdkAppId;

use crate::{
    apps::{App, Origin, Secret},
    callback, identity,
    stage::{ADMIN, APP, KEY, Lasting, usersig},
    store,
};

/// One piece, and what one time of it is.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    pub name: &'static str,
    pub what: &'static str,
    open: fn(u32) -> Work,
}

/// What is done so many times. All that it needs was made before.
pub type Work = Box<dyn FnOnce()>;

/// All of them, in the way of the data.
pub const PIECES: [Piece; 8] = [
    Piece { name: "usersig", what: "a UserSig is proven", open: identity::pieces::prove_usersig },
    Piece {
        name: "known-usersig",
        what: "a UserSig that was proven before is found",
        open: identity::pieces::find_usersig,
    },
    Piece { name: "rest", what: "a recall, from its request to its answer, on the store in memory", open: rest },
    Piece {
        name: "send",
        what: "a send in the embedded store, 64 to a transaction",
        open: store::sqlite::pieces::send,
    },
    Piece {
        name: "recall",
        what: "a recall in the embedded store, 64 to a transaction",
        open: store::sqlite::pieces::recall,
    },
    Piece {
        name: "settle",
        what: "a delivered callback leaves the outbox, 64 to a transaction",
        open: store::sqlite::pieces::settle,
    },
    Piece { name: "delivery", what: "an event, from its hint to its settlement", open: callback::pieces::deliver },
    Piece { name: "callback", what: "a callback is built and signed", open: callback::pieces::build },
];

impl Piece {
    /// The piece of that name.
    pub fn named(name: &str) -> Option<Self> {
        PIECES.into_iter().find(|piece| piece.name == name)
    }

    /// Makes what it needs for so many times. The work panics where the piece does not do what it is for.
    pub fn prepare(&self, times: u32) -> Work {
        (self.open)(times)
    }
}

/// The app of all pieces.
pub(crate) fn app() -> App {
    App::new(APP, Secret::new(KEY), Origin::Runtime)
}

/// The app's number, a UserSig of its admin, and who that is.
pub(crate) fn caller() -> (SdkAppId, String, &'static str) {
    (APP, usersig(ADMIN), ADMIN)
}

fn rest(times: u32) -> Work {
    let lasting = Lasting::new();
    let stage = lasting.stage();
    let ask = move |command: &str, body: &str| {
        let (status, answer) = lasting.runtime.block_on(stage.rest(command, body.as_bytes())).expect("it is a path");
        assert!(status == StatusCode::OK && answer.contains(r#""ErrorCode":0"#), "{command}: {answer}");
        answer
    };
    let mut bodies = Vec::new();
    for number in 0..times {
        let random = 5000 + number;
        let answer = ask(
            "openim/sendmsg",
            &format!(
                r#"{{"From_Account":"mira","To_Account":"tomas","MsgSeq":{random},"MsgRandom":{random},"MsgBody":[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"hi"}}}}]}}"#
            ),
        );
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("it is JSON");
        let key = answer["MsgKey"].as_str().expect("a send is answered with its key");
        bodies.push(format!(r#"{{"From_Account":"mira","To_Account":"tomas","MsgKey":"{key}"}}"#));
    }
    Box::new(move || {
        for body in bodies {
            ask("openim/admin_msgwithdraw", &body);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_does_what_it_is_for() {
        for piece in PIECES {
            piece.prepare(130)();
        }
    }
}
