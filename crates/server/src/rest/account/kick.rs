//! `im_open_login_svc/kick` (rest 3.5).

use unsaid_protocol::error;

use super::{Answer, Call, Command, Example, Field, Fields, Kind, Service, required};
use crate::chat::{ChatError, Kick};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "im_open_login_svc",
    name: "kick",
    about: "Ends the logins of an account. A UserSig that was made before logs in no more; one that is made afterwards \
            does. What an admin calls here is not affected.",
    fields: &[&USER_ID],
    refusals: &[(error::ACCOUNT_NOT_FOUND, "`UserID` was not imported")],
    examples: &[Example {
        body: r#"{"UserID":"mira"}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const USER_ID: Field =
    Field::required("UserID", Kind::Account, error::ACCOUNT_PARAMETER, "the account").or("Identifier");

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::Account, call.body)?;
    let user = required(fields.account(&USER_ID))?;
    call.rest.chat.kick(Kick { app: call.caller.app.sdkappid, user, request: call.caller.origin.request }).await?;
    Ok(Answer::ok())
}
