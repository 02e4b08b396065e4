//! A change of state as a value.

use std::sync::Arc;

use super::{
    applied::{Applied, ChatError, Done},
    import::Import,
    read::Read,
    recall::Recall,
    replay::Replay,
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
    Replay(Replay),
}

impl Command {
    /// Applies it inside a transaction. A refusal is no fault: the transaction goes on without it.
    pub fn apply(&self, tx: &mut dyn Tx) -> Result<Applied, Fault> {
        let done = match self {
            Self::SaveApp(app) => save_app(app, tx),
            Self::Import(import) => import.apply(tx),
            Self::Send(send) => send.apply(tx),
            Self::Recall(recall) => recall.apply(tx),
            Self::Read(read) => read.apply(tx),
            Self::Replay(replay) => replay.apply(tx),
        };
        match done {
            Ok(done) => Ok(Ok(done)),
            Err(ChatError::Refused(refusal)) => Ok(Err(refusal)),
            Err(ChatError::Failed(fault)) => Err(fault),
        }
    }
}

/// An admin sends in its own name where no sender is given, so it is an account.
fn save_app(app: &Arc<App>, tx: &mut dyn Tx) -> Result<Done, ChatError> {
    tx.save_app(app)?;
    for admin in &app.admins {
        if tx.account(app.sdkappid, admin)?.is_none() {
            tx.new_account(app.sdkappid, admin)?;
        }
    }
    Ok(Done::Nothing)
}
