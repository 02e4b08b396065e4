//! A lane: the order in which events are delivered.

use unsaid_protocol::UserId;

use super::pair::Pair;

/// The order in which the events of one account, or of one conversation, are delivered (rule C5).
///
/// As text it is the account's name, or both names with a tab between them, which no name can hold.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lane(pub String);

impl Lane {
    pub fn of_account(account: &UserId) -> Self {
        Self(account.as_str().to_owned())
    }

    pub fn of_conversation(pair: &Pair) -> Self {
        Self(format!("{}\t{}", pair.low, pair.high))
    }

    /// Whose row has the lane's counter.
    pub fn holder(&self) -> Holder {
        let name = |text: &str| UserId::new(text).expect("a lane is made of names");
        match self.0.split_once('\t') {
            Some((low, high)) => Holder::Conversation(Pair { low: name(low), high: name(high) }),
            None => Holder::Account(name(&self.0)),
        }
    }

    /// Stands behind every lane of an app.
    pub fn after_all() -> Self {
        Self("\u{7f}".to_owned())
    }
}

/// Who holds a lane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Holder {
    Account(UserId),
    Conversation(Pair),
}

/// Gives the events of a lane their places and numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LaneCounter {
    /// The place that was given last.
    pub place: i64,
    /// The number of the event that the next one follows.
    pub last: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c5_lanes_of_different_pairs_never_share_a_name() {
        let pair =
            |low: &str, high: &str| Pair::of(&UserId::new(low).expect("valid"), &UserId::new(high).expect("valid")).0;
        assert_ne!(Lane::of_conversation(&pair("a b", "c")), Lane::of_conversation(&pair("a", "b c")));
    }
}
