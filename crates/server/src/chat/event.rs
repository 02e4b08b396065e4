//! An event: one occurrence that owes a callback.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use bytes::Bytes;
use unsaid_protocol::{
    SdkAppId,
    callback::{CallbackCommand, Platform},
};

use super::lane::Lane;
use crate::clock::{Entropy, Timestamp};

/// What the app backend is owed, as it stands in the outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwedEvent {
    pub id: EventId,
    pub app: SdkAppId,
    pub lane: Lane,
    /// Where it stands in its lane.
    pub place: i64,
    /// Its number in its lane, which never changes.
    pub number: i64,
    /// The number of the event that is delivered before it in its lane; 0 if there is none.
    pub previous: i64,
    pub command: CallbackCommand,
    /// The bytes that every attempt sends unchanged (rule C3).
    pub body: Bytes,
    pub origin: Origin,
    pub created: Timestamp,
    /// Since when its age counts (rule C9); a replay begins anew.
    pub age_from: Timestamp,
    /// Whether it was parked or delivered before and is sent again because someone asked for that.
    pub replay: bool,
    pub tries: Tries,
    /// Not to be tried before this moment.
    pub due: Timestamp,
}

/// An event as it is kept: to be shown, or to be sent again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptEvent {
    /// Its row in the log of events, which grows in commit order.
    pub row: i64,
    pub id: EventId,
    pub app: SdkAppId,
    pub lane: Lane,
    pub number: i64,
    pub command: CallbackCommand,
    pub body: Bytes,
    pub origin: Origin,
    pub created: Timestamp,
    pub standing: Standing,
}

impl KeptEvent {
    /// The place at which it was parked, if it is parked.
    pub fn parked_place(&self) -> Option<i64> {
        match self.standing {
            Standing::Parked { place, .. } => Some(place),
            Standing::Waiting { .. } | Standing::Delivered => None,
        }
    }

    /// When it was parked, if it is parked.
    pub fn parked_at(&self) -> Option<Timestamp> {
        match self.standing {
            Standing::Parked { at, .. } => Some(at),
            Standing::Waiting { .. } | Standing::Delivered => None,
        }
    }
}

/// Where an event stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// In the outbox.
    Waiting { place: i64, tries: Tries, due: Timestamp },
    /// Aside, with the reason.
    Parked { place: i64, attempts: u32, at: Timestamp, reason: Arc<str> },
    /// The receiver has it.
    Delivered,
}

/// How often an event was tried, and how many of the attempts the receiver refused; the others found it unavailable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tries {
    pub attempts: u32,
    pub refusals: u32,
    /// When it was found unavailable for the first time.
    pub unavailable_since: Option<Timestamp>,
}

/// Names an event for ever; `webhook-id` of its attempts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EventId(pub String);

const PREFIX: &str = "evt_";
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl EventId {
    /// Sorts by time and commit order: 48 bits of milliseconds, 48 of its row in the log of events, and 32 random ones, in
    /// Crockford's base 32. So it is found by its row, and needs no index of its own.
    pub fn new(now: Timestamp, row: i64, random: u32) -> Self {
        let part = |number: i64| u128::from(u64::try_from(number).unwrap_or(0)) & ((1 << 48) - 1);
        let bits = (part(now.0) << 80) | (part(row) << 32) | u128::from(random);
        let digits = (0..26).rev().map(|digit| DIGITS[usize::try_from((bits >> (5 * digit)) & 31).expect("below 32")]);
        Self(PREFIX.chars().chain(digits.map(char::from)).collect())
    }

    /// Its row in the log of events; none if this is no name that a server has given.
    pub fn row(&self) -> Option<i64> {
        let digits = self.0.strip_prefix(PREFIX).filter(|digits| digits.len() == 26)?;
        let value = |digit: u8| DIGITS.iter().position(|one| *one == digit);
        let bits = digits.bytes().try_fold(0_u128, |bits, digit| Some((bits << 5) | value(digit)? as u128))?;
        i64::try_from((bits >> 32) & ((1 << 48) - 1)).ok()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names a request of the REST API or of a session: in the log, in the answer, in the story of what it has caused, and to
/// the receiver.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestId(u64);

impl RequestId {
    /// Of what no request has caused, or one of which it is not known.
    pub const NONE: Self = Self(0);

    pub fn draw(entropy: &Entropy) -> Self {
        Self(entropy.next_u64())
    }

    /// As a store keeps it.
    pub fn of_number(number: i64) -> Self {
        Self(number.cast_unsigned())
    }

    pub fn number(self) -> i64 {
        self.0.cast_signed()
    }

    /// Its name, if there was a request.
    pub fn name(self) -> Option<String> {
        (self != Self::NONE).then(|| self.to_string())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE { f.write_str("none") } else { write!(f, "req_{:016x}", self.0) }
    }
}

/// Where a command came from, as its callbacks report it (rule R7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    pub client_ip: IpAddr,
    pub platform: Platform,
    /// The request that caused it.
    pub request: RequestId,
}

impl Origin {
    /// A REST caller on this machine.
    pub const LOCAL: Self =
        Self { client_ip: IpAddr::V4(Ipv4Addr::LOCALHOST), platform: Platform::RestApi, request: RequestId::NONE };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_sort_by_time() {
        let early = EventId::new(Timestamp(1_700_000_000_000), i64::MAX, u32::MAX);
        let late = EventId::new(Timestamp(1_700_000_000_001), 1, 0);
        assert!(early < late && late < EventId::new(Timestamp(1_700_000_000_001), 2, 0));
        assert_eq!(early.0.len(), 30);
    }

    #[test]
    fn an_event_id_tells_its_row() {
        for row in [1, 77, (1 << 48) - 1] {
            assert_eq!(EventId::new(Timestamp(1_700_000_000_000), row, 7).row(), Some(row));
        }
        for text in ["", "evt_", "evt_1", "evt_uuuuuuuuuuuuuuuuuuuuuuuuuu", "01mcc5s896naavq72pkvnhwn7r"] {
            assert_eq!(EventId(text.to_owned()).row(), None, "{text}");
        }
    }
}
