//! `openim/admin_msgwithdraw`: the admin's door to a recall (rest 4.5, rule R1).

use unsaid_protocol::{MsgKey, error};

use super::{
    Rest,
    envelope::{Answer, Service},
    fields::{Fields, missing},
    gate::Caller,
};
use crate::chat::{ChatError, Door, MessageName, Recall, Refusal};

pub(super) async fn answer(rest: &Rest, caller: &Caller, body: &[u8]) -> Result<Answer, ChatError> {
    let name = read(caller, body).map_err(ChatError::Refused)?;
    let door = Door::Admin { account: caller.admin.clone() };
    rest.chat.recall(Recall { name, door, origin: caller.origin }).await?;
    Ok(Answer::ok())
}

/// Types and presence in the order of the command's table (rule R2).
fn read(caller: &Caller, body: &[u8]) -> Result<MessageName, Refusal> {
    name(caller, &Fields::parse(Service::Openim, body)?)
}

/// What names a message.
pub(super) fn name(caller: &Caller, fields: &Fields<'_>) -> Result<MessageName, Refusal> {
    let from = fields.account("From_Account", error::FROM_ACCOUNT)?;
    let to = fields.account("To_Account", error::TO_ACCOUNT)?;
    let key = fields.text("MsgKey", error::MSG_KEY)?.ok_or_else(|| missing("MsgKey", error::MSG_KEY))?;
    let key: MsgKey = key.parse().map_err(|error| Refusal::new(error::MSG_KEY, format!("MsgKey: {error}")))?;
    Ok(MessageName { app: caller.app.sdkappid, from, to, key })
}
