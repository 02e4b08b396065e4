//! The REST API: the edge through which app backends come in.
//!
//! A request passes the gate (`gate.rs`: who calls), is read (`request.rs`, `fields.rs`), becomes a command or a question
//! of the domain in the file of its own name, and is answered in the envelope (`envelope.rs`). Every command is in
//! `router.rs`; what a command is, its fields and codes, is a value (`command.rs`), of which `docs/rest.md` is made, too.

mod router;

mod absent;
mod gate;
mod rates;
mod request;

mod command;
mod reference;

mod account;
mod callback_back;
mod get_ip_list;
mod openim;
mod recentcontact;
mod sns;

mod envelope;
mod fields;

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;

use self::rates::Rates;
use crate::{
    apps::Apps,
    callback::Callbacks,
    chat::Chat,
    clock::{Clock, Entropy, World},
    identity::Identities,
    live::Live,
    metrics::RestMetrics,
};

/// What the REST API works with.
#[derive(Debug)]
pub struct Rest {
    apps: Arc<Apps>,
    chat: Chat,
    callbacks: Callbacks,
    clock: Clock,
    entropy: Entropy,
    identities: Arc<Identities>,
    rates: Rates,
    settings: Live<RestSettings>,
    /// Networks whose `X-Forwarded-For` is believed (rule R7).
    trusted_proxies: Live<Vec<IpNet>>,
    metrics: RestMetrics,
}

#[derive(Clone, Debug)]
pub struct RestSettings {
    /// A request's body; what is longer is refused and its connection closed.
    pub request_bytes_max: usize,
    pub body_timeout: Duration,
    /// From which callbacks come, as `GetIPList` tells.
    pub egress_addresses: Vec<IpNet>,
    pub rates: RateSettings,
}

/// What a REST API is made of.
pub struct RestParts {
    pub apps: Arc<Apps>,
    pub chat: Chat,
    pub callbacks: Callbacks,
    pub identities: Arc<Identities>,
    pub world: World,
    pub settings: Live<RestSettings>,
    pub trusted_proxies: Live<Vec<IpNet>>,
    pub metrics: RestMetrics,
}

impl Rest {
    pub fn new(parts: RestParts) -> Arc<Self> {
        let RestParts { apps, chat, callbacks, identities, world, settings, trusted_proxies, metrics } = parts;
        let World { clock, entropy } = world;
        let rates = Rates::new(settings.clone(), clock.clone());
        Arc::new(Self { apps, chat, callbacks, clock, entropy, identities, rates, settings, trusted_proxies, metrics })
    }
}

pub use command::{Command, Example, Field, Kind};
pub use rates::RateSettings;
pub use reference::reference;
pub use router::{COMMANDS, router};
