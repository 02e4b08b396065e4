//! An event: one occurrence that owes a callback.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use bytes::Bytes;
use unsaid_protocol::{
    SdkAppId,
    callback::{CallbackCommand, Platform},
};

use super::lane::Lane;
use crate::clock::Timestamp;

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

impl EventId {
    /// Sorts by time: 48 bits of milliseconds and 80 random ones, in Crockford's base 32.
    pub fn new(now: Timestamp, random: (u64, u32)) -> Self {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let ms = u128::from(u64::try_from(now.0).unwrap_or(0)) & ((1 << 48) - 1);
        let bits = (ms << 80) | (u128::from(random.0) << 16) | u128::from(random.1 & 0xffff);
        let digits = (0..26).rev().map(|digit| DIGITS[usize::try_from((bits >> (5 * digit)) & 31).expect("below 32")]);
        Self("evt_".chars().chain(digits.map(char::from)).collect())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a command came from, as its callbacks report it (rule R7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    pub client_ip: IpAddr,
    pub platform: Platform,
}

impl Origin {
    /// A REST caller on this machine.
    pub const LOCAL: Self = Self { client_ip: IpAddr::V4(Ipv4Addr::LOCALHOST), platform: Platform::RestApi };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_sort_by_time() {
        let early = EventId::new(Timestamp(1_700_000_000_000), (u64::MAX, u32::MAX));
        let late = EventId::new(Timestamp(1_700_000_000_001), (0, 0));
        assert!(early < late);
        assert_eq!(early.0.len(), 30);
    }
}
