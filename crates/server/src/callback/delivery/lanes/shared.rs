//! Lanes where several servers share the outbox: which of them this one has, and what others put into them. Pure.

use std::collections::HashMap;

use super::{Lanes, Lost, Stand};
use crate::{chat::Lane, limits};

/// The last place of lanes that are not here: what follows it can be taken from a hint. Everything up to it is delivered, or
/// was another server's to deliver, which has gone on to later places.
#[derive(Debug, Default)]
pub(super) struct Tails(HashMap<Lane, i64>);

impl Tails {
    pub(super) fn take(&mut self, lane: &Lane) -> Option<i64> {
        self.0.remove(lane)
    }

    /// Where there are too many, they are all forgotten: that costs a load for each.
    pub(super) fn keep(&mut self, lane: &Lane, tail: i64) {
        if self.0.len() >= limits::APP_TAILS_MAX {
            self.0.clear();
        }
        self.0.insert(lane.clone(), tail);
    }
}

impl Lanes {
    /// Of an outbox into which other servers put events, too.
    pub(in super::super) fn shared() -> Self {
        Self { tails: Some(Tails::default()), ..Self::default() }
    }

    /// Another server has committed something at this place of a lane.
    pub(in super::super) fn look(&mut self, lane: &Lane, place: i64) {
        let Some(state) = self.lanes.get_mut(lane) else {
            return self.found(lane);
        };
        if !state.comes_again() && place > state.tail {
            state.more = true;
            self.want(lane);
        }
    }

    /// Lanes came that others had before: they are not here yet.
    pub(in super::super) fn gained(&mut self) {
        self.overflow();
    }

    /// These lanes are another server's to deliver. What is under way ends, and nothing more of them is begun. Answers in which of
    /// them something waits, and up to which place at least.
    pub(in super::super) fn lose(&mut self, is_lost: impl Fn(&Lane) -> bool) -> Vec<(Lane, i64)> {
        let mut waited = Vec::new();
        let lost: Vec<Lane> = self.lanes.keys().filter(|lane| is_lost(lane)).cloned().collect();
        for lane in &lost {
            let state = self.lanes.get_mut(lane).expect("it was just named");
            self.leaving += usize::from(state.lost.is_none());
            state.lost = Some(Lost::Forgotten);
            let under_way = usize::from(state.head == Stand::InFlight);
            if state.more {
                waited.push((lane.clone(), i64::MAX));
            } else if state.events.len() > under_way {
                waited.push((lane.clone(), state.tail));
            }
            for event in state.events.drain(under_way..) {
                self.bytes -= self.bounds.footprint(&event);
            }
            if state.head != Stand::InFlight {
                state.head = Stand::Free;
            }
            (state.more, state.parked) = (false, None);
        }
        let Self { lanes, ready, waiting, expired, wanting, .. } = self;
        let stays = |lane: &Lane| lanes.get(lane).is_none_or(|state| state.lost.is_none());
        ready.retain(stays);
        waiting.retain(|(_, lane)| stays(lane));
        expired.retain(stays);
        wanting.retain(stays);
        lost.iter().for_each(|lane| self.let_go_if_idle(lane));
        waited
    }

    /// Lanes that were lost, of which something is still under way.
    pub(in super::super) fn leaving(&self) -> usize {
        self.leaving
    }
}
