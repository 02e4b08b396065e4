//! Telling devices wherever they are connected: here, and over the bus at other servers.

use std::sync::Arc;

use unsaid_protocol::{SdkAppId, UserId};

use super::Fanout;
use crate::{
    bus::{Bus, Said},
    chat::{Devices, EndReason, SessionId, Shown},
};

/// The devices of all servers.
#[derive(Debug)]
pub struct Everywhere {
    here: Arc<Fanout>,
    bus: Bus,
}

impl Everywhere {
    /// Where there is nobody else, the devices that are connected here are all of them, and nobody pays for more.
    pub fn of(here: &Arc<Fanout>, bus: &Bus) -> Arc<dyn Devices> {
        if bus.is_some() {
            return Arc::new(Self { here: Arc::clone(here), bus: bus.clone() });
        }
        Arc::clone(here) as Arc<dyn Devices>
    }
}

impl Devices for Everywhere {
    fn wake(&self, app: SdkAppId, user: &UserId) {
        self.here.wake(app, user);
        self.bus.say(Said::Wake { app, user: user.clone() });
    }

    /// A session is connected to one server.
    fn end(&self, app: SdkAppId, user: &UserId, session: &SessionId, why: EndReason) {
        if self.here.is_connected(app, user, session) {
            return self.here.end(app, user, session, why);
        }
        self.bus.say(Said::End { app, user: user.clone(), session: session.clone(), why });
    }

    fn online(&self, app: SdkAppId, user: &UserId, shown: &Arc<Shown>) {
        self.here.online(app, user, shown);
        self.bus.say(Said::Online { app, user: user.clone(), shown: Arc::clone(shown) });
    }
}
