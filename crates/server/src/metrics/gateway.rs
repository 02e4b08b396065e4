//! What the gateway counts.

use unsaid_protocol::{
    ErrorCode,
    callback::Platform,
    session::{KickReason, Push, close},
};

use super::{
    book::{Book, Entry, Kind, Measure},
    codes,
    counters::{Axis, Counters},
};
use crate::gateway::REQUESTS;

#[derive(Clone, Debug)]
pub struct GatewayMetrics {
    requests: Counters<2>,
    logins: Counters<1>,
    kicks: Counters<1>,
    closes: Counters<1>,
    pushes: Counters<1>,
}

const RECALL: &str = "recall";

/// In the order of their places.
const REASONS: [&str; 4] = ["other_login", "app_backend", "user_sig_expired", "app_disabled"];
const PUSHES: [&str; 4] = ["updates", "online", "kicked", "going_away"];

/// How a connection ended for which the server had no code: its other end closed or lost it.
const BY_CLIENT: usize = close::ALL.len();

impl GatewayMetrics {
    pub(super) fn new(book: &mut Book) -> Self {
        let names = REQUESTS.into_iter().chain(["unknown"]);
        let codes = close::ALL.iter().map(|(code, _)| code.to_string()).chain(["by_client".to_owned()]);
        let metrics = Self {
            requests: Counters::new([Axis::new("request", names), codes::axis()]),
            logins: Counters::new([Axis::new("platform", Platform::ALL.map(Platform::as_str))]),
            kicks: Counters::new([Axis::new("reason", REASONS)]),
            closes: Counters::new([Axis::new("code", codes)]),
            pushes: Counters::new([Axis::new("push", PUSHES)]),
        };
        let counter = |name, labels, about| Entry { name, kind: Kind::Counter, unit: Measure::Count, labels, about };
        let about = "Requests of sessions by name and code. Names that there are not are `unknown`; codes that an app backend \
                     chose itself are `own`";
        book.enter(counter("unsaid_gateway_requests", &["request", "code"], about), metrics.requests.clone());
        let about =
            "Logins that succeeded, by what the device says that it is. Those that did not are requests `login`";
        book.enter(counter("unsaid_session_logins", &["platform"], about), metrics.logins.clone());
        let about = "Sessions that the server ended for a reason that it told them";
        book.enter(counter("unsaid_session_kicks", &["reason"], about), metrics.kicks.clone());
        let about = "Connections of the gateway that have ended, by the code of the close frame that the server sent; \
                     `by_client` where the other end closed or lost it";
        book.enter(counter("unsaid_session_closes", &["code"], about), metrics.closes.clone());
        let about = "Frames that sessions were sent unasked. One of `updates` may hold several of them";
        book.enter(counter("unsaid_gateway_pushes", &["push"], about), metrics.pushes.clone());
        metrics
    }

    /// `request`: its place among [`REQUESTS`]; behind them if there is no such request.
    pub fn answered(&self, request: usize, code: ErrorCode) {
        self.requests.count([request, codes::place(code)]);
    }

    /// Recalls that succeeded.
    pub(super) fn recalls(&self) -> u64 {
        let place = REQUESTS.iter().position(|request| *request == RECALL);
        self.requests.counted([place.expect("it is one of the requests"), codes::place(ErrorCode(0))])
    }

    pub fn logged_in(&self, platform: Platform) {
        let place = Platform::ALL.into_iter().position(|one| one == platform);
        self.logins.count([place.expect("it is one of all")]);
    }

    pub fn pushed(&self, push: &Push) {
        let place = match push {
            Push::Updates(_) => 0,
            Push::Online(_) => 1,
            Push::Kicked(kicked) => {
                self.kicks.count([reason(kicked.reason)]);
                2
            }
            Push::GoingAway(_) => 3,
        };
        self.pushes.count([place]);
    }

    /// None: by the other end.
    pub fn closed(&self, code: Option<u16>) {
        let place = code.and_then(|code| close::ALL.iter().position(|(one, _)| *one == code));
        self.closes.count([place.unwrap_or(BY_CLIENT)]);
    }
}

fn reason(reason: KickReason) -> usize {
    match reason {
        KickReason::OtherLogin => 0,
        KickReason::AppBackend => 1,
        KickReason::UserSigExpired => 2,
        KickReason::AppDisabled => 3,
    }
}
