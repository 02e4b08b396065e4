//! Reading a conversation up to a time: rule R6.

use unsaid_protocol::{
    MsgKey, SdkAppId, UserId,
    callback::{AfterMsgReport, CallbackCommand},
    error,
};

use super::{
    account::Account,
    applied::{ChatError, Done},
    conversation::Conversation,
    effect::{self, LaneRows, owe},
    event::Origin,
    message::{SyncEvent, SyncKind},
    pair::{Direction, Pair},
    tx::{Fault, Tx},
};
use crate::apps::App;

/// A read report: `reader` has read what `peer` sent.
#[derive(Clone, Debug)]
pub struct Read {
    pub app: SdkAppId,
    pub reader: UserId,
    pub peer: UserId,
    /// Messages of this second and before; everything that is stored if not given.
    pub time_s: Option<u32>,
    pub origin: Origin,
}

impl Read {
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let app = effect::app(tx, self.app)?;
        let mut reader = effect::imported(tx, self.app, &self.reader, "Report_Account", error::FROM_ACCOUNT)?;
        effect::once_imported(tx, self.app, &self.peer, "Peer_Account", error::TO_ACCOUNT)?;
        let (pair, direction) = Pair::of(&self.peer, &self.reader);
        let mut conversation = effect::conversation(tx, self.app, &pair)?;
        let side = conversation.recipient(direction);
        let covered = tx.read_up_to(self.app, &pair, direction, side.read_position, self.time_s.unwrap_or(u32::MAX))?;
        if covered.position <= side.read_position {
            return Ok(Done::Nothing);
        }
        effect::may_owe(tx, &app, CallbackCommand::AfterMsgReport)?;
        side.read_position = covered.position;
        reader.unread -= side.unread - covered.unread_after;
        side.unread = covered.unread_after;
        assert!(reader.unread >= side.unread, "R6: a total is the sum of its parts");
        self.tell(tx, &app, &pair, direction, &mut reader, &mut conversation)?;
        tx.save_conversation(self.app, &pair, &conversation)?;
        Ok(Done::Nothing)
    }

    /// The mark has moved: the devices of both and the app backend hear of it.
    fn tell(
        &self,
        tx: &mut dyn Tx,
        app: &App,
        pair: &Pair,
        direction: Direction,
        reader: &mut Account,
        conversation: &mut Conversation,
    ) -> Result<(), Fault> {
        let now = tx.now();
        let last_read_time_s = self.time_s.unwrap_or(now.seconds());
        let key = MsgKey { seq: 0, random: 0, time: last_read_time_s };
        let heard = |peer: &UserId| SyncEvent { kind: SyncKind::Read, peer: peer.clone(), direction, key };
        effect::sync(tx, self.app, &self.reader, reader, &heard(&self.peer))?;
        let command = CallbackCommand::AfterMsgReport;
        if app.owes(command) {
            let body = serde_json::to_vec(&AfterMsgReport {
                command,
                reader: &self.reader,
                peer: &self.peer,
                last_read_time_s: i64::from(last_read_time_s),
                unread: reader.unread,
                event_time_ms: now.0,
            })
            .expect("strings and numbers serialize");
            let rows = LaneRows { account_id: &self.reader, account: reader, pair, conversation };
            owe(tx, app, rows, command, self.origin, body)?;
        }
        tx.save_account(self.app, &self.reader, reader)?;
        if self.peer != self.reader {
            let mut peer = tx.account(self.app, &self.peer)?.expect("the command has found it before");
            effect::sync(tx, self.app, &self.peer, &mut peer, &heard(&self.reader))?;
            tx.save_account(self.app, &self.peer, &peer)?;
        }
        Ok(())
    }
}
