//! `unsaid/callback_back`: the app's admin says that its callback endpoint is back (rule C9). A command of this server
//! alone; its body is `{}`.

use super::{Rest, envelope::Answer, gate::Caller};
use crate::chat::ChatError;

pub(super) async fn answer(rest: &Rest, caller: &Caller) -> Result<Answer, ChatError> {
    tracing::info!(app = %caller.app.sdkappid, "an admin of the app says that its endpoint is back");
    rest.callbacks.back(caller.app.sdkappid).await;
    Ok(Answer::ok())
}
