//! `openim/admin_set_msg_read` (rest 4.6, rule R6).

use unsaid_protocol::error;

use super::{
    Rest,
    envelope::{Answer, Service},
    fields::Fields,
    gate::Caller,
};
use crate::chat::{ChatError, Read, Refusal};

pub(super) async fn answer(rest: &Rest, caller: &Caller, body: &[u8]) -> Result<Answer, ChatError> {
    let read = read(caller, body).map_err(ChatError::Refused)?;
    rest.chat.read(read).await?;
    Ok(Answer::ok())
}

fn read(caller: &Caller, body: &[u8]) -> Result<Read, Refusal> {
    let fields = Fields::parse(Service::Openim, body)?;
    let reader = fields.account("Report_Account", error::FROM_ACCOUNT)?;
    let peer = fields.account("Peer_Account", error::TO_ACCOUNT)?;
    let time_s = fields.seconds("MsgReadTime", error::BODY_NOT_JSON)?;
    Ok(Read { app: caller.app.sdkappid, reader, peer, time_s, origin: caller.origin })
}
