//! `im_open_login_svc/account_import` (rest 3.1).

use unsaid_protocol::error;

use super::{
    Rest,
    envelope::{Answer, Service},
    fields::Fields,
    gate::Caller,
};
use crate::{
    chat::{ChatError, Import, Refusal},
    limits,
};

pub(super) async fn answer(rest: &Rest, caller: &Caller, body: &[u8]) -> Result<Answer, ChatError> {
    let import = read(caller, body).map_err(ChatError::Refused)?;
    rest.chat.import(import).await?;
    Ok(Answer::ok())
}

fn read(caller: &Caller, body: &[u8]) -> Result<Import, Refusal> {
    let fields = Fields::parse(Service::Account, body)?;
    let user = fields.account(fields.either("UserID", "Identifier"), error::ACCOUNT_PARAMETER)?;
    Ok(Import {
        app: caller.app.sdkappid,
        user,
        nick: profile(&fields, "Nick")?,
        face_url: profile(&fields, "FaceUrl")?,
    })
}

fn profile(fields: &Fields<'_>, name: &str) -> Result<Option<String>, Refusal> {
    let text = fields.text(name, error::ACCOUNT_PARAMETER)?;
    if text.as_ref().is_some_and(|text| text.len() > limits::PROFILE_BYTES_MAX) {
        let info = format!("{name} has more than {} bytes", limits::PROFILE_BYTES_MAX);
        return Err(Refusal::new(error::PROFILE_TOO_LONG, info));
    }
    Ok(text.map(|text| text.into_owned()))
}
