//! Every code that an answer can carry, in one table: wire code, what went wrong, what to do (rest 1.5).
//!
//! The HTTP status of all of them is 200 (rest 1.2): the client libraries repeat a call on 5xx.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `ErrorCode` of an answer; 0 is success.
///
/// A newtype and not an enum, because an app's own before-callback may hand through any of 120001 to 130000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorCode(pub i32);

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorEntry {
    pub code: ErrorCode,
    /// What went wrong, for the caller's log.
    pub meaning: &'static str,
    /// What the caller can do about it.
    pub remedy: &'static str,
}

impl ErrorCode {
    /// Its row in the table, if the server itself gives it.
    pub fn entry(self) -> Option<&'static ErrorEntry> {
        TABLE.iter().find(|entry| entry.code == self)
    }
}

macro_rules! codes {
    ($($name:ident = $code:literal, $meaning:literal, $remedy:literal;)*) => {
        $(#[doc = $meaning] pub const $name: ErrorCode = ErrorCode($code);)*

        /// All codes, ascending.
        pub const TABLE: &[ErrorEntry] =
            &[$(ErrorEntry { code: $name, meaning: $meaning, remedy: $remedy },)*];
    };
}

codes! {
    OTHER_LOGIN = 6208, "a device that was away comes back, and the account has logged in on another one meanwhile",
        "log in anew, without session, if the user wants to be here: that ends the other one";
    ILLEGAL_REQUEST = 20001, "a client's request is unknown, or a field is missing or of the wrong type",
        "check what ErrorInfo names against docs/gateway.md";
    NOT_LOGGED_IN = 20002, "a client is not logged in, or is logged in already",
        "log in first, once for a connection";
    NO_SUCH_USER = 20003, "an account that a client names does not exist",
        "import it (account_import), or let it log in once";
    CLIENT_INTERNAL = 20005, "the server could not carry a client's request out",
        "try again; if it stays, see the server's log";
    BEFORE_REFUSED = 20006, "the app backend refuses the message (C2C.CallbackBeforeSendMsg)",
        "see ErrorInfo, which it has chosen";
    BLOCKED = 20007, "the recipient has the sender on its blocklist",
        "only the recipient can change that; an app backend may still send in the sender's name (sendmsg)";
    RECALL_TOO_LATE = 20016, "the recall window of the app has passed",
        "only an admin can recall the message now (admin_msgwithdraw)";
    MESSAGE_NOT_FOUND = 20022, "there is no such message",
        "check From_Account, To_Account and MsgKey: all three name the message, in the direction in which it was sent";
    ALREADY_RECALLED = 20023, "the message was recalled before",
        "nothing to do: its callback was or will be sent once";
    SNS_PARAMETER = 30001, "a parameter is wrong or a required one is missing",
        "check the field that ErrorInfo names";
    SNS_ACCOUNT = 30003, "the account does not exist",
        "import it first (account_import)";
    SNS_INTERNAL = 30006, "the server could not carry the command out",
        "try again; if it stays, see the server's log";
    BLOCKLIST_FULL = 30013, "the blocklist is full",
        "take somebody off it first (black_list_delete)";
    PROFILE_TOO_LONG = 40601, "Nick or FaceUrl is too long",
        "each may have 500 bytes";
    CONTACT_ACCOUNT = 50001, "the account does not exist",
        "import it first (account_import)";
    CONTACT_PARAMETER = 50002, "a parameter is wrong or a required one is missing",
        "check the field that ErrorInfo names";
    CONTACT_INTERNAL = 50004, "the server could not carry the command out",
        "try again; if it stays, see the server's log";
    HTTP_PARSE = 60002, "the request line or its query cannot be read",
        "send POST /v4/{service}/{command}?sdkappid=..&identifier=..&usersig=..&random=..&contenttype=json";
    HTTP_BODY_NOT_JSON = 60003, "the body is not a JSON object",
        "send a JSON object, {} where a command takes no input";
    IDENTIFIER_MISSING = 60004, "identifier is missing in the query",
        "add identifier=, the UserID of an admin of the app";
    SDKAPPID_INVALID = 60006, "sdkappid is not a number or names no app of this server",
        "check sdkappid against the configured apps";
    TOO_OFTEN = 60007, "the command is called more often than the operator allows",
        "wait a moment, and spread the calls";
    REQUEST_FORMAT = 60008, "the method is not POST, the body is packed or came too slowly, or nettype is not from 0 to 6",
        "do what ErrorInfo says: use POST; send plain JSON, without Content-Encoding; send the whole body at once";
    UNKNOWN_COMMAND = 60009, "there is no such service or command",
        "check the path: /v4/{service}/{command}";
    NOT_ADMIN = 60010, "identifier is not an admin of the app",
        "call with the UserSig of an admin account";
    SDKAPPID_MISSING = 60012, "sdkappid is missing in the query",
        "add sdkappid= to the query";
    ACCOUNT_TYPE = 60015, "an account in the body is not a String",
        "send UserIDs as JSON Strings";
    APP_DISABLED = 60016, "the app is disabled",
        "ask the operator to enable the app";
    USERSIG_EXPIRED = 70001, "the UserSig has expired",
        "make a new one";
    USERSIG_EMPTY = 70002, "usersig is missing or empty in the query",
        "add usersig=, made for identifier with the app's key";
    USERSIG_ILLEGAL = 70003, "the UserSig cannot be decoded",
        "check that it was not truncated or escaped twice";
    USERSIG_WRONG = 70009, "the UserSig was not made with the key of this app",
        "make it with the app's secret key";
    USERSIG_IDENTIFIER = 70013, "identifier differs from the one inside the UserSig",
        "use the UserSig of that identifier";
    USERSIG_SDKAPPID = 70014, "sdkappid differs from the one inside the UserSig",
        "use a UserSig made for this app";
    ACCOUNT_NOT_FOUND = 70107, "the account does not exist",
        "import it first (account_import)";
    ACCOUNT_COUNT = 70206, "more accounts are named than the command takes at once",
        "name at most 100, and call again for the others";
    ACCOUNT_PARAMETER = 70402, "a parameter is wrong or a required one is missing",
        "check the field that ErrorInfo names";
    ACCOUNT_INTERNAL = 70500, "the server could not carry the command out",
        "try again; if it stays, see the server's log";
    CLIENT_TOO_LONG = 80002, "a client's message is too long",
        "a message may have 8192 bytes of body and custom_data together";
    BEFORE_FAILED = 80003, "the app backend did not say whether the message may be sent",
        "see ErrorInfo; with callback.before_failure = \"pass\" such messages are sent";
    BODY_NOT_JSON = 90001, "the body is not a JSON object, or a field has the wrong type",
        "check the field that ErrorInfo names";
    MSG_BODY_FORMAT = 90002, "MsgBody holds no element, nests too deep or cannot be read; or there is nothing to modify",
        "send at least one element, with at most 64 objects and arrays in each other, and whole characters in escapes; to \
         modify_c2c_msg MsgBody or CloudCustomData";
    TO_ACCOUNT = 90003, "To_Account is missing, not a String, or does not exist",
        "name an imported account";
    MSG_RANDOM = 90005, "MsgRandom is missing or not an Integer",
        "send a random Integer from 0 to 4294967295";
    MSG_TIMESTAMP = 90006, "MsgTimeStamp is not an Integer, lies in the future, or belongs to another message",
        "send seconds since 1970; to importmsg at most a day after now, with a MsgSeq and MsgRandom that are free then";
    MSG_BODY_NOT_ARRAY = 90007, "MsgBody is missing or not an Array",
        "send an Array of elements";
    FROM_ACCOUNT = 90008, "From_Account is missing, not a String, or does not exist",
        "name an imported account";
    ELEMENT_FORMAT = 90010, "an element of MsgBody is malformed",
        "each element is {\"MsgType\": String, \"MsgContent\": Object}";
    TOO_MANY_TARGETS = 90011, "more accounts are named than the command takes at once",
        "name at most 500, and call again for the others";
    TO_ACCOUNT_NOT_FOUND = 90012, "To_Account does not exist",
        "import it first (account_import)";
    SYNC_FROM_OLD_SYSTEM = 90030, "SyncFromOldSystem is missing or not one of 1, 2 and 5",
        "send 5 for messages that count as unread, 2 for history";
    SYNC_OTHER_MACHINE = 90031, "SyncOtherMachine is not an Integer",
        "send 1 or 2, or leave it out";
    OFFLINE_PUSH_INFO = 90043, "OfflinePushInfo is not an Object, cannot be read, or is too long",
        "send an Object of at most 4096 bytes, or leave it out";
    MSG_LIFE_TIME = 90044, "MsgLifeTime is not an Integer",
        "send seconds, or leave it out";
    MSG_KEY = 90054, "MsgKey is missing or malformed",
        "send the MsgKey of the send answer, the callback or the history";
    BATCH_TOO_LONG = 90055, "the message is too long",
        "a message may have 8192 bytes of MsgBody and CloudCustomData together";
    BACK_END = 90992, "as many callbacks wait for the app backend as may",
        "mend the app's callback endpoint: what waits is delivered then";
    INTERNAL = 91000, "the server could not carry the command out",
        "try again; if it stays, see the server's log";
    TOO_LONG = 93000, "the request or the message is too long",
        "a message may have 8192 bytes of MsgBody and CloudCustomData together";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ascending_and_says_what_to_do() {
        assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
        for entry in TABLE {
            assert!(!entry.meaning.is_empty() && !entry.remedy.is_empty(), "{}", entry.code);
            assert_eq!(entry.code.entry(), Some(entry));
        }
    }
}
