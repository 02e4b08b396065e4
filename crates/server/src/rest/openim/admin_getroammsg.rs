//! `openim/admin_getroammsg`: pages of history (rest 4.4).

use serde_json::value::RawValue;
use unsaid_protocol::{
    error,
    rest::{FLAG_RECALLED, History, HistoryMessage},
};

use super::{Answer, Call, Command, Example, Field, Fields, Kind, Service, required};
use crate::{
    chat::{ChatError, HistoryQuery, Message, MessageFlags, Pair, Refusal},
    limits,
};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "openim",
    name: "admin_getroammsg",
    about: "A page of the history between two accounts as one of them sees it: the newest messages of the range, oldest \
            first, at most 13 KiB of them. Where `Complete` is 0 there are older ones: ask again with `MaxTime` = \
            `LastMsgTime` and `LastMsgKey`. A recalled message has `MsgFlagBits` 8 and says nothing.",
    fields: &[&OPERATOR_ACCOUNT, &PEER_ACCOUNT, &MAX_CNT, &MIN_TIME, &MAX_TIME, &LAST_MSG_KEY],
    refusals: &[
        (error::FROM_ACCOUNT, "`Operator_Account` was not imported"),
        (error::TO_ACCOUNT, "`Peer_Account` was never imported"),
    ],
    examples: &[Example {
        body: r#"{"Operator_Account":"yuki","Peer_Account":"mira","MaxCnt":10,"MinTime":1764500000,"MaxTime":1764599999}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"Complete":1,"MsgCnt":1,"LastMsgTime":1764500003,"LastMsgKey":"3_1003_1764500003","MsgList":[{"From_Account":"mira","To_Account":"yuki","MsgSeq":3,"MsgRandom":1003,"MsgTimeStamp":1764500003,"MsgFlagBits":0,"IsPeerRead":0,"MsgKey":"3_1003_1764500003","MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"shop closes at 6"}}],"CloudCustomData":""}]}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const OPERATOR_ACCOUNT: Field =
    Field::required("Operator_Account", Kind::Account, error::FROM_ACCOUNT, "whose view").or("From_Account");
const PEER_ACCOUNT: Field =
    Field::required("Peer_Account", Kind::Account, error::TO_ACCOUNT, "the other account").or("To_Account");
const MAX_CNT: Field =
    Field::required("MaxCnt", Kind::Number, error::BODY_NOT_JSON, "how many messages at most, at least 1");
const MIN_TIME: Field =
    Field::required("MinTime", Kind::Seconds, error::BODY_NOT_JSON, "where the range begins, this second included");
const MAX_TIME: Field =
    Field::required("MaxTime", Kind::Seconds, error::BODY_NOT_JSON, "where the range ends, this second included");
const LAST_MSG_KEY: Field =
    Field::optional("LastMsgKey", Kind::Text, error::MSG_KEY, "only what stands before this message");

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let query = read(call)?;
    let (HistoryQuery { app, operator, peer, .. }, store) = (&query, call.rest.chat.store());
    if store.exist(*app, vec![operator.clone()]).await? != [true] {
        let info = format!("Operator_Account {operator} was not imported");
        return Err(Refusal::new(error::FROM_ACCOUNT, info).into());
    }
    // What a deleted account sent stays in the history of others.
    if store.people(*app, vec![peer.clone()]).await? == [None] {
        return Err(Refusal::new(error::TO_ACCOUNT, format!("Peer_Account {peer} was never imported")).into());
    }
    let (pair, _) = Pair::of(&query.operator, &query.peer);
    let wanted = query.messages_max as usize;
    // One more than was asked for tells whether something older is left.
    let query = HistoryQuery { messages_max: query.messages_max + 1, ..query };
    let found = call.rest.chat.store().history(query).await?;
    Ok(page(&pair, &found, wanted))
}

fn read(call: Call<'_>) -> Result<HistoryQuery, Refusal> {
    let fields = Fields::parse(Service::Openim, call.body)?;
    let operator = required(fields.account(&OPERATOR_ACCOUNT))?;
    let peer = required(fields.account(&PEER_ACCOUNT))?;
    let count = required(fields.number(&MAX_CNT))?;
    if count == 0 {
        return Err(Refusal::new(MAX_CNT.code, "MaxCnt must be at least 1"));
    }
    let min_time_s = required(fields.seconds(&MIN_TIME))?;
    let max_time_s = required(fields.seconds(&MAX_TIME))?;
    // The first page may say that there is none before it.
    let before =
        if fields.text(&LAST_MSG_KEY)?.is_some_and(|key| key.is_empty()) { None } else { fields.key(&LAST_MSG_KEY)? };
    let messages_max = count.min(limits::HISTORY_PAGE_MESSAGES_MAX);
    let app = call.caller.app.sdkappid;
    Ok(HistoryQuery { app, operator, peer, min_time_s, max_time_s, before, messages_max })
}

/// The newest messages that fit, at least one, answered oldest first; the oldest of them is where the next page goes
/// on.
fn page(pair: &Pair, newest_first: &[Message], wanted: usize) -> Answer {
    let mut taken = Vec::new();
    let mut bytes = 0;
    for message in newest_first.iter().take(wanted) {
        let json = render(pair, message);
        bytes += json.get().len();
        if !taken.is_empty() && bytes > limits::HISTORY_PAGE_BYTES_MAX {
            break;
        }
        taken.push(json);
    }
    let complete = taken.len() == newest_first.len();
    let oldest = taken.len().checked_sub(1).map(|at| newest_first[at].key);
    let last_key = oldest.map(|key| key.to_string()).unwrap_or_default();
    taken.reverse();
    Answer::with(History {
        complete: u8::from(complete),
        count: taken.len(),
        last_time_s: oldest.map_or(0, |key| key.time),
        last_key: &last_key,
        messages: &taken,
    })
}

/// A tombstone has flag 8 and says nothing (rule R3).
fn render(pair: &Pair, message: &Message) -> Box<RawValue> {
    let (from, to) = pair.ends(message.direction);
    let recalled = message.flags.contains(MessageFlags::RECALLED);
    let body = if recalled { "[]" } else { &message.content.body };
    serde_json::value::to_raw_value(&HistoryMessage {
        from,
        to,
        seq: message.key.seq,
        random: message.key.random,
        time_s: message.key.time,
        flags: if recalled { FLAG_RECALLED } else { 0 },
        peer_read: u8::from(message.flags.contains(MessageFlags::PEER_READ)),
        key: &message.key.to_string(),
        body: serde_json::from_str(body).expect("what was stored is valid JSON"),
        custom_data: if recalled { "" } else { &message.content.custom_data },
    })
    .expect("strings and numbers serialize")
}
