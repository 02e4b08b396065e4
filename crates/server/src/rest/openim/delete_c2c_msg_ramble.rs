//! `openim/delete_c2c_msg_ramble`: deleting messages from the view of one account (rest 4.10).

use serde::Serialize;
use unsaid_protocol::{MsgKey, error};

use super::{Answer, Call, Command, Example, Field, Fields, Kind, Service, required};
use crate::{
    chat::{ChatError, Command as Change, DeleteMessages},
    limits,
};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "openim",
    name: "delete_c2c_msg_ramble",
    about: "Deletes up to 30 messages from the history of one account; the other one keeps them. An unread one does not \
            count any more. One that is not there is as good as deleted. Keys that are none are named in \
            `InvalidMsgKeyList`. To take a message from both, recall it.",
    fields: &[&OPERATOR_ACCOUNT, &PEER_ACCOUNT, &MSG_KEY_LIST],
    refusals: &[
        (error::FROM_ACCOUNT, "`Operator_Account` was not imported"),
        (error::TO_ACCOUNT, "`Peer_Account` was never imported"),
    ],
    examples: &[Example {
        body: r#"{"Operator_Account":"tomas","Peer_Account":"mira","MsgKeyList":["4_1004_1764500004","x"]}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"InvalidMsgKeyList":["x"]}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const OPERATOR_ACCOUNT: Field =
    Field::required("Operator_Account", Kind::Account, error::FROM_ACCOUNT, "from whose history");
const PEER_ACCOUNT: Field = Field::required("Peer_Account", Kind::Account, error::TO_ACCOUNT, "the other account");
const MSG_KEY_LIST: Field =
    Field::required("MsgKeyList", Kind::Texts, error::MSG_KEY, "the messages' keys; at most 30")
        .at_most(limits::DELETED_MESSAGES_MAX, error::BODY_NOT_JSON);

#[derive(Serialize)]
struct Invalid {
    #[serde(rename = "InvalidMsgKeyList", skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
}

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::Openim, call.body)?;
    let operator = required(fields.account(&OPERATOR_ACCOUNT))?;
    let peer = required(fields.account(&PEER_ACCOUNT))?;
    let texts = required(fields.texts(&MSG_KEY_LIST))?;
    let mut invalid = Invalid { keys: Vec::new() };
    let mut keys: Vec<MsgKey> = Vec::new();
    for text in texts {
        match text.parse() {
            Ok(key) => keys.push(key),
            Err(_) => invalid.keys.push(text.into_owned()),
        }
    }
    let delete = DeleteMessages { app: call.caller.app.sdkappid, operator, peer, keys };
    call.rest.chat.run(Change::DeleteMessages(delete)).await?;
    Ok(Answer::with(invalid))
}
