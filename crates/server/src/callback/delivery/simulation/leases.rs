//! Several servers that share the store of a simulation: which of them holds what, and how that changes.

use super::{
    super::*,
    world::{Happening, Life, World},
};
use crate::{chat::Lane, cluster::SHARDS};

/// What happens to leases.
#[derive(Debug)]
pub(super) enum Leasing {
    /// A server is to hand some of its shards to another one.
    HandsBack { from: usize, to: usize },
    /// Whether nothing is under way any more of what a server hands back is looked at.
    IsHandedBack { from: Life, to: usize, shards: ShardSet },
    /// A server was silent for too long, and another one takes over what it holds. It goes on as if it did not know.
    TakesOver { from: usize, to: usize },
    /// A server hears what it holds.
    IsHeard(Life),
}

impl World {
    pub(super) fn nothing(&self) -> Share {
        Share {
            until: Some(self.moment().instant + Duration::from_secs(365 * 86_400)),
            ..Share::nothing(self.moment().instant)
        }
    }

    pub(super) fn plan_leases(&mut self, end_ms: u32) {
        let servers = self.mix.servers as u32;
        if servers == 1 {
            return;
        }
        self.holders = (0..SHARDS).map(|_| self.draw(servers) as usize).collect();
        for server in 0..self.mix.servers {
            self.happens_in(self.draw(2_000), Happening::Leases(Leasing::IsHeard(self.life(server))));
        }
        for _ in 0..self.mix.moves {
            let (from, to) = (self.draw(servers) as usize, self.draw(servers) as usize);
            let leasing =
                if self.draw(2) == 0 { Leasing::HandsBack { from, to } } else { Leasing::TakesOver { from, to } };
            self.happens_in(self.draw(end_ms), Happening::Leases(leasing));
        }
    }

    pub(super) fn lease(&mut self, leasing: &Leasing) {
        match *leasing {
            Leasing::HandsBack { from, to } => {
                let shards: ShardSet = self.held(from).iter().filter(|_| self.draw(2) == 0).collect();
                let mine = self.servers[from].share.mine.without(&shards);
                self.hears(from, Share { mine, ..self.servers[from].share });
                let from = self.life(from);
                self.happens_in(1, Happening::Leases(Leasing::IsHandedBack { from, to, shards }));
            }
            Leasing::IsHandedBack { from, .. } if from != self.life(from.server) => {}
            Leasing::IsHandedBack { from, to, shards } => {
                if self.servers[from.server].delivery.has_let_go().is_some() {
                    self.take(from.server, to, &shards);
                    self.happens_in(self.draw(1_000), Happening::Leases(Leasing::IsHeard(self.life(to))));
                } else {
                    self.happens_in(10, Happening::Leases(Leasing::IsHandedBack { from, to, shards }));
                }
            }
            Leasing::TakesOver { from, to } => {
                let shards = self.held(from);
                self.take(from, to, &shards);
                self.happens_in(self.draw(100), Happening::Leases(Leasing::IsHeard(self.life(to))));
                self.servers[from].share.term += 1;
                self.happens_in(self.draw(20_000), Happening::Leases(Leasing::IsHeard(self.life(from))));
            }
            Leasing::IsHeard(of) if of != self.life(of.server) => {}
            Leasing::IsHeard(of) => {
                let mine = self.held(of.server);
                self.hears(of.server, Share { mine, ..self.servers[of.server].share });
            }
        }
    }

    /// What a killed server held is taken over by the others, and given back by nobody.
    pub(super) fn is_taken_over(&mut self, server: usize) {
        if self.mix.servers == 1 {
            return;
        }
        let to = (server + 1) % self.mix.servers;
        let shards = self.held(server);
        self.take(server, to, &shards);
        self.happens_in(self.draw(8_000), Happening::Leases(Leasing::IsHeard(self.life(to))));
    }

    /// What the store does not take from a server that does not hold the shard.
    pub(super) fn not_refused(&self, server: usize, settled: Vec<Settled>) -> Vec<Settled> {
        let holds = |settled: &Settled| {
            let shard = Shard::of(settled.app, &settled.lane);
            self.mix.servers == 1 || self.holders[usize::from(shard.0)] == server
        };
        settled.into_iter().filter(holds).collect()
    }

    /// Some of what is said between servers is lost.
    pub(super) fn pass_on(&mut self, app: SdkAppId, lane: &Lane, place: i64) {
        let to = self.holders[usize::from(Shard::of(app, lane).0)];
        if self.draw(100) >= self.mix.hints_lost_in_100 {
            let of = self.life(to);
            self.happens_in(self.draw(50), Happening::Look(of, app, lane.clone(), place));
        }
    }

    fn held(&self, server: usize) -> ShardSet {
        Shard::all().filter(|shard| self.holders[usize::from(shard.0)] == server).collect()
    }

    fn take(&mut self, from: usize, to: usize, shards: &ShardSet) {
        for shard in shards.iter() {
            let holder = &mut self.holders[usize::from(shard.0)];
            if *holder == from {
                *holder = to;
            }
        }
    }

    fn hears(&mut self, server: usize, share: Share) {
        let moment = self.moment();
        let share = Share { version: share.version + 1, ..share };
        self.servers[server].share = share;
        self.servers[server].delivery.share_changed(share, moment);
    }
}
