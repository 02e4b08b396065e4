//! Durability: commands are applied in transactions, and the outbox is the only queue.
//!
//! What a store promises is [`crate::chat::Store`], the same for all of them, and one suite holds them to it
//! (`suite/`): a command whose commit has answered is durable; one that was refused has changed nothing; the events of a
//! transaction are in the outbox before anyone hears of them. A store knows no HTTP.

pub mod memory;
pub mod postgres;
pub mod sqlite;

mod folder;
mod hints;
#[cfg(test)]
pub(crate) mod suite;

pub use folder::FolderError;
pub(crate) use folder::{Folder, Moved};
pub use hints::{HintReceiver, HintSender, hints};
