//! `recentcontact/get_list` (rest 6.1).

use std::cmp::Reverse;

use serde::Serialize;
use unsaid_protocol::{error, rest::Displayed};

use super::{Answer, Call, Command, Example, Field, Fields, Kind, Service, required};
use crate::{
    chat::{ChatError, Recent, Refusal},
    limits,
};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "recentcontact",
    name: "get_list",
    about: "The conversations of an account, the latest first, 100 at a time. Where `CompleteFlag` is 0 there are more: ask \
            again with the `TimeStamp` and `StartIndex` of the answer.",
    fields: &[&FROM_ACCOUNT, &TIME_STAMP, &START_INDEX, &TOP_TIME_STAMP, &TOP_START_INDEX, &ASSIST_FLAGS],
    refusals: &[(error::CONTACT_ACCOUNT, "`From_Account` was not imported")],
    examples: &[Example {
        body: r#"{"From_Account":"yuki","TimeStamp":0,"StartIndex":0,"TopTimeStamp":0,"TopStartIndex":0,"AssistFlags":7}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"ErrorDisplay":"","SessionItem":[{"Type":1,"To_Account":"mira","MsgTime":1764500003,"TopFlag":0}],"CompleteFlag":1,"TimeStamp":1764500003,"StartIndex":1,"TopTimeStamp":0,"TopStartIndex":0}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const FROM_ACCOUNT: Field = Field::required("From_Account", Kind::Account, error::CONTACT_PARAMETER, "whose list");
const TIME_STAMP: Field = Field::required(
    "TimeStamp",
    Kind::Number,
    error::CONTACT_PARAMETER,
    "0 for the first page, then that of the answer before",
);
const START_INDEX: Field = Field::required(
    "StartIndex",
    Kind::Number,
    error::CONTACT_PARAMETER,
    "0 for the first page, then that of the answer before",
);
const TOP_TIME_STAMP: Field =
    Field::required("TopTimeStamp", Kind::Number, error::CONTACT_PARAMETER, "0: there are no pinned conversations");
const TOP_START_INDEX: Field =
    Field::required("TopStartIndex", Kind::Number, error::CONTACT_PARAMETER, "0: there are no pinned conversations");
const ASSIST_FLAGS: Field = Field::required("AssistFlags", Kind::Number, error::CONTACT_PARAMETER, "any number");

#[derive(Serialize)]
struct List {
    #[serde(rename = "SessionItem")]
    items: Vec<Item>,
    #[serde(rename = "CompleteFlag")]
    complete: u8,
    #[serde(rename = "TimeStamp")]
    time_s: u32,
    #[serde(rename = "StartIndex")]
    index: usize,
    #[serde(rename = "TopTimeStamp")]
    top_time_s: u32,
    #[serde(rename = "TopStartIndex")]
    top_index: u32,
}

#[derive(Serialize)]
struct Item {
    #[serde(rename = "Type")]
    kind: u8,
    #[serde(rename = "To_Account")]
    peer: String,
    #[serde(rename = "MsgTime")]
    time_s: u32,
    #[serde(rename = "TopFlag")]
    top: u8,
}

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::RecentContact, call.body)?;
    let user = required(fields.account(&FROM_ACCOUNT))?;
    let after = (required(fields.number(&TIME_STAMP))?, required(fields.number(&START_INDEX))?);
    for field in [&TOP_TIME_STAMP, &TOP_START_INDEX, &ASSIST_FLAGS] {
        required(fields.number(field))?;
    }
    let Some(recent) = call.rest.chat.store().recent(call.caller.app.sdkappid, user.clone()).await? else {
        let info = format!("From_Account {user} was not imported");
        return Err(Refusal::new(error::CONTACT_ACCOUNT, info).into());
    };
    Ok(Answer::with(Displayed::new(page(recent, after, limits::RECENT_PAGE_MAX))))
}

/// The page that begins behind so many conversations of that time; at the beginning, where both are 0.
fn page(mut recent: Vec<Recent>, (time_s, index): (u32, u32), most: usize) -> List {
    recent.sort_by(|one, other| {
        let order = |recent: &Recent| Reverse(recent.last_time_s);
        order(one).cmp(&order(other)).then_with(|| one.peer.cmp(&other.peer))
    });
    let begin = match (time_s, index) {
        (0, 0) => 0,
        _ => {
            let later = recent.iter().filter(|recent| recent.last_time_s > time_s).count();
            let same = recent.iter().filter(|recent| recent.last_time_s == time_s).count();
            later + same.min(index as usize)
        }
    };
    let end = recent.len().min(begin + most);
    let shown = &recent[begin..end];
    let last_s = shown.last().map_or(time_s, |last| last.last_time_s);
    let index = recent[..end].iter().filter(|recent| recent.last_time_s == last_s).count();
    let item = |recent: &Recent| Item { kind: 1, peer: recent.peer.to_string(), time_s: recent.last_time_s, top: 0 };
    List {
        items: shown.iter().map(item).collect(),
        complete: u8::from(end == recent.len()),
        time_s: last_s,
        index,
        top_time_s: 0,
        top_index: 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unsaid_protocol::UserId;

    use super::*;

    proptest! {
        #[test]
        fn the_pages_are_the_list_without_gap_or_repeat(
            times in prop::collection::vec(1_u32..5, 0..40),
            most in 1_usize..7,
        ) {
            let recent = |(number, last_time_s): (usize, &u32)| Recent {
                peer: UserId::new(&format!("user{number}")).expect("valid"),
                last_time_s: *last_time_s,
            };
            let all: Vec<_> = times.iter().enumerate().map(recent).collect();
            let (mut seen, mut cursor) = (Vec::new(), (0, 0));
            loop {
                let List { items, complete, time_s, index, .. } = page(all.clone(), cursor, most);
                seen.extend(items.into_iter().map(|item| (item.time_s, item.peer)));
                cursor = (time_s, u32::try_from(index).expect("few"));
                if complete == 1 {
                    break;
                }
            }
            prop_assert!(seen.windows(2).all(|pair| pair[0].0 >= pair[1].0));
            let mut expected: Vec<_> = all.into_iter().map(|one| (one.last_time_s, one.peer.to_string())).collect();
            expected.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
            prop_assert_eq!(seen, expected);
        }
    }
}
