//! Lists of conversations (rest 6), as far as they are of one to one.

pub(super) mod delete;
pub(super) mod get_list;

use super::{
    command::{Call, Command, Example, Field, Kind},
    envelope::{Answer, Service},
    fields::{Fields, required},
};
