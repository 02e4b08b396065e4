//! `openim/modify_c2c_msg`: the admin modifies what a message says (rest 4.8).

use unsaid_protocol::{element::MsgBody, error};

use super::{
    Rest, admin_msgwithdraw,
    envelope::{Answer, Service},
    fields::{Fields, missing},
    gate::Caller,
};
use crate::chat::{ChatError, Door, Modify, Refusal};

pub(super) async fn answer(rest: &Rest, caller: &Caller, body: &[u8]) -> Result<Answer, ChatError> {
    let modify = read(caller, body).map_err(ChatError::Refused)?;
    rest.chat.modify(modify).await?;
    Ok(Answer::ok())
}

fn read(caller: &Caller, body: &[u8]) -> Result<Modify, Refusal> {
    let fields = Fields::parse(Service::Openim, body)?;
    let name = admin_msgwithdraw::name(caller, &fields)?;
    let body = fields.get("MsgBody").map(MsgBody::parse).transpose();
    let body = body.map_err(|error| Refusal::new(error.code, error.info))?;
    let custom_data = fields.text("CloudCustomData", error::BODY_NOT_JSON)?.map(std::borrow::Cow::into_owned);
    if body.is_none() && custom_data.is_none() {
        return Err(missing("MsgBody, or CloudCustomData,", error::MSG_BODY_FORMAT));
    }
    let door = Door::Admin { account: caller.admin.clone() };
    Ok(Modify { name, door, body, custom_data, origin: caller.origin })
}
