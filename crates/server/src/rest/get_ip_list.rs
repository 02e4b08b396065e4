//! `ConfigSvc/GetIPList`: the addresses from which callbacks come, as the operator has configured them (callbacks 1.8).

use axum::http::request::Parts;
use ipnet::IpNet;
use serde::Serialize;
use unsaid_protocol::error;

use super::{Rest, envelope::Answer};
use crate::chat::{ChatError, Refusal};

#[derive(Serialize)]
struct List {
    #[serde(rename = "IPList")]
    addresses: Vec<String>,
}

/// `nettype` 0 asks for everything, 5 and 6 for the addresses of callbacks; the others are entry points that there are
/// none of.
pub(super) fn answer(rest: &Rest, head: &Parts) -> Result<Answer, ChatError> {
    let query = head.uri.query().unwrap_or_default();
    let nettype = query.split('&').find_map(|pair| pair.strip_prefix("nettype=")).unwrap_or("0");
    let addresses = match nettype {
        "0" | "5" | "6" => rest.settings.egress_addresses.iter().map(shown).collect(),
        "1" | "2" | "3" | "4" => Vec::new(),
        _ => return Err(Refusal::new(error::REQUEST_FORMAT, "nettype must be from 0 to 6").into()),
    };
    Ok(Answer::with(List { addresses }))
}

/// A single address without its prefix.
fn shown(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}
