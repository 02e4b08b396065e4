//! A store in memory that is opened again, as one on a disk is: for simulations of servers that are killed and start anew.

use std::sync::Mutex;

use super::{HintSender, Memory};

impl Memory {
    /// The same state, told to whoever hears these hints. The one of before holds nothing more, and takes nothing.
    pub(crate) fn opened_again(&self, hints: HintSender) -> Self {
        let mut before = self.state();
        let state = std::mem::take(&mut *before);
        before.closed = true;
        Self { state: Mutex::new(state), clock: self.clock.clone(), entropy: self.entropy.clone(), hints }
    }
}
