//! Asking for history.

use unsaid_protocol::{MsgKey, SdkAppId, UserId};

/// A slice of the history of one conversation as one of its accounts sees it, newest first (rest 4.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryQuery {
    pub app: SdkAppId,
    /// Whose view.
    pub operator: UserId,
    pub peer: UserId,
    /// The range of time in seconds, both ends included.
    pub min_time_s: u32,
    pub max_time_s: u32,
    /// Only what stands before this message, the last one of the page before.
    pub before: Option<MsgKey>,
    pub messages_max: u32,
}

impl HistoryQuery {
    /// Everything that `operator` sees of its conversation with `peer`.
    pub fn all(app: SdkAppId, operator: UserId, peer: UserId) -> Self {
        let (min_time_s, max_time_s, messages_max) = (0, u32::MAX, u32::MAX);
        Self { app, operator, peer, min_time_s, max_time_s, before: None, messages_max }
    }
}

/// A conversation in the list of an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recent {
    pub peer: UserId,
    /// When a message touched it last.
    pub last_time_s: u32,
}

/// Where a message stands in its conversation's history: by time, then `MsgSeq`, then commit order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    pub time_s: u32,
    pub seq: u32,
    pub position: i64,
}

impl Place {
    /// Before every message with that key's time and number; where a page goes on whose last message is gone.
    pub fn before_key(key: MsgKey) -> Self {
        Self { time_s: key.time, seq: key.seq, position: i64::MIN }
    }
}
