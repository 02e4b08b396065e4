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
mod effect;

mod before;
mod import;
mod modify;
mod read;
mod read_all;
mod recall;
mod receipt;
mod replay;
mod send;

mod command;

mod history;
mod store;

use std::{fmt, sync::Arc};

pub use account::Account;
pub use applied::{Applied, ChatError, Done, Refusal, Sent};
pub use before::{Asked, Before, Question, Verdict};
pub use command::Command;
pub use conversation::{Conversation, Side};
pub use event::{EventId, KeptEvent, Origin, OwedEvent, Standing, Tries};
pub use history::{HistoryQuery, Place};
pub use import::Import;
pub use lane::{Holder, Lane, LaneCounter};
pub use message::{Content, Message, MessageFlags, MessageName, SyncEvent, SyncKind};
pub use modify::Modify;
pub use pair::{Direction, Pair};
pub use read::Read;
pub use read_all::ReadAll;
pub use recall::{Door, Recall};
pub use receipt::Receipt;
pub use replay::{Found, ParkedFilter, Replay, Replayed, Rows, What};
pub use send::{Lifetime, Send};
pub use store::{Backlog, Later, Oldest, ParkedPiece, Pruned, Settled, Settlement, Store};
pub use tx::{Fault, ReadUpTo, Repeat, Tx};

use before::UnderWay;
use unsaid_protocol::error;

use crate::apps::{App, Apps, BeforeFailure};

/// The door to the domain for everything that comes in: commands go to the store, and their results come back when
/// they are durable.
#[derive(Clone)]
pub struct Chat {
    store: Arc<dyn Store>,
    apps: Arc<Apps>,
    before: Arc<dyn Before>,
    /// Sends that the app backend is being asked about.
    under_way: UnderWay,
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chat")
    }
}

impl Chat {
    pub fn new(store: Arc<dyn Store>, apps: Arc<Apps>, before: Arc<dyn Before>) -> Self {
        Self { store, apps, before, under_way: UnderWay::default() }
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

    pub async fn import(&self, import: Import) -> Result<(), ChatError> {
        self.commit(Command::Import(import)).await.map(drop)
    }

    /// Sends a message; first the app backend is asked, if it wants that (rule C2).
    pub async fn send(&self, send: Send) -> Result<Sent, ChatError> {
        match self.apps.get(send.app).filter(|app| before::asks(app, &send)) {
            None => self.store_sent(send).await,
            Some(app) => self.under_way.once(&send, self.ask_and_send(&app, send.clone())).await,
        }
    }

    async fn ask_and_send(&self, app: &App, send: Send) -> Result<Sent, ChatError> {
        let draft = match self.commit(Command::CheckSend(Box::new(send.clone()))).await? {
            Done::MaySend(draft) => draft,
            Done::Sent(first) => return Ok(first),
            Done::Nothing | Done::Replayed(_) => unreachable!("a check says what may be sent"),
        };
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
        match self.commit(Command::Send(Box::new(send))).await? {
            Done::Sent(sent) => Ok(sent),
            Done::Nothing | Done::MaySend(_) | Done::Replayed(_) => {
                unreachable!("a send that was not refused says what was sent")
            }
        }
    }

    /// Takes a message back (rules R1 to R7). Both doors come here.
    pub async fn recall(&self, recall: Recall) -> Result<(), ChatError> {
        self.commit(Command::Recall(recall)).await.map(drop)
    }

    pub async fn read(&self, read: Read) -> Result<(), ChatError> {
        self.commit(Command::Read(read)).await.map(drop)
    }

    /// All conversations of an account at once; only a client asks for that.
    pub async fn read_all(&self, read: ReadAll) -> Result<(), ChatError> {
        self.commit(Command::ReadAll(read)).await.map(drop)
    }

    pub async fn receipt(&self, receipt: Receipt) -> Result<(), ChatError> {
        self.commit(Command::Receipt(receipt)).await.map(drop)
    }

    pub async fn modify(&self, modify: Modify) -> Result<(), ChatError> {
        self.commit(Command::Modify(Box::new(modify))).await.map(drop)
    }

    /// Sends events again, a piece at a time.
    pub async fn replay(&self, replay: Replay) -> Result<Replayed, ChatError> {
        match self.commit(Command::Replay(replay)).await? {
            Done::Replayed(replayed) => Ok(replayed),
            Done::Nothing | Done::Sent(_) | Done::MaySend(_) => unreachable!("a replay says what it has done"),
        }
    }

    async fn commit(&self, command: Command) -> Result<Done, ChatError> {
        self.store.commit(command).await?.map_err(ChatError::Refused)
    }
}
