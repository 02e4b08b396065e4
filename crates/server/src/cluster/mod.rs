//! Many servers as one: who is there, and which of them delivers what.
//!
//! Servers that share a store are the members of a cluster. Any of them takes any request. Lanes fall into shards
//! (`shard.rs`), and what is owed in a shard is delivered by the one member that holds its lease, so that lanes keep their order.
//! Leases stand in the store, which judges by its own clock (`leases.rs`: what a store has to keep for that). Where one server
//! owns its store, it holds every shard for ever.

mod leases;
mod rota;
mod shard;
mod share;
mod telling;
mod turn;

pub use leases::{Glance, Leases, MemberId, Renewal, Renewed, fair};
pub use rota::{Rota, RotaParts};
pub use shard::{SHARDS, Shard, ShardSet};
pub use share::Share;
pub use turn::{News, Turn, Turns, turn};
