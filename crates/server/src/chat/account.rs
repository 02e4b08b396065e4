//! An account, as commands see it.

use super::lane::LaneCounter;

/// The numbers that stand in one row for an account: its total, its lane, its sync events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Account {
    /// Counts the accounts of the server; the first part of `MsgId`.
    pub serial: i64,
    /// Its unread messages over all conversations (rule R6).
    pub unread: i64,
    pub lane: LaneCounter,
    /// The number of its latest sync event.
    pub sync_number: i64,
    /// Grows when it is deleted: what conversations have noted of an earlier life is void. Its row stays, for its lane goes
    /// on and its messages name it.
    pub life: i64,
    pub deleted: bool,
    /// UserSigs that were made in this second or before do not log in any more.
    pub kicked_s: u32,
}

/// Where the serials of the original service begin; ours look the same (callbacks 5.4).
const SERIAL_BASE: i64 = 1 << 57;

impl Account {
    /// Its number, as the first part of `MsgId` has it.
    pub const fn number(&self) -> i64 {
        SERIAL_BASE + self.serial
    }

    /// `MsgId` of a message that this account sent.
    pub fn message_id(&self, time_s: u32, random: u32) -> String {
        format!("{}-{time_s}-{random}", self.number())
    }
}
