//! What a command may ask and change inside one transaction.

use std::sync::Arc;

use unsaid_protocol::{MsgKey, SdkAppId, UserId, callback::CallbackCommand};

use super::{
    account::Account,
    audit::Note,
    conversation::Conversation,
    event::{EventId, OwedEvent},
    lane::Lane,
    message::{Content, Message, MessageFlags, MessageName, SyncEvent},
    pair::{Direction, Pair},
    replay::{Found, What},
    session::{Session, SessionId},
    store::Backlog,
    token::Token,
};
use crate::{apps::App, clock::Timestamp};

/// One transaction, as the rules see it. Each method is about one row or one small range under (app, account) or
/// (app, conversation); what a command reads it finds as the commands before it in the same batch have left it.
///
/// A command asks everything first and changes afterwards, so that one that is refused has changed nothing.
pub trait Tx {
    /// The moment of this transaction.
    fn now(&self) -> Timestamp;

    /// A new name for an event.
    fn event_id(&mut self) -> Result<EventId, Fault>;

    fn app(&mut self, app: SdkAppId) -> Result<Option<Arc<App>>, Fault>;
    fn save_app(&mut self, app: &Arc<App>) -> Result<(), Fault>;
    /// Erases what an app has: at most so many rows. Answers how many; none if nothing is left but the app itself.
    fn erase_of_app(&mut self, app: SdkAppId, rows_max: u32) -> Result<u64, Fault>;
    fn remove_app(&mut self, app: SdkAppId) -> Result<(), Fault>;

    /// Writes a line of the audit log.
    fn add_note(&mut self, note: &Note) -> Result<(), Fault>;
    /// Erases some lines of before that moment; answers how many.
    fn erase_notes(&mut self, before: Timestamp) -> Result<u64, Fault>;
    fn save_token(&mut self, token: &Token) -> Result<(), Fault>;
    fn remove_token(&mut self, id: &str) -> Result<(), Fault>;

    fn account(&mut self, app: SdkAppId, user: &UserId) -> Result<Option<Account>, Fault>;
    fn save_account(&mut self, app: SdkAppId, user: &UserId, account: &Account) -> Result<(), Fault>;
    /// Makes an account with the next serial.
    fn new_account(&mut self, app: SdkAppId, user: &UserId) -> Result<(), Fault>;
    /// Sets the fields that are given.
    fn save_profile(
        &mut self,
        app: SdkAppId,
        user: &UserId,
        nick: Option<&str>,
        face_url: Option<&str>,
    ) -> Result<(), Fault>;

    /// Whether `user` has `other` on its blocklist.
    fn is_blocked(&mut self, app: SdkAppId, user: &UserId, other: &UserId) -> Result<bool, Fault>;
    fn count_blocked(&mut self, app: SdkAppId, user: &UserId) -> Result<u32, Fault>;
    fn block(&mut self, app: SdkAppId, user: &UserId, other: &UserId) -> Result<(), Fault>;
    fn unblock(&mut self, app: SdkAppId, user: &UserId, other: &UserId) -> Result<(), Fault>;
    fn unblock_all(&mut self, app: SdkAppId, user: &UserId) -> Result<(), Fault>;

    fn conversation(&mut self, app: SdkAppId, pair: &Pair) -> Result<Option<Conversation>, Fault>;
    fn save_conversation(&mut self, app: SdkAppId, pair: &Pair, conversation: &Conversation) -> Result<(), Fault>;

    /// The message of that key in the conversation, whatever its direction. Its content may be left empty.
    fn message(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Option<Message>, Fault>;
    /// Messages with that `MsgSeq` and `MsgRandom`, of `since_s` or later.
    fn repeats(
        &mut self,
        app: SdkAppId,
        pair: &Pair,
        seq: u32,
        random: u32,
        since_s: u32,
    ) -> Result<Vec<Repeat>, Fault>;
    /// What a stored message says.
    fn content(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Content, Fault>;
    fn replace_content(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey, content: &Content) -> Result<(), Fault>;
    fn add_flags(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey, flags: MessageFlags) -> Result<(), Fault>;
    /// The conversations in which the account has unread messages.
    fn unread_conversations(&mut self, app: SdkAppId, user: &UserId) -> Result<Vec<Pair>, Fault>;
    fn insert_message(&mut self, app: SdkAppId, pair: &Pair, message: &Message) -> Result<(), Fault>;
    /// Makes a message a tombstone that says who took it back. With `audit_until` a copy of what it said is kept until then
    /// (rule R3).
    fn entomb(&mut self, name: &MessageName, by: &UserId, audit_until: Option<Timestamp>) -> Result<(), Fault>;
    /// Erases messages of before that second, and those up to that position, at most so many, the oldest first; says what
    /// they were.
    fn erase_messages(
        &mut self,
        app: SdkAppId,
        pair: &Pair,
        before_s: u32,
        up_to_position: i64,
        messages_max: u32,
    ) -> Result<Vec<Message>, Fault>;
    fn erase_message(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<(), Fault>;
    /// What a read report of `time_s` means for messages of that direction that are behind `mark`.
    fn read_up_to(
        &mut self,
        app: SdkAppId,
        pair: &Pair,
        direction: Direction,
        mark: i64,
        time_s: u32,
    ) -> Result<ReadUpTo, Fault>;

    /// The sessions of an account, the one that logged in first first.
    fn sessions(&mut self, app: SdkAppId, user: &UserId) -> Result<Vec<Session>, Fault>;
    fn save_session(&mut self, app: SdkAppId, user: &UserId, session: &Session) -> Result<(), Fault>;
    fn remove_session(&mut self, app: SdkAppId, user: &UserId, session: &SessionId) -> Result<(), Fault>;

    fn add_sync_event(&mut self, app: SdkAppId, user: &UserId, number: i64, event: &SyncEvent) -> Result<(), Fault>;

    /// Puts an event into the outbox.
    fn owe(&mut self, event: OwedEvent) -> Result<(), Fault>;

    /// How much an app's outbox holds.
    fn backlog(&mut self, app: SdkAppId) -> Result<Backlog, Fault>;
    /// Parked or delivered events that can be sent again, at most so many.
    fn kept(&mut self, app: SdkAppId, what: &What, events_max: u32) -> Result<Found, Fault>;
    /// Takes an event from where it was parked.
    fn unpark(&mut self, app: SdkAppId, lane: &Lane, place: i64) -> Result<(), Fault>;
    /// Takes an event out of the log.
    fn forget_event(&mut self, row: i64) -> Result<(), Fault>;
    /// Takes what waits of that command out of a lane, as if it had never been owed.
    fn disown(&mut self, app: SdkAppId, lane: &Lane, command: CallbackCommand) -> Result<(), Fault>;
    /// Puts an event whose row is in the log into the outbox once more.
    fn owe_again(&mut self, row: i64, event: OwedEvent) -> Result<(), Fault>;
}

/// A message that may be what a repeated send has already stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Repeat {
    pub time_s: u32,
    pub direction: Direction,
    pub content_hash: i64,
}

/// What a read report covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadUpTo {
    /// The position of the latest message in commit order that the report's time covers; at least the old mark. What was
    /// imported as history is late in that order, and does not matter.
    pub position: i64,
    /// The messages behind that position that are still unread.
    pub unread_after: i64,
}

/// The store could not do what it was asked. Nothing of the transaction holds.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    #[error("the disk is full: nothing of this command was stored; make room and try again")]
    Full,
    #[error("the server is stopping: nothing of this command was stored; try again when it is back")]
    Stopping,
    #[error("the store failed: {0}")]
    Failed(Arc<str>),
}
