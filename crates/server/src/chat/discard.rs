//! Throwing a parked event away: its callback is never sent.

use unsaid_protocol::{SdkAppId, error};

use super::{
    applied::{ChatError, Done, Refusal},
    event::{EventId, Standing},
    replay::{ParkedFilter, What},
    tx::Tx,
};

/// Throws one parked event away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Discard {
    pub app: SdkAppId,
    pub id: EventId,
}

impl Discard {
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let filter = ParkedFilter { id: Some(self.id.clone()), ..ParkedFilter::default() };
        let mut what = Some(What::Parked { filter, after: None });
        while let Some(piece) = what {
            let found = tx.kept(self.app, &piece, 1)?;
            if let Some(event) = found.events.into_iter().next() {
                let Standing::Parked { place, .. } = event.standing else { unreachable!("it was found parked") };
                tx.unpark(self.app, &event.lane, place)?;
                tx.forget_event(event.row)?;
                return Ok(Done::Nothing);
            }
            what = found.next;
        }
        let info = format!("no event {} is parked: it was replayed, thrown away, or never was", self.id.0);
        Err(Refusal::new(error::SDKAPPID_INVALID, info).into())
    }
}
