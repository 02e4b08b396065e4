//! Deleting messages, or a conversation, from the view of one account (rest 4.10, 6.2). The other account keeps them.

use unsaid_protocol::{MsgKey, SdkAppId, UserId, error};

use super::{
    applied::{ChatError, Done},
    effect,
    message::{MessageFlags, SyncEvent, SyncKind},
    pair::{Direction, Pair},
    tx::Tx,
};

/// `operator` deletes messages from its history with `peer`.
#[derive(Clone, Debug)]
pub struct DeleteMessages {
    pub app: SdkAppId,
    pub operator: UserId,
    pub peer: UserId,
    pub keys: Vec<MsgKey>,
}

/// `operator` takes its conversation with `peer` off its list; what it has not read of it does not count any more.
#[derive(Clone, Debug)]
pub struct DeleteConversation {
    pub app: SdkAppId,
    pub operator: UserId,
    pub peer: UserId,
    /// Whether its history goes, too.
    pub clear_history: bool,
}

impl DeleteMessages {
    /// A message that is not there is as good as deleted.
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        effect::app(tx, self.app)?;
        let mut account = effect::imported(tx, self.app, &self.operator, "Operator_Account", error::FROM_ACCOUNT)?;
        effect::once_imported(tx, self.app, &self.peer, "Peer_Account", error::TO_ACCOUNT)?;
        let (pair, _) = Pair::of(&self.operator, &self.peer);
        let mut conversation = effect::conversation(tx, self.app, &pair)?;
        let before = (account, conversation);
        let cleared = conversation.side(&pair, &self.operator).cleared_position;
        for key in &self.keys {
            let found = tx.message(self.app, &pair, *key)?;
            let Some(message) = found.filter(|message| message.is_visible(&pair, &self.operator, cleared)) else {
                continue;
            };
            let (from, to) = pair.ends(message.direction);
            let by = |user: &UserId, flag| if *user == self.operator { flag } else { MessageFlags::default() };
            let deleted = by(from, MessageFlags::DELETED_BY_SENDER).with(by(to, MessageFlags::DELETED_BY_RECIPIENT));
            let side = conversation.side_mut(&pair, &self.operator);
            if *to == self.operator && message.is_unread(side.read_position) {
                side.unread -= 1;
                account.unread -= 1;
            }
            tx.add_flags(self.app, &pair, *key, deleted)?;
            let (peer, direction, key) = (self.peer.clone(), message.direction, *key);
            let heard = SyncEvent { kind: SyncKind::Delete, peer, direction, key };
            effect::sync(tx, self.app, &self.operator, &mut account, &heard)?;
        }
        if account != before.0 {
            tx.save_account(self.app, &self.operator, &account)?;
        }
        if conversation != before.1 {
            tx.save_conversation(self.app, &pair, &conversation)?;
        }
        Ok(Done::Nothing)
    }
}

impl DeleteConversation {
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        effect::app(tx, self.app)?;
        let mut account = effect::imported(tx, self.app, &self.operator, "From_Account", error::CONTACT_ACCOUNT)?;
        effect::once_imported(tx, self.app, &self.peer, "To_Account", error::CONTACT_ACCOUNT)?;
        let (pair, _) = Pair::of(&self.operator, &self.peer);
        let mut conversation = effect::conversation(tx, self.app, &pair)?;
        let (before, end) = (conversation, conversation.position);
        let side = conversation.side_mut(&pair, &self.operator);
        account.unread -= side.unread;
        (side.unread, side.read_position, side.last_time_s) = (0, end, 0);
        if self.clear_history {
            side.cleared_position = end;
        }
        if conversation == before {
            return Ok(Done::Nothing);
        }
        let key = MsgKey { seq: 0, random: 0, time: tx.now().seconds() };
        let (peer, direction) = (self.peer.clone(), Direction::LowToHigh);
        let heard = SyncEvent { kind: SyncKind::DeleteConversation, peer, direction, key };
        effect::sync(tx, self.app, &self.operator, &mut account, &heard)?;
        tx.save_account(self.app, &self.operator, &account)?;
        tx.save_conversation(self.app, &pair, &conversation)?;
        Ok(Done::Nothing)
    }
}
