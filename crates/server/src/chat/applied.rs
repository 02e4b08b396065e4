//! What came of a command.

use std::borrow::Cow;

use unsaid_protocol::{ErrorCode, MsgKey, UserId};

use super::{log_in::LoggedIn, replay::Replayed, session::SessionId, tx::Fault};

/// What a command has to say when it was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Done {
    Nothing,
    Sent(Sent),
    /// It may be sent, with that key.
    MaySend(Sent),
    Replayed(Replayed),
    LoggedIn(LoggedIn),
    /// These sessions have ended.
    Ended(Vec<SessionId>),
    Batched(Batched),
    /// What came of each of several, 0 if it was done.
    Each(Vec<ErrorCode>),
    /// How many messages were erased.
    Pruned(usize),
    /// How many rows were erased.
    Erased(u64),
}

/// What came of one message to many.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batched {
    pub sent: Sent,
    /// How many have it.
    pub count: usize,
    /// Who has not, and why.
    pub failed: Vec<(UserId, ErrorCode)>,
}

/// A command that the rules do not allow. It has changed nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{info} ({code})")]
pub struct Refusal {
    pub code: ErrorCode,
    /// What the caller should change.
    pub info: Cow<'static, str>,
}

impl Refusal {
    pub fn new(code: ErrorCode, info: impl Into<Cow<'static, str>>) -> Self {
        Self { code, info: info.into() }
    }
}

/// Done or refused; durable either way.
pub type Applied = Result<Done, Refusal>;

/// What the sender learns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    pub key: MsgKey,
    pub id: String,
}

/// Why a command had no effect.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChatError {
    /// The rules refuse it; the caller is told the code.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store could not carry it out; the log is told why.
    #[error(transparent)]
    Failed(#[from] Fault),
}
