//! What a store that several servers share keeps for them: members, leases, and what each has to be told.

use std::{sync::Arc, time::Duration};

use unsaid_protocol::SdkAppId;

use super::{SHARDS, Shard, ShardSet};
use crate::chat::{EndReason, Later, SessionKey};

/// Names a member, from one start of it to its end. Drawn, so that no two are ever called the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MemberId(pub Arc<str>);

/// What a store that several servers share keeps for each of them. The store is opened for one member and speaks of it.
pub trait Leases: std::fmt::Debug + Send + Sync + 'static {
    /// Says that this member is there, and what it holds from now on: what it held, unless it was silent for longer than its
    /// lease; without what it hands back; and what nobody holds, up to its fair part.
    fn renew(&self, renewal: Renewal) -> Later<'_, Renewed>;

    /// A member is gone for certain, this one or one that ran in its place before: what it holds is free at once, and nobody waits
    /// for the end of its lease.
    fn end(&self, member: MemberId) -> Later<'_, ()>;

    /// The member of which it speaks.
    fn member(&self) -> MemberId;

    /// Says to all members that the endpoint of an app is back (rule C9).
    fn say_back(&self, app: SdkAppId) -> Later<'_, ()>;

    /// How the sessions that are connected to this member stand, in the order in which they are asked about.
    fn glance(&self, sessions: Vec<SessionKey>) -> Later<'_, Vec<Glance>>;
}

/// How a member says that it is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Renewal {
    /// How long it counts as there without another word.
    pub lease: Duration,
    /// For how long the sessions of a member that is gone are left alone, so that they can come back.
    pub session_return: Duration,
    /// What it gives to others. Nothing of it may be under way.
    pub hand_back: ShardSet,
    /// Whether it tells the others at once what it commits, and hears what they tell.
    pub tells: bool,
}

/// How this member stands once its renewal is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Renewed {
    pub held: ShardSet,
    /// Grows when the member was silent for too long: then it holds nothing of what it held before, even where the same shard
    /// is in `held` again.
    pub term: u64,
    /// Those that are there, this one among them; and how many of them come before it by name.
    pub members: u32,
    pub rank: u32,
    /// Whether all of them tell each other at once what they commit.
    pub all_tell: bool,
    /// Grows with each change of an app or of a token.
    pub settings_version: i64,
    /// Of whom it was said a short while ago that its endpoint is back. The number grows each time.
    pub back: Vec<(SdkAppId, i64)>,
}

/// How a session stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Glance {
    /// The number of the last update of its account.
    pub sync_number: i64,
    /// Why it has ended, if its row is gone.
    pub ended: Option<EndReason>,
}

impl Renewed {
    /// What this member holds too much, so that others get their part.
    pub fn surplus(&self) -> ShardSet {
        self.held.iter().skip(fair(self.members, self.rank)).collect()
    }

    /// Whether others hold what is this member's part.
    pub fn lacks_some(&self) -> bool {
        self.held.len() < fair(self.members, self.rank)
    }
}

/// How many of the shards are a member's part, so that all parts together are all shards.
pub fn fair(members: u32, rank: u32) -> usize {
    let (members, rank) = (members.max(1) as usize, rank as usize);
    SHARDS / members + usize::from(rank < SHARDS % members)
}

impl FromIterator<Shard> for ShardSet {
    fn from_iter<T: IntoIterator<Item = Shard>>(shards: T) -> Self {
        let mut set = Self::EMPTY;
        shards.into_iter().for_each(|shard| set.insert(shard));
        set
    }
}
