//! Importing an account.

use unsaid_protocol::{SdkAppId, UserId};

use super::{
    applied::{ChatError, Done},
    effect,
    tx::Tx,
};

/// Makes an account, or renews the name and face of one that is there (rest 3.1).
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
        if tx.account(self.app, &self.user)?.is_none() {
            tx.new_account(self.app, &self.user)?;
        }
        if self.nick.is_some() || self.face_url.is_some() {
            tx.save_profile(self.app, &self.user, self.nick.as_deref(), self.face_url.as_deref())?;
        }
        Ok(Done::Nothing)
    }
}
