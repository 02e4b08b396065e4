//! `im_open_login_svc/account_import` (rest 3.1).

use unsaid_protocol::error;

use super::{Answer, Call, Command, Example, Field, Fields, Kind, Service, required};
use crate::{
    chat::{ChatError, Command as Change, Import, Refusal},
    limits,
};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "im_open_login_svc",
    name: "account_import",
    about: "Makes an account. One that is there stays; its name and face are renewed where they are given.",
    fields: &[&USER_ID, &NICK, &FACE_URL],
    refusals: &[(error::PROFILE_TOO_LONG, "`Nick` or `FaceUrl` has more than 500 bytes")],
    examples: &[Example {
        body: r#"{"UserID":"mira","Nick":"Mira K.","FaceUrl":"https://img.example/mira.png"}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const USER_ID: Field = Field::required(
    "UserID",
    Kind::Account,
    error::ACCOUNT_PARAMETER,
    "1 to 32 bytes of printable ASCII, upper and lower case differ",
)
.or("Identifier");
pub(super) const NICK: Field =
    Field::optional("Nick", Kind::Text, error::ACCOUNT_PARAMETER, "the name that is shown; at most 500 bytes");
pub(super) const FACE_URL: Field =
    Field::optional("FaceUrl", Kind::Text, error::ACCOUNT_PARAMETER, "where the face is; at most 500 bytes");

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::Account, call.body)?;
    let user = required(fields.account(&USER_ID))?;
    let (nick, face_url) = (profile(&fields, &NICK)?, profile(&fields, &FACE_URL)?);
    let import = Import { app: call.caller.app.sdkappid, user, nick, face_url };
    call.rest.chat.run(Change::Import(import)).await?;
    Ok(Answer::ok())
}

pub(super) fn profile(fields: &Fields<'_>, field: &Field) -> Result<Option<String>, Refusal> {
    let text = fields.text(field)?;
    if text.as_ref().is_some_and(|text| text.len() > limits::PROFILE_BYTES_MAX) {
        let info = format!("{} has more than {} bytes", field.name, limits::PROFILE_BYTES_MAX);
        return Err(Refusal::new(error::PROFILE_TOO_LONG, info));
    }
    Ok(text.map(|text| text.into_owned()))
}
