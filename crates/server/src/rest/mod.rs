//! The REST API: the edge through which app backends come in.
//!
//! A request passes the gate (`gate.rs`: who calls), is read (`request.rs`), becomes a command or a question of the
//! domain in the file of its own name, and is answered in the envelope (`envelope.rs`). Every route is in `router.rs`.

mod router;

mod gate;
mod identity;
mod request;

mod account_import;
mod admin_getroammsg;
mod admin_msgwithdraw;
mod admin_set_msg_read;
mod c2c_msg_read_receipt;
mod callback_back;
mod get_c2c_unread_msg_num;
mod get_ip_list;
mod modify_c2c_msg;
mod sendmsg;

mod envelope;
mod fields;

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;

use self::identity::Identities;
use crate::{
    apps::Apps,
    callback::Callbacks,
    chat::Chat,
    clock::{Clock, Entropy, World},
};

/// What the REST API works with.
#[derive(Debug)]
pub struct Rest {
    apps: Arc<Apps>,
    chat: Chat,
    callbacks: Callbacks,
    clock: Clock,
    entropy: Entropy,
    identities: Identities,
    settings: RestSettings,
}

#[derive(Clone, Debug)]
pub struct RestSettings {
    /// A request's body; what is longer is refused and its connection closed.
    pub request_bytes_max: usize,
    pub body_timeout: Duration,
    /// Networks whose `X-Forwarded-For` is believed (rule R7).
    pub trusted_proxies: Vec<IpNet>,
    /// From which callbacks come, as `GetIPList` tells.
    pub egress_addresses: Vec<IpNet>,
}

impl Rest {
    pub fn new(apps: Arc<Apps>, chat: Chat, callbacks: Callbacks, world: World, settings: RestSettings) -> Arc<Self> {
        let World { clock, entropy } = world;
        Arc::new(Self { apps, chat, callbacks, clock, entropy, identities: Identities::new(), settings })
    }
}

pub use router::router;
