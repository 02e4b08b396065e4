//! JSON Schemas of texts that have a form of their own, for the document of the operator API.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use unsaid_protocol::{callback::CallbackCommand, id::USER_ID_BYTES_MAX};

/// The full name of a callback.
#[derive(Debug)]
pub struct CommandName;

impl JsonSchema for CommandName {
    fn schema_name() -> Cow<'static, str> {
        "CallbackCommand".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": CallbackCommand::ALL.map(CallbackCommand::as_str)})
    }
}

/// The UserID of an account.
#[derive(Debug)]
pub struct UserName;

impl JsonSchema for UserName {
    fn schema_name() -> Cow<'static, str> {
        "UserID".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": USER_ID_BYTES_MAX, "pattern": "^[ -~]+$"})
    }
}
