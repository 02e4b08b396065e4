//! `openim/admin_msgwithdraw`: the admin's door to a recall (rest 4.5, rule R1).

use unsaid_protocol::error;

use super::{Answer, Call, Command, Example, Field, Fields, Kind, Service, required};
use crate::{
    chat::{ChatError, Door, MessageName, Recall, Refusal},
    rest::gate::Caller,
};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "openim",
    name: "admin_msgwithdraw",
    about: "Recalls a message, whoever sent it and however old it is, while it is kept. It is erased on the server and \
            marked as recalled in the history of both; the recipient's unread count falls by one if it was unread; and \
            the app backend is told by `C2C.CallbackAfterMsgWithDraw`, once the answer says OK, without fail.",
    fields: &[&FROM_ACCOUNT, &TO_ACCOUNT, &MSG_KEY],
    refusals: &[
        (error::FROM_ACCOUNT, "`From_Account` was not imported"),
        (error::TO_ACCOUNT, "`To_Account` was not imported"),
        (
            error::MESSAGE_NOT_FOUND,
            "there is no such message from `From_Account` to `To_Account`, or it was for those online only, or it is no \
             longer kept",
        ),
        (error::ALREADY_RECALLED, "the message was recalled before"),
        (error::BACK_END, "as many callbacks wait for the app backend as may"),
    ],
    examples: &[
        Example {
            body: r#"{"From_Account":"mira","To_Account":"tomas","MsgKey":"1_1001_1764500001"}"#,
            answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#,
            note: "Once: then it gets the answer of the next line.",
        },
        Example {
            body: r#"{"From_Account":"mira","To_Account":"tomas","MsgKey":"1_1001_1764500001"}"#,
            answer: r#"{"ActionStatus":"FAIL","ErrorInfo":"the message was already recalled","ErrorCode":20023}"#,
            note: "After the line before:",
        },
    ],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

pub(super) const FROM_ACCOUNT: Field =
    Field::required("From_Account", Kind::Account, error::FROM_ACCOUNT, "who sent the message");
pub(super) const TO_ACCOUNT: Field =
    Field::required("To_Account", Kind::Account, error::TO_ACCOUNT, "who got the message");
pub(super) const MSG_KEY: Field = Field::required(
    "MsgKey",
    Kind::Key,
    error::MSG_KEY,
    "names the message between the two: from the answer to its sending, from a callback, or from the history",
);

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let name = name(call.caller, &Fields::parse(Service::Openim, call.body)?)?;
    let door = Door::Admin { account: call.caller.admin.clone() };
    call.rest.chat.recall(Recall { name, door, origin: call.caller.origin }).await?;
    Ok(Answer::ok())
}

/// What names a message: types and presence in the order of the command's table (rule R2).
pub(super) fn name(caller: &Caller, fields: &Fields<'_>) -> Result<MessageName, Refusal> {
    let from = required(fields.account(&FROM_ACCOUNT))?;
    let to = required(fields.account(&TO_ACCOUNT))?;
    let key = required(fields.key(&MSG_KEY))?;
    Ok(MessageName { app: caller.app.sdkappid, from, to, key })
}
