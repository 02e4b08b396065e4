//! Sending a message (rest 4.1, callbacks 4.2).

use std::{collections::BTreeSet, sync::Arc};

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use unsaid_protocol::{
    MsgKey, SdkAppId, UserId,
    callback::{AfterSendMsg, CallbackCommand},
    element::MsgBody,
    error,
};

use super::{
    account::Account,
    applied::{ChatError, Done, Refusal, Sent},
    before::Asked,
    conversation::Conversation,
    effect::{self, LaneRows, owe},
    event::Origin,
    message::{Content, Message, MessageFlags, SyncEvent, SyncKind},
    pair::{Direction, Pair},
    tx::{Fault, Tx},
};
use crate::{apps::App, limits};

/// One message from one account to another.
#[derive(Clone, Debug)]
pub struct Send {
    pub app: SdkAppId,
    pub from: UserId,
    pub to: UserId,
    pub seq: u32,
    pub random: u32,
    pub body: MsgBody,
    pub custom_data: String,
    /// `OfflinePushInfo` as compact JSON; nothing if it was not given.
    pub push_info: String,
    pub lifetime: Lifetime,
    pub flags: MessageFlags,
    /// The sender's clock in seconds, where it gives it; part of `MsgId`.
    pub client_time_s: Option<u32>,
    /// The callbacks that this message does without (`ForbidCallbackControl`).
    pub forbidden_callbacks: Vec<CallbackCommand>,
    pub origin: Origin,
    /// Whether a client sends it: then the recipient's blocklist counts.
    pub by_client: bool,
    /// Set when the app backend was asked about it.
    pub asked: Option<Asked>,
}

/// Whether a message stays.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Lifetime {
    Stored,
    /// Only who is online now gets it; it is never stored, so it cannot be recalled.
    OnlineOnly,
}

impl Send {
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let Checked { app, sender, pair, direction, placed } = self.look(tx)?;
        let time_s = match placed {
            Placed::New(time_s) => time_s,
            Placed::Repeat(time_s) => return Ok(Done::Sent(self.sent(&sender, time_s))),
        };
        let message = self.message(direction, self.key_of(time_s));
        self.store(tx, &app, &pair, message)?;
        Ok(Done::Sent(self.sent(&sender, time_s)))
    }

    /// Whether it may be sent, and as what; changes nothing.
    pub(super) fn check(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let Checked { sender, placed, .. } = self.look(tx)?;
        Ok(match placed {
            Placed::New(time_s) => Done::MaySend(self.sent(&sender, time_s)),
            Placed::Repeat(time_s) => Done::Sent(self.sent(&sender, time_s)),
        })
    }

    /// It was refused after all checks; nothing is stored, and the app backend is told (callbacks 4.2).
    pub(super) fn failed(&self, refusal: &Refusal, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let Checked { app, pair, direction, placed, .. } = self.look_whether_blocked_or_not(tx)?;
        let Placed::New(time_s) = placed else {
            return Ok(Done::Nothing);
        };
        let message = self.message(direction, self.key_of(time_s));
        let before = effect::conversation(tx, self.app, &pair)?;
        let mut conversation = before;
        self.owe(tx, &app, &pair, &message, &mut conversation, Some(refusal))?;
        if conversation != before {
            tx.save_conversation(self.app, &pair, &conversation)?;
        }
        Ok(Done::Nothing)
    }

    /// The checks, in their order.
    fn look(&self, tx: &mut dyn Tx) -> Result<Checked, ChatError> {
        let checked = self.look_whether_blocked_or_not(tx)?;
        let blocked = self.by_client && matches!(checked.placed, Placed::New(_));
        if blocked && tx.is_blocked(self.app, &self.to, &self.from)? {
            return Err(Refusal::new(error::BLOCKED, "the recipient has the sender on its blocklist").into());
        }
        Ok(checked)
    }

    /// The same for what is told as failed: it may have failed for that.
    fn look_whether_blocked_or_not(&self, tx: &mut dyn Tx) -> Result<Checked, ChatError> {
        let app = effect::app(tx, self.app)?;
        let sender = effect::imported(tx, self.app, &self.from, "From_Account", error::FROM_ACCOUNT)?;
        effect::imported(tx, self.app, &self.to, "To_Account", error::TO_ACCOUNT_NOT_FOUND)?;
        let (pair, direction) = Pair::of(&self.from, &self.to);
        let placed = self.place(tx, &pair, direction)?;
        if matches!(placed, Placed::New(_)) && !self.forbidden_callbacks.contains(&CallbackCommand::AfterSendMsg) {
            effect::may_owe(tx, &app, CallbackCommand::AfterSendMsg)?;
        }
        Ok(Checked { app, sender, pair, direction, placed })
    }

    /// The second that the message belongs to: now, or that of the question that was asked about it, or the next one in
    /// which its key is free. A repeat of a send that was stored belongs where the first one is, as long as that stands.
    fn place(&self, tx: &mut dyn Tx, pair: &Pair, direction: Direction) -> Result<Placed, Fault> {
        let now_s = tx.now().seconds();
        let mut time_s = self.asked.map_or(now_s, |asked| asked.time_s);
        if self.lifetime == Lifetime::OnlineOnly {
            return Ok(Placed::New(time_s));
        }
        let hash = self.content_hash();
        let since_s = now_s.saturating_sub(limits::REPEAT_WINDOW_S).min(time_s);
        let repeats = tx.repeats(self.app, pair, self.seq, self.random, since_s)?;
        for first in repeats.iter().filter(|first| first.direction == direction && first.content_hash == hash) {
            if stands(tx, self.app, pair, &self.to, self.key_of(first.time_s))? {
                return Ok(Placed::Repeat(first.time_s));
            }
        }
        let taken: BTreeSet<u32> = repeats.iter().map(|other| other.time_s).collect();
        while taken.contains(&time_s) {
            time_s += 1;
        }
        Ok(Placed::New(time_s))
    }

    /// Message, unread count, sync events and outbox, in one transaction.
    pub(super) fn store(&self, tx: &mut dyn Tx, app: &App, pair: &Pair, mut message: Message) -> Result<(), Fault> {
        let before = effect::conversation(tx, self.app, pair)?;
        let mut conversation = before;
        if self.lifetime == Lifetime::Stored {
            conversation.position += 1;
            message.position = conversation.position;
            tx.insert_message(self.app, pair, &message)?;
            self.hand_out(tx, pair, &message, &mut conversation)?;
        }
        self.owe(tx, app, pair, &message, &mut conversation, None)?;
        if conversation != before {
            tx.save_conversation(self.app, pair, &conversation)?;
        }
        Ok(())
    }

    /// Both accounts have it from now on: their devices hear of it, their lists of conversations are touched, and the
    /// recipient has one more unread.
    fn hand_out(
        &self,
        tx: &mut dyn Tx,
        pair: &Pair,
        message: &Message,
        conversation: &mut Conversation,
    ) -> Result<(), Fault> {
        let (from, to) = pair.ends(message.direction);
        let (key, direction) = (message.key, message.direction);
        let has = |flag| message.flags.contains(flag);
        let heard = |peer: &UserId| SyncEvent { kind: SyncKind::Message, peer: peer.clone(), direction, key };
        let mut touch = |user: &UserId| {
            let side = conversation.side_mut(pair, user);
            if !has(MessageFlags::NOT_LAST) {
                side.last_time_s = side.last_time_s.max(key.time);
            }
        };
        touch(to);
        if !has(MessageFlags::HIDDEN_FROM_SENDER) {
            touch(from);
        }
        if has(MessageFlags::HISTORY) {
            return Ok(());
        }
        if from != to && !has(MessageFlags::HIDDEN_FROM_SENDER) {
            let mut sender = existing(tx, self.app, from)?;
            effect::sync(tx, self.app, from, &mut sender, &heard(to))?;
            tx.save_account(self.app, from, &sender)?;
        }
        let mut recipient = existing(tx, self.app, to)?;
        effect::sync(tx, self.app, to, &mut recipient, &heard(from))?;
        if has(MessageFlags::COUNTED) {
            recipient.unread += 1;
            conversation.recipient(direction).unread += 1;
        }
        tx.save_account(self.app, to, &recipient)
    }

    fn owe(
        &self,
        tx: &mut dyn Tx,
        app: &App,
        pair: &Pair,
        message: &Message,
        conversation: &mut Conversation,
        failed: Option<&Refusal>,
    ) -> Result<(), Fault> {
        let command = CallbackCommand::AfterSendMsg;
        if !app.owes(command) || self.forbidden_callbacks.contains(&command) {
            return Ok(());
        }
        let sender = existing(tx, self.app, &self.from)?;
        let mut recipient = existing(tx, self.app, &self.to)?;
        let body: &RawValue = serde_json::from_str(&message.content.body).expect("what was checked is valid JSON");
        let body = serde_json::to_vec(&AfterSendMsg {
            command,
            from: &self.from,
            to: &self.to,
            seq: message.key.seq,
            random: message.key.random,
            time_s: message.key.time,
            key: &message.key.to_string(),
            id: &message.id(&sender),
            online_only: u8::from(self.lifetime == Lifetime::OnlineOnly),
            result: failed.map_or(0, |refusal| refusal.code.0),
            error_info: failed.map_or("send msg succeed", |refusal| &refusal.info),
            unread: if failed.is_none() { recipient.unread } else { -1 },
            body,
            custom_data: &message.content.custom_data,
            event_time_ms: tx.now().0,
        })
        .expect("strings and numbers serialize");
        let rows = LaneRows { account_id: &self.to, account: &mut recipient, pair, conversation };
        owe(tx, app, rows, command, self.origin, body)?;
        tx.save_account(self.app, &self.to, &recipient)
    }

    pub(super) fn sent(&self, sender: &Account, time_s: u32) -> Sent {
        Sent { key: self.key_of(time_s), id: sender.message_id(self.client_time_s.unwrap_or(time_s), self.random) }
    }

    /// The same, of which nobody is told.
    pub(super) fn without_callbacks(self) -> Self {
        Self { forbidden_callbacks: vec![CallbackCommand::BeforeSendMsg, CallbackCommand::AfterSendMsg], ..self }
    }

    pub(super) fn key_of(&self, time_s: u32) -> MsgKey {
        MsgKey { seq: self.seq, random: self.random, time: time_s }
    }

    /// The message, without a position yet.
    pub(super) fn message(&self, direction: Direction, key: MsgKey) -> Message {
        let content = Content {
            body: self.body.json.clone(),
            custom_data: self.custom_data.clone(),
            types: self.body.types.clone(),
            push_info: self.push_info.clone(),
            hash: self.content_hash(),
        };
        let client_time_s = self.client_time_s.unwrap_or(key.time);
        Message { direction, key, position: 0, flags: self.flags, client_time_s, recalled_by: None, content }
    }

    /// Of what was sent, whatever the app backend made of it.
    pub(super) fn content_hash(&self) -> i64 {
        if let Some(asked) = self.asked {
            return asked.content_hash;
        }
        let mut hash = Sha256::new();
        hash.update(self.body.json.as_bytes());
        hash.update([0]);
        hash.update(self.custom_data.as_bytes());
        let digest = hash.finalize();
        i64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
    }
}

/// What the checks have found.
struct Checked {
    app: Arc<App>,
    sender: Account,
    pair: Pair,
    direction: Direction,
    placed: Placed,
}

enum Placed {
    New(u32),
    Repeat(u32),
}

/// Whether a message is still what its sender was told that it is: its recipient sees it, or it was recalled. One of an
/// earlier life of the recipient, or one that the recipient has deleted, is not; who sends it again sends it anew.
pub(super) fn stands(tx: &mut dyn Tx, app: SdkAppId, pair: &Pair, to: &UserId, key: MsgKey) -> Result<bool, Fault> {
    let Some(message) = tx.message(app, pair, key)? else {
        return Ok(false);
    };
    let cleared = effect::conversation(tx, app, pair)?.side(pair, to).cleared_position;
    Ok(message.flags.contains(MessageFlags::RECALLED) || message.is_visible(pair, to, cleared))
}

/// An account that an earlier check of the same command has found.
fn existing(tx: &mut dyn Tx, app: SdkAppId, user: &UserId) -> Result<Account, Fault> {
    Ok(tx.account(app, user)?.expect("the command has found it before"))
}
