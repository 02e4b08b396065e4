//! What the receiver is sent: read as far as matching needs it, and every so often checked as a receiver would.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use serde::Deserialize;
use unsaid_receiver::Verifier;
use unsaid_testkit::Arrival;

use crate::{
    account::Account,
    bare::posts,
    table::{Message, Table},
};

/// Every how many arrivals one is checked; checking all of them would cost time that the server could use.
const SAMPLE: u64 = 100;

/// Takes what arrives.
pub(crate) struct Inbox {
    verifier: Verifier,
    /// Set before the first request.
    table: OnceLock<Arc<Table>>,
    /// Of the latest callback.
    body_bytes: AtomicUsize,
    checked: AtomicU64,
    rejected: AtomicU64,
}

/// How many arrivals were checked, and how many of them were not signed as they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Samples {
    pub(crate) checked: u64,
    pub(crate) rejected: u64,
}

impl Inbox {
    pub(crate) fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            table: OnceLock::new(),
            body_bytes: AtomicUsize::new(0),
            checked: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
        }
    }

    /// From now on arrivals are matched with `table`.
    pub(crate) fn expect(&self, table: Arc<Table>) {
        let first = self.table.set(table).is_ok();
        assert!(first, "a run has one table");
    }

    pub(crate) fn samples(&self) -> Samples {
        let Self { checked, rejected, .. } = self;
        Samples { checked: checked.load(Ordering::Relaxed), rejected: rejected.load(Ordering::Relaxed) }
    }

    /// How long callbacks are.
    pub(crate) fn body_bytes(&self) -> usize {
        self.body_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self, arrival: &Arrival) {
        if arrival.path_and_query().starts_with(posts::PATH) {
            return;
        }
        self.body_bytes.store(arrival.body.len(), Ordering::Relaxed);
        if arrival.number % SAMPLE == 1 {
            self.check(arrival);
        }
        // Only what is measured has its switch on, so nothing is owed before the table is there.
        let Some(table) = self.table.get() else {
            eprintln!("load: a callback came before the first request: {}", arrival.path_and_query());
            return;
        };
        match (told(&arrival.body), number(arrival)) {
            (Some(message), Some(number)) => table.called_back(&message, number, arrival.at),
            _ => table.unreadable(),
        }
    }

    fn check(&self, arrival: &Arrival) {
        self.checked.fetch_add(1, Ordering::Relaxed);
        if let Err(rejection) = self.verifier.verify(arrival.request(), arrival.wall_ms / 1000)
            && self.rejected.fetch_add(1, Ordering::Relaxed) == 0
        {
            eprintln!("load: the first callback that a receiver would reject: {rejection}");
        }
    }
}

/// Its place in its lane.
pub(crate) fn number(arrival: &Arrival) -> Option<i64> {
    arrival.header("unsaid-number")?.parse().ok()
}

/// The message that a recall callback names, if it could be one of this tool's.
pub(crate) fn recalled(body: &[u8]) -> Option<Message> {
    named(body, &["C2C.CallbackAfterMsgWithDraw"])
}

/// The message that was recalled or sent.
fn told(body: &[u8]) -> Option<Message> {
    named(body, &["C2C.CallbackAfterMsgWithDraw", "C2C.CallbackAfterSendMsg"])
}

fn named(body: &[u8], commands: &[&str]) -> Option<Message> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(rename = "CallbackCommand")]
        command: &'a str,
        #[serde(rename = "From_Account")]
        from: &'a str,
        #[serde(rename = "To_Account")]
        to: &'a str,
        #[serde(rename = "MsgKey")]
        key: &'a str,
    }
    let Body { command, from, to, key } = serde_json::from_slice(body).ok()?;
    let (from, to) = (Account::named(from)?, Account::named(to)?);
    commands.contains(&command).then_some(Message { from, to, key: key.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use unsaid_protocol::MsgKey;

    use super::*;

    #[test]
    fn a_callback_names_its_message() {
        let body = r#"{"CallbackCommand":"C2C.CallbackAfterMsgWithDraw","From_Account":"user7","To_Account":"user42",
            "MsgKey":"1_2_3","UnreadMsgNum":4,"EventTime":5}"#;
        let message = Message { from: Account(7), to: Account(42), key: MsgKey { seq: 1, random: 2, time: 3 } };
        assert_eq!(recalled(body.as_bytes()), Some(message));
        let sent = body.replace("AfterMsgWithDraw", "AfterSendMsg");
        assert_eq!((told(body.as_bytes()), told(sent.as_bytes())), (Some(message), Some(message)));
        for (what, other) in [
            ("C2C.CallbackAfterMsgWithDraw", "C2C.CallbackAfterSendMsg"),
            ("user7", "alice"),
            ("user42", ""),
            ("1_2_3", "1_2"),
            ("MsgKey", "Key"),
            ("\"EventTime\":5}", ""),
        ] {
            assert_eq!(recalled(body.replace(what, other).as_bytes()), None, "{what} replaced by {other:?}");
        }
    }
}
