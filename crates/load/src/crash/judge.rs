//! Holds what is stored against what was acknowledged and told. It asks nobody.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::ledger::{Standing, Stored};

/// What is wrong, counted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub(crate) struct Verdict {
    /// Sends that were acknowledged, and are not stored.
    pub(crate) sends_lost: u64,
    /// Stored more than once.
    pub(crate) sends_doubled: u64,
    /// Stored, although nobody sent it.
    pub(crate) sends_unknown: u64,
    /// Recalls that were acknowledged, of messages that stand as if nothing had been.
    pub(crate) recalls_lost: u64,
    /// Tombstones of messages that nobody recalled.
    pub(crate) recalls_unknown: u64,
    /// Recalls that were told, of messages that stand as if nothing had been.
    pub(crate) events_without_recall: u64,
    /// Accounts whose total is not the number of messages to them that stand.
    pub(crate) unread_wrong: u64,
}

impl Verdict {
    pub(crate) fn is_good(&self) -> bool {
        *self == Self::default()
    }
}

/// `unread`: the server's total of each account, by its number.
pub(crate) fn verdict(known: &[Standing], stored: &[Stored], unread: &[i64]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut seen = HashMap::new();
    let mut counted = vec![0; unread.len()];
    for Stored { message, recalled } in stored {
        verdict.sends_doubled += u64::from(seen.insert(message.key.random, (*message, *recalled)).is_some());
        counted[message.to.index()] += i64::from(!recalled);
    }
    for Standing { message, recalled, told } in known {
        match seen.get(&message.key.random) {
            Some((found, tombstone)) if found == message => {
                verdict.recalls_lost += u64::from(*recalled && !tombstone);
                verdict.recalls_unknown += u64::from(!recalled && *tombstone);
                verdict.events_without_recall += u64::from(*told && !tombstone);
            }
            Some(_) | None => verdict.sends_lost += 1,
        }
    }
    let known: HashSet<_> = known.iter().map(|standing| standing.message.key.random).collect();
    verdict.sends_unknown = seen.keys().filter(|random| !known.contains(random)).count() as u64;
    verdict.unread_wrong = counted.iter().zip(unread).filter(|(counted, unread)| counted != unread).count() as u64;
    verdict
}

#[cfg(test)]
mod tests {
    use unsaid_protocol::MsgKey;

    use super::*;
    use crate::{account::Account, table::Message};

    fn message(random: u32) -> Message {
        Message { from: Account(0), to: Account(1), key: MsgKey { seq: 1, random, time: 1 } }
    }

    fn known(random: u32, recalled: bool, told: bool) -> Standing {
        Standing { message: message(random), recalled, told }
    }

    fn stored(random: u32, recalled: bool) -> Stored {
        Stored { message: message(random), recalled }
    }

    #[test]
    fn what_is_stored_as_it_was_acknowledged_is_right() {
        let known = [known(1, false, false), known(2, true, true), known(3, false, false)];
        let stored = [stored(1, false), stored(2, true), stored(3, false)];
        assert_eq!(verdict(&known, &stored, &[0, 2]), Verdict::default());
    }

    #[test]
    fn everything_that_is_wrong_is_counted() {
        let check = |known: &[Standing], stored: &[Stored], unread: i64, expect: Verdict| {
            let found = verdict(known, stored, &[0, unread]);
            assert_eq!(found, expect);
            assert!(!found.is_good());
        };
        let right = Verdict::default;
        check(&[known(1, false, false)], &[], 0, Verdict { sends_lost: 1, ..right() });
        check(&[], &[stored(1, false)], 1, Verdict { sends_unknown: 1, ..right() });
        let twice = [stored(1, false), stored(1, false)];
        check(&[known(1, false, false)], &twice, 2, Verdict { sends_doubled: 1, ..right() });
        check(&[known(1, true, false)], &[stored(1, false)], 1, Verdict { recalls_lost: 1, ..right() });
        check(&[known(1, false, false)], &[stored(1, true)], 0, Verdict { recalls_unknown: 1, ..right() });
        check(&[known(1, false, true)], &[stored(1, false)], 1, Verdict { events_without_recall: 1, ..right() });
        check(&[known(1, true, true)], &[stored(1, true)], 1, Verdict { unread_wrong: 1, ..right() });
    }
}
