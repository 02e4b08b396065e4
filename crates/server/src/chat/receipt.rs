//! A read receipt: the recipient acknowledges single messages (rest 4.9, callbacks 4.5).

use unsaid_protocol::{
    MsgKey, SdkAppId, UserId,
    callback::{AfterMsgReadReceipt, CallbackCommand, ReceiptMessage},
    error,
};

use super::{
    applied::{ChatError, Done, Refusal},
    effect::{self, LaneRows, owe},
    event::Origin,
    message::{Message, MessageFlags, SyncEvent, SyncKind},
    pair::{Direction, Pair},
    tx::{Fault, Tx},
};
use crate::apps::App;

/// `reader` acknowledges messages that `peer` sent.
#[derive(Clone, Debug)]
pub struct Receipt {
    pub app: SdkAppId,
    pub reader: UserId,
    pub peer: UserId,
    pub keys: Vec<MsgKey>,
    pub origin: Origin,
}

impl Receipt {
    /// Messages that were acknowledged before are passed over; where nothing is new, nobody is told.
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let app = effect::app(tx, self.app)?;
        effect::imported(tx, self.app, &self.reader, "Operator_Account", error::FROM_ACCOUNT)?;
        effect::once_imported(tx, self.app, &self.peer, "Peer_Account", error::TO_ACCOUNT)?;
        let (pair, direction) = Pair::of(&self.peer, &self.reader);
        let mut new: Vec<Message> = Vec::new();
        for key in &self.keys {
            let found = tx.message(self.app, &pair, *key)?.filter(|message| message.direction == direction);
            let Some(message) = found else {
                let info = format!("there is no message {key} from Peer_Account to Operator_Account");
                return Err(Refusal::new(error::MESSAGE_NOT_FOUND, info).into());
            };
            if !message.flags.contains(MessageFlags::PEER_READ) && new.iter().all(|known| known.key != *key) {
                new.push(message);
            }
        }
        if !new.is_empty() {
            effect::may_owe(tx, &app, CallbackCommand::AfterMsgReadReceipt)?;
            self.acknowledge(tx, &app, &pair, direction, &new)?;
        }
        Ok(Done::Nothing)
    }

    fn acknowledge(
        &self,
        tx: &mut dyn Tx,
        app: &App,
        pair: &Pair,
        direction: Direction,
        new: &[Message],
    ) -> Result<(), Fault> {
        let found = "the command has found it before";
        let mut sender = tx.account(self.app, &self.peer)?.expect(found);
        let messages: Vec<_> = new
            .iter()
            .map(|message| ReceiptMessage {
                from: self.peer.to_string(),
                to: self.reader.to_string(),
                key: message.key.to_string(),
                id: message.id(&sender),
            })
            .collect();
        let keys = || new.iter().map(|message| message.key);
        for key in keys() {
            tx.add_flags(self.app, pair, key, MessageFlags::PEER_READ)?;
        }
        let heard =
            |peer: &UserId, key: MsgKey| SyncEvent { kind: SyncKind::Receipt, peer: peer.clone(), direction, key };
        if self.peer != self.reader {
            for key in keys() {
                effect::sync(tx, self.app, &self.peer, &mut sender, &heard(&self.reader, key))?;
            }
            tx.save_account(self.app, &self.peer, &sender)?;
        }
        let mut reader = tx.account(self.app, &self.reader)?.expect(found);
        for key in keys() {
            effect::sync(tx, self.app, &self.reader, &mut reader, &heard(&self.peer, key))?;
        }
        let command = CallbackCommand::AfterMsgReadReceipt;
        if app.owes(command) {
            let body = serde_json::to_vec(&AfterMsgReadReceipt {
                command,
                operator: &self.reader,
                peer: &self.peer,
                messages: &messages,
                event_time_ms: tx.now().0,
            })
            .expect("strings and numbers serialize");
            let mut conversation = effect::conversation(tx, self.app, pair)?;
            let rows =
                LaneRows { account_id: &self.reader, account: &mut reader, pair, conversation: &mut conversation };
            owe(tx, app, rows, command, self.origin, body)?;
            tx.save_conversation(self.app, pair, &conversation)?;
        }
        tx.save_account(self.app, &self.reader, &reader)
    }
}
