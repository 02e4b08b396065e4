//! A message: its name, its place, what it says or that it was recalled; and the sync events that refer to it.

use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::{
    account::Account,
    pair::{Direction, Pair},
};

/// What names a message: never the key alone (rule R2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageName {
    pub app: SdkAppId,
    pub from: UserId,
    pub to: UserId,
    pub key: MsgKey,
}

/// A stored message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    pub direction: Direction,
    pub key: MsgKey,
    /// Its number in the commit order of its conversation.
    pub position: i64,
    pub flags: MessageFlags,
    /// The sender's clock as it gave it, in seconds; the message's own time where it gave none.
    pub client_time_s: u32,
    /// Who took it back; none if nobody did.
    pub recalled_by: Option<UserId>,
    pub content: Content,
}

/// What a message says. A tombstone says nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Content {
    /// `MsgBody` as compact JSON.
    pub body: String,
    pub custom_data: String,
    /// The types of its elements; they stay in a tombstone.
    pub types: String,
    /// `OfflinePushInfo` as compact JSON; nothing if it was not given.
    pub push_info: String,
    /// Tells a repeat of the send from another message with the same numbers.
    pub hash: i64,
}

/// How a message is kept and counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MessageFlags(u16);

impl MessageFlags {
    /// It counts as unread until it is read.
    pub const COUNTED: Self = Self(1);
    /// It was recalled: it is a tombstone.
    pub const RECALLED: Self = Self(2);
    /// The sender's own history and devices do not have it (`SyncOtherMachine` 2).
    pub const HIDDEN_FROM_SENDER: Self = Self(4);
    /// It does not become the last message of its conversation (`NoLastMsg`).
    pub const NOT_LAST: Self = Self(8);
    /// Its recipient has acknowledged it with a receipt.
    pub const PEER_READ: Self = Self(16);
    /// It was imported as history: it was never unread, and no device is told of it.
    pub const HISTORY: Self = Self(32);
    /// Its sender has deleted it from its own history.
    pub const DELETED_BY_SENDER: Self = Self(64);
    /// Its recipient has deleted it from its own history.
    pub const DELETED_BY_RECIPIENT: Self = Self(128);
    /// Its sender wants a receipt (`IsNeedReadReceipt`).
    pub const WANTS_RECEIPT: Self = Self(256);
    /// It says something else than when it was sent.
    pub const MODIFIED: Self = Self(512);

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it is among what its recipient can have unread.
    pub const fn counts(self) -> bool {
        self.contains(Self::COUNTED) && !self.contains(Self::RECALLED) && !self.contains(Self::DELETED_BY_RECIPIENT)
    }

    /// These and `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn bits(self) -> u16 {
        self.0
    }

    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }
}

impl Message {
    /// `MsgId`, with the account that sent it.
    pub fn id(&self, sender: &Account) -> String {
        sender.message_id(self.client_time_s, self.key.random)
    }

    /// Whether it adds to the unread count of a recipient with that read mark (rule R6).
    pub fn is_unread(&self, read_position: i64) -> bool {
        self.flags.counts() && self.position > read_position
    }

    /// Whether `user` may be shown it as the last one of the conversation.
    pub fn may_be_last(&self, pair: &Pair, user: &UserId, cleared_position: i64) -> bool {
        !self.flags.contains(MessageFlags::NOT_LAST) && self.is_visible(pair, user, cleared_position)
    }

    /// Whether `operator`, one of the pair, has it in its history, of which it has cleared what stands up to
    /// `cleared_position`.
    pub fn is_visible(&self, pair: &Pair, operator: &UserId, cleared_position: i64) -> bool {
        let (from, to) = pair.ends(self.direction);
        let has = |flag| self.flags.contains(flag);
        let received = to == operator && !has(MessageFlags::DELETED_BY_RECIPIENT);
        let sent = from == operator && !has(MessageFlags::HIDDEN_FROM_SENDER) && !has(MessageFlags::DELETED_BY_SENDER);
        self.position > cleared_position && (received || sent)
    }
}

/// What the devices of an account have to learn. It refers to a message and never holds text (rule R3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncEvent {
    pub kind: SyncKind,
    /// The other account of the conversation.
    pub peer: UserId,
    /// The direction of the message, or of those that were read.
    pub direction: Direction,
    /// The message; of a read report, the time up to which was read.
    pub key: MsgKey,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SyncKind {
    /// A message was stored.
    Message,
    /// A message was recalled.
    Recall,
    /// Messages up to a time were read.
    Read,
    /// A message says something else.
    Modify,
    /// The recipient acknowledged a message.
    Receipt,
    /// The account has read everything.
    ReadAll,
    /// The account has deleted a message from its own history.
    Delete,
    /// The account has deleted a conversation from its list.
    DeleteConversation,
}

impl SyncKind {
    /// Whether it is about one message, which its key names.
    pub const fn is_of_a_message(self) -> bool {
        match self {
            Self::Message | Self::Recall | Self::Modify | Self::Receipt => true,
            Self::Read | Self::ReadAll | Self::Delete | Self::DeleteConversation => false,
        }
    }

    pub const fn number(self) -> i64 {
        match self {
            Self::Message => 1,
            Self::Recall => 2,
            Self::Read => 3,
            Self::Modify => 4,
            Self::Receipt => 5,
            Self::ReadAll => 6,
            Self::Delete => 7,
            Self::DeleteConversation => 8,
        }
    }

    pub fn from_number(number: i64) -> Option<Self> {
        let kinds = [
            Self::Message,
            Self::Recall,
            Self::Read,
            Self::Modify,
            Self::Receipt,
            Self::ReadAll,
            Self::Delete,
            Self::DeleteConversation,
        ];
        kinds.into_iter().find(|kind| kind.number() == number)
    }
}
