//! `sns/black_list_add` and `sns/black_list_delete` (rest 7).

use super::{
    Answer, Call, ChatError, Command, Displayed, ErrorCode, Example, FROM_ACCOUNT, Fields, Serialize, Service,
    TO_ACCOUNT, UserId, error, required,
};
use crate::chat::Block;

pub(in crate::rest) const COMMAND: Command = Command {
    service: "sns",
    name: "black_list_add",
    about: "Puts accounts on somebody's blocklist: what their clients send to it is refused with 20007. Who could not be put \
            on it is named in `Fail_Account`: 30003 is no account, 30013 found the list full (1000).",
    fields: &[&FROM_ACCOUNT, &TO_ACCOUNT],
    refusals: &[(error::SNS_ACCOUNT, "`From_Account` was not imported")],
    examples: &[Example {
        body: r#"{"From_Account":"tomas","To_Account":["spammer","ghost"]}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ErrorDisplay":"","ResultItem":[{"To_Account":"spammer","ResultCode":0,"ResultInfo":""},{"To_Account":"ghost","ResultCode":30003,"ResultInfo":"the account does not exist"}],"Fail_Account":["ghost"]}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call, true)),
};

pub(in crate::rest) const DELETE: Command = Command {
    name: "black_list_delete",
    about: "Takes accounts off somebody's blocklist. One that is not on it is as good as taken off.",
    examples: &[Example {
        body: r#"{"From_Account":"tomas","To_Account":["spammer"]}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ErrorDisplay":"","ResultItem":[{"To_Account":"spammer","ResultCode":0,"ResultInfo":""}]}"#,
        note: "",
    }],
    answer: |call| Box::pin(answer(call, false)),
    ..COMMAND
};

#[derive(Serialize)]
struct Results<'a> {
    #[serde(rename = "ResultItem")]
    items: Vec<Item<'a>>,
    #[serde(rename = "Fail_Account", skip_serializing_if = "Vec::is_empty")]
    failed: Vec<&'a str>,
}

#[derive(Serialize)]
struct Item<'a> {
    #[serde(rename = "To_Account")]
    name: &'a str,
    #[serde(rename = "ResultCode")]
    code: ErrorCode,
    #[serde(rename = "ResultInfo")]
    info: &'static str,
}

async fn answer(call: Call<'_>, blocked: bool) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::Sns, call.body)?;
    let user = required(fields.account(&FROM_ACCOUNT))?;
    let names = required(fields.texts(&TO_ACCOUNT))?;
    let others: Vec<UserId> = names.iter().filter_map(|name| UserId::new(name).ok()).collect();
    let block = Block { app: call.caller.app.sdkappid, user, others, blocked };
    let mut codes = call.rest.chat.block(block).await?.into_iter();
    let items = names.iter().map(|name| {
        let code = UserId::new(name).ok().and_then(|_| codes.next()).unwrap_or(error::SNS_ACCOUNT);
        Item { name, code, info: code.entry().map_or("", |entry| entry.meaning) }
    });
    let items: Vec<_> = items.collect();
    let failed = items.iter().filter(|item| item.code != ErrorCode(0)).map(|item| item.name).collect();
    Ok(Answer::with(Displayed::new(Results { items, failed })))
}
