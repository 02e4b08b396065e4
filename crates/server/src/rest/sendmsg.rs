//! `openim/sendmsg` (rest 4.1).

use unsaid_protocol::{UserId, callback::CallbackCommand, element::MsgBody, error, rest};

use super::{
    Rest,
    envelope::{Answer, Service},
    fields::{Fields, missing},
    gate::Caller,
};
use crate::{
    chat::{ChatError, Lifetime, MessageFlags, Refusal, Send},
    limits,
};

pub(super) async fn answer(rest: &Rest, caller: &Caller, body: &[u8]) -> Result<Answer, ChatError> {
    let send = read(rest, caller, body).map_err(ChatError::Refused)?;
    let sent = rest.chat.send(send).await?;
    Ok(Answer::with(rest::Sent { time_s: sent.key.time, key: sent.key.to_string(), id: sent.id }))
}

/// The fields in the order of the command's table; a missing `MsgSeq` is drawn.
fn read(rest: &Rest, caller: &Caller, body: &[u8]) -> Result<Send, Refusal> {
    let fields = Fields::parse(Service::Openim, body)?;
    let sync_other_machine = fields.integer("SyncOtherMachine", error::SYNC_OTHER_MACHINE)?;
    let from = match fields.get("From_Account") {
        None => caller.admin.clone(),
        Some(text) if !text.get().starts_with('"') => {
            return Err(Refusal::new(error::ACCOUNT_TYPE, "From_Account must be a String"));
        }
        Some(_) => fields.account("From_Account", error::FROM_ACCOUNT)?,
    };
    let to = fields.text("To_Account", error::TO_ACCOUNT)?.filter(|to| !to.is_empty());
    let to = to.ok_or_else(|| missing("To_Account", error::TO_ACCOUNT))?;
    let to =
        UserId::new(&to).map_err(|error| Refusal::new(error::TO_ACCOUNT_NOT_FOUND, format!("To_Account: {error}")))?;
    let lifetime = lifetime(&fields)?;
    let seq = fields.number("MsgSeq", error::BODY_NOT_JSON)?.unwrap_or_else(|| rest.entropy.next_u32());
    let random = fields.number("MsgRandom", error::MSG_RANDOM)?;
    let random = random.ok_or_else(|| missing("MsgRandom", error::MSG_RANDOM))?;
    fields.integer("MsgTimeStamp", error::MSG_TIMESTAMP)?;
    let forbidden_callbacks = forbidden_callbacks(&fields)?;
    let flags = flags(&fields, sync_other_machine)?;
    let body = fields.get("MsgBody").ok_or_else(|| missing("MsgBody", error::MSG_BODY_NOT_ARRAY))?;
    let body = MsgBody::parse(body).map_err(|error| Refusal::new(error.code, error.info))?;
    let custom_data = fields.text("CloudCustomData", error::BODY_NOT_JSON)?.unwrap_or_default().into_owned();
    fields.integer("SupportMessageExtension", error::BODY_NOT_JSON)?;
    if fields.get("OfflinePushInfo").is_some_and(|value| !value.get().starts_with('{')) {
        return Err(Refusal::new(error::OFFLINE_PUSH_INFO, "OfflinePushInfo must be an Object"));
    }
    fields.integer("IsNeedReadReceipt", error::BODY_NOT_JSON)?;
    let bytes = body.json.len() + custom_data.len();
    if bytes > limits::MESSAGE_BYTES_MAX {
        let most = limits::MESSAGE_BYTES_MAX;
        let info = format!("MsgBody and CloudCustomData have {bytes} bytes together; a message may have {most}");
        return Err(Refusal::new(error::TOO_LONG, info));
    }
    let (app, origin) = (caller.app.sdkappid, caller.origin);
    Ok(Send {
        app,
        from,
        to,
        seq,
        random,
        body,
        custom_data,
        lifetime,
        flags,
        forbidden_callbacks,
        origin,
        asked: None,
    })
}

/// `OnlineOnlyFlag` 1, or the older `MsgLifeTime` 0; a longer life than seven days counts as seven (rest 4.1).
fn lifetime(fields: &Fields<'_>) -> Result<Lifetime, Refusal> {
    let online_only = fields.integer("OnlineOnlyFlag", error::BODY_NOT_JSON)? == Some(1);
    let life_time_s = fields.number("MsgLifeTime", error::MSG_LIFE_TIME)?;
    Ok(if online_only || life_time_s == Some(0) { Lifetime::OnlineOnly } else { Lifetime::Stored })
}

fn forbidden_callbacks(fields: &Fields<'_>) -> Result<Vec<CallbackCommand>, Refusal> {
    let names = fields.texts("ForbidCallbackControl", error::BODY_NOT_JSON)?.unwrap_or_default();
    let forbids = [
        ("ForbidBeforeSendMsgCallback", CallbackCommand::BeforeSendMsg),
        ("ForbidAfterSendMsgCallback", CallbackCommand::AfterSendMsg),
    ];
    let forbidden = forbids.into_iter().filter(|(forbids, _)| names.iter().any(|name| name == forbids));
    Ok(forbidden.map(|(_, command)| command).collect())
}

fn flags(fields: &Fields<'_>, sync_other_machine: Option<i64>) -> Result<MessageFlags, Refusal> {
    let control = fields.texts("SendMsgControl", error::BODY_NOT_JSON)?.unwrap_or_default();
    let has = |name: &str| control.iter().any(|control| control == name);
    let choose = |flag, chosen| if chosen { flag } else { MessageFlags::default() };
    Ok(choose(MessageFlags::COUNTED, !has("NoUnread"))
        .with(choose(MessageFlags::NOT_LAST, has("NoLastMsg")))
        .with(choose(MessageFlags::HIDDEN_FROM_SENDER, sync_other_machine == Some(2))))
}
