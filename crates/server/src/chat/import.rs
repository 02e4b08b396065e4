//! Importing an account.

use unsaid_protocol::{SdkAppId, UserId};

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
