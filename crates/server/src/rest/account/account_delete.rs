//! `im_open_login_svc/account_delete` (rest 3.3).

use futures_util::future::join_all;
use unsaid_protocol::{ErrorCode, UserId, error};

use super::{
    Answer, Call, Command, Example, Field, Fields, ITEM_USER_ID, ResultItem, ResultItems, Service, items as list,
    required,
};
use crate::chat::{ChatError, DeleteAccount, Refusal};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "im_open_login_svc",
    name: "account_delete",
    about: "Deletes up to 100 accounts. Name and face, history, list of conversations and blocklist of an account go, and \
            its UserSigs log in no more; what it sent stays in the history of others, and it stays on their blocklists. The answer is OK even if single ones \
            fail: 70107 for one that does not exist, 70402 for an admin of the app, 70500 for one that could not be deleted and is still there. Who is imported again begins anew.",
    fields: &[&DELETE_ITEM],
    refusals: &[],
    examples: &[Example {
        body: r#"{"DeleteItem":[{"UserID":"leaver"},{"UserID":"ghost"}]}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ResultItem":[{"UserID":"leaver","ResultCode":0,"ResultInfo":""},{"UserID":"ghost","ResultCode":70107,"ResultInfo":"UserID ghost was not imported"}]}"#,
        note: "Once: then `leaver` gets 70107, too.",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const DELETE_ITEM: Field = list("DeleteItem", "each with `UserID`; at most 100");

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::Account, call.body)?;
    let named = required(fields.objects(&DELETE_ITEM))?;
    let names: Result<Vec<_>, _> = named.iter().map(|item| required(item.text(&ITEM_USER_ID))).collect();
    let names = names?;
    let done = join_all(names.iter().map(|name| delete(call, name))).await;
    Ok(Answer::with(ResultItems { items: items(names.iter().map(|name| &**name), done)? }))
}

async fn delete(call: Call<'_>, name: &str) -> Result<(), ChatError> {
    let missing = |problem| Refusal::new(error::ACCOUNT_NOT_FOUND, format!("UserID: {problem}"));
    let user = UserId::new(name).map_err(missing)?;
    let delete = DeleteAccount { app: call.caller.app.sdkappid, user, request: call.caller.origin.request };
    call.rest.chat.delete_account(delete).await
}

/// Each account is deleted or not by itself, and so it is told. Only where the store took none of them has the call failed
/// as a whole.
fn items<'a>(
    names: impl Iterator<Item = &'a str>,
    done: Vec<Result<(), ChatError>>,
) -> Result<Vec<ResultItem<'a>>, ChatError> {
    if let Some(Err(fault)) = done.first()
        && done.iter().all(|done| matches!(done, Err(ChatError::Failed(_))))
    {
        return Err(fault.clone());
    }
    let item = |(user, done)| {
        let (code, info) = match done {
            Ok(()) => (ErrorCode(0), String::new()),
            Err(ChatError::Refused(refusal)) => (refusal.code, refusal.info.into_owned()),
            Err(ChatError::Failed(fault)) => {
                tracing::error!(%fault, "an account of several was not deleted");
                (error::ACCOUNT_INTERNAL, fault.to_string())
            }
        };
        ResultItem { user, code, info, status: None }
    };
    Ok(names.zip(done).map(item).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Fault;

    #[test]
    fn i1_what_became_of_each_is_told() {
        let full = || Err(ChatError::Failed(Fault::Full));
        let codes = |done: Vec<Result<(), ChatError>>| {
            let names = ["a", "b", "c"].into_iter();
            items(names, done).map(|items| items.iter().map(|item| item.code.0).collect::<Vec<_>>()).ok()
        };
        let refused = Err(Refusal::new(error::ACCOUNT_NOT_FOUND, "no").into());
        assert_eq!(codes(vec![Ok(()), full(), refused]), Some(vec![0, 70500, 70107]));
        assert_eq!(codes(vec![full(), full(), Ok(())]), Some(vec![70500, 70500, 0]));
        assert_eq!(codes(vec![full(), full(), full()]), None);
    }
}
