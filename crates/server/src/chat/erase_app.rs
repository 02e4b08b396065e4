//! Erasing an app with everything that it has, a piece at a time, so that nobody waits long for the writer.

use unsaid_protocol::SdkAppId;

use super::{
    applied::{ChatError, Done},
    tx::Tx,
};
use crate::limits;

/// Erases a piece. The app has been disabled before, so nothing of it comes in any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EraseApp {
    pub app: SdkAppId,
}

impl EraseApp {
    /// The app itself goes last, so that whoever goes on after a restart still finds it.
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let erased = tx.erase_of_app(self.app, limits::ERASE_PIECE_ROWS)?;
        if erased == 0 {
            tx.remove_app(self.app)?;
        }
        Ok(Done::Erased(erased))
    }
}
