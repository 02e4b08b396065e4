//! One lane in memory.

use std::{collections::VecDeque, sync::Arc};

use super::Stand;
use crate::{chat::OwedEvent, clock::Timestamp};

#[derive(Debug)]
pub(super) struct State {
    pub(super) events: VecDeque<Arc<OwedEvent>>,
    pub(super) head: Stand,
    /// The place of the last event that this lane has seen.
    pub(super) tail: i64,
    /// Whether the outbox may hold events behind `tail`.
    pub(super) more: bool,
    pub(super) loading: bool,
    /// Events that are done here, but not yet in the outbox.
    pub(super) unsettled: usize,
    /// An event that was parked: its number, and what its successor follows instead.
    pub(super) parked: Option<(i64, i64)>,
    /// When the first event was tried here for the last time.
    pub(super) tried: Option<Timestamp>,
    /// Whether another server delivers this lane from now on. It is here only until what is under way has ended.
    pub(super) lost: Option<Lost>,
}

/// What becomes of a lane that was lost, once nothing of it is under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lost {
    Forgotten,
    /// It came back meanwhile: it begins anew from the outbox.
    Again,
}

impl State {
    pub(super) fn new(tail: i64) -> Self {
        Self {
            events: VecDeque::new(),
            head: Stand::Free,
            tail,
            more: false,
            loading: false,
            unsettled: 0,
            parked: None,
            tried: None,
            lost: None,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.events.is_empty() && !self.more && !self.loading && self.unsettled == 0 && self.head == Stand::Free
    }

    /// The event behind one that was parked follows what that one followed. Nothing ever follows a replay.
    pub(super) fn mend_previous(&mut self) {
        if let (Some((number, previous)), Some(head)) = (self.parked, self.events.front_mut())
            && head.previous == number
        {
            Arc::make_mut(head).previous = previous;
        }
    }

    /// Whether the lane was lost. Then it begins anew once nothing of it is under way, for there is something in it.
    pub(super) fn comes_again(&mut self) -> bool {
        if self.lost.is_some() {
            self.lost = Some(Lost::Again);
        }
        self.lost.is_some()
    }
}
