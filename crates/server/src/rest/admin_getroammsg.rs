//! `openim/admin_getroammsg`: pages of history (rest 4.4).

use serde_json::value::RawValue;
use unsaid_protocol::{
    MsgKey, error,
    rest::{FLAG_RECALLED, History, HistoryMessage},
};

use super::{
    Rest,
    envelope::{Answer, Service},
    fields::{Fields, missing},
    gate::Caller,
};
use crate::{
    chat::{ChatError, HistoryQuery, Message, MessageFlags, Pair, Refusal},
    limits,
};

pub(super) async fn answer(rest: &Rest, caller: &Caller, body: &[u8]) -> Result<Answer, ChatError> {
    let query = read(caller, body).map_err(ChatError::Refused)?;
    for (user, name, code) in
        [(&query.operator, "Operator_Account", error::FROM_ACCOUNT), (&query.peer, "Peer_Account", error::TO_ACCOUNT)]
    {
        if rest.chat.store().unread(query.app, user.clone()).await?.is_none() {
            return Err(ChatError::Refused(Refusal::new(code, format!("{name} {user} was not imported"))));
        }
    }
    let (pair, _) = Pair::of(&query.operator, &query.peer);
    let wanted = query.messages_max as usize;
    // One more than was asked for tells whether something older is left.
    let query = HistoryQuery { messages_max: query.messages_max + 1, ..query };
    let found = rest.chat.store().history(query).await?;
    Ok(page(&pair, &found, wanted))
}

fn read(caller: &Caller, body: &[u8]) -> Result<HistoryQuery, Refusal> {
    let fields = Fields::parse(Service::Openim, body)?;
    let code = error::BODY_NOT_JSON;
    let operator = fields.account(fields.either("Operator_Account", "From_Account"), error::FROM_ACCOUNT)?;
    let peer = fields.account(fields.either("Peer_Account", "To_Account"), error::TO_ACCOUNT)?;
    let count = fields.number("MaxCnt", code)?.ok_or_else(|| missing("MaxCnt", code))?;
    if count == 0 {
        return Err(Refusal::new(code, "MaxCnt must be at least 1"));
    }
    let min_time_s = fields.seconds("MinTime", code)?.ok_or_else(|| missing("MinTime", code))?;
    let max_time_s = fields.seconds("MaxTime", code)?.ok_or_else(|| missing("MaxTime", code))?;
    let before = match fields.text("LastMsgKey", error::MSG_KEY)?.filter(|key| !key.is_empty()) {
        None => None,
        Some(key) => {
            let parsed: Result<MsgKey, _> = key.parse();
            Some(parsed.map_err(|error| Refusal::new(error::MSG_KEY, format!("LastMsgKey: {error}")))?)
        }
    };
    let messages_max = count.min(limits::HISTORY_PAGE_MESSAGES_MAX);
    Ok(HistoryQuery { app: caller.app.sdkappid, operator, peer, min_time_s, max_time_s, before, messages_max })
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
