//! `unsaid/callback_back`: the app's admin says that its callback endpoint is back (rule C9).

use super::{
    command::{Call, Command, Example},
    envelope::{Answer, Service},
    fields::Fields,
};
use crate::chat::ChatError;

pub(super) const COMMAND: Command = Command {
    service: "unsaid",
    name: "callback_back",
    about: "Says that the app's callback endpoint is back: what waits is tried at once. A command of this server alone.",
    fields: &[],
    refusals: &[],
    examples: &[Example { body: "{}", answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#, note: "" }],
    get: false,
    answer: |call| Box::pin(answer(call)),
};

async fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    Fields::parse(Service::Other, call.body)?;
    let app = call.caller.app.sdkappid;
    tracing::info!(%app, "an admin of the app says that its endpoint is back");
    call.rest.callbacks.back(app).await;
    Ok(Answer::ok())
}
