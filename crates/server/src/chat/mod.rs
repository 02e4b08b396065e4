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

mod import;
mod read;
mod recall;
mod replay;
mod send;

mod command;

mod history;
mod store;

use std::{fmt, sync::Arc};

pub use account::Account;
pub use applied::{Applied, ChatError, Done, Refusal, Sent};
pub use command::Command;
pub use conversation::{Conversation, Side};
pub use event::{EventId, KeptEvent, Origin, OwedEvent, Standing, Tries};
pub use history::{HistoryQuery, Place};
pub use import::Import;
pub use lane::{Holder, Lane, LaneCounter};
pub use message::{Content, Message, MessageFlags, MessageName, SyncEvent, SyncKind};
pub use pair::{Direction, Pair};
pub use read::Read;
pub use recall::{Door, Recall};
pub use replay::{Found, ParkedFilter, Replay, Replayed, Rows, What};
pub use send::{Lifetime, Send};
pub use store::{Backlog, Later, Oldest, Pruned, Settled, Settlement, Store};
pub use tx::{Fault, ReadUpTo, Repeat, Tx};

use crate::apps::{App, Apps};

/// The door to the domain for everything that comes in: commands go to the store, and their results come back when
/// they are durable.
#[derive(Clone)]
pub struct Chat {
    store: Arc<dyn Store>,
    apps: Arc<Apps>,
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chat")
    }
}

impl Chat {
    pub fn new(store: Arc<dyn Store>, apps: Arc<Apps>) -> Self {
        Self { store, apps }
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

    pub async fn send(&self, send: Send) -> Result<Sent, ChatError> {
        match self.commit(Command::Send(Box::new(send))).await? {
            Done::Sent(sent) => Ok(sent),
            Done::Nothing | Done::Replayed(_) => unreachable!("a send that was not refused says what was sent"),
        }
    }

    /// Takes a message back (rules R1 to R7). Both doors come here.
    pub async fn recall(&self, recall: Recall) -> Result<(), ChatError> {
        self.commit(Command::Recall(recall)).await.map(drop)
    }

    pub async fn read(&self, read: Read) -> Result<(), ChatError> {
        self.commit(Command::Read(read)).await.map(drop)
    }

    /// Sends events again, a piece at a time.
    pub async fn replay(&self, replay: Replay) -> Result<Replayed, ChatError> {
        match self.commit(Command::Replay(replay)).await? {
            Done::Replayed(replayed) => Ok(replayed),
            Done::Nothing | Done::Sent(_) => unreachable!("a replay says what it has done"),
        }
    }

    async fn commit(&self, command: Command) -> Result<Done, ChatError> {
        self.store.commit(command).await?.map_err(ChatError::Refused)
    }
}
