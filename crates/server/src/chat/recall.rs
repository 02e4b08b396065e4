//! Recalling a message: rules R1 to R7.

use std::time::Duration;

use unsaid_protocol::{
    UserId,
    callback::{AfterMsgWithDraw, CallbackCommand, WithDrawDetail},
    error,
};

use super::{
    account::Account,
    applied::{ChatError, Done, Refusal},
    conversation::Conversation,
    effect::{self, LaneRows, owe},
    event::Origin,
    message::{Message, MessageFlags, MessageName, SyncEvent, SyncKind},
    pair::{Direction, Pair},
    tx::{Fault, Tx},
};
use crate::apps::{App, RecallBody};

/// Takes a message back.
#[derive(Clone, Debug)]
pub struct Recall {
    pub name: MessageName,
    pub door: Door,
    pub origin: Origin,
}

/// Who asks, and so what is allowed (rule R1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Door {
    /// A client: its own messages only, within the app's recall window.
    Client { account: UserId },
    /// An admin of the app: any stored message, at any age.
    Admin { account: UserId },
}

impl Recall {
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let app = effect::app(tx, self.name.app)?;
        let (pair, direction) = Pair::of(&self.name.from, &self.name.to);
        let message = self.find(tx, &app, &pair, direction)?;
        effect::may_owe(tx, &app, CallbackCommand::AfterMsgWithDraw)?;
        self.take_back(tx, &app, &pair, &message)?;
        Ok(Done::Nothing)
    }

    /// The message, if it may be recalled: the checks of rule R2 in their order. Accounts are looked up only on a
    /// miss, so the common case pays nothing for them.
    fn find(&self, tx: &mut dyn Tx, app: &App, pair: &Pair, direction: Direction) -> Result<Message, ChatError> {
        let message = find_named(tx, &self.name, &self.door, pair, direction)?;
        if message.flags.contains(MessageFlags::RECALLED) {
            return Err(Refusal::new(error::ALREADY_RECALLED, "the message was already recalled").into());
        }
        let age_s = tx.now().seconds().saturating_sub(message.key.time);
        if matches!(self.door, Door::Client { .. }) && age_s > app.recall_window_s {
            let window_s = app.recall_window_s;
            let info = format!("the message is {age_s} s old; it can be recalled for {window_s} s");
            return Err(Refusal::new(error::RECALL_TOO_LATE, info).into());
        }
        Ok(message)
    }

    /// Rule R3: tombstone, unread count, sync events and outbox, in one transaction.
    fn take_back(&self, tx: &mut dyn Tx, app: &App, pair: &Pair, message: &Message) -> Result<(), Fault> {
        let MessageName { app: sdkappid, from, to, key } = &self.name;
        let stored = "the row of a message's account is written before the message, and stays";
        let day = Duration::from_secs(24 * 3600);
        let audit_until = (app.audit_days > 0).then(|| tx.now().plus(day * u32::from(app.audit_days)));
        tx.entomb(&self.name, self.door.account(), audit_until)?;

        let heard = |peer: &UserId| SyncEvent {
            kind: SyncKind::Recall,
            peer: peer.clone(),
            direction: message.direction,
            key: *key,
        };
        let mut sender = tx.account(*sdkappid, from)?.expect(stored);
        if from != to {
            effect::sync(tx, *sdkappid, from, &mut sender, &heard(to))?;
            tx.save_account(*sdkappid, from, &sender)?;
        }
        let mut recipient = tx.account(*sdkappid, to)?.expect(stored);
        effect::sync(tx, *sdkappid, to, &mut recipient, &heard(from))?;

        let mut conversation = effect::conversation(tx, *sdkappid, pair)?;
        let before = conversation;
        let side = conversation.recipient(message.direction);
        if message.is_unread(side.read_position) {
            side.unread -= 1;
            recipient.unread -= 1;
            assert!(side.unread >= 0 && recipient.unread >= side.unread, "R6: a total is the sum of its parts");
        }
        if app.owes(CallbackCommand::AfterMsgWithDraw) {
            self.owe(tx, app, pair, &message.id(&sender), &mut recipient, &mut conversation)?;
        }
        tx.save_account(*sdkappid, to, &recipient)?;
        if conversation != before {
            tx.save_conversation(*sdkappid, pair, &conversation)?;
        }
        Ok(())
    }

    /// Rules R4 and R5: exactly one event, with the fields that the app asks for.
    fn owe(
        &self,
        tx: &mut dyn Tx,
        app: &App,
        pair: &Pair,
        id: &str,
        recipient: &mut Account,
        conversation: &mut Conversation,
    ) -> Result<(), Fault> {
        let MessageName { from, to, key, .. } = &self.name;
        let command = CallbackCommand::AfterMsgWithDraw;
        let fields = app.recall_body;
        let detail =
            WithDrawDetail { operator: self.door.account(), seq: key.seq, random: key.random, time_s: key.time, id };
        let body = serde_json::to_vec(&AfterMsgWithDraw {
            command,
            from,
            to,
            key: &key.to_string(),
            unread: (fields != RecallBody::Time).then_some(recipient.unread),
            event_time_ms: (fields != RecallBody::Unread).then_some(tx.now().0),
            detail: (fields == RecallBody::Detail).then_some(detail),
        })
        .expect("strings and numbers serialize");
        let rows = LaneRows { account_id: to, account: recipient, pair, conversation };
        owe(tx, app, rows, command, self.origin, body)
    }
}

impl Door {
    /// Who asks.
    pub fn account(&self) -> &UserId {
        match self {
            Self::Client { account } | Self::Admin { account } => account,
        }
    }
}

/// The message of that name, as far as whoever comes through this door may know of it. A client does not learn whether
/// somebody else's message exists.
pub(super) fn find_named(
    tx: &mut dyn Tx,
    name: &MessageName,
    door: &Door,
    pair: &Pair,
    direction: Direction,
) -> Result<Message, ChatError> {
    let MessageName { app, from, to, key } = name;
    let may_see = match door {
        Door::Client { account } => account == from,
        Door::Admin { .. } => true,
    };
    let found = tx.message(*app, pair, *key)?.filter(|message| message.direction == direction && may_see);
    if let Some(message) = found {
        return Ok(message);
    }
    effect::imported(tx, *app, from, "From_Account", error::FROM_ACCOUNT)?;
    effect::imported(tx, *app, to, "To_Account", error::TO_ACCOUNT)?;
    Err(Refusal::new(error::MESSAGE_NOT_FOUND, "there is no such message from From_Account to To_Account").into())
}
