//! `recentcontact/delete` (rest 6.2).

use unsaid_protocol::{
    error,
    rest::{Displayed, Nothing},
};

use super::{Answer, Call, Command, Example, Field, Fields, Kind, Service, required};
use crate::chat::{ChatError, Command as Change, DeleteConversation, Refusal};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "recentcontact",
    name: "delete",
    about: "Takes a conversation off the list of one account; the other one keeps it. What was unread in it counts no more. \
            With `ClearRamble` 1 its history goes, too. The next message brings it back.",
    fields: &[&FROM_ACCOUNT, &TYPE, &TO_ACCOUNT, &CLEAR_RAMBLE],
    refusals: &[
        (error::CONTACT_PARAMETER, "`Type` is 2, a group"),
        (error::CONTACT_ACCOUNT, "`From_Account` was not imported, or `To_Account` never was"),
    ],
    examples: &[Example {
        body: r#"{"From_Account":"tomas","Type":1,"To_Account":"leaver","ClearRamble":1}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ErrorDisplay":""}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const FROM_ACCOUNT: Field = Field::required("From_Account", Kind::Account, error::CONTACT_PARAMETER, "whose list");
const TYPE: Field =
    Field::required("Type", Kind::Number, error::CONTACT_PARAMETER, "1; groups (2) are not part of Unsaid").or("type");
const TO_ACCOUNT: Field =
    Field::required("To_Account", Kind::Account, error::CONTACT_PARAMETER, "the other account of the conversation");
const CLEAR_RAMBLE: Field =
    Field::optional("ClearRamble", Kind::Integer, error::CONTACT_PARAMETER, "1: clear its history, too");

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::RecentContact, call.body)?;
    let operator = required(fields.account(&FROM_ACCOUNT))?;
    if required(fields.number(&TYPE))? != 1 {
        return Err(Refusal::new(TYPE.code, "Type must be 1: there are no groups here").into());
    }
    let peer = required(fields.account(&TO_ACCOUNT))?;
    let clear_history = fields.integer(&CLEAR_RAMBLE)? == Some(1);
    let delete = DeleteConversation { app: call.caller.app.sdkappid, operator, peer, clear_history };
    call.rest.chat.run(Change::DeleteConversation(delete)).await?;
    Ok(Answer::with(Displayed::new(Nothing {})))
}
