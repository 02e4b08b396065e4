//! Importing an account, and how it shows itself.

use unsaid_protocol::{SdkAppId, UserId, error};

use super::{
    account::Account,
    applied::{ChatError, Done},
    effect,
    tx::Tx,
};

/// Makes an account, or renews the name and face of one that is there (rest 3.1). One that was deleted begins anew, without
/// anything of before.
#[derive(Clone, Debug)]
pub struct Import {
    pub app: SdkAppId,
    pub user: UserId,
    pub nick: Option<String>,
    pub face_url: Option<String>,
}

/// An account's own name and face. One that was deleted meanwhile is not brought back by it.
#[derive(Clone, Debug)]
pub struct SetProfile {
    pub app: SdkAppId,
    pub user: UserId,
    pub nick: Option<String>,
    pub face_url: Option<String>,
}

impl SetProfile {
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        effect::app(tx, self.app)?;
        effect::imported(tx, self.app, &self.user, "account", error::NO_SUCH_USER)?;
        if self.nick.is_some() || self.face_url.is_some() {
            tx.save_profile(self.app, &self.user, self.nick.as_deref(), self.face_url.as_deref())?;
        }
        Ok(Done::Nothing)
    }
}

impl Import {
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        effect::app(tx, self.app)?;
        match tx.account(self.app, &self.user)? {
            None => tx.new_account(self.app, &self.user)?,
            Some(account) if account.deleted => {
                tx.save_account(self.app, &self.user, &Account { deleted: false, ..account })?;
            }
            Some(_) => {}
        }
        if self.nick.is_some() || self.face_url.is_some() {
            tx.save_profile(self.app, &self.user, self.nick.as_deref(), self.face_url.as_deref())?;
        }
        Ok(Done::Nothing)
    }
}
