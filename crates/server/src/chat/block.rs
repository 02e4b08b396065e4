//! Blocklists: whose messages an account does not want (rest 7). They count for what clients send.

use unsaid_protocol::{ErrorCode, SdkAppId, UserId, error};

use super::{
    applied::{ChatError, Done},
    effect,
    tx::{Fault, Tx},
};
use crate::limits;

/// `user` puts others on its blocklist, or takes them off it.
#[derive(Clone, Debug)]
pub struct Block {
    pub app: SdkAppId,
    pub user: UserId,
    pub others: Vec<UserId>,
    pub blocked: bool,
}

impl Block {
    /// Each of the others succeeds or fails alone.
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        effect::app(tx, self.app)?;
        effect::imported(tx, self.app, &self.user, "From_Account", error::SNS_ACCOUNT)?;
        let codes: Result<_, _> = self.others.iter().map(|other| self.one(tx, other)).collect();
        Ok(Done::Each(codes?))
    }

    fn one(&self, tx: &mut dyn Tx, other: &UserId) -> Result<ErrorCode, Fault> {
        if !self.blocked {
            tx.unblock(self.app, &self.user, other)?;
            return Ok(ErrorCode(0));
        }
        if tx.account(self.app, other)?.is_none_or(|account| account.deleted) {
            return Ok(error::SNS_ACCOUNT);
        }
        if tx.is_blocked(self.app, &self.user, other)? {
            return Ok(ErrorCode(0));
        }
        if tx.count_blocked(self.app, &self.user)? >= limits::BLOCKLIST_ACCOUNTS_MAX {
            return Ok(error::BLOCKLIST_FULL);
        }
        tx.block(self.app, &self.user, other)?;
        Ok(ErrorCode(0))
    }
}
