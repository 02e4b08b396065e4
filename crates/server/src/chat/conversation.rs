//! A conversation, as commands see it: its counters, and what each of its accounts has not read.

use super::{lane::LaneCounter, pair::Direction};

/// The counters of a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Conversation {
    /// The position of the latest message in commit order.
    pub position: i64,
    pub low: Side,
    pub high: Side,
    /// Counts the events of this conversation, for apps whose lanes are conversations.
    pub lane: LaneCounter,
}

/// A conversation as one of its accounts sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Side {
    /// Its unread messages from the other.
    pub unread: i64,
    /// The read mark: messages up to this position are read. It never moves back (rule R6).
    pub read_position: i64,
}

impl Conversation {
    /// The side that receives messages of that direction.
    pub fn recipient(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::LowToHigh => &mut self.high,
            Direction::HighToLow => &mut self.low,
        }
    }
}
