//! Importing a message that was sent elsewhere (rest 4.3).

use unsaid_protocol::error;

use super::{
    applied::{ChatError, Done},
    effect,
    message::MessageFlags,
    pair::Pair,
    send::Send,
    tx::Tx,
};

/// A message with the time that it had. It owes no callback.
#[derive(Clone, Debug)]
pub struct ImportMessage {
    /// What is imported; with [`MessageFlags::HISTORY`] nobody is told and nothing counts.
    pub send: Send,
    pub time_s: u32,
}

impl ImportMessage {
    /// What has the same numbers and time in this conversation was imported before, whatever it says; it stays.
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let Send { app: sdkappid, from, to, flags, .. } = &self.send;
        let app = effect::app(tx, *sdkappid)?;
        effect::imported(tx, *sdkappid, from, "From_Account", error::FROM_ACCOUNT)?;
        effect::imported(tx, *sdkappid, to, "To_Account", error::TO_ACCOUNT)?;
        let (pair, direction) = Pair::of(from, to);
        let key = self.send.key_of(self.time_s);
        if tx.message(*sdkappid, &pair, key)?.is_none() {
            debug_assert!(!(flags.contains(MessageFlags::HISTORY) && flags.contains(MessageFlags::COUNTED)));
            let send = self.send.clone().without_callbacks();
            let message = send.message(direction, key);
            send.store(tx, &app, &pair, message)?;
        }
        Ok(Done::Nothing)
    }
}
