//! Messages of one to one (rest 4 and 5), a file a command.

pub(super) mod admin_getroammsg;
pub(super) mod admin_msgwithdraw;
pub(super) mod admin_set_msg_read;
pub(super) mod batchsendmsg;
pub(super) mod c2c_msg_read_receipt;
pub(super) mod delete_c2c_msg_ramble;
pub(super) mod get_c2c_unread_msg_num;
pub(super) mod importmsg;
pub(super) mod modify_c2c_msg;
pub(super) mod query_online_status;
pub(super) mod sendmsg;

use super::{
    command::{Call, Command, Example, Field, Kind},
    envelope::{Answer, Service},
    fields::{Fields, missing, required},
};
