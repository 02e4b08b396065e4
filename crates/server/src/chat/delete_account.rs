//! Deleting an account (rest 3.3), and ending its logins (rest 3.5).

use unsaid_protocol::{SdkAppId, UserId, error};

use super::{
    account::Account,
    applied::{ChatError, Done, Refusal},
    effect,
    tx::Tx,
};

/// Deletes an account. Its name and face, its history, its list of conversations and its blocklist go; what it sent stays
/// in the history of others. What the app backend is owed for it is still delivered.
#[derive(Clone, Debug)]
pub struct DeleteAccount {
    pub app: SdkAppId,
    pub user: UserId,
}

/// Ends an account's logins: UserSigs that were made in this second or before do not log in any more.
#[derive(Clone, Debug)]
pub struct Kick {
    pub app: SdkAppId,
    pub user: UserId,
}

impl DeleteAccount {
    /// However many conversations it has, one row is changed: they see by its life that what they have noted is void.
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let app = effect::app(tx, self.app)?;
        let account = effect::imported(tx, self.app, &self.user, "UserID", error::ACCOUNT_NOT_FOUND)?;
        if app.admins.contains(&self.user) {
            let info = format!("{} is an admin of the app: take it off the app's admins first", self.user);
            return Err(Refusal::new(error::ACCOUNT_PARAMETER, info).into());
        }
        let gone =
            Account { unread: 0, deleted: true, life: account.life + 1, kicked_s: tx.now().seconds(), ..account };
        tx.save_account(self.app, &self.user, &gone)?;
        tx.save_profile(self.app, &self.user, Some(""), Some(""))?;
        tx.unblock_all(self.app, &self.user)?;
        Ok(Done::Nothing)
    }
}

impl Kick {
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        effect::app(tx, self.app)?;
        let account = effect::imported(tx, self.app, &self.user, "UserID", error::ACCOUNT_NOT_FOUND)?;
        let kicked = Account { kicked_s: tx.now().seconds(), ..account };
        tx.save_account(self.app, &self.user, &kicked)?;
        Ok(Done::Nothing)
    }
}
