//! Deleting an account (rest 3.3), and ending its logins (rest 3.5).

use unsaid_protocol::{SdkAppId, UserId, error};

use super::{
    account::Account,
    applied::{ChatError, Done, Refusal},
    effect,
    event::RequestId,
    log_in,
    tx::Tx,
};

/// Deletes an account. Its name and face, its history, its list of conversations and its blocklist go; what it sent stays
/// in the history of others. What the app backend is owed for it is still delivered.
#[derive(Clone, Debug)]
pub struct DeleteAccount {
    pub app: SdkAppId,
    pub user: UserId,
    pub request: RequestId,
}

/// Ends an account's logins: UserSigs that were made in this second or before do not log in any more.
#[derive(Clone, Debug)]
pub struct Kick {
    pub app: SdkAppId,
    pub user: UserId,
    pub request: RequestId,
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
        let mut gone =
            Account { unread: 0, deleted: true, life: account.life + 1, kicked_s: tx.now().seconds(), ..account };
        let ended = log_in::end_all(tx, &app, &self.user, &mut gone, self.request)?;
        tx.save_account(self.app, &self.user, &gone)?;
        tx.save_profile(self.app, &self.user, Some(""), Some(""))?;
        tx.unblock_all(self.app, &self.user)?;
        Ok(Done::Ended(ended))
    }
}

impl Kick {
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let app = effect::app(tx, self.app)?;
        let mut account = effect::imported(tx, self.app, &self.user, "UserID", error::ACCOUNT_NOT_FOUND)?;
        account.kicked_s = tx.now().seconds();
        let ended = log_in::end_all(tx, &app, &self.user, &mut account, self.request)?;
        tx.save_account(self.app, &self.user, &account)?;
        Ok(Done::Ended(ended))
    }
}
