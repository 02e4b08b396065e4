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
    about: "Makes up to 100 accounts at once. Those that could not be made are named in `FailAccounts`.",
    fields: &[&ACCOUNT_LIST, &ACCOUNTS],
    refusals: &[(error::ACCOUNT_PARAMETER, "neither `AccountList` nor `Accounts` is there")],
    examples: &[
        Example {
            body: r#"{"AccountList":[{"UserID":"tomas","Nick":"Tomas"},{"UserID":"yuki"}]}"#,
            answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"FailAccounts":[]}"#,
        },
        Example {
            body: r#"{"Accounts":["tomas","a name that is longer than 32 bytes"]}"#,
            answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"FailAccounts":["a name that is longer than 32 bytes"]}"#,
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
            match call.rest.chat.run(Change::Import(import)).await {
                Ok(()) => Ok(None),
                Err(ChatError::Refused(_)) => Ok(Some(name)),
                Err(fault @ ChatError::Failed(_)) => Err(fault),
            }
        }
        Err(name) => Ok(Some(name)),
    });
    let failed: Result<Vec<_>, _> = join_all(done).await.into_iter().collect();
    Ok(Answer::with(Failed { accounts: failed?.into_iter().flatten().collect() }))
}

fn read(call: Call<'_>) -> Result<Vec<Wanted>, Refusal> {
    let fields = Fields::parse(Service::Account, call.body)?;
    let app = call.caller.app.sdkappid;
    let (list, names) = (fields.objects(&ACCOUNT_LIST)?, fields.texts(&ACCOUNTS)?);
    let mut wanted = Vec::new();
    for account in list.iter().flatten() {
        let name = required(account.text(&ITEM_USER_ID))?;
        let (nick, face_url) = (profile(account, &NICK)?, profile(account, &FACE_URL)?);
        wanted.push(UserId::new(&name).map(|user| Import { app, user, nick, face_url }).map_err(|_| name.into_owned()));
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
