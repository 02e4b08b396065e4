//! Accounts (rest 3), a file a command.

pub(super) mod account_check;
pub(super) mod account_delete;
pub(super) mod account_import;
pub(super) mod kick;
pub(super) mod multiaccount_import;

use serde::Serialize;
use unsaid_protocol::{ErrorCode, error};

use super::{
    command::{Call, Command, Example, Field, Kind},
    envelope::{Answer, Service},
    fields::{Fields, required},
};
use crate::limits;

/// What came of one account of several.
#[derive(Serialize)]
struct ResultItem<'a> {
    #[serde(rename = "UserID")]
    user: &'a str,
    #[serde(rename = "ResultCode")]
    code: ErrorCode,
    #[serde(rename = "ResultInfo")]
    info: String,
    #[serde(rename = "AccountStatus", skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

#[derive(Serialize)]
struct ResultItems<'a> {
    #[serde(rename = "ResultItem")]
    items: Vec<ResultItem<'a>>,
}

/// The name of each account of a list; one that no account can have is that of none that exists.
const ITEM_USER_ID: Field =
    Field::required("UserID", Kind::Text, error::ACCOUNT_PARAMETER, "the account").or("Identifier");

const fn items(name: &'static str, about: &'static str) -> Field {
    Field::required(name, Kind::Objects, error::ACCOUNT_PARAMETER, about)
        .at_most(limits::ACCOUNTS_AT_ONCE_MAX, error::ACCOUNT_COUNT)
}
