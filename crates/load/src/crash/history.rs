//! What is stored, as the server tells it.

use anyhow::{Context, bail};
use serde_json::Value;
use unsaid_client::{HistoryRange, RestClient};
use unsaid_protocol::MsgKey;

use crate::{account::Account, ledger::Stored, table::Message};

const PAGE: u32 = 100;

/// `MsgFlagBits` of what was recalled.
const TOMBSTONE: i64 = 8;

/// Every message between any two of so many accounts.
pub(crate) async fn read(client: &RestClient, accounts: u32) -> anyhow::Result<Vec<Stored>> {
    let mut stored = Vec::new();
    for (low, high) in (0..accounts).flat_map(|low| (low + 1..accounts).map(move |high| (low, high))) {
        let (operator, peer) = (Account(low).to_string(), Account(high).to_string());
        let mut range = HistoryRange { count_max: PAGE, from_time_s: 0, to_time_s: i64::from(u32::MAX), before: None };
        loop {
            let page = client.admin_getroammsg(&operator, &peer, range).await.context("a conversation")?;
            let messages = page["MsgList"].as_array().context("a page of a conversation has no MsgList")?;
            for message in messages {
                stored.push(read_message(message).with_context(|| format!("what is it? {message}"))?);
            }
            if page["Complete"] == 1 {
                break;
            }
            let next = (page["LastMsgTime"].as_i64(), key(&page["LastMsgKey"]));
            let (Some(to_time_s), Some(before)) = next else { bail!("a page says not where it ends: {page}") };
            range = HistoryRange { to_time_s, before: Some(before), ..range };
        }
    }
    Ok(stored)
}

fn read_message(message: &Value) -> Option<Stored> {
    let account = |field: &str| Account::named(message[field].as_str()?);
    let (from, to) = (account("From_Account")?, account("To_Account")?);
    let recalled = message["MsgFlagBits"].as_i64()? == TOMBSTONE;
    Some(Stored { message: Message { from, to, key: key(&message["MsgKey"])? }, recalled })
}

fn key(value: &Value) -> Option<MsgKey> {
    value.as_str()?.parse().ok()
}
