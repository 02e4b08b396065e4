//! `im_open_login_svc/account_delete` (rest 3.3).

use futures_util::future::join_all;
use unsaid_protocol::{ErrorCode, UserId, error};

use super::{
    Answer, Call, Command, Example, Field, Fields, ITEM_USER_ID, ResultItem, ResultItems, Service, items, required,
};
use crate::chat::{ChatError, DeleteAccount};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "im_open_login_svc",
    name: "account_delete",
    about: "Deletes up to 100 accounts. Name and face, history, list of conversations and blocklist of an account go, and \
            its UserSigs log in no more; what it sent stays in the history of others. The answer is OK even if single ones \
            fail: 70107 for one that does not exist, 70402 for an admin of the app. Who is imported again begins anew.",
    fields: &[&DELETE_ITEM],
    refusals: &[],
    examples: &[Example {
        body: r#"{"DeleteItem":[{"UserID":"leaver"},{"UserID":"ghost"}]}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ResultItem":[{"UserID":"leaver","ResultCode":0,"ResultInfo":""},{"UserID":"ghost","ResultCode":70107,"ResultInfo":"UserID ghost was not imported"}]}"#,
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const DELETE_ITEM: Field = items("DeleteItem", "each with `UserID`; at most 100");

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::Account, call.body)?;
    let named = required(fields.objects(&DELETE_ITEM))?;
    let names: Result<Vec<_>, _> = named.iter().map(|item| required(item.text(&ITEM_USER_ID))).collect();
    let names = names?;
    let items = names.iter().map(|name| delete(call, name));
    let items: Result<_, _> = join_all(items).await.into_iter().collect();
    Ok(Answer::with(ResultItems { items: items? }))
}

async fn delete<'a>(call: Call<'_>, name: &'a str) -> Result<ResultItem<'a>, ChatError> {
    let (code, info) = match UserId::new(name) {
        Err(problem) => (error::ACCOUNT_NOT_FOUND, format!("UserID: {problem}")),
        Ok(user) => {
            let delete = DeleteAccount { app: call.caller.app.sdkappid, user };
            match call.rest.chat.delete_account(delete).await {
                Ok(()) => (ErrorCode(0), String::new()),
                Err(ChatError::Refused(refusal)) => (refusal.code, refusal.info.into_owned()),
                Err(fault @ ChatError::Failed(_)) => return Err(fault),
            }
        }
    };
    Ok(ResultItem { user: name, code, info, status: None })
}
