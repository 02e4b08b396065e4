//! The domain: what may be sent, recalled and read, and what follows from it.
//!
//! A change of state is a [`Command`]: a value that a store applies inside one transaction, through [`Tx`]. The rules
//! stand in the file of the command, each on one page. This folder knows neither HTTP nor WebSocket nor SQL.

mod account;
mod conversation;
mod event;
mod lane;
mod message;
mod pair;

mod tx;

mod applied;
mod audit;
mod effect;
mod length;

mod batch;
mod before;
mod block;
mod delete_account;
mod delete_messages;
mod discard;
mod erase_app;
mod import;
mod import_message;
mod log_in;
mod modify;
mod online_only;
mod prune;
mod read;
mod read_all;
mod recall;
mod receipt;
mod replay;
mod send;

mod command;
mod footprint;

mod history;
mod session;
mod store;
mod token;
mod view;

use std::{fmt, sync::Arc};

pub use account::Account;
pub use applied::{Applied, Batched, ChatError, Done, Refusal, Sent};
pub use audit::{AuditEntry, AuditFilter, AuditPage, Note, Noted};
pub use batch::SendBatch;
pub use before::{Asked, Before, Question, Verdict};
pub use block::Block;
pub use command::Command;
pub use conversation::{Conversation, Side};
pub use delete_account::{DeleteAccount, Kick};
pub use delete_messages::{DeleteConversation, DeleteMessages};
pub use discard::Discard;
pub use erase_app::EraseApp;
pub use event::{EventId, KeptEvent, Origin, OwedEvent, RequestId, Standing, Tries};
pub use footprint::Footprint;
pub use history::{HistoryQuery, Place, Recent};
pub use import::{Import, SetProfile};
pub use import_message::ImportMessage;
pub use lane::{Holder, Lane, LaneCounter};
pub use length::{check_length, check_push_info};
pub use log_in::{Leaving, LogIn, LogOut, LoggedIn};
pub use message::{Content, Message, MessageFlags, MessageName, SyncEvent, SyncKind};
pub use modify::Modify;
pub use pair::{Direction, Pair};
pub use prune::Prune;
pub use read::Read;
pub use read_all::ReadAll;
pub use recall::{Door, Recall};
pub use receipt::Receipt;
pub use replay::{Found, ParkedFilter, Replay, Replayed, Rows, What};
pub use send::{Lifetime, Send};
pub use session::{Devices, EndReason, NoDevices, Session, SessionId, Shown};
pub use store::{
    Backlog, CopyProgress, LaneHead, Later, Oldest, ParkedPiece, Prunable, Pruned, SessionKey, Settled, Settlement,
    Store,
};
pub use token::{Role, Token};
pub use tx::{Fault, ReadUpTo, Repeat, Tx};
pub use view::{ConversationView, ConversationsView, Person, Update, Updates, UpdatesQuery, View};
pub(crate) use view::{conversations, updates};

use before::{Key, UnderWay};
use online_only::OnlineOnly;
use unsaid_protocol::{ErrorCode, SdkAppId, UserId, error};

use crate::{
    apps::{App, Apps, BeforeFailure},
    clock::Clock,
};

/// The door to the domain for everything that comes in: commands go to the store, and their results come back when
/// they are durable.
#[derive(Clone)]
pub struct Chat {
    store: Arc<dyn Store>,
    apps: Arc<Apps>,
    before: Arc<dyn Before>,
    devices: Arc<dyn Devices>,
    /// Sends that the app backend is being asked about, or that nothing will be stored of.
    under_way: UnderWay,
    online_only: OnlineOnly,
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chat")
    }
}

impl Chat {
    pub fn new(
        store: Arc<dyn Store>,
        apps: Arc<Apps>,
        before: Arc<dyn Before>,
        devices: Arc<dyn Devices>,
        clock: Clock,
    ) -> Self {
        let (under_way, online_only) = (UnderWay::default(), OnlineOnly::new(clock));
        Self { store, apps, before, devices, under_way, online_only }
    }

    /// What can be asked without changing anything.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Saves an app, and lets the edges see it. The caller has checked it.
    pub async fn save_app(&self, app: App) -> Result<(), ChatError> {
        let app = Arc::new(app);
        self.commit(Command::SaveApp(Arc::clone(&app))).await?;
        self.apps.put(&app);
        Ok(())
    }

    /// The same, with a note in the audit log.
    pub async fn save_app_noted(&self, app: App, note: Note) -> Result<(), ChatError> {
        let app = Arc::new(app);
        self.noted(note, Some(Command::SaveApp(Arc::clone(&app)))).await?;
        self.apps.put(&app);
        Ok(())
    }

    /// Notes something in the audit log, together with the change that it is about.
    pub async fn noted(&self, note: Note, change: Option<Command>) -> Result<Done, ChatError> {
        self.commit(Command::Noted(Box::new(Noted { note, change }))).await
    }

    /// Erases a piece of an app; answers how many rows. With nothing left the app is gone.
    pub async fn erase_app(&self, app: SdkAppId) -> Result<u64, ChatError> {
        let done = self.commit(Command::EraseApp(EraseApp { app })).await?;
        let Done::Erased(erased) = done else { unreachable!("it says how many") };
        if erased == 0 {
            self.apps.remove(app);
        }
        Ok(erased)
    }

    /// Does what has nothing to tell.
    pub async fn run(&self, command: Command) -> Result<(), ChatError> {
        self.commit(command).await.map(drop)
    }

    /// Sends a message; first the app backend is asked, if it wants that (rule C2). What the recipient's blocklist stops is
    /// told as failed.
    pub async fn send(&self, send: Send) -> Result<Sent, ChatError> {
        let app = self.apps.get(send.app).filter(|app| before::asks(app, &send));
        let sent = match (app, send.lifetime) {
            (None, Lifetime::Stored) => self.store_sent(send.clone()).await,
            (Some(app), Lifetime::Stored) => self.under_way.once(&send, self.ask_and_send(&app, send.clone())).await,
            (app, Lifetime::OnlineOnly) => self.under_way.once(&send, self.send_online_only(app, send.clone())).await,
        };
        if let Err(ChatError::Refused(refusal)) = &sent
            && refusal.code == error::BLOCKED
        {
            self.commit(Command::SendFailed(Box::new(send), refusal.clone())).await?;
        }
        sent
    }

    /// One message to many.
    pub async fn send_batch(&self, batch: SendBatch) -> Result<Batched, ChatError> {
        let online = (batch.send.lifetime == Lifetime::OnlineOnly).then(|| batch.clone());
        let done = self.commit(Command::SendBatch(Box::new(batch))).await?;
        let Done::Batched(batched) = done else { unreachable!("a batch says who has it") };
        if let Some(SendBatch { send, to }) = online {
            for to in to.into_iter().filter(|to| batched.failed.iter().all(|(failed, _)| failed != to)) {
                self.show_online(Send { to, ..send.clone() }, &batched.sent);
            }
        }
        Ok(batched)
    }

    /// Erases a piece of a history; answers how many messages.
    pub async fn prune(&self, prune: Prune) -> Result<usize, ChatError> {
        let done = self.commit(Command::Prune(prune)).await?;
        let Done::Pruned(erased) = done else { unreachable!("it says how many") };
        Ok(erased)
    }

    /// What came of each of the others.
    pub async fn block(&self, block: Block) -> Result<Vec<ErrorCode>, ChatError> {
        let done = self.commit(Command::Block(block)).await?;
        let Done::Each(codes) = done else { unreachable!("it says what came of each") };
        Ok(codes)
    }

    /// A repeat is recognised by what is remembered, for nothing is stored.
    async fn send_online_only(&self, app: Option<Arc<App>>, send: Send) -> Result<Sent, ChatError> {
        let key = Key::of(&send);
        if let Some(first) = self.online_only.first(&key) {
            return Ok(first);
        }
        let sent = match app {
            Some(app) => self.ask_and_send(&app, send).await?,
            None => self.store_sent(send).await?,
        };
        self.online_only.remember(key, sent.clone());
        Ok(sent)
    }

    async fn ask_and_send(&self, app: &App, send: Send) -> Result<Sent, ChatError> {
        let done = self.commit(Command::CheckSend(Box::new(send.clone()))).await?;
        if let Done::Sent(first) = done {
            return Ok(first);
        }
        let Done::MaySend(draft) = done else { unreachable!("a check says what may be sent") };
        let verdict = self.before.ask(send.app, Question { send: &send, key: draft.key, id: &draft.id }).await;
        let asked = Asked { time_s: draft.key.time, content_hash: send.content_hash() };
        let mut send = Send { asked: Some(asked), ..send };
        match verdict {
            Verdict::Pass { body, custom_data } => {
                send.body = body.unwrap_or(send.body);
                send.custom_data = custom_data.unwrap_or(send.custom_data);
                self.store_sent(send).await
            }
            Verdict::Refuse(refusal) => Err(refusal.into()),
            Verdict::Discard => Ok(draft),
            Verdict::Unanswered(_) if app.callback.before_failure == BeforeFailure::Pass => self.store_sent(send).await,
            Verdict::Unanswered(why) => {
                let info = format!("the app backend did not say whether this may be sent: {why}");
                let refusal = Refusal::new(error::BEFORE_FAILED, info);
                self.commit(Command::SendFailed(Box::new(send), refusal.clone())).await?;
                Err(refusal.into())
            }
        }
    }

    async fn store_sent(&self, send: Send) -> Result<Sent, ChatError> {
        let online = (send.lifetime == Lifetime::OnlineOnly).then(|| send.clone());
        let done = self.commit(Command::Send(Box::new(send))).await?;
        let Done::Sent(sent) = done else { unreachable!("a send that was not refused says what was sent") };
        if let Some(send) = online {
            self.show_online(send, &sent);
        }
        Ok(sent)
    }

    /// Hands a message that is stored nowhere to whoever is connected.
    fn show_online(&self, send: Send, sent: &Sent) {
        let (_, direction) = Pair::of(&send.from, &send.to);
        let message = send.message(direction, sent.key);
        let Send { app, from, to, flags, .. } = send;
        let shown = Arc::new(Shown { from, to, id: sent.id.clone(), message });
        self.devices.online(app, &shown.to, &shown);
        if shown.from != shown.to && !flags.contains(MessageFlags::HIDDEN_FROM_SENDER) {
            self.devices.online(app, &shown.from, &shown);
        }
    }

    /// A device logs in; those that it displaces learn of it.
    pub async fn log_in(&self, log_in: LogIn) -> Result<LoggedIn, ChatError> {
        let (app, user) = (log_in.app, log_in.user.clone());
        let done = self.commit(Command::LogIn(log_in)).await?;
        let Done::LoggedIn(logged_in) = done else { unreachable!("a login says what it has found") };
        for (session, why) in &logged_in.ended {
            self.devices.end(app, &user, session, *why);
        }
        Ok(logged_in)
    }

    /// Ends an account's logins, and its sessions.
    pub async fn kick(&self, kick: Kick) -> Result<(), ChatError> {
        self.end_sessions(kick.app, kick.user.clone(), Command::Kick(kick)).await
    }

    /// Deletes an account, and ends its sessions.
    pub async fn delete_account(&self, delete: DeleteAccount) -> Result<(), ChatError> {
        self.end_sessions(delete.app, delete.user.clone(), Command::DeleteAccount(delete)).await
    }

    async fn end_sessions(&self, app: SdkAppId, user: UserId, command: Command) -> Result<(), ChatError> {
        let Done::Ended(sessions) = self.commit(command).await? else { unreachable!("it says which have ended") };
        sessions.iter().for_each(|session| self.devices.end(app, &user, session, EndReason::AppBackend));
        Ok(())
    }

    /// Takes a message back (rules R1 to R7). Both doors come here.
    pub async fn recall(&self, recall: Recall) -> Result<(), ChatError> {
        self.commit(Command::Recall(recall)).await.map(drop)
    }

    /// Sends events again, a piece at a time.
    pub async fn replay(&self, replay: Replay) -> Result<Replayed, ChatError> {
        let done = self.commit(Command::Replay(replay)).await?;
        let Done::Replayed(replayed) = done else { unreachable!("a replay says what it has done") };
        Ok(replayed)
    }

    async fn commit(&self, command: Command) -> Result<Done, ChatError> {
        self.store.commit(command).await?.map_err(ChatError::Refused)
    }
}
