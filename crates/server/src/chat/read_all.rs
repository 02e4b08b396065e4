//! Reading everything: a client clears its unread total (callbacks 4.8, rule R6).

use unsaid_protocol::{
    MsgKey, SdkAppId, UserId,
    callback::{AfterMsgReadAll, CallbackCommand},
    error,
};

use super::{
    applied::{ChatError, Done},
    effect,
    event::Origin,
    lane::Lane,
    message::{SyncEvent, SyncKind},
    pair::{Direction, Pair},
    tx::Tx,
};

/// `reader` has read all conversations.
#[derive(Clone, Debug)]
pub struct ReadAll {
    pub app: SdkAppId,
    pub reader: UserId,
    pub origin: Origin,
}

impl ReadAll {
    /// Every mark moves to the end of its conversation. Where nothing was unread, nobody is told.
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let app = effect::app(tx, self.app)?;
        let mut reader = effect::imported(tx, self.app, &self.reader, "Report_Account", error::FROM_ACCOUNT)?;
        if reader.unread == 0 {
            return Ok(Done::Nothing);
        }
        effect::may_owe(tx, &app, CallbackCommand::AfterMsgReadAll)?;
        for pair in tx.unread_conversations(self.app, &self.reader)? {
            self.read_one(tx, &pair)?;
        }
        reader.unread = 0;
        let now = tx.now();
        let key = MsgKey { seq: 0, random: 0, time: now.seconds() };
        let direction = Direction::LowToHigh;
        let heard = SyncEvent { kind: SyncKind::ReadAll, peer: self.reader.clone(), direction, key };
        effect::sync(tx, self.app, &self.reader, &mut reader, &heard)?;
        let command = CallbackCommand::AfterMsgReadAll;
        if app.owes(command) {
            let body = AfterMsgReadAll { command, reader: &self.reader, event_time_ms: now.0, groups: [] };
            let body = serde_json::to_vec(&body).expect("strings and numbers serialize");
            // It belongs to no conversation, whatever makes a lane.
            let lane = Lane::of_account(&self.reader);
            effect::owe_in(tx, &app, lane, &mut reader.lane, command, self.origin, body)?;
        }
        tx.save_account(self.app, &self.reader, &reader)?;
        Ok(Done::Nothing)
    }

    /// The other account's devices hear of it as of a read report.
    fn read_one(&self, tx: &mut dyn Tx, pair: &Pair) -> Result<(), ChatError> {
        let peer = if pair.low == self.reader { &pair.high } else { &pair.low };
        let (_, direction) = Pair::of(peer, &self.reader);
        let mut conversation = effect::conversation(tx, self.app, pair)?;
        let end = conversation.position;
        let side = conversation.recipient(direction);
        // It was unread in an earlier life of the account.
        if side.unread == 0 {
            return Ok(());
        }
        (side.unread, side.read_position) = (0, end);
        tx.save_conversation(self.app, pair, &conversation)?;
        if *peer != self.reader
            && let Some(mut account) = tx.account(self.app, peer)?
        {
            let key = MsgKey { seq: 0, random: 0, time: tx.now().seconds() };
            let heard = SyncEvent { kind: SyncKind::Read, peer: self.reader.clone(), direction, key };
            effect::sync(tx, self.app, peer, &mut account, &heard)?;
            tx.save_account(self.app, peer, &account)?;
        }
        Ok(())
    }
}
