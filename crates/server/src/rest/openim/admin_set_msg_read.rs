//! `openim/admin_set_msg_read` (rest 4.6, rule R6).

use unsaid_protocol::error;

use super::{Answer, Call, Command, Example, Field, Fields, Kind, Service, required};
use crate::chat::{ChatError, Command as Change, Read};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "openim",
    name: "admin_set_msg_read",
    about: "Marks what one account got from another as read. The mark never moves back. The app backend is told by \
            `C2C.CallbackAfterMsgReport` if it moved.",
    fields: &[&REPORT_ACCOUNT, &PEER_ACCOUNT, &MSG_READ_TIME],
    refusals: &[
        (error::FROM_ACCOUNT, "`Report_Account` was not imported"),
        (error::TO_ACCOUNT, "`Peer_Account` was never imported"),
        (error::BACK_END, "as many callbacks wait for the app backend as may"),
    ],
    examples: &[Example {
        body: r#"{"Report_Account":"tomas","Peer_Account":"mira","MsgReadTime":1764500002}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

const REPORT_ACCOUNT: Field =
    Field::required("Report_Account", Kind::Account, error::FROM_ACCOUNT, "the account that has read");
const PEER_ACCOUNT: Field =
    Field::required("Peer_Account", Kind::Account, error::TO_ACCOUNT, "whose messages it has read");
const MSG_READ_TIME: Field = Field::optional(
    "MsgReadTime",
    Kind::Seconds,
    error::BODY_NOT_JSON,
    "messages of this second and before are read; everything if not given",
);

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::Openim, call.body)?;
    let reader = required(fields.account(&REPORT_ACCOUNT))?;
    let peer = required(fields.account(&PEER_ACCOUNT))?;
    let time_s = fields.seconds(&MSG_READ_TIME)?;
    let (app, origin) = (call.caller.app.sdkappid, call.caller.origin);
    call.rest.chat.run(Change::Read(Read { app, reader, peer, time_s, origin })).await?;
    Ok(Answer::ok())
}
