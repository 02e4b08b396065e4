//! `im_open_login_svc/multiaccount_import` (rest 3.2).

use futures_util::future::join_all;
use serde::Serialize;
use unsaid_protocol::{UserId, error};

use super::{
    Answer, Call, Command, Example, Field, Fields, ITEM_USER_ID, Kind, Service,
    account_import::{FACE_URL, NICK, profile},
    required,
};
use crate::{
    chat::{ChatError, Command as Change, Import, Refusal},
    limits,
};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "im_open_login_svc",
    name: "multiaccount_import",
    about: "Makes up to 100 accounts at once. Those that could not be made are named in `FailAccounts`: what cannot be a \
            UserID, who has more than 500 bytes of `Nick` or `FaceUrl`, and who could not be stored. The others are there.",
    fields: &[&ACCOUNT_LIST, &ACCOUNTS],
    refusals: &[(error::ACCOUNT_PARAMETER, "neither `AccountList` nor `Accounts` is there")],
    examples: &[
        Example {
            body: r#"{"AccountList":[{"UserID":"tomas","Nick":"Tomas"},{"UserID":"yuki"}]}"#,
            answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"FailAccounts":[]}"#,
            note: "",
        },
        Example {
            body: r#"{"Accounts":["tomas","a name that is longer than 32 bytes"]}"#,
            answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"FailAccounts":["a name that is longer than 32 bytes"]}"#,
            note: "",
        },
    ],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const ACCOUNT_LIST: Field = Field::optional(
    "AccountList",
    Kind::Objects,
    error::ACCOUNT_PARAMETER,
    "each with `UserID`, and `Nick` and `FaceUrl` if wanted; at most 100",
)
.at_most(limits::ACCOUNTS_AT_ONCE_MAX, error::ACCOUNT_COUNT);
const ACCOUNTS: Field =
    Field::optional("Accounts", Kind::Texts, error::ACCOUNT_PARAMETER, "older: the names alone; at most 100")
        .at_most(limits::ACCOUNTS_AT_ONCE_MAX, error::ACCOUNT_COUNT);

#[derive(Serialize)]
struct Failed {
    #[serde(rename = "FailAccounts")]
    accounts: Vec<String>,
}

/// An account of the list, or the name of one that cannot be made.
type Wanted = Result<Import, String>;

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let wanted = read(call)?;
    let done = wanted.into_iter().map(async |wanted| match wanted {
        Ok(import) => {
            let name = import.user.to_string();
            call.rest.chat.run(Change::Import(import)).await.map_err(|error| (name, error))
        }
        Err(name) => Err((name, Refusal::new(error::ACCOUNT_PARAMETER, "it cannot be made").into())),
    });
    Ok(Answer::with(Failed { accounts: failed(join_all(done).await)? }))
}

/// Each account is made or not by itself, so each that was not is named. Only where the store took none of them has the
/// call failed as a whole.
fn failed(done: Vec<Result<(), (String, ChatError)>>) -> Result<Vec<String>, ChatError> {
    let faults = done.iter().filter(|done| matches!(done, Err((_, ChatError::Failed(_))))).count();
    if faults > 0 && faults == done.len() {
        let first = done.into_iter().find_map(Result::err);
        return Err(first.map(|(_, fault)| fault).expect("all of them failed"));
    }
    let failed = done.into_iter().filter_map(Result::err).map(|(name, error)| {
        if let ChatError::Failed(fault) = error {
            tracing::error!(%fault, "an account of several was not imported");
        }
        name
    });
    Ok(failed.collect())
}

fn read(call: Call<'_>) -> Result<Vec<Wanted>, Refusal> {
    let fields = Fields::parse(Service::Account, call.body)?;
    let app = call.caller.app.sdkappid;
    let (list, names) = (fields.objects(&ACCOUNT_LIST)?, fields.texts(&ACCOUNTS)?);
    let mut wanted = Vec::new();
    for account in list.iter().flatten() {
        let name = required(account.text(&ITEM_USER_ID))?;
        let profile = one_that_fits(profile(account, &NICK))?.zip(one_that_fits(profile(account, &FACE_URL))?);
        let import = UserId::new(&name).ok().zip(profile);
        let import = import.map(|(user, (nick, face_url))| Import { app, user, nick, face_url });
        wanted.push(import.ok_or_else(|| name.into_owned()));
    }
    for name in names.iter().flatten() {
        let import = UserId::new(name).map(|user| Import { app, user, nick: None, face_url: None });
        wanted.push(import.map_err(|_| name.clone().into_owned()));
    }
    if wanted.is_empty() {
        let info = "AccountList and Accounts are missing or empty: name at least one account";
        return Err(Refusal::new(error::ACCOUNT_PARAMETER, info));
    }
    Ok(wanted)
}

/// Nothing where it is too long: then its account fails alone. A wrong type refuses the call.
fn one_that_fits(profile: Result<Option<String>, Refusal>) -> Result<Option<Option<String>>, Refusal> {
    match profile {
        Ok(text) => Ok(Some(text)),
        Err(refusal) if refusal.code == error::PROFILE_TOO_LONG => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Fault;

    #[test]
    fn i1_who_was_not_stored_is_named_and_who_was_is_not() {
        let fault = || Err(("a".to_owned(), ChatError::Failed(Fault::Full)));
        let refused = || Err(("b".to_owned(), Refusal::new(error::ACCOUNT_PARAMETER, "no").into()));
        for (done, expected) in [
            (vec![Ok(()), Ok(())], Some(vec![])),
            (vec![Ok(()), fault(), refused()], Some(vec!["a", "b"])),
            (vec![refused(), refused()], Some(vec!["b", "b"])),
            (vec![fault(), refused()], Some(vec!["a", "b"])),
            (vec![fault(), fault()], None),
        ] {
            let failed = failed(done).ok();
            assert_eq!(failed.as_ref().map(|names| names.iter().map(String::as_str).collect()), expected);
        }
    }
}
