//! `sns/black_list_get` (rest 7).

use super::{
    Answer, Call, ChatError, Command, Displayed, Example, FROM_ACCOUNT, Field, Fields, Kind, Serialize, Service, error,
    imported, required,
};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "sns",
    name: "black_list_get",
    about: "Whom an account has on its blocklist, by name. `StartIndex` of the answer is where to go on, 0 if that was all.",
    fields: &[&FROM_ACCOUNT, &START_INDEX, &MAX_LIMITED, &LAST_SEQUENCE],
    refusals: &[(error::SNS_ACCOUNT, "`From_Account` was not imported")],
    examples: &[Example {
        body: r#"{"From_Account":"yuki","StartIndex":0,"MaxLimited":30,"LastSequence":0}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ErrorDisplay":"","BlackListItem":[{"To_Account":"spammer","AddBlackTimeStamp":1795421000}],"StartIndex":0,"CurrentSequence":1795421000,"CurruentSequence":1795421000}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const START_INDEX: Field =
    Field::required("StartIndex", Kind::Number, error::SNS_PARAMETER, "where to begin, 0 at first");
const MAX_LIMITED: Field = Field::required("MaxLimited", Kind::Number, error::SNS_PARAMETER, "how many at most");
const LAST_SEQUENCE: Field = Field::required("LastSequence", Kind::Number, error::SNS_PARAMETER, "0");

/// Pages of the original name their sequence in one or the other way.
#[derive(Serialize)]
struct Page {
    #[serde(rename = "BlackListItem")]
    items: Vec<Item>,
    #[serde(rename = "StartIndex")]
    next: usize,
    #[serde(rename = "CurrentSequence")]
    sequence: u32,
    #[serde(rename = "CurruentSequence")]
    misspelt_sequence: u32,
}

#[derive(Serialize)]
struct Item {
    #[serde(rename = "To_Account")]
    name: String,
    #[serde(rename = "AddBlackTimeStamp")]
    since_s: u32,
}

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::Sns, call.body)?;
    let user = required(fields.account(&FROM_ACCOUNT))?;
    let start = required(fields.number(&START_INDEX))? as usize;
    let most = required(fields.number(&MAX_LIMITED))? as usize;
    required(fields.number(&LAST_SEQUENCE))?;
    imported(call, &user).await?;
    let list = call.rest.chat.store().blocklist(call.caller.app.sdkappid, user).await?;
    let sequence = list.iter().map(|(_, since_s)| *since_s).max().unwrap_or(0);
    let next = start.saturating_add(most);
    let next = if next < list.len() { next } else { 0 };
    let items = list.into_iter().skip(start).take(most);
    let items = items.map(|(other, since_s)| Item { name: other.to_string(), since_s }).collect();
    Ok(Answer::with(Displayed::new(Page { items, next, sequence, misspelt_sequence: sequence })))
}
