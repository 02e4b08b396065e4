//! What the REST API counts.

use std::{borrow::Cow, time::Duration};

use unsaid_protocol::ErrorCode;

use super::{
    book::{Book, Entry, Kind, Measure},
    codes,
    counters::{Axis, Counters},
    histogram::{Histograms, TIMES},
};
use crate::rest::COMMANDS;

const RECALL: &str = "admin_msgwithdraw";

#[derive(Clone, Debug)]
pub struct RestMetrics {
    requests: Counters<2>,
    seconds: Histograms,
}

impl RestMetrics {
    pub(super) fn new(book: &mut Book) -> Self {
        let commands = COMMANDS.iter().map(|command| Cow::from(format!("{}/{}", command.service, command.name)));
        let commands = Axis::new("command", commands.chain([Cow::from("unknown")]));
        let requests = Counters::new([commands.clone(), codes::axis()]);
        let seconds = Histograms::new(commands, TIMES);
        let entry = Entry {
            name: "unsaid_rest_requests",
            kind: Kind::Counter,
            unit: Measure::Count,
            labels: &["command", "code"],
            about: "Requests of the REST API by command and ErrorCode. Commands that there are not are `unknown`; codes that \
                    an app backend chose itself are `own`",
        };
        book.enter(entry, requests.clone());
        let entry = Entry {
            name: "unsaid_rest_request",
            kind: Kind::Histogram,
            unit: Measure::Seconds,
            labels: &["command"],
            about: "From a request's header to its answer; asking the app backend before a send is part of it",
        };
        book.enter(entry, seconds.clone());
        Self { requests, seconds }
    }

    /// Recalls that succeeded.
    pub(super) fn recalls(&self) -> u64 {
        let place = COMMANDS.iter().position(|command| command.name == RECALL);
        self.requests.counted([place.expect("it is one of the commands"), codes::place(ErrorCode(0))])
    }

    /// `command`: its place among [`COMMANDS`]; none if there is no such command.
    pub fn answered(&self, command: Option<usize>, code: ErrorCode, took: Duration) {
        let command = command.unwrap_or(COMMANDS.len());
        self.requests.count([command, codes::place(code)]);
        self.seconds.at(command).took(took);
    }
}
