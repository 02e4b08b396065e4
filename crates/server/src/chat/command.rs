//! A change of state as a value.

use std::sync::Arc;

use super::{
    applied::{Applied, Done},
    import::Import,
    read::Read,
    recall::Recall,
    send::Send,
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
