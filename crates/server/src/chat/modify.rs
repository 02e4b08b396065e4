//! Modifying a message: what it says is replaced, its place stays (rest 4.8, callbacks 4.6).

use serde_json::value::RawValue;
use unsaid_protocol::{
    UserId,
    callback::{AfterModifyMsg, CallbackCommand},
    element::MsgBody,
    error,
};

use super::{
    applied::{ChatError, Done, Refusal},
    effect::{self, LaneRows, owe},
    event::Origin,
    length::check_length,
    message::{Content, Message, MessageFlags, MessageName, SyncEvent, SyncKind},
    pair::{Direction, Pair},
    recall::{Door, find_named},
    tx::{Fault, Tx},
};
use crate::apps::App;

/// Replaces what a message says.
#[derive(Clone, Debug)]
pub struct Modify {
    pub name: MessageName,
    pub door: Door,
    /// What is not given stays.
    pub body: Option<MsgBody>,
    pub custom_data: Option<String>,
    pub origin: Origin,
}

impl Modify {
    pub(super) fn apply(&self, tx: &mut dyn Tx) -> Result<Done, ChatError> {
        let app = effect::app(tx, self.name.app)?;
        let (pair, direction) = Pair::of(&self.name.from, &self.name.to);
        let message = find_named(tx, &self.name, &self.door, &pair, direction)?;
        if message.flags.contains(MessageFlags::RECALLED) {
            return Err(Refusal::new(error::ALREADY_RECALLED, "the message was recalled: it says nothing more").into());
        }
        let before = tx.content(self.name.app, &pair, self.name.key)?;
        let (body, types) = match &self.body {
            Some(body) => (body.json.clone(), body.types.clone()),
            None => (before.body, before.types),
        };
        let custom_data = self.custom_data.clone().unwrap_or(before.custom_data);
        // The hash stays, so that a repeat of the send is still recognised.
        let content = Content { body, custom_data, types, push_info: before.push_info, hash: before.hash };
        check_length(&content.body, &content.custom_data, error::TOO_LONG)?;
        effect::may_owe(tx, &app, CallbackCommand::AfterModifyMsg)?;
        self.replace(tx, &app, &pair, &message, &content)?;
        Ok(Done::Nothing)
    }

    /// Content, sync events and outbox, in one transaction.
    fn replace(
        &self,
        tx: &mut dyn Tx,
        app: &App,
        pair: &Pair,
        message: &Message,
        content: &Content,
    ) -> Result<(), Fault> {
        let MessageName { app: sdkappid, from, to, key } = &self.name;
        tx.replace_content(*sdkappid, pair, *key, content)?;
        tx.add_flags(*sdkappid, pair, *key, MessageFlags::MODIFIED)?;
        let stored = "the row of a message's account is written before the message, and stays";
        let direction: Direction = message.direction;
        let heard = |peer: &UserId| SyncEvent { kind: SyncKind::Modify, peer: peer.clone(), direction, key: *key };
        if from != to {
            let mut sender = tx.account(*sdkappid, from)?.expect(stored);
            effect::sync(tx, *sdkappid, from, &mut sender, &heard(to))?;
            tx.save_account(*sdkappid, from, &sender)?;
        }
        let mut recipient = tx.account(*sdkappid, to)?.expect(stored);
        effect::sync(tx, *sdkappid, to, &mut recipient, &heard(from))?;
        let command = CallbackCommand::AfterModifyMsg;
        if app.owes(command) {
            let mut conversation = effect::conversation(tx, *sdkappid, pair)?;
            let body: &RawValue = serde_json::from_str(&content.body).expect("what was checked is valid JSON");
            let body = serde_json::to_vec(&AfterModifyMsg {
                command,
                operator: self.door.account(),
                from,
                to,
                seq: key.seq,
                random: key.random,
                time_s: key.time,
                key: &key.to_string(),
                body,
                custom_data: &content.custom_data,
                event_time_ms: tx.now().0,
            })
            .expect("strings and numbers serialize");
            let rows = LaneRows { account_id: to, account: &mut recipient, pair, conversation: &mut conversation };
            owe(tx, app, rows, command, self.origin, body)?;
            tx.save_conversation(*sdkappid, pair, &conversation)?;
        }
        tx.save_account(*sdkappid, to, &recipient)
    }
}
