//! What receivers do with what reaches them, and the ways in which a request may not come through.

use std::{sync::Arc, time::Duration};

use super::world::{Happening, World};
use crate::{
    callback::{Outcome, Phase, Refused, Unavailable},
    chat::OwedEvent,
};

/// How a receiver is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mood {
    Answers,
    Refuses,
    /// It gets the request and answers too late.
    Stalls,
    /// Nothing reaches it.
    Gone,
    /// It asks for a pause.
    Busy,
}

/// An event that cannot be delivered, whatever the receiver's mood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bad {
    Refused,
    Crashes,
}

/// What the server hears, and after how long.
pub(crate) fn answer(mood: Mood, bad: Option<Bad>, drawn: impl Fn(u32) -> u32) -> (Outcome, u32) {
    match (mood, bad) {
        (Mood::Gone, _) => (Outcome::Unavailable(Unavailable::ConnectionRefused), 1),
        (Mood::Busy, _) => {
            let retry_after = Some(Duration::from_secs(u64::from(drawn(900))));
            (Outcome::Unavailable(Unavailable::Status { status: 503, retry_after }), 5)
        }
        (Mood::Stalls, _) => (Outcome::Unavailable(Unavailable::TimedOut(Phase::Answer)), 2_000),
        (_, Some(Bad::Crashes)) => (Outcome::Unavailable(Unavailable::ConnectionLost("crash".to_owned())), 10),
        (Mood::Refuses, _) | (_, Some(Bad::Refused)) => (Outcome::Refused(Refused::ErrorCode(1)), 5),
        (Mood::Answers, None) => (Outcome::Delivered, 1 + drawn(30)),
    }
}

impl World {
    /// The server tries an event: the request reaches the receiver or not, once or twice, and its answer comes back or not.
    pub(super) fn attempt(&mut self, event: Arc<OwedEvent>) {
        let at = self.at;
        self.book().judge.starts(0, &event, at);
        let (mood, bad) = (self.mood, self.bad_of(&event));
        let (outcome, takes_ms) = answer(mood, bad, |end| self.draw(end));
        let accepted = outcome == Outcome::Delivered;
        let reaches = mood != Mood::Gone;
        if reaches && accepted && self.chance(self.mix.late_in_100) {
            // The server has given up by then.
            let late_ms = 2_000 + self.draw(3_000);
            self.happens_in(late_ms, Happening::Arrives(Arc::clone(&event), accepted));
            let outcome = Outcome::Unavailable(Unavailable::TimedOut(Phase::Answer));
            return self.happens_in(2_000, Happening::AttemptEnds(self.life, event, outcome));
        }
        if reaches {
            self.book().judge.arrives(&event, accepted);
            if self.chance(self.mix.doubled_in_100) {
                let again_ms = self.draw(4_000);
                self.happens_in(again_ms, Happening::Arrives(Arc::clone(&event), accepted));
            }
        }
        let lost = reaches && self.chance(self.mix.answers_lost_in_100);
        let outcome = match lost {
            true => Outcome::Unavailable(Unavailable::ConnectionLost("the answer is lost".to_owned())),
            false => outcome,
        };
        self.happens_in(takes_ms, Happening::AttemptEnds(self.life, event, outcome));
    }

    /// Drawn once for each event.
    fn bad_of(&mut self, event: &OwedEvent) -> Option<Bad> {
        if let Some(bad) = self.bad.get(&event.id) {
            return *bad;
        }
        let drawn = self.draw(100);
        let bad = if self.has_ended {
            None
        } else if drawn < self.mix.bad_in_100 {
            Some(Bad::Refused)
        } else {
            (drawn < self.mix.bad_in_100 + self.mix.crashing_in_100).then_some(Bad::Crashes)
        };
        self.bad.insert(event.id.clone(), bad);
        bad
    }
}
