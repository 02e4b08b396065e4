//! `ConfigSvc/GetIPList`: the addresses from which callbacks come, as the operator has configured them (callbacks 1.8).

use ipnet::IpNet;
use serde::Serialize;
use unsaid_protocol::error;

use super::{
    command::{Call, Command, Example},
    envelope::{Answer, Service},
    fields::Fields,
};
use crate::chat::{ChatError, Refusal};

pub(super) const COMMAND: Command = Command {
    service: "ConfigSvc",
    name: "GetIPList",
    about: "The addresses from which callbacks come, as `callback.egress_addresses` has them. `nettype` in the query may say \
            which: 0 all, 5 or 6 those of callbacks; 1 to 4 are entry points, which there are none of.",
    fields: &[],
    refusals: &[(error::REQUEST_FORMAT, "`nettype` is not from 0 to 6")],
    examples: &[Example {
        body: "{}",
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"IPList":[]}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(std::future::ready(answer(call))),
};

#[derive(Serialize)]
struct List {
    #[serde(rename = "IPList")]
    addresses: Vec<String>,
}

fn answer(call: Call<'_>) -> Result<Answer, ChatError> {
    Fields::parse(Service::Other, call.body)?;
    let query = call.head.uri.query().unwrap_or_default();
    let nettype = query.split('&').find_map(|pair| pair.strip_prefix("nettype=")).unwrap_or("0");
    let addresses = match nettype {
        "0" | "5" | "6" => call.rest.settings.now().egress_addresses.iter().map(shown).collect(),
        "1" | "2" | "3" | "4" => Vec::new(),
        _ => return Err(Refusal::new(error::REQUEST_FORMAT, "nettype must be from 0 to 6").into()),
    };
    Ok(Answer::with(List { addresses }))
}

/// A single address without its prefix.
fn shown(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}
