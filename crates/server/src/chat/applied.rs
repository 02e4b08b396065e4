//! What came of a command.

use std::borrow::Cow;

use unsaid_protocol::{ErrorCode, MsgKey};

/// What a command has to say when it was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Done {
    Nothing,
    Sent(Sent),
}

/// A command that the rules do not allow. It has changed nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
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

/// Done or refused.
pub type Applied<T = Done> = Result<T, Refusal>;

/// What the sender learns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    pub key: MsgKey,
    pub id: String,
}
