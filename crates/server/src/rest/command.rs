//! What a command is: its name, its fields, what it refuses, and examples. Reading a request, `docs/rest.md` and the
//! contract tests are made from these, so that they cannot differ.

use std::{future::Future, pin::Pin};

use axum::http::request::Parts;
use unsaid_protocol::ErrorCode;

use super::{Rest, envelope::Answer, gate::Caller};
use crate::chat::ChatError;

/// A command of the REST API.
pub struct Command {
    pub service: &'static str,
    pub name: &'static str,
    /// What it does, for `docs/rest.md`.
    pub about: &'static str,
    /// In the order in which they are checked.
    pub fields: &'static [&'static Field],
    /// What it refuses beyond its fields, and when.
    pub refusals: &'static [(ErrorCode, &'static str)],
    /// They work against the demo, in their order.
    pub examples: &'static [Example],
    /// Whether it is taken by GET, too (rest 8.9).
    pub get: bool,
    pub(in crate::rest) answer: Handler,
}

/// A request's body and what is answered to it.
pub struct Example {
    pub body: &'static str,
    pub answer: &'static str,
    /// What a reader has to know who pastes it beside the demo: that it gets this answer once only, or after which line.
    /// Lines without a note can be pasted in any order, again and again.
    pub note: &'static str,
}

type Handler = for<'a> fn(Call<'a>) -> Answering<'a>;
pub(super) type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answer, ChatError>> + Send + 'a>>;

/// A request that has passed the gate.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) rest: &'a Rest,
    pub(super) caller: &'a Caller,
    pub(super) head: &'a Parts,
    pub(super) body: &'a [u8],
}

/// A field of a request's body.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    /// Another name by which it goes; `name` counts where both are there.
    pub alias: Option<&'static str>,
    pub kind: Kind,
    pub required: bool,
    /// It is missing, or wrong.
    pub code: ErrorCode,
    /// It is of another type.
    pub type_code: ErrorCode,
    /// How many an Array may hold, and the code for more.
    pub most: Option<(usize, ErrorCode)>,
    pub about: &'static str,
}

/// The JSON type of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Text,
    /// A UserID.
    Account,
    Key,
    /// From 0 to 2^32 - 1.
    Number,
    Integer,
    /// A moment.
    Seconds,
    /// A time span.
    Duration,
    Texts,
    Object,
    Objects,
    /// `MsgBody`.
    Elements,
}

impl Field {
    pub(super) const fn required(name: &'static str, kind: Kind, code: ErrorCode, about: &'static str) -> Self {
        Self { required: true, ..Self::optional(name, kind, code, about) }
    }

    pub(super) const fn optional(name: &'static str, kind: Kind, code: ErrorCode, about: &'static str) -> Self {
        Self { name, alias: None, kind, required: false, code, type_code: code, most: None, about }
    }

    pub(super) const fn or(self, alias: &'static str) -> Self {
        Self { alias: Some(alias), ..self }
    }

    pub(super) const fn of_wrong_type(self, type_code: ErrorCode) -> Self {
        Self { type_code, ..self }
    }

    pub(super) const fn at_most(self, most: usize, code: ErrorCode) -> Self {
        Self { most: Some((most, code)), ..self }
    }
}

impl Kind {
    /// As the documentation and errors call it.
    pub const fn called(self) -> &'static str {
        match self {
            Self::Text | Self::Account | Self::Key => "a String",
            Self::Number => "an Integer from 0 to 4294967295",
            Self::Integer => "an Integer",
            Self::Seconds => "an Integer, seconds since 1970",
            Self::Duration => "an Integer, seconds",
            Self::Texts => "an Array of Strings",
            Self::Object => "an Object",
            Self::Objects => "an Array of Objects",
            Self::Elements => "an Array of elements",
        }
    }
}
