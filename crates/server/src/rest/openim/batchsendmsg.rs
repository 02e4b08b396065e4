//! `openim/batchsendmsg`: one message to many (rest 4.2).

use serde::Serialize;
use unsaid_protocol::{ErrorCode, UserId, error};

use super::{
    Answer, Call, Command, Example, Field, Fields, Kind, Service, required,
    sendmsg::{
        CLOUD_CUSTOM_DATA, FROM_ACCOUNT, IS_NEED_READ_RECEIPT, MSG_BODY, MSG_LIFE_TIME, MSG_RANDOM, MSG_SEQ,
        OFFLINE_PUSH_INFO, ONLINE_ONLY_FLAG, SEND_MSG_CONTROL, SYNC_OTHER_MACHINE, flags, lifetime, push_info,
        wants_receipt,
    },
};
use crate::{
    chat::{Batched, ChatError, Refusal, Send, SendBatch, check_length},
    limits,
};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "openim",
    name: "batchsendmsg",
    about: "Sends one message to up to 500 accounts, under one `MsgKey`. Each of them can be recalled by itself. There are \
            no callbacks. Who did not get it is named in `ErrorList`, and `ActionStatus` is `SomeError` then.",
    fields: &[
        &SYNC_OTHER_MACHINE,
        &FROM_ACCOUNT,
        &TO_ACCOUNT,
        &ONLINE_ONLY_FLAG,
        &MSG_LIFE_TIME,
        &MSG_SEQ,
        &MSG_RANDOM,
        &SEND_MSG_CONTROL,
        &MSG_BODY,
        &CLOUD_CUSTOM_DATA,
        &OFFLINE_PUSH_INFO,
        &IS_NEED_READ_RECEIPT,
    ],
    refusals: &[
        (error::FROM_ACCOUNT, "`From_Account` was not imported"),
        (error::TO_ACCOUNT_NOT_FOUND, "none of `To_Account` was imported"),
        (error::MSG_BODY_FORMAT, "`MsgBody` holds no element, nests deeper than 64, or cannot be read"),
        (error::ELEMENT_FORMAT, "an element of `MsgBody` is malformed"),
        (error::BATCH_TOO_LONG, "`MsgBody` and `CloudCustomData` have more than 8192 bytes together"),
        (error::TOO_OFTEN, "more recipients a minute than the operator allows"),
    ],
    examples: &[Example {
        body: r#"{"From_Account":"mira","To_Account":["tomas","ghost"],"MsgSeq":501,"MsgRandom":77120934,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"shop closes at 6"}}]}"#,
        answer: r#"{"ActionStatus":"SomeError","ErrorInfo":"","ErrorCode":0,"MsgKey":"501_77120934_1795421000","MsgId":"144115188075855875-1795421000-77120934","ErrorList":[{"To_Account":"ghost","ErrorCode":70107}]}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const TO_ACCOUNT: Field = Field::required("To_Account", Kind::Texts, error::TO_ACCOUNT, "who get it; at most 500")
    .at_most(limits::BATCH_ACCOUNTS_MAX, error::TOO_MANY_TARGETS);

#[derive(Serialize)]
struct Sent<'a> {
    #[serde(rename = "MsgKey")]
    key: String,
    #[serde(rename = "MsgId")]
    id: String,
    #[serde(rename = "ErrorList", skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Failed<'a>>,
}

#[derive(Serialize)]
struct Failed<'a> {
    #[serde(rename = "To_Account")]
    to: &'a str,
    #[serde(rename = "ErrorCode")]
    code: ErrorCode,
}

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let (send, names) = read(call)?;
    let recipients = u32::try_from(names.len()).expect("a bounded array");
    call.rest.rates.take_recipients(call.caller.app.sdkappid, recipients).map_err(ChatError::Refused)?;
    let to = names.iter().filter_map(|name| UserId::new(name).ok()).collect();
    let batch = SendBatch { send, to };
    let Batched { sent, count, failed } = call.rest.chat.send_batch(batch).await?;
    if count == 0 {
        return Err(Refusal::new(error::TO_ACCOUNT_NOT_FOUND, "invalid To_Account: none of them was imported").into());
    }
    let unnamed =
        names.iter().filter(|name| UserId::new(name).is_err()).map(|name| (&**name, error::ACCOUNT_NOT_FOUND));
    let failed = failed.iter().map(|(user, code)| (user.as_str(), *code)).chain(unnamed);
    let errors: Vec<_> = failed.map(|(to, code)| Failed { to, code }).collect();
    let some_failed = !errors.is_empty();
    let sent = Sent { key: sent.key.to_string(), id: sent.id, errors };
    Ok(if some_failed { Answer::partly(sent) } else { Answer::with(sent) })
}

/// What is sent, and the names of the recipients.
fn read(call: Call<'_>) -> Result<(Send, Vec<String>), Refusal> {
    let fields = Fields::parse(Service::Openim, call.body)?;
    let sync_other_machine = fields.integer(&SYNC_OTHER_MACHINE)?;
    let from = fields.account(&FROM_ACCOUNT)?.unwrap_or_else(|| call.caller.admin.clone());
    let names = required(fields.texts(&TO_ACCOUNT))?;
    let lifetime = lifetime(&fields)?;
    let seq = fields.number(&MSG_SEQ)?.unwrap_or_else(|| call.rest.entropy.next_u32());
    let random = required(fields.number(&MSG_RANDOM))?;
    let flags = flags(&fields, sync_other_machine)?;
    let body = required(fields.elements(&MSG_BODY))?;
    let custom_data = fields.text(&CLOUD_CUSTOM_DATA)?.unwrap_or_default().into_owned();
    let push_info = push_info(&fields)?;
    let flags = flags.with(wants_receipt(&fields)?);
    check_length(&body.json, &custom_data, error::BATCH_TOO_LONG)?;
    let send = Send {
        app: call.caller.app.sdkappid,
        to: from.clone(),
        from,
        seq,
        random,
        body,
        custom_data,
        push_info,
        lifetime,
        flags,
        client_time_s: None,
        forbidden_callbacks: Vec::new(),
        origin: call.caller.origin,
        by_client: false,
        asked: None,
    };
    Ok((send, names.into_iter().map(std::borrow::Cow::into_owned).collect()))
}
