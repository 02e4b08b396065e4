//! Where the search of an app's part of the outbox stands. Pure.
//!
//! It finds lanes that no hint told of: at the start, after a lost hint, where memory was short, now and then. Where not
//! all lanes find a place, the next search begins behind those that found one, so that none is passed over for ever.

use std::time::Duration;

use tokio::time::Instant;

use unsaid_protocol::SdkAppId;

use super::lanes::Lanes;
use crate::{chat::Lane, cluster::Share, limits};

#[derive(Debug)]
pub(super) struct Search {
    app: SdkAppId,
    stand: Stand,
    /// Behind this lane it began; then the lanes up to it come last.
    began_behind: Option<Lane>,
    round: Round,
    /// How often it pauses but shortly, although every lane is known: what was committed elsewhere may have been told to nobody.
    short_pauses: u8,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Stand {
    Paused {
        until: Instant,
    },
    /// The page behind this lane is wanted.
    Wants(Option<Lane>),
    Reading,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Round {
    ToTheEnd,
    FromTheStart,
}

/// Searches soon after one another when lanes came: two of them begin behind the subscription of their shards.
const GAINED_SEARCHES: u8 = 3;

impl Search {
    /// It is due at once.
    pub(super) fn new(app: SdkAppId, now: Instant) -> Self {
        Self { app, stand: Stand::Paused { until: now }, began_behind: None, round: Round::ToTheEnd, short_pauses: 0 }
    }

    /// Goes on no later than in that time, if it pauses.
    pub(super) fn within(&mut self, pause: Duration, now: Instant) {
        if let Stand::Paused { until } = &mut self.stand {
            *until = (*until).min(now + pause);
        }
    }

    /// Lanes came that others had. It begins at once; and again, when whoever commits to them surely reaches this server.
    pub(super) fn gained(&mut self, now: Instant) {
        self.within(Duration::ZERO, now);
        self.short_pauses = GAINED_SEARCHES;
    }

    /// When it begins again, if it pauses.
    pub(super) fn wakes(&self) -> Option<Instant> {
        match &self.stand {
            Stand::Paused { until } => Some(*until),
            Stand::Wants(_) | Stand::Reading => None,
        }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        match &self.stand {
            Stand::Paused { until } => *until <= now,
            Stand::Wants(_) => true,
            Stand::Reading => false,
        }
    }

    /// Behind which lane the page stands that is to be read now. Answered with [`Search::found`] or [`Search::failed`].
    pub(super) fn read(&mut self, lanes: &mut Lanes) -> Option<Lane> {
        match std::mem::replace(&mut self.stand, Stand::Reading) {
            Stand::Wants(after) => after,
            Stand::Paused { .. } | Stand::Reading => {
                lanes.search_begins();
                self.round = Round::ToTheEnd;
                self.began_behind.clone()
            }
        }
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.stand = Stand::Paused { until: now + limits::OUTBOX_SCAN_PAUSE };
    }

    /// A page of lanes, in their order; a short one is the last. Those of others are passed over.
    pub(super) fn found(&mut self, page: Vec<Lane>, lanes: &mut Lanes, share: &Share, now: Instant) {
        let mut more = page.len() >= limits::OUTBOX_SCAN_LANES as usize;
        let mut last = None;
        for lane in page {
            if self.round == Round::FromTheStart && self.began_behind.as_ref().is_some_and(|behind| lane > *behind) {
                more = false;
                break;
            }
            if !share.has(self.app, &lane) {
                last = Some(lane);
                continue;
            }
            if !lanes.knows(&lane) && !lanes.has_room() {
                lanes.overflow();
                self.began_behind = last.or_else(|| self.began_behind.take());
                return self.failed(now);
            }
            lanes.found(&lane);
            last = Some(lane);
        }
        if more {
            self.stand = Stand::Wants(last);
        } else if self.round == Round::ToTheEnd && self.began_behind.is_some() {
            self.round = Round::FromTheStart;
            self.stand = Stand::Wants(None);
        } else {
            lanes.search_ended();
            self.began_behind = None;
            let is_short = !lanes.is_complete() || self.short_pauses > 0;
            self.short_pauses = self.short_pauses.saturating_sub(1);
            let pause = if is_short { limits::OUTBOX_SCAN_PAUSE } else { share.search_pause };
            self.stand = Stand::Paused { until: now + pause };
        }
    }
}
