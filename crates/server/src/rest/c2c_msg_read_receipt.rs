//! `openim/c2c_msg_read_receipt`: the recipient acknowledges single messages (rest 4.9).

use unsaid_protocol::{MsgKey, error};

use super::{
    Rest,
    envelope::{Answer, Service},
    fields::{Fields, missing},
    gate::Caller,
};
use crate::{
    chat::{ChatError, Receipt, Refusal},
    limits,
};

pub(super) async fn answer(rest: &Rest, caller: &Caller, body: &[u8]) -> Result<Answer, ChatError> {
    let receipt = read(caller, body).map_err(ChatError::Refused)?;
    rest.chat.receipt(receipt).await?;
    Ok(Answer::ok())
}

/// Each message names its sender and recipient, which have to be `Peer_Account` and `Operator_Account`.
fn read(caller: &Caller, body: &[u8]) -> Result<Receipt, Refusal> {
    let fields = Fields::parse(Service::Openim, body)?;
    let reader = fields.account("Operator_Account", error::FROM_ACCOUNT)?;
    let peer = fields.account("Peer_Account", error::TO_ACCOUNT)?;
    let messages = fields.objects("C2CMsgInfo", error::BODY_NOT_JSON)?;
    let messages = messages.filter(|messages| !messages.is_empty());
    let messages = messages.ok_or_else(|| missing("C2CMsgInfo", error::BODY_NOT_JSON))?;
    if messages.len() > limits::RECEIPT_MESSAGES_MAX {
        let most = limits::RECEIPT_MESSAGES_MAX;
        return Err(Refusal::new(error::BODY_NOT_JSON, format!("C2CMsgInfo may have {most} messages")));
    }
    let mut keys = Vec::new();
    for message in &messages {
        let from = message.account("From_Account", error::FROM_ACCOUNT)?;
        let to = message.account("To_Account", error::TO_ACCOUNT)?;
        if from != peer {
            let info = "From_Account of a message must be Peer_Account: it is the sender who gets the receipt";
            return Err(Refusal::new(error::FROM_ACCOUNT, info));
        }
        if to != reader {
            let info = "To_Account of a message must be Operator_Account: only its recipient acknowledges it";
            return Err(Refusal::new(error::TO_ACCOUNT, info));
        }
        let key = message.text("MsgKey", error::MSG_KEY)?.ok_or_else(|| missing("MsgKey", error::MSG_KEY))?;
        let key: MsgKey = key.parse().map_err(|error| Refusal::new(error::MSG_KEY, format!("MsgKey: {error}")))?;
        keys.push(key);
    }
    Ok(Receipt { app: caller.app.sdkappid, reader, peer, keys, origin: caller.origin })
}
