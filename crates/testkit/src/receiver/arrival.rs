//! One request as it arrived, and the record of all of them.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::sync::watch;
use unsaid_receiver::{Check, Headers, Request, Verifier};

/// A request, read to its end.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// When its last byte was there.
    pub at: Instant,
    /// The same in milliseconds since 1970.
    pub wall_ms: i64,
    /// Its place among all arrivals of this receiver; the first is 1.
    pub number: u64,
    /// Method, URI and headers.
    pub head: Parts,
    pub body: Bytes,
    /// What a receiver checks, if this one was told to check.
    pub checks: Vec<Check>,
}

impl Arrival {
    pub(super) fn new(number: u64, head: Parts, body: Bytes, verifier: Option<&Verifier>) -> Self {
        let (at, wall_ms) = now();
        let mut arrival = Self { at, wall_ms, number, head, body, checks: Vec::new() };
        if let Some(verifier) = verifier {
            arrival.checks = verifier.checks(arrival.request(), wall_ms / 1000);
        }
        arrival
    }

    pub fn method(&self) -> &str {
        self.head.method.as_str()
    }

    pub fn path_and_query(&self) -> &str {
        self.head.uri.path_and_query().map_or("", |path| path.as_str())
    }

    /// The value of a header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The decoded value of a query parameter; the first, if there are more.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        let pairs = self.head.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
        Some(percent_decode_str(value).decode_utf8_lossy())
    }

    /// The body. Panics if it is not JSON.
    #[track_caller]
    pub fn body(&self) -> &[u8] {
        self.request().body
    }

    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("the body is not JSON ({error}): {}", String::from_utf8_lossy(&self.body)),
        }
    }

    /// `CallbackCommand` of the query.
    pub fn command(&self) -> Option<Cow<'_, str>> {
        self.query("CallbackCommand")
    }

    /// Whether every check that was done passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.result.is_ok())
    }

    /// For `unsaid_receiver::Verifier`.
    pub fn request(&self) -> Request<'_> {
        Request {
            method: self.method(),
            path_and_query: self.path_and_query(),
            headers: Headers::read(|name| self.header(name)),
            body: &self.body,
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "when a request arrives is what is measured here")]
fn now() -> (Instant, i64) {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (Instant::now(), i64::try_from(wall.as_millis()).unwrap_or(i64::MAX))
}

/// The arrivals in their order, up to a bound: one more makes whoever looks panic, so that no test passes by chance.
pub(super) struct Record {
    state: Mutex<State>,
    arrivals_max: usize,
    /// How many there are; wakes those who wait.
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    arrivals: Vec<Arc<Arrival>>,
    /// How many `next` has handed out.
    taken: usize,
    overflowed: bool,
}

impl Record {
    pub(super) fn new(arrivals_max: usize) -> Self {
        Self { state: Mutex::default(), arrivals_max, count: watch::Sender::new(0) }
    }

    pub(super) fn push(&self, arrival: Arc<Arrival>) {
        let mut state = self.state.lock().expect("no holder panics");
        if state.arrivals.len() < self.arrivals_max {
            state.arrivals.push(arrival);
        } else {
            state.overflowed = true;
        }
        let count = state.arrivals.len();
        drop(state);
        self.count.send_modify(|known| *known = count.max(*known));
    }

    /// All of them so far.
    pub(super) fn arrivals(&self) -> Vec<Arc<Arrival>> {
        let state = self.state.lock().expect("no holder panics");
        let (arrivals, overflowed) = (state.arrivals.clone(), state.overflowed);
        drop(state);
        self.assert_complete(overflowed);
        arrivals
    }

    /// The first that was not taken yet, which it then is.
    pub(super) fn take(&self) -> Option<Arc<Arrival>> {
        let mut state = self.state.lock().expect("no holder panics");
        let arrival = state.arrivals.get(state.taken).cloned();
        state.taken += usize::from(arrival.is_some());
        let overflowed = state.overflowed;
        drop(state);
        self.assert_complete(overflowed);
        arrival
    }

    /// Wakes at every arrival from now on.
    pub(super) fn watch(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    fn assert_complete(&self, overflowed: bool) {
        assert!(
            !overflowed,
            "more than {} requests arrived: give a larger Recording::UpTo, or use Recording::Off and a sink",
            self.arrivals_max
        );
    }
}
