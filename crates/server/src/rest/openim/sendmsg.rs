//! `openim/sendmsg` (rest 4.1).

use unsaid_protocol::{UserId, callback::CallbackCommand, error, rest};

use super::{Answer, Call, Command, Example, Field, Fields, Kind, Service, missing, required};
use crate::chat::{ChatError, Lifetime, MessageFlags, Refusal, Send, check_length, check_push_info};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "openim",
    name: "sendmsg",
    about: "Sends a message. The same message again (sender, recipient, `MsgSeq`, `MsgRandom` and content) within 120 s \
            gets the first one's answer and is not sent twice, unless the recipient has lost it since; what is for \
            those online only is remembered until the server stops, the latest 20,000 of them. The app backend is asked before and told after, by \
            `C2C.CallbackBeforeSendMsg` and `C2C.CallbackAfterSendMsg`. Blocklists do not matter here.",
    fields: &[
        &SYNC_OTHER_MACHINE,
        &FROM_ACCOUNT,
        &TO_ACCOUNT,
        &ONLINE_ONLY_FLAG,
        &MSG_LIFE_TIME,
        &MSG_SEQ,
        &MSG_RANDOM,
        &MSG_TIME_STAMP,
        &FORBID_CALLBACK_CONTROL,
        &SEND_MSG_CONTROL,
        &MSG_BODY,
        &CLOUD_CUSTOM_DATA,
        &SUPPORT_MESSAGE_EXTENSION,
        &OFFLINE_PUSH_INFO,
        &IS_NEED_READ_RECEIPT,
    ],
    refusals: &[
        (error::FROM_ACCOUNT, "`From_Account` was not imported"),
        (error::TO_ACCOUNT_NOT_FOUND, "`To_Account` was not imported"),
        (error::MSG_BODY_FORMAT, "`MsgBody` holds no element, nests deeper than 64, or cannot be read"),
        (error::ELEMENT_FORMAT, "an element of `MsgBody` is malformed"),
        (error::TOO_LONG, "`MsgBody` and `CloudCustomData` have more than 8192 bytes together"),
        (
            error::BEFORE_REFUSED,
            "the app backend refuses the message; it may choose a code from 120001 to 130000 instead",
        ),
        (error::BEFORE_FAILED, "the app backend did not say whether it may be sent, and `before_failure` is `refuse`"),
        (error::BACK_END, "as many callbacks wait for the app backend as may"),
    ],
    examples: &[Example {
        body: r#"{"From_Account":"mira","To_Account":"tomas","MsgSeq":73190221,"MsgRandom":4080011,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"the parcel is downstairs"}}],"CloudCustomData":"{\"order\":118}"}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"MsgTime":1795421000,"MsgKey":"73190221_4080011_1795421000","MsgId":"144115188075855875-1795421000-4080011"}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

pub(super) const SYNC_OTHER_MACHINE: Field = Field::optional(
    "SyncOtherMachine",
    Kind::Integer,
    error::SYNC_OTHER_MACHINE,
    "2: the sender's own history and devices do not have the message",
);
pub(super) const FROM_ACCOUNT: Field =
    Field::optional("From_Account", Kind::Account, error::FROM_ACCOUNT, "who sends; the calling admin if not given")
        .of_wrong_type(error::ACCOUNT_TYPE);
const TO_ACCOUNT: Field = Field::required("To_Account", Kind::Account, error::TO_ACCOUNT, "who gets it");
pub(super) const ONLINE_ONLY_FLAG: Field = Field::optional(
    "OnlineOnlyFlag",
    Kind::Integer,
    error::BODY_NOT_JSON,
    "1: only devices that are online get it; it is never stored, so it cannot be recalled",
);
pub(super) const MSG_LIFE_TIME: Field = Field::optional(
    "MsgLifeTime",
    Kind::Duration,
    error::MSG_LIFE_TIME,
    "older; 0 is the same as `OnlineOnlyFlag` 1, any other number, however large, means that it is stored",
);
pub(super) const MSG_SEQ: Field = Field::optional(
    "MsgSeq",
    Kind::Number,
    error::BODY_NOT_JSON,
    "orders messages of the same second; drawn if not given",
);
pub(super) const MSG_RANDOM: Field = Field::required(
    "MsgRandom",
    Kind::Number,
    error::MSG_RANDOM,
    "a random number: with `MsgSeq` it tells a repeat of a request from a new message",
);
const MSG_TIME_STAMP: Field =
    Field::optional("MsgTimeStamp", Kind::Integer, error::MSG_TIMESTAMP, "older; without effect");
const FORBID_CALLBACK_CONTROL: Field = Field::optional(
    "ForbidCallbackControl",
    Kind::Texts,
    error::BODY_NOT_JSON,
    "`ForbidBeforeSendMsgCallback`, `ForbidAfterSendMsgCallback`: callbacks that this message does without",
);
pub(super) const SEND_MSG_CONTROL: Field = Field::optional(
    "SendMsgControl",
    Kind::Texts,
    error::BODY_NOT_JSON,
    "`NoUnread`: it does not count as unread; `NoLastMsg`: the list of conversations is not touched",
);
pub(super) const MSG_BODY: Field = Field::required(
    "MsgBody",
    Kind::Elements,
    error::MSG_BODY_NOT_ARRAY,
    "at least one element, `{\"MsgType\": String, \"MsgContent\": Object}`; one `TIMCustomElem` at most",
);
pub(super) const CLOUD_CUSTOM_DATA: Field =
    Field::optional("CloudCustomData", Kind::Text, error::BODY_NOT_JSON, "kept with the message");
const SUPPORT_MESSAGE_EXTENSION: Field =
    Field::optional("SupportMessageExtension", Kind::Integer, error::BODY_NOT_JSON, "without effect");
pub(super) const OFFLINE_PUSH_INFO: Field = Field::optional(
    "OfflinePushInfo",
    Kind::Object,
    error::OFFLINE_PUSH_INFO,
    "at most 4096 bytes; kept with the message; nothing is pushed to phones",
);
pub(super) const IS_NEED_READ_RECEIPT: Field =
    Field::optional("IsNeedReadReceipt", Kind::Integer, error::BODY_NOT_JSON, "1: the sender wants a receipt");

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let sent = call.rest.chat.send(read(call)?).await?;
    Ok(Answer::with(rest::Sent { time_s: sent.key.time, key: sent.key.to_string(), id: sent.id }))
}

/// The fields in the order of the command's table; a missing `MsgSeq` is drawn.
fn read(call: Call<'_>) -> Result<Send, Refusal> {
    let fields = Fields::parse(Service::Openim, call.body)?;
    let sync_other_machine = fields.integer(&SYNC_OTHER_MACHINE)?;
    let from = fields.account(&FROM_ACCOUNT)?.unwrap_or_else(|| call.caller.admin.clone());
    let to = required(fields.text(&TO_ACCOUNT))?;
    if to.is_empty() {
        return Err(missing(&TO_ACCOUNT));
    }
    let to =
        UserId::new(&to).map_err(|error| Refusal::new(error::TO_ACCOUNT_NOT_FOUND, format!("To_Account: {error}")))?;
    let lifetime = lifetime(&fields)?;
    let seq = fields.number(&MSG_SEQ)?.unwrap_or_else(|| call.rest.entropy.next_u32());
    let random = required(fields.number(&MSG_RANDOM))?;
    fields.integer(&MSG_TIME_STAMP)?;
    let forbidden_callbacks = forbidden_callbacks(&fields)?;
    let flags = flags(&fields, sync_other_machine)?;
    let body = required(fields.elements(&MSG_BODY))?;
    let custom_data = fields.text(&CLOUD_CUSTOM_DATA)?.unwrap_or_default().into_owned();
    fields.integer(&SUPPORT_MESSAGE_EXTENSION)?;
    let push_info = push_info(&fields)?;
    let flags = flags.with(wants_receipt(&fields)?);
    check_length(&body.json, &custom_data, error::TOO_LONG)?;
    let (app, origin) = (call.caller.app.sdkappid, call.caller.origin);
    Ok(Send {
        app,
        from,
        to,
        seq,
        random,
        body,
        custom_data,
        push_info,
        lifetime,
        flags,
        client_time_s: None,
        forbidden_callbacks,
        origin,
        by_client: false,
        asked: None,
    })
}

pub(super) fn wants_receipt(fields: &Fields<'_>) -> Result<MessageFlags, Refusal> {
    let wanted = fields.integer(&IS_NEED_READ_RECEIPT)? == Some(1);
    Ok(if wanted { MessageFlags::WANTS_RECEIPT } else { MessageFlags::default() })
}

/// Nothing if it was not given.
pub(super) fn push_info(fields: &Fields<'_>) -> Result<String, Refusal> {
    let info = fields.object(&OFFLINE_PUSH_INFO)?.unwrap_or_default();
    check_push_info(&info, OFFLINE_PUSH_INFO.code)?;
    Ok(info)
}

/// `OnlineOnlyFlag` 1, or the older `MsgLifeTime` 0; a longer life than seven days counts as seven (rest 4.1).
pub(super) fn lifetime(fields: &Fields<'_>) -> Result<Lifetime, Refusal> {
    let online_only = fields.integer(&ONLINE_ONLY_FLAG)? == Some(1);
    let life_time_s = fields.duration_s(&MSG_LIFE_TIME)?;
    Ok(if online_only || life_time_s == Some(0) { Lifetime::OnlineOnly } else { Lifetime::Stored })
}

fn forbidden_callbacks(fields: &Fields<'_>) -> Result<Vec<CallbackCommand>, Refusal> {
    let names = fields.texts(&FORBID_CALLBACK_CONTROL)?.unwrap_or_default();
    let forbids = [
        ("ForbidBeforeSendMsgCallback", CallbackCommand::BeforeSendMsg),
        ("ForbidAfterSendMsgCallback", CallbackCommand::AfterSendMsg),
    ];
    let forbidden = forbids.into_iter().filter(|(forbids, _)| names.iter().any(|name| name == forbids));
    Ok(forbidden.map(|(_, command)| command).collect())
}

pub(super) fn flags(fields: &Fields<'_>, sync_other_machine: Option<i64>) -> Result<MessageFlags, Refusal> {
    let control = fields.texts(&SEND_MSG_CONTROL)?.unwrap_or_default();
    let has = |name: &str| control.iter().any(|control| control == name);
    let choose = |flag, chosen| if chosen { flag } else { MessageFlags::default() };
    Ok(choose(MessageFlags::COUNTED, !has("NoUnread"))
        .with(choose(MessageFlags::NOT_LAST, has("NoLastMsg")))
        .with(choose(MessageFlags::HIDDEN_FROM_SENDER, sync_other_machine == Some(2))))
}
