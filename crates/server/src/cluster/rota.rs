//! The rota: says once a second that this server is there, and hands on what it holds from then on.
//!
//! What it holds is counted from the moment at which it asked, so it always ends here before it ends in the store. What it has
//! too much is taken from the dispatcher first, and handed back only when nothing of it is under way any more.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use unsaid_protocol::SdkAppId;

use super::{Leases, MemberId, Renewal, Renewed, ShardSet, Share, Turns, telling::Telling};
use crate::{clock::Clock, limits, metrics::ClusterMetrics};

/// What a rota works with.
pub struct RotaParts {
    pub leases: Arc<dyn Leases>,
    /// Who ran in the place of this member before, and is gone for certain.
    pub predecessor: Option<MemberId>,
    /// Told when somebody has changed an app or a token.
    pub settings: watch::Sender<i64>,
    pub clock: Clock,
    pub metrics: ClusterMetrics,
    /// For how long the sessions of a member that is gone are left alone.
    pub session_return: Duration,
    /// Whether this server is on the bus; it changes as well when something that was said is lost.
    pub is_on_bus: watch::Receiver<bool>,
    /// Told whether all servers are, so that each hears at once what the others commit.
    pub all_tell: watch::Sender<bool>,
}

/// Renews the lease of this member until it is told to stop.
pub struct Rota {
    parts: RotaParts,
    turns: Turns,
    /// What is given to others, and of which share it is missing for the first time.
    giving: Option<(ShardSet, u64)>,
    /// What was heard of endpoints that are back.
    back: HashMap<SdkAppId, i64>,
    /// Whether others hold what is this one's part.
    lacks_some: bool,
    /// Whether the last renewal failed.
    failing: bool,
    telling: Telling,
}

impl Rota {
    pub fn new(parts: RotaParts, turns: Turns) -> Self {
        let telling = Telling::new(parts.is_on_bus.clone());
        Self { parts, turns, giving: None, back: HashMap::new(), lacks_some: false, failing: false, telling }
    }

    /// What it holds is free when this ends; nothing of it may be under way then.
    pub async fn run(mut self, stop: CancellationToken) {
        if let Some(predecessor) = self.parts.predecessor.take() {
            self.end(predecessor, "that ran here before").await;
        }
        loop {
            let began = self.parts.clock.instant();
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.once() => {}
            }
            // What others hand back, and what is to be handed back to them, is waited for by callbacks.
            let pause = if self.lacks_some { limits::LEASE_HASTE } else { limits::LEASE_PAUSE };
            let turns = &mut self.turns;
            let let_go = async {
                match self.giving {
                    Some((_, version)) if !self.failing => turns.has_let_go(version).await,
                    Some(_) | None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(began + pause) => {}
                () = let_go => {}
            }
        }
        self.end(self.parts.leases.member(), "of this server").await;
    }

    async fn end(&self, member: MemberId, whose: &str) {
        let ended = tokio::time::timeout(limits::LEASE, self.parts.leases.end(member)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::warn!(whose, "a lease could not be ended; what it holds is free when it ends by itself");
        }
    }

    async fn once(&mut self) {
        let asked = self.parts.clock.instant();
        let hand_back = match self.giving {
            Some((shards, version)) if self.turns.let_go() >= version => shards,
            Some(_) | None => ShardSet::EMPTY,
        };
        let tells = self.telling.is_sure(asked);
        let session_return = self.parts.session_return;
        let renewal = Renewal { lease: limits::LEASE, session_return, hand_back, tells };
        match tokio::time::timeout(limits::LEASE, self.parts.leases.renew(renewal)).await {
            Ok(Ok(renewed)) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the lease is renewed again");
                }
                self.renewed(&renewed, asked);
                self.hear(renewed).await;
            }
            Ok(Err(fault)) => self.failed(&fault.to_string()),
            Err(_) => self.failed("the store does not answer"),
        }
    }

    fn failed(&mut self, why: &str) {
        if self.turns.now().until.is_some_and(|until| until <= self.parts.clock.instant()) {
            self.parts.metrics.holds_nothing();
            self.parts.all_tell.send_replace(false);
        }
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(why, "the lease could not be renewed; nothing is delivered here while it has ended");
        }
    }

    fn renewed(&mut self, renewed: &Renewed, asked: Instant) {
        let before = self.turns.now();
        let surplus = renewed.surplus();
        self.lacks_some = renewed.lacks_some();
        let share = Share {
            version: before.version + 1,
            mine: renewed.held.without(&surplus),
            term: renewed.term,
            until: Some(asked + limits::LEASE),
            search_pause: match renewed.all_tell {
                true => limits::OUTBOX_NET_PAUSE,
                false => limits::OUTBOX_SCAN_PAUSE,
            },
        };
        self.giving = match self.giving {
            _ if surplus.is_empty() => None,
            Some((shards, version)) if shards == surplus => Some((shards, version)),
            Some(_) | None => Some((surplus, share.version)),
        };
        if before.mine != share.mine || before.term != share.term {
            let Renewed { members, term, .. } = renewed;
            tracing::info!(members, term, shards = share.mine.len(), "the lanes of these shards are delivered here");
        }
        self.parts.all_tell.send_if_modified(|all| std::mem::replace(all, renewed.all_tell) != renewed.all_tell);
        self.parts.metrics.stands(renewed.members, share.mine.len());
        self.turns.set(share);
    }

    /// What others have changed or said.
    async fn hear(&mut self, renewed: Renewed) {
        let version = renewed.settings_version;
        self.parts.settings.send_if_modified(|known| std::mem::replace(known, version) != version);
        let before = std::mem::replace(&mut self.back, renewed.back.into_iter().collect());
        for (app, number) in &self.back {
            if before.get(app) != Some(number) {
                self.turns.back(*app).await;
            }
        }
    }
}
