//! A conversation, as commands see it: its counters, and what each of its accounts has not read.

use unsaid_protocol::UserId;

use super::{
    lane::LaneCounter,
    pair::{Direction, Pair},
};

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
    /// The life of the account that this is about.
    pub life: i64,
    /// Messages up to this position are not in its history any more.
    pub cleared_position: i64,
    /// When its list of conversations was last touched by a message; 0 if the conversation is not in it.
    pub last_time_s: u32,
}

impl Side {
    /// That of an account to which nothing of what stands up to `position` belongs.
    pub fn of_life(life: i64, position: i64) -> Self {
        Self { life, read_position: position, cleared_position: position, ..Self::default() }
    }
}

impl Conversation {
    /// The side of one of the pair. Who writes to oneself is on the side that receives.
    pub fn side(&self, pair: &Pair, user: &UserId) -> &Side {
        if *user == pair.high { &self.high } else { &self.low }
    }

    pub fn side_mut(&mut self, pair: &Pair, user: &UserId) -> &mut Side {
        if *user == pair.high { &mut self.high } else { &mut self.low }
    }

    /// The side that receives messages of that direction.
    pub fn recipient(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::LowToHigh => &mut self.high,
            Direction::HighToLow => &mut self.low,
        }
    }
}
