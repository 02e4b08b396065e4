//! What a command will touch, as far as it can be told without asking: so that a store far away can read it for many commands
//! at once, and lock it in an order that is the same for all. A wrong guess costs a round trip, never correctness.

use std::collections::BTreeSet;

use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::{
    command::Command,
    message::MessageName,
    pair::Pair,
    send::{Lifetime, Send},
};

/// The rows that commands will touch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Footprint {
    pub accounts: BTreeSet<(SdkAppId, UserId)>,
    pub conversations: BTreeSet<(SdkAppId, Pair)>,
    pub messages: BTreeSet<((SdkAppId, Pair), MsgKey)>,
    /// Conversations with the `MsgSeq` and `MsgRandom` whose repeats are looked for.
    pub repeats: BTreeSet<((SdkAppId, Pair), u32, u32)>,
}

impl Footprint {
    /// Adds what a command will touch.
    pub fn add(&mut self, command: &Command) {
        match command {
            Command::Send(send) | Command::CheckSend(send) | Command::SendFailed(send, _) => self.send(send, &send.to),
            Command::SendBatch(batch) => batch.to.iter().for_each(|to| self.send(&batch.send, to)),
            Command::ImportMessage(import) => {
                let Send { app, from, to, .. } = &import.send;
                let (from, to, key) = (from.clone(), to.clone(), import.send.key_of(import.time_s));
                self.message(&MessageName { app: *app, from, to, key });
            }
            Command::Recall(recall) => self.message(&recall.name),
            Command::Modify(modify) => self.message(&modify.name),
            Command::Read(read) => self.between(read.app, &read.reader, &read.peer),
            Command::Receipt(receipt) => {
                let of = (receipt.app, Pair::of(&receipt.peer, &receipt.reader).0);
                self.messages.extend(receipt.keys.iter().map(|key| (of.clone(), *key)));
                self.between(receipt.app, &receipt.reader, &receipt.peer);
            }
            Command::DeleteMessages(delete) => self.between(delete.app, &delete.operator, &delete.peer),
            Command::DeleteConversation(delete) => self.between(delete.app, &delete.operator, &delete.peer),
            Command::Prune(prune) => self.between(prune.app, &prune.pair.low, &prune.pair.high),
            Command::Import(import) => self.account(import.app, &import.user),
            Command::SetProfile(set) => self.account(set.app, &set.user),
            Command::LogIn(log_in) => self.account(log_in.app, &log_in.user),
            Command::LogOut(log_out) => self.account(log_out.app, &log_out.user),
            Command::DeleteAccount(delete) => self.account(delete.app, &delete.user),
            Command::Kick(kick) => self.account(kick.app, &kick.user),
            Command::Block(block) => self.account(block.app, &block.user),
            Command::ReadAll(read) => self.account(read.app, &read.reader),
            // These are few, or found by what they find.
            Command::SaveApp(_)
            | Command::Replay(_)
            | Command::Noted(_)
            | Command::EraseNotes(_)
            | Command::SaveToken(_)
            | Command::RevokeToken(_)
            | Command::EraseApp(_)
            | Command::Discard(_) => {}
        }
    }

    fn send(&mut self, send: &Send, to: &UserId) {
        self.between(send.app, &send.from, to);
        if send.lifetime == Lifetime::Stored {
            self.repeats.insert(((send.app, Pair::of(&send.from, to).0), send.seq, send.random));
        }
    }

    fn message(&mut self, MessageName { app, from, to, key }: &MessageName) {
        self.between(*app, from, to);
        self.messages.insert(((*app, Pair::of(from, to).0), *key));
    }

    fn between(&mut self, app: SdkAppId, one: &UserId, other: &UserId) {
        self.account(app, one);
        self.account(app, other);
        self.conversations.insert((app, Pair::of(one, other).0));
    }

    fn account(&mut self, app: SdkAppId, user: &UserId) {
        self.accounts.insert((app, user.clone()));
    }
}
