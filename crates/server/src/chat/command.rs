//! A change of state as a value.

use std::sync::Arc;

use super::{
    applied::{Applied, ChatError, Done, Refusal},
    audit::Noted,
    batch::SendBatch,
    block::Block,
    delete_account::{DeleteAccount, Kick},
    delete_messages::{DeleteConversation, DeleteMessages},
    discard::Discard,
    erase_app::EraseApp,
    import::{Import, SetProfile},
    import_message::ImportMessage,
    log_in::{LogIn, LogOut},
    modify::Modify,
    prune::Prune,
    read::Read,
    read_all::ReadAll,
    recall::Recall,
    receipt::Receipt,
    replay::Replay,
    send::Send,
    token::Token,
    tx::{Fault, Tx},
};
use crate::{apps::App, clock::Timestamp};

/// Everything that changes what is stored.
#[derive(Clone, Debug)]
pub enum Command {
    SaveApp(Arc<App>),
    Import(Import),
    SetProfile(SetProfile),
    Send(Box<Send>),
    /// Whether it may be sent, before the app backend is asked; changes nothing.
    CheckSend(Box<Send>),
    /// It was not sent, and the app backend is told so.
    SendFailed(Box<Send>, Refusal),
    Recall(Recall),
    Read(Read),
    ReadAll(ReadAll),
    Receipt(Receipt),
    Modify(Box<Modify>),
    Replay(Replay),
    DeleteAccount(DeleteAccount),
    Kick(Kick),
    LogIn(LogIn),
    LogOut(LogOut),
    SendBatch(Box<SendBatch>),
    ImportMessage(Box<ImportMessage>),
    DeleteMessages(DeleteMessages),
    DeleteConversation(DeleteConversation),
    Block(Block),
    Prune(Prune),
    /// A change that the operator makes, and its note in the audit log.
    Noted(Box<Noted>),
    /// Erases some notes of before that moment.
    EraseNotes(Timestamp),
    SaveToken(Token),
    /// By the token's id.
    RevokeToken(String),
    EraseApp(EraseApp),
    Discard(Discard),
}

impl Command {
    /// Applies it inside a transaction. A refusal is no fault: the transaction goes on without it.
    pub fn apply(&self, tx: &mut dyn Tx) -> Result<Applied, Fault> {
        let done = match self {
            Self::SaveApp(app) => save_app(app, tx),
            Self::Import(import) => import.apply(tx),
            Self::SetProfile(set) => set.apply(tx),
            Self::Send(send) => send.apply(tx),
            Self::CheckSend(send) => send.check(tx),
            Self::SendFailed(send, refusal) => send.failed(refusal, tx),
            Self::Recall(recall) => recall.apply(tx),
            Self::Read(read) => read.apply(tx),
            Self::ReadAll(read) => read.apply(tx),
            Self::Receipt(receipt) => receipt.apply(tx),
            Self::Modify(modify) => modify.apply(tx),
            Self::Replay(replay) => replay.apply(tx),
            Self::DeleteAccount(delete) => delete.apply(tx),
            Self::Kick(kick) => kick.apply(tx),
            Self::LogIn(log_in) => log_in.apply(tx),
            Self::LogOut(log_out) => log_out.apply(tx),
            Self::SendBatch(batch) => batch.apply(tx),
            Self::ImportMessage(import) => import.apply(tx),
            Self::DeleteMessages(delete) => delete.apply(tx),
            Self::DeleteConversation(delete) => delete.apply(tx),
            Self::Block(block) => block.apply(tx),
            Self::Prune(prune) => prune.apply(tx),
            Self::Noted(noted) => noted.apply(tx),
            Self::EraseNotes(before) => tx.erase_notes(*before).map(Done::Erased).map_err(ChatError::from),
            Self::SaveToken(token) => tx.save_token(token).map(|()| Done::Nothing).map_err(ChatError::from),
            Self::RevokeToken(id) => tx.remove_token(id).map(|()| Done::Nothing).map_err(ChatError::from),
            Self::EraseApp(erase) => erase.apply(tx),
            Self::Discard(discard) => discard.apply(tx),
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
        Import { app: app.sdkappid, user: admin.clone(), nick: None, face_url: None }.apply(tx)?;
    }
    Ok(Done::Nothing)
}
