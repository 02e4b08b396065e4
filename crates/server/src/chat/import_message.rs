//! Importing a message that was sent elsewhere (rest 4.3).

use unsaid_protocol::{UserId, error};

use super::{
    applied::{ChatError, Done, Refusal},
    effect,
    message::MessageFlags,
    pair::Pair,
    send::{Send, stands},
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
        if stands(tx, *sdkappid, &pair, to, key)? {
            return Ok(Done::Nothing);
        }
        self.make_room(tx, &pair)?;
        debug_assert!(!(flags.contains(MessageFlags::HISTORY) && flags.contains(MessageFlags::COUNTED)));
        let send = self.send.clone().without_callbacks();
        let message = send.message(direction, key);
        send.store(tx, &app, &pair, message)?;
        Ok(Done::Nothing)
    }

    /// The key may be taken by a message that the recipient sees no more. It is erased if the sender sees it no more either:
    /// a little earlier than it would be anyway. It counts as unread for nobody.
    fn make_room(&self, tx: &mut dyn Tx, pair: &Pair) -> Result<(), ChatError> {
        let Send { app, from, .. } = &self.send;
        let key = self.send.key_of(self.time_s);
        let Some(other) = tx.message(*app, pair, key)? else {
            return Ok(());
        };
        let conversation = effect::conversation(tx, *app, pair)?;
        let sees = |user: &UserId| other.is_visible(pair, user, conversation.side(pair, user).cleared_position);
        if sees(from) {
            let info = format!(
                "MsgTimeStamp: the message {key} is there, and From_Account sees it, but To_Account does not any more; \
                 import it with another MsgSeq, MsgRandom or MsgTimeStamp"
            );
            return Err(Refusal::new(error::MSG_TIMESTAMP, info).into());
        }
        tx.erase_message(*app, pair, key)?;
        Ok(())
    }
}
