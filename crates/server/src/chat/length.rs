//! How long a message may be: one bound at every door (rest 1.4).

use unsaid_protocol::ErrorCode;

use super::applied::Refusal;
use crate::limits;

/// `MsgBody` as compact JSON and `CloudCustomData` together; each door has its code.
pub fn check_length(body: &str, custom_data: &str, code: ErrorCode) -> Result<(), Refusal> {
    let (bytes, most) = (body.len() + custom_data.len(), limits::MESSAGE_BYTES_MAX);
    if bytes <= most {
        return Ok(());
    }
    let info = format!("MsgBody and CloudCustomData have {bytes} bytes together; a message may have {most}");
    Err(Refusal::new(code, info))
}

/// `OfflinePushInfo`, which is kept with the message and for nobody here.
pub fn check_push_info(info: &str, code: ErrorCode) -> Result<(), Refusal> {
    let (bytes, most) = (info.len(), limits::PUSH_INFO_BYTES_MAX);
    if bytes <= most {
        return Ok(());
    }
    Err(Refusal::new(code, format!("OfflinePushInfo has {bytes} bytes, and may have {most}")))
}
