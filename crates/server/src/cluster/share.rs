//! What part of all that is owed this server delivers, as its dispatcher has to know it.

use std::time::Duration;

use tokio::time::Instant;
use unsaid_protocol::SdkAppId;

use super::{SHARDS, Shard, ShardSet};
use crate::{chat::Lane, limits};

/// What part of all that is owed this server delivers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    /// Grows each time.
    pub version: u64,
    pub mine: ShardSet,
    /// Where this has changed, nothing that was held before is held any more, even if it is in `mine` again.
    pub term: u64,
    /// When the lease ends unless it is renewed; none: never.
    pub until: Option<Instant>,
    /// How long the search of the outbox pauses when every lane is known.
    pub search_pause: Duration,
}

impl Share {
    /// Of the one server that owns its store: everything, for ever.
    pub fn whole() -> Self {
        let search_pause = limits::OUTBOX_NET_PAUSE;
        Self { version: 0, mine: ShardSet::ALL, term: 0, until: None, search_pause }
    }

    /// Of a member of a cluster that does not know yet what it holds.
    pub fn nothing(now: Instant) -> Self {
        Self { mine: ShardSet::EMPTY, until: Some(now), ..Self::whole() }
    }

    /// Whether other servers put events into the same outbox.
    pub fn is_shared(&self) -> bool {
        self.until.is_some()
    }

    pub fn has(&self, app: SdkAppId, lane: &Lane) -> bool {
        !self.is_shared() || self.mine.contains(Shard::of(app, lane))
    }

    /// Whether an attempt that begins now has ended before the lease has.
    pub fn allows(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now + limits::ATTEMPT_TIMEOUT + limits::LEASE_MARGIN <= until)
    }

    /// Whether this server does what has to be done once for all.
    pub fn leads(&self) -> bool {
        self.mine.contains(Shard(0))
    }

    /// The part of a bound for all servers together that falls to this one: rounded up, and never nothing.
    pub fn of(&self, bound: u32) -> u32 {
        let (bound, mine) = (u64::from(bound), self.mine.len() as u64);
        u32::try_from((bound * mine).div_ceil(SHARDS as u64)).unwrap_or(u32::MAX).max(1)
    }
}
