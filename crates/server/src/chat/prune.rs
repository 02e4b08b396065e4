//! Erasing history that the app does not keep any longer, and what neither account can see any more.

use unsaid_protocol::SdkAppId;

use super::{
    applied::{ChatError, Done},
    effect,
    pair::Pair,
    tx::Tx,
};
use crate::limits;

/// Erases a piece of one conversation's history.
#[derive(Clone, Debug)]
pub struct Prune {
    pub app: SdkAppId,
    pub pair: Pair,
    /// Messages before this second; none if the app keeps everything.
    pub before_s: u32,
}

impl Prune {
    /// What is erased while it was unread leaves the counts with it, so that a total is always the count of what is there
    /// (rule R6). Who has nothing left in a conversation has it in its list no more.
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let mut conversation = effect::conversation(tx, self.app, &self.pair)?;
        let before = conversation;
        let cleared = conversation.low.cleared_position.min(conversation.high.cleared_position);
        let erased = tx.erase_messages(self.app, &self.pair, self.before_s, cleared, limits::PRUNE_PIECE_MESSAGES)?;
        for message in &erased {
            let side = conversation.recipient(message.direction);
            if !message.is_unread(side.read_position) {
                continue;
            }
            side.unread -= 1;
            let (_, to) = self.pair.ends(message.direction);
            if let Some(mut account) = tx.account(self.app, to)? {
                account.unread -= 1;
                tx.save_account(self.app, to, &account)?;
            }
        }
        // Whatever has touched their lists is older than that.
        for side in [&mut conversation.low, &mut conversation.high] {
            if side.last_time_s < self.before_s {
                side.last_time_s = 0;
            }
        }
        if conversation != before {
            tx.save_conversation(self.app, &self.pair, &conversation)?;
        }
        Ok(Done::Pruned(erased.len()))
    }
}
