//! `openim/c2c_msg_read_receipt`: the recipient acknowledges single messages (rest 4.9).

use unsaid_protocol::{MsgKey, UserId, error};

use super::{
    Answer, Call, Command, Example, Field, Fields, Kind, Service,
    admin_msgwithdraw::{FROM_ACCOUNT, MSG_KEY, TO_ACCOUNT},
    required,
};
use crate::{
    chat::{ChatError, Command as Change, Receipt, Refusal},
    limits,
};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "openim",
    name: "c2c_msg_read_receipt",
    about: "The recipient acknowledges single messages: their `IsPeerRead` becomes 1. All of them or none. The app \
            backend is told by `C2C.CallbackAfterMsgReadReceipt` of those that were not acknowledged before.",
    fields: &[&OPERATOR_ACCOUNT, &PEER_ACCOUNT, &C2C_MSG_INFO],
    refusals: &[
        (
            error::FROM_ACCOUNT,
            "`Operator_Account` was not imported, or `From_Account` of a message is not `Peer_Account`",
        ),
        (
            error::TO_ACCOUNT,
            "`Peer_Account` was never imported, or `To_Account` of a message is not `Operator_Account`",
        ),
        (error::MSG_KEY, "`MsgKey` of a message is missing or malformed"),
        (error::MESSAGE_NOT_FOUND, "one of the messages is not there"),
        (error::BACK_END, "as many callbacks wait for the app backend as may"),
    ],
    examples: &[Example {
        body: r#"{"Operator_Account":"tomas","Peer_Account":"mira","C2CMsgInfo":[{"From_Account":"mira","To_Account":"tomas","MsgKey":"2_1002_1764500002"}]}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const OPERATOR_ACCOUNT: Field =
    Field::required("Operator_Account", Kind::Account, error::FROM_ACCOUNT, "who got the messages");
const PEER_ACCOUNT: Field = Field::required("Peer_Account", Kind::Account, error::TO_ACCOUNT, "who sent them");
const C2C_MSG_INFO: Field = Field::required(
    "C2CMsgInfo",
    Kind::Objects,
    error::BODY_NOT_JSON,
    "the messages, at most 30, each with its `From_Account`, `To_Account` and `MsgKey`",
)
.at_most(limits::RECEIPT_MESSAGES_MAX, error::BODY_NOT_JSON);

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::Openim, call.body)?;
    let reader = required(fields.account(&OPERATOR_ACCOUNT))?;
    let peer = required(fields.account(&PEER_ACCOUNT))?;
    let messages = required(fields.objects(&C2C_MSG_INFO))?;
    let keys: Result<_, _> = messages.iter().map(|message| key(message, &reader, &peer)).collect();
    let (app, origin) = (call.caller.app.sdkappid, call.caller.origin);
    call.rest.chat.run(Change::Receipt(Receipt { app, reader, peer, keys: keys?, origin })).await?;
    Ok(Answer::ok())
}

/// Each message names its sender and recipient, which have to be `Peer_Account` and `Operator_Account`.
fn key(message: &Fields<'_>, reader: &UserId, peer: &UserId) -> Result<MsgKey, Refusal> {
    let from = required(message.account(&FROM_ACCOUNT))?;
    let to = required(message.account(&TO_ACCOUNT))?;
    if from != *peer {
        let info = "From_Account of a message must be Peer_Account: it is the sender who gets the receipt";
        return Err(Refusal::new(error::FROM_ACCOUNT, info));
    }
    if to != *reader {
        let info = "To_Account of a message must be Operator_Account: only its recipient acknowledges it";
        return Err(Refusal::new(error::TO_ACCOUNT, info));
    }
    required(message.key(&MSG_KEY))
}
