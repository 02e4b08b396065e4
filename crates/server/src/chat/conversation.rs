//! A conversation: the unordered pair of two accounts, and what each of them has not read.

use unsaid_protocol::UserId;

use super::event::LaneCounter;

/// The two accounts, in the order of their names, so that either of them finds the same conversation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pair {
    pub low: UserId,
    pub high: UserId,
}

/// Which way a message goes within its pair.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Direction {
    LowToHigh,
    HighToLow,
}

impl Pair {
    /// The conversation of a message, and its direction in it. Who writes to oneself does so from low to high.
    pub fn of(from: &UserId, to: &UserId) -> (Self, Direction) {
        if from <= to {
            (Self { low: from.clone(), high: to.clone() }, Direction::LowToHigh)
        } else {
            (Self { low: to.clone(), high: from.clone() }, Direction::HighToLow)
        }
    }

    /// Sender and recipient of a message of that direction.
    pub fn ends(&self, direction: Direction) -> (&UserId, &UserId) {
        match direction {
            Direction::LowToHigh => (&self.low, &self.high),
            Direction::HighToLow => (&self.high, &self.low),
        }
    }
}

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
