//! A change of state as a value.

use std::{borrow::Cow, sync::Arc};

use unsaid_protocol::{ErrorCode, SdkAppId, UserId, error};

use super::{
    account::Account,
    import::Import,
    message::SyncEvent,
    read::Read,
    recall::Recall,
    send::{Send, Sent},
    tx::{Fault, Tx},
};
use crate::apps::App;

/// Everything that changes what is stored.
#[derive(Clone, Debug)]
pub enum Command {
    SaveApp(Arc<App>),
    Import(Import),
    Send(Box<Send>),
    Recall(Recall),
    Read(Read),
}

/// What a command has to say when it was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Done {
    Nothing,
    Sent(Sent),
}

/// A command that the rules do not allow. It has changed nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub code: ErrorCode,
    /// What the caller should change.
    pub info: Cow<'static, str>,
}

impl Refusal {
    pub fn new(code: ErrorCode, info: impl Into<Cow<'static, str>>) -> Self {
        Self { code, info: info.into() }
    }
}

/// Done or refused.
pub type Applied<T = Done> = Result<T, Refusal>;

impl Command {
    /// Applies it inside a transaction.
    pub fn apply(&self, tx: &mut dyn Tx) -> Result<Applied, Fault> {
        match self {
            Self::SaveApp(app) => {
                tx.save_app(app)?;
                // An admin sends in its own name where no sender is given, so it is an account.
                for admin in &app.admins {
                    if tx.account(app.sdkappid, admin)?.is_none() {
                        tx.new_account(app.sdkappid, admin)?;
                    }
                }
                Ok(Ok(Done::Nothing))
            }
            Self::Import(import) => import.apply(tx),
            Self::Send(send) => send.apply(tx),
            Self::Recall(recall) => recall.apply(tx),
            Self::Read(read) => read.apply(tx),
        }
    }
}

/// The app of a command.
pub(super) fn app(tx: &mut dyn Tx, sdkappid: SdkAppId) -> Result<Applied<Arc<App>>, Fault> {
    let app = tx.app(sdkappid)?;
    Ok(app.ok_or_else(|| Refusal::new(error::SDKAPPID_INVALID, format!("there is no app {sdkappid}"))))
}

/// Adds a sync event to an account whose row the caller saves.
pub(super) fn sync(
    tx: &mut dyn Tx,
    app: SdkAppId,
    user: &UserId,
    account: &mut Account,
    event: &SyncEvent,
) -> Result<(), Fault> {
    account.sync_number += 1;
    tx.add_sync_event(app, user, account.sync_number, event)
}
