//! A sample of each callback, as a test sends it (rule C10): the shapes are the real ones, the names are made up.

use serde::Serialize;
use serde_json::value::RawValue;
use unsaid_protocol::callback::{
    AfterModifyMsg, AfterMsgReadAll, AfterMsgReadReceipt, AfterMsgReport, AfterMsgWithDraw, AfterSendMsg,
    BeforeSendMsg, CallbackCommand, ReceiptMessage, StateChange, StateInfo,
};

use crate::clock::Timestamp;

const FROM: &str = "unsaid-test-alice";
const TO: &str = "unsaid-test-bob";
const RANDOM: u32 = 1;
const SEQ: u32 = 1;

const TEXT: &str = r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"This is a test of callbacks."}}]"#;

/// The body of a sample, at that moment.
pub(super) fn body(command: CallbackCommand, now: Timestamp) -> Vec<u8> {
    let (time_s, event_time_ms) = (now.seconds(), now.0);
    let (key, id) = (format!("{SEQ}_{RANDOM}_{time_s}"), format!("144115188075855873-{time_s}-{RANDOM}"));
    let (key, id) = (key.as_str(), id.as_str());
    let (from, to) = (FROM, TO);
    match command {
        CallbackCommand::BeforeSendMsg | CallbackCommand::AfterSendMsg | CallbackCommand::AfterModifyMsg => {
            with_text(command, key, id, now)
        }
        CallbackCommand::AfterMsgReport => json(&AfterMsgReport {
            command,
            reader: to,
            peer: from,
            last_read_time_s: time_s.into(),
            unread: 0,
            event_time_ms,
        }),
        CallbackCommand::AfterMsgWithDraw => json(&AfterMsgWithDraw {
            command,
            from,
            to,
            key,
            unread: Some(0),
            event_time_ms: Some(event_time_ms),
            detail: None,
        }),
        CallbackCommand::AfterMsgReadReceipt => {
            let message =
                ReceiptMessage { from: from.to_owned(), to: to.to_owned(), key: key.to_owned(), id: id.to_owned() };
            json(&AfterMsgReadReceipt { command, operator: to, peer: from, messages: &[message], event_time_ms })
        }
        CallbackCommand::AfterMsgReadAll => json(&AfterMsgReadAll { command, reader: to, event_time_ms, groups: [] }),
        CallbackCommand::StateChange => json(&StateChange {
            command,
            event_time_ms,
            info: StateInfo { action: "Login", account: to, reason: "Register" },
            kicked: &[],
        }),
    }
}

/// Those that carry what a message says.
fn with_text(command: CallbackCommand, key: &str, id: &str, now: Timestamp) -> Vec<u8> {
    let body: &RawValue = serde_json::from_str(TEXT).expect("it is JSON");
    let (time_s, event_time_ms, custom_data) = (now.seconds(), now.0, "");
    let (from, to, seq, random) = (FROM, TO, SEQ, RANDOM);
    if command == CallbackCommand::AfterModifyMsg {
        return json(&AfterModifyMsg {
            command,
            operator: from,
            from,
            to,
            seq,
            random,
            time_s,
            key,
            body,
            custom_data,
            event_time_ms,
        });
    }
    let before = BeforeSendMsg {
        command,
        from,
        to,
        seq,
        random,
        time_s,
        key,
        id,
        online_only: 0,
        body,
        custom_data,
        event_time_ms,
    };
    if command == CallbackCommand::BeforeSendMsg {
        return json(&before);
    }
    json(&AfterSendMsg {
        command,
        from,
        to,
        seq,
        random,
        time_s,
        key,
        id,
        online_only: 0,
        result: 0,
        error_info: "send msg succeed",
        unread: 1,
        body,
        custom_data,
        event_time_ms,
    })
}

fn json<T: Serialize>(body: &T) -> Vec<u8> {
    serde_json::to_vec(body).expect("strings and numbers serialize")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c10_every_callback_has_a_sample_that_names_it() {
        for command in CallbackCommand::ALL {
            let body = body(command, Timestamp(1_800_000_000_000));
            let body: serde_json::Value = serde_json::from_slice(&body).expect("it is JSON");
            assert_eq!(body["CallbackCommand"], command.as_str());
        }
    }
}
