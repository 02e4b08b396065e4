//! Lanes fall into shards, so that a cluster shares them out without a row for each lane.

use sha2::{Digest, Sha256};
use unsaid_protocol::SdkAppId;

use crate::chat::Lane;

/// How many shards there are. All members of a cluster, of whatever version, have to agree on it and on [`Shard::of`].
pub const SHARDS: usize = 256;

/// Some of the lanes of all apps, which move from member to member together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Shard(pub u8);

/// Which of the shards.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShardSet([u64; SHARDS / 64]);

impl Shard {
    /// In which shard a lane is.
    pub fn of(app: SdkAppId, lane: &Lane) -> Self {
        let mut hash = Sha256::new();
        hash.update(app.0.to_be_bytes());
        hash.update(lane.0.as_bytes());
        Self(hash.finalize()[0])
    }

    /// Every one of them, in their order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }

    fn bit(self) -> (usize, u64) {
        (usize::from(self.0) / 64, 1 << (self.0 % 64))
    }
}

impl ShardSet {
    pub const EMPTY: Self = Self([0; SHARDS / 64]);
    pub const ALL: Self = Self([u64::MAX; SHARDS / 64]);

    pub fn insert(&mut self, shard: Shard) {
        let (word, bit) = shard.bit();
        self.0[word] |= bit;
    }

    pub fn contains(&self, shard: Shard) -> bool {
        let (word, bit) = shard.bit();
        self.0[word] & bit != 0
    }

    /// Those in their order.
    pub fn iter(&self) -> impl Iterator<Item = Shard> + '_ {
        Shard::all().filter(|shard| self.contains(*shard))
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// Those that are not among `others`.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let mut rest = *self;
        rest.0.iter_mut().zip(others.0).for_each(|(word, other)| *word &= !other);
        rest
    }

    /// Those that are in both.
    #[must_use]
    pub fn common(&self, others: &Self) -> Self {
        self.without(&Self::ALL.without(others))
    }
}

impl std::fmt::Debug for ShardSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {SHARDS} shards", self.len())
    }
}
