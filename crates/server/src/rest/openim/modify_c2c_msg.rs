//! `openim/modify_c2c_msg`: the admin modifies what a message says (rest 4.8).

use unsaid_protocol::error;

use super::{
    Answer, Call, Command, Example, Field, Fields, Kind, Service,
    admin_msgwithdraw::{FROM_ACCOUNT, MSG_KEY, TO_ACCOUNT, name},
};
use crate::chat::{ChatError, Command as Change, Door, Modify, Refusal};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "openim",
    name: "modify_c2c_msg",
    about: "Replaces what a message says: `MsgBody`, `CloudCustomData`, or both; what is not given stays. It keeps its \
            place, and cannot be undone. The app backend is told by `C2C.CallbackAfterModifyMsg`.",
    fields: &[&FROM_ACCOUNT, &TO_ACCOUNT, &MSG_KEY, &MSG_BODY, &CLOUD_CUSTOM_DATA],
    refusals: &[
        (error::FROM_ACCOUNT, "`From_Account` was not imported"),
        (error::TO_ACCOUNT, "`To_Account` was not imported"),
        (
            error::MSG_BODY_FORMAT,
            "neither `MsgBody` nor `CloudCustomData` is there, or `MsgBody` holds no element, nests deeper than 64, or cannot be read",
        ),
        (error::ELEMENT_FORMAT, "an element of `MsgBody` is malformed"),
        (error::TOO_LONG, "the message would have more than 8192 bytes"),
        (error::MESSAGE_NOT_FOUND, "there is no such message from `From_Account` to `To_Account`"),
        (error::ALREADY_RECALLED, "the message was recalled"),
        (error::BACK_END, "as many callbacks wait for the app backend as may"),
    ],
    examples: &[Example {
        body: r#"{"From_Account":"mira","To_Account":"tomas","MsgKey":"2_1002_1764500002","MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"the parcel is at the gate"}}]}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const MSG_BODY: Field = Field::optional("MsgBody", Kind::Elements, error::MSG_BODY_NOT_ARRAY, "the new elements");
const CLOUD_CUSTOM_DATA: Field =
    Field::optional("CloudCustomData", Kind::Text, error::BODY_NOT_JSON, "the new custom data");

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::Openim, call.body)?;
    let name = name(call.caller, &fields)?;
    let body = fields.elements(&MSG_BODY)?;
    let custom_data = fields.text(&CLOUD_CUSTOM_DATA)?.map(std::borrow::Cow::into_owned);
    if body.is_none() && custom_data.is_none() {
        let info = "MsgBody and CloudCustomData are missing: give at least one of them";
        return Err(Refusal::new(error::MSG_BODY_FORMAT, info).into());
    }
    let door = Door::Admin { account: call.caller.admin.clone() };
    let modify = Modify { name, door, body, custom_data, origin: call.caller.origin };
    call.rest.chat.run(Change::Modify(Box::new(modify))).await?;
    Ok(Answer::ok())
}
