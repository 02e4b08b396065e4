//! The audit log: who changed what, and when. It names apps, settings and accounts; it never holds a secret or a text.

use std::net::IpAddr;

use unsaid_protocol::SdkAppId;

use super::{
    applied::{ChatError, Done},
    command::Command,
    tx::Tx,
};
use crate::clock::Timestamp;

/// What is noted of a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// The name of the token that was used.
    pub actor: String,
    pub client_ip: IpAddr,
    /// What was done, as `app.create`.
    pub action: &'static str,
    /// The app that it was done to, if it was one.
    pub app: Option<SdkAppId>,
    /// Names of settings, accounts, events.
    pub what: String,
}

/// A line of the audit log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// Grows with each entry.
    pub id: i64,
    pub at: Timestamp,
    pub actor: String,
    pub client_ip: String,
    pub action: String,
    pub app: Option<SdkAppId>,
    pub what: String,
}

/// Which entries, the latest first. What is not set holds for all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditFilter {
    pub actor: Option<String>,
    /// An action, or what it begins with before its dot.
    pub action: Option<String>,
    pub app: Option<SdkAppId>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Only entries before this one.
    pub before: Option<i64>,
    pub entries_max: u32,
}

/// Entries that a filter covers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// Before which entry to go on; none if everything was looked at.
    pub next: Option<i64>,
}

impl AuditFilter {
    pub fn covers(&self, entry: &AuditEntry) -> bool {
        let is_action = |action: &String| {
            entry.action == *action
                || entry.action.strip_prefix(action.as_str()).is_some_and(|rest| rest.starts_with('.'))
        };
        self.actor.as_ref().is_none_or(|actor| *actor == entry.actor)
            && self.action.as_ref().is_none_or(is_action)
            && self.app.is_none_or(|app| entry.app == Some(app))
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at <= until)
    }
}

/// A change together with the note of it: both are durable, or neither.
#[derive(Clone, Debug)]
pub struct Noted {
    pub note: Note,
    /// None where what is noted changes nothing in the store.
    pub change: Option<Command>,
}

impl Noted {
    /// A change that is refused leaves no note.
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let done = match &self.change {
            Some(change) => change.apply(tx)??,
            None => Done::Nothing,
        };
        tx.add_note(&self.note)?;
        Ok(done)
    }
}
