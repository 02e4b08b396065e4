//! Sending events again: what was parked, or what was delivered since a time (rules C3 and C6).
//!
//! An event that is sent again keeps its id, body and number; it goes to the end of its lane, and its age begins anew.
//! Nothing follows it: the next event's `unsaid-previous` names the one that would have been named without it.

use unsaid_protocol::{SdkAppId, callback::CallbackCommand};

use super::{
    applied::{ChatError, Done},
    effect,
    event::{EventId, KeptEvent, OwedEvent, Standing, Tries},
    lane::{Holder, Lane, LaneCounter},
    tx::{Fault, Tx},
};
use crate::{clock::Timestamp, limits};

/// Asks for events to be sent again, a bounded piece at a time. The answer says how to go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replay {
    pub app: SdkAppId,
    pub what: What,
}

/// Which events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    Parked {
        filter: ParkedFilter,
        /// Behind this one, in the order of lanes and places.
        after: Option<(Lane, i64)>,
    },
    /// Those that were delivered and are still kept, from a time on: what a receiver that was restored from a backup may
    /// have forgotten. They hold no text.
    Delivered { since: Timestamp, rows: Option<Rows> },
}

/// Rows of the log of events: behind `after`, up to `through`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rows {
    pub after: i64,
    /// Set by the first piece, so that what happens meanwhile is not sent twice.
    pub through: i64,
}

/// Which of an app's parked events. What is not set holds for all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ParkedFilter {
    pub id: Option<EventId>,
    pub lane: Option<Lane>,
    pub command: Option<CallbackCommand>,
    /// Parked at that moment or later.
    pub since: Option<Timestamp>,
    /// Parked at that moment or earlier. The first piece of a replay sets it to its own moment at the latest, so that
    /// what is parked once more meanwhile is not sent for ever.
    pub until: Option<Timestamp>,
}

/// What became of a piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    pub count: u32,
    /// Events whose lane's account or conversation is gone; they stay where they are.
    pub skipped: u32,
    /// What is to be asked for next; none if that was all.
    pub next: Option<What>,
}

/// Found events of a piece, and how to go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub events: Vec<KeptEvent>,
    pub next: Option<What>,
}

impl ParkedFilter {
    pub fn covers(&self, event: &KeptEvent, at: Timestamp) -> bool {
        self.id.as_ref().is_none_or(|id| *id == event.id)
            && self.lane.as_ref().is_none_or(|lane| *lane == event.lane)
            && self.command.is_none_or(|command| command == event.command)
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at <= until)
    }
}

impl Replay {
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let app = effect::app(tx, self.app)?;
        effect::has_room(tx, &app)?;
        let now = tx.now();
        let what = match &self.what {
            What::Parked { filter, after } => {
                let until = Some(filter.until.map_or(now, |until| until.min(now)));
                What::Parked { filter: ParkedFilter { until, ..filter.clone() }, after: after.clone() }
            }
            What::Delivered { .. } => self.what.clone(),
        };
        let Found { events, next } = tx.kept(self.app, &what, limits::REPLAY_PIECE_EVENTS)?;
        let mut replayed = Replayed { count: 0, skipped: 0, next };
        for event in events {
            if self.send_again(tx, event, now)? {
                replayed.count += 1;
            } else {
                replayed.skipped += 1;
            }
        }
        Ok(Done::Replayed(replayed))
    }

    /// Whether the holder of its lane was there to give it a place.
    fn send_again(&self, tx: &mut dyn Tx, kept: KeptEvent, now: Timestamp) -> Result<bool, Fault> {
        let Some(LaneCounter { place, last }) = next_place(tx, self.app, &kept.lane)? else {
            return Ok(false);
        };
        let KeptEvent { row, id, app, lane, number, command, body, origin, created, standing } = kept;
        let event = OwedEvent {
            id,
            app,
            lane,
            place,
            number,
            previous: last,
            command,
            body,
            origin,
            created,
            age_from: now,
            replay: true,
            tries: Tries::default(),
            due: now,
        };
        if let Standing::Parked { place, .. } = standing {
            tx.unpark(app, &event.lane, place)?;
        }
        tx.owe_again(row, event)?;
        Ok(true)
    }
}

/// Draws a place from the counter of whoever holds the lane. Which event the next one follows stays as it is.
fn next_place(tx: &mut dyn Tx, app: SdkAppId, lane: &Lane) -> Result<Option<LaneCounter>, Fault> {
    match lane.holder() {
        Holder::Account(user) => {
            let Some(mut account) = tx.account(app, &user)? else {
                return Ok(None);
            };
            account.lane.place += 1;
            tx.save_account(app, &user, &account)?;
            Ok(Some(account.lane))
        }
        Holder::Conversation(pair) => {
            let Some(mut conversation) = tx.conversation(app, &pair)? else {
                return Ok(None);
            };
            conversation.lane.place += 1;
            tx.save_conversation(app, &pair, &conversation)?;
            Ok(Some(conversation.lane))
        }
    }
}
