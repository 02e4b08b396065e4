//! `sns/black_list_check` (rest 7).

use super::{
    Answer, Call, ChatError, Command, Displayed, ErrorCode, Example, FROM_ACCOUNT, Field, Fields, Kind, Serialize,
    Service, TO_ACCOUNT, UserId, error, imported, required,
};
use crate::chat::Refusal;

pub(in crate::rest) const COMMAND: Command = Command {
    service: "sns",
    name: "black_list_check",
    about: "Who blocks whom. `Relation` is `BlackCheckResult_Type_AWithB` where `From_Account` blocks the other, \
            `..._BWithA` where the other blocks it, `..._BothWay`, or `..._NO`.",
    fields: &[&FROM_ACCOUNT, &TO_ACCOUNT, &CHECK_TYPE],
    refusals: &[
        (error::SNS_PARAMETER, "`CheckType` is neither of the two"),
        (error::SNS_ACCOUNT, "`From_Account` was not imported"),
    ],
    examples: &[Example {
        body: r#"{"From_Account":"yuki","To_Account":["spammer","mira"],"CheckType":"BlackCheckResult_Type_Both"}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ErrorDisplay":"","BlackListCheckItem":[{"To_Account":"spammer","Relation":"BlackCheckResult_Type_AWithB","ResultCode":0,"ResultInfo":""},{"To_Account":"mira","Relation":"BlackCheckResult_Type_NO","ResultCode":0,"ResultInfo":""}]}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const CHECK_TYPE: Field = Field::required(
    "CheckType",
    Kind::Text,
    error::SNS_PARAMETER,
    "`BlackCheckResult_Type_Single`: only whether it blocks them; `BlackCheckResult_Type_Both`: whether they block it, too",
);

#[derive(Serialize)]
struct Checked<'a> {
    #[serde(rename = "BlackListCheckItem")]
    items: Vec<Item<'a>>,
    #[serde(rename = "Fail_Account", skip_serializing_if = "Vec::is_empty")]
    failed: Vec<&'a str>,
}

#[derive(Serialize)]
struct Item<'a> {
    #[serde(rename = "To_Account")]
    name: &'a str,
    #[serde(rename = "Relation")]
    relation: &'static str,
    #[serde(rename = "ResultCode")]
    code: ErrorCode,
    #[serde(rename = "ResultInfo")]
    info: &'static str,
}

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::Sns, call.body)?;
    let user = required(fields.account(&FROM_ACCOUNT))?;
    let names = required(fields.texts(&TO_ACCOUNT))?;
    let both = match &*required(fields.text(&CHECK_TYPE))? {
        "BlackCheckResult_Type_Single" => false,
        "BlackCheckResult_Type_Both" => true,
        _ => {
            let info = "CheckType must be BlackCheckResult_Type_Single or BlackCheckResult_Type_Both";
            return Err(Refusal::new(CHECK_TYPE.code, info).into());
        }
    };
    imported(call, &user).await?;
    let app = call.caller.app.sdkappid;
    let others: Vec<UserId> = names.iter().filter_map(|name| UserId::new(name).ok()).collect();
    let there = call.rest.chat.store().exist(app, others.clone()).await?;
    let blocks = call.rest.chat.store().blocks(app, user, others).await?;
    let mut found = there.into_iter().zip(blocks);
    let items = names.iter().map(|name| match UserId::new(name).ok().and_then(|_| found.next()) {
        Some((true, (blocks, blocked))) => {
            Item { name, relation: relation(blocks, both && blocked), code: ErrorCode(0), info: "" }
        }
        Some((false, _)) | None => {
            let info = error::SNS_ACCOUNT.entry().map_or("", |entry| entry.meaning);
            Item { name, relation: relation(false, false), code: error::SNS_ACCOUNT, info }
        }
    });
    let items: Vec<_> = items.collect();
    let failed = items.iter().filter(|item| item.code != ErrorCode(0)).map(|item| item.name).collect();
    Ok(Answer::with(Displayed::new(Checked { items, failed })))
}

fn relation(blocks: bool, blocked: bool) -> &'static str {
    match (blocks, blocked) {
        (true, true) => "BlackCheckResult_Type_BothWay",
        (true, false) => "BlackCheckResult_Type_AWithB",
        (false, true) => "BlackCheckResult_Type_BWithA",
        (false, false) => "BlackCheckResult_Type_NO",
    }
}
