//! Blocklists (rest 7). They count for what clients send, not for what an app backend sends in somebody's name.

pub(super) mod black_list_add;
pub(super) mod black_list_check;
pub(super) mod black_list_get;

use serde::Serialize;
use unsaid_protocol::{ErrorCode, UserId, error, rest::Displayed};

use super::{
    command::{Call, Command, Example, Field, Kind},
    envelope::{Answer, Service},
    fields::{Fields, required},
};
use crate::{
    chat::{ChatError, Refusal},
    limits,
};

const FROM_ACCOUNT: Field = Field::required("From_Account", Kind::Account, error::SNS_PARAMETER, "whose blocklist");
const TO_ACCOUNT: Field = Field::required("To_Account", Kind::Texts, error::SNS_PARAMETER, "the others; at most 1000")
    .at_most(limits::BLOCKLIST_ACCOUNTS_MAX as usize, error::SNS_PARAMETER);

/// An account that is there.
async fn imported(call: Call<'_>, user: &UserId) -> Result<(), ChatError> {
    let there = call.rest.chat.store().exist(call.caller.app.sdkappid, vec![user.clone()]).await?;
    if there == [true] {
        return Ok(());
    }
    Err(Refusal::new(error::SNS_ACCOUNT, format!("From_Account {user} was not imported")).into())
}
