//! `im_open_login_svc/account_check` (rest 3.4).

use unsaid_protocol::{ErrorCode, UserId};

use super::{
    Answer, Call, Command, Example, Field, Fields, ITEM_USER_ID, ResultItem, ResultItems, Service, items, required,
};
use crate::chat::ChatError;

pub(in crate::rest) const COMMAND: Command = Command {
    service: "im_open_login_svc",
    name: "account_check",
    about: "Which of up to 100 accounts are there. Also taken by GET.",
    fields: &[&CHECK_ITEM],
    refusals: &[],
    examples: &[Example {
        body: r#"{"CheckItem":[{"UserID":"mira"},{"UserID":"ghost"}]}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ResultItem":[{"UserID":"mira","ResultCode":0,"ResultInfo":"","AccountStatus":"Imported"},{"UserID":"ghost","ResultCode":0,"ResultInfo":"","AccountStatus":"NotImported"}]}"#,
        note: "",
    }],
    get: true,
    answer: |call| Box::pin(answer(call)),
};

const CHECK_ITEM: Field = items("CheckItem", "each with `UserID`; at most 100");

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::Account, call.body)?;
    let named = required(fields.objects(&CHECK_ITEM))?;
    let names: Result<Vec<_>, _> = named.iter().map(|item| required(item.text(&ITEM_USER_ID))).collect();
    let names = names?;
    let users: Vec<UserId> = names.iter().filter_map(|name| UserId::new(name).ok()).collect();
    let there = call.rest.chat.store().exist(call.caller.app.sdkappid, users.clone()).await?;
    let is_there = |name: &str| users.iter().zip(&there).any(|(user, there)| user.as_str() == name && *there);
    let items = names.iter().map(|name| ResultItem {
        user: name,
        code: ErrorCode(0),
        info: String::new(),
        status: Some(if is_there(name) { "Imported" } else { "NotImported" }),
    });
    Ok(Answer::with(ResultItems { items: items.collect() }))
}
