//! `openim/importmsg`: a message that was sent elsewhere (rest 4.3).

use unsaid_protocol::error;

use super::{
    Answer, Call, Command, Example, Field, Fields, Kind, Service, required,
    sendmsg::{CLOUD_CUSTOM_DATA, MSG_BODY, MSG_RANDOM, MSG_SEQ},
};
use crate::{
    chat::{ChatError, Command as Change, ImportMessage, Lifetime, MessageFlags, Refusal, Send, check_length},
    limits,
};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "openim",
    name: "importmsg",
    about: "Imports a message with the time that it had. There are no callbacks. What has the same `MsgSeq`, `MsgRandom` \
            and `MsgTimeStamp` between the two was imported before, and stays, as long as the recipient sees it. The `MsgKey` is these three, joined by `_`. \
            Import in the order of time.",
    fields: &[
        &SYNC_FROM_OLD_SYSTEM,
        &FROM_ACCOUNT,
        &TO_ACCOUNT,
        &MSG_SEQ,
        &MSG_RANDOM,
        &MSG_TIME_STAMP,
        &MSG_BODY,
        &CLOUD_CUSTOM_DATA,
    ],
    refusals: &[
        (error::SYNC_FROM_OLD_SYSTEM, "`SyncFromOldSystem` is none of 1, 2 and 5"),
        (error::FROM_ACCOUNT, "`From_Account` was not imported"),
        (error::TO_ACCOUNT, "`To_Account` was not imported"),
        (error::MSG_TIMESTAMP, "`MsgTimeStamp` is more than a day in the future"),
        (
            error::MSG_TIMESTAMP,
            "a message of that `MsgKey` is there, and the sender sees it, but the recipient does not any more",
        ),
        (error::MSG_BODY_FORMAT, "`MsgBody` holds no element, nests deeper than 64, or cannot be read"),
        (error::ELEMENT_FORMAT, "an element of `MsgBody` is malformed"),
        (error::TOO_LONG, "`MsgBody` and `CloudCustomData` have more than 8192 bytes together"),
    ],
    examples: &[Example {
        body: r#"{"SyncFromOldSystem":2,"From_Account":"mira","To_Account":"tomas","MsgSeq":12,"MsgRandom":990017,"MsgTimeStamp":1764000000,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hello from last year"}}]}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const SYNC_FROM_OLD_SYSTEM: Field = Field::required(
    "SyncFromOldSystem",
    Kind::Number,
    error::SYNC_FROM_OLD_SYSTEM,
    "5 (or 1): it counts as unread, and devices hear of it; 2: history, neither",
);
const FROM_ACCOUNT: Field = Field::required("From_Account", Kind::Account, error::FROM_ACCOUNT, "who sent it");
const TO_ACCOUNT: Field = Field::required("To_Account", Kind::Account, error::TO_ACCOUNT, "who got it");
const MSG_TIME_STAMP: Field =
    Field::required("MsgTimeStamp", Kind::Number, error::MSG_TIMESTAMP, "when it was sent, seconds since 1970");

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let import = read(call)?;
    call.rest.chat.run(Change::ImportMessage(Box::new(import))).await?;
    Ok(Answer::ok())
}

/// A clock may be wrong by a day, not by more: milliseconds, say, would stand above everything for ever.
fn check_past(time_s: u32, now_s: u32) -> Result<(), Refusal> {
    if time_s <= now_s.saturating_add(limits::IMPORT_AHEAD_S) {
        return Ok(());
    }
    let info =
        format!("MsgTimeStamp {time_s} is more than a day after now, {now_s}: send when it was, in seconds since 1970");
    Err(Refusal::new(MSG_TIME_STAMP.code, info))
}

fn read(call: Call<'_>) -> Result<ImportMessage, Refusal> {
    let fields = Fields::parse(Service::Openim, call.body)?;
    let flags = match required(fields.number(&SYNC_FROM_OLD_SYSTEM))? {
        1 | 5 => MessageFlags::COUNTED,
        2 => MessageFlags::HISTORY,
        other => {
            let info = format!("SyncFromOldSystem is {other}: send 5 for messages that count as unread, 2 for history");
            return Err(Refusal::new(error::SYNC_FROM_OLD_SYSTEM, info));
        }
    };
    let from = required(fields.account(&FROM_ACCOUNT))?;
    let to = required(fields.account(&TO_ACCOUNT))?;
    let seq = fields.number(&MSG_SEQ)?.unwrap_or_else(|| call.rest.entropy.next_u32());
    let random = required(fields.number(&MSG_RANDOM))?;
    let time_s = required(fields.number(&MSG_TIME_STAMP))?;
    check_past(time_s, call.rest.clock.now().seconds())?;
    let body = required(fields.elements(&MSG_BODY))?;
    let custom_data = fields.text(&CLOUD_CUSTOM_DATA)?.unwrap_or_default().into_owned();
    check_length(&body.json, &custom_data, error::TOO_LONG)?;
    let send = Send {
        app: call.caller.app.sdkappid,
        from,
        to,
        seq,
        random,
        body,
        custom_data,
        push_info: String::new(),
        lifetime: Lifetime::Stored,
        flags,
        client_time_s: None,
        forbidden_callbacks: Vec::new(),
        origin: call.caller.origin,
        by_client: false,
        asked: None,
    };
    Ok(ImportMessage { send, time_s })
}
