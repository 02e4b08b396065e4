//! The two accounts of a conversation, and which way a message goes between them.

use unsaid_protocol::UserId;

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

    pub fn has(&self, user: &UserId) -> bool {
        self.low == *user || self.high == *user
    }

    /// Sender and recipient of a message of that direction.
    pub fn ends(&self, direction: Direction) -> (&UserId, &UserId) {
        match direction {
            Direction::LowToHigh => (&self.low, &self.high),
            Direction::HighToLow => (&self.high, &self.low),
        }
    }
}
