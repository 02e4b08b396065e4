//! What the ledger has of one message, and what a history shows of it.

use std::collections::BTreeSet;

use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use crate::chat::{Message, MessageFlags, MessageName};

#[derive(Debug)]
pub(super) struct Said {
    pub(super) name: MessageName,
    /// As it was sent, which is what a repeat is recognised by.
    pub(super) content: (String, String),
    /// As it was modified.
    pub(super) shown: (String, String),
    pub(super) flags: MessageFlags,
    pub(super) recalled: bool,
    pub(super) read: bool,
    pub(super) acknowledged: bool,
    /// Who has deleted it, cleared it with the conversation, and been deleted since.
    pub(super) deleted: BTreeSet<UserId>,
    pub(super) cleared: BTreeSet<UserId>,
    pub(super) voided: BTreeSet<UserId>,
}

/// What a history shows of a message.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) key: MsgKey,
    pub(crate) body: String,
    pub(crate) custom_data: String,
    pub(crate) recalled: bool,
    pub(crate) acknowledged: bool,
}

impl From<&Message> for Seen {
    fn from(message: &Message) -> Self {
        Self {
            key: message.key,
            body: message.content.body.clone(),
            custom_data: message.content.custom_data.clone(),
            recalled: message.flags.contains(MessageFlags::RECALLED),
            acknowledged: message.flags.contains(MessageFlags::PEER_READ),
        }
    }
}

impl Said {
    pub(super) fn is(&self, app: SdkAppId, from: &str, to: &str) -> bool {
        self.name.app == app && self.name.from.as_str() == from && self.name.to.as_str() == to
    }

    pub(super) fn is_hidden_from(&self, user: &UserId) -> bool {
        [&self.deleted, &self.cleared, &self.voided].iter().any(|users| users.contains(user))
    }

    /// Whether `user`, one of the two, has it in its history.
    pub(super) fn is_seen_by(&self, user: &UserId) -> bool {
        let received = self.name.to == *user;
        !self.is_hidden_from(user) && (received || !self.flags.contains(MessageFlags::HIDDEN_FROM_SENDER))
    }

    pub(super) fn concerns(&self, app: SdkAppId, user: &UserId) -> bool {
        self.name.app == app && (self.name.from == *user || self.name.to == *user)
    }

    pub(super) fn is_between(&self, app: SdkAppId, one: &str, other: &str) -> bool {
        self.is(app, one, other) || self.is(app, other, one)
    }
}
