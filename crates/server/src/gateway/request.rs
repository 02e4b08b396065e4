//! Requests of clients: a name and its fields become one value, or a refusal that says what to change.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use unsaid_protocol::{
    error,
    session::{
        Conversations, DeleteConversation, DeleteMessages, History, Login, Modify, Read, Recall, Receipt, Send,
        SetProfile, Users,
    },
};

use crate::chat::{Refusal, RequestId};

/// What a client wants.
#[derive(Debug)]
pub(super) enum Request {
    Login(Login),
    Heartbeat,
    Change(Change),
    Question(Question),
}

/// What changes something. Those of a session are done one after the other.
#[derive(Debug)]
pub(super) enum Change {
    Send(Box<Send>),
    Recall(Recall),
    Modify(Modify),
    Read(Read),
    ReadAll,
    Receipt(Receipt),
    DeleteMessages(DeleteMessages),
    DeleteConversation(DeleteConversation),
    SetProfile(SetProfile),
    Block(Users),
    Unblock(Users),
    Logout,
}

/// What only asks.
#[derive(Debug)]
pub(super) enum Question {
    History(History),
    Conversations(Conversations),
    Profiles(Users),
    Online(Users),
    Blocklist,
}

/// The names of all requests.
pub const NAMES: [&str; 19] = [
    "login",
    "heartbeat",
    "send",
    "recall",
    "modify",
    "read",
    "read_all",
    "receipt",
    "delete_messages",
    "delete_conversation",
    "set_profile",
    "block",
    "unblock",
    "logout",
    "history",
    "conversations",
    "profiles",
    "online",
    "blocklist",
];

/// Which request an answer is for: its number, as its client gave it; its place among [`NAMES`], or behind them; and what
/// it is called here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ticket {
    pub(super) id: u64,
    pub(super) place: usize,
    pub(super) request: RequestId,
}

impl Ticket {
    pub(super) fn of(id: u64, name: &str, request: RequestId) -> Self {
        Self { id, place: NAMES.iter().position(|one| *one == name).unwrap_or(NAMES.len()), request }
    }
}

impl Request {
    pub(super) fn read(name: &str, data: Option<&RawValue>) -> Result<Self, Refusal> {
        let fields = Fields { name, data };
        Ok(match name {
            "login" => Self::Login(fields.read()?),
            "heartbeat" => Self::Heartbeat,
            "send" => Self::Change(Change::Send(Box::new(fields.read()?))),
            "recall" => Self::Change(Change::Recall(fields.read()?)),
            "modify" => Self::Change(Change::Modify(fields.read()?)),
            "read" => Self::Change(Change::Read(fields.read()?)),
            "read_all" => Self::Change(Change::ReadAll),
            "receipt" => Self::Change(Change::Receipt(fields.read()?)),
            "delete_messages" => Self::Change(Change::DeleteMessages(fields.read()?)),
            "delete_conversation" => Self::Change(Change::DeleteConversation(fields.read()?)),
            "set_profile" => Self::Change(Change::SetProfile(fields.read()?)),
            "block" => Self::Change(Change::Block(fields.read()?)),
            "unblock" => Self::Change(Change::Unblock(fields.read()?)),
            "logout" => Self::Change(Change::Logout),
            "history" => Self::Question(Question::History(fields.read()?)),
            "conversations" => Self::Question(Question::Conversations(fields.read()?)),
            "profiles" => Self::Question(Question::Profiles(fields.read()?)),
            "online" => Self::Question(Question::Online(fields.read()?)),
            "blocklist" => Self::Question(Question::Blocklist),
            _ => {
                let info = format!("there is no request {name:?}; there are {}", NAMES.join(", "));
                return Err(Refusal::new(error::ILLEGAL_REQUEST, info));
            }
        })
    }
}

struct Fields<'a> {
    name: &'a str,
    data: Option<&'a RawValue>,
}

impl Fields<'_> {
    fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let json = self.data.map_or("{}", RawValue::get);
        serde_json::from_str(json).map_err(|problem| {
            // Where in the line it stands helps nobody who sent one line.
            let problem = problem.to_string();
            let problem = problem.split(" at line ").next().unwrap_or_default();
            Refusal::new(error::ILLEGAL_REQUEST, format!("data of {}: {problem}", self.name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, json: &str) -> Result<Request, String> {
        let data = RawValue::from_string(json.to_owned()).expect("JSON");
        Request::read(name, Some(&data)).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn every_name_is_a_request() {
        for name in NAMES {
            let refusal = read(name, "{}").err().unwrap_or_default();
            assert!(!refusal.contains("there is no request"), "{name}: {refusal}");
        }
    }

    #[test]
    fn a_refusal_names_the_field() {
        for (name, data, expect) in [
            ("recall", r#"{"to":"Jonh"}"#, "data of recall: missing field `msg_key`"),
            ("recall", r#"{"to":7,"msg_key":""}"#, "data of recall: invalid type: integer `7`, expected a string"),
            ("recall", "[]", "data of recall: invalid length 0"),
            ("read", r#"{"peer":"a","time_s":-1}"#, "data of read: invalid value: integer `-1`, expected u32"),
            ("recal", "{}", "there is no request \"recal\"; there are login, "),
        ] {
            let refusal = read(name, data).expect_err(data);
            assert!(refusal.starts_with(expect), "{refusal}");
        }
    }

    #[test]
    fn unknown_fields_are_passed_over() {
        assert!(read("heartbeat", r#"{"x":1}"#).is_ok());
        assert!(read("read", r#"{"peer":"a","x":1}"#).is_ok());
    }
}
