//! Devices of accounts: sessions with the server that are logged in.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{rngs::StdRng, seq::IteratorRandom};
use unsaid_client::{ClientError, Pushes, SessionClient, SessionConfig};
use unsaid_protocol::session::Login;

use crate::{
    account::Account,
    setup::{APP, Setup, usersig_of},
};

/// Two devices of one platform would displace each other.
pub(crate) const PLATFORMS: [&str; 6] = ["Web", "Android", "iOS", "Windows", "Mac", "iPad"];

/// For connecting, and for each request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where a device stands that is logged in, while it is.
#[derive(Default)]
pub(crate) struct Seat(Mutex<Option<Arc<SessionClient>>>);

/// Devices through which their accounts recall.
#[derive(Clone, Default)]
pub(crate) struct Devices(Arc<[(Account, Arc<Seat>)]>);

impl Seat {
    pub(crate) fn set(&self, client: Option<SessionClient>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = client.map(Arc::new);
    }
}

impl Devices {
    pub(crate) fn new(seats: impl Iterator<Item = (Account, Arc<Seat>)>) -> Self {
        Self(seats.collect())
    }

    /// A device of this account that is there.
    pub(crate) fn of(&self, account: Account, random: &mut StdRng) -> Option<Arc<SessionClient>> {
        let theirs = self.0.iter().filter(|(of, _)| *of == account);
        let clients = theirs.filter_map(|(_, seat)| seat.0.lock().unwrap_or_else(PoisonError::into_inner).clone());
        clients.choose(random)
    }
}

pub(crate) fn gateway(setup: &Setup) -> SessionConfig {
    SessionConfig { base: format!("http://{}", setup.server.address()), ca_pem: None, timeout: TIMEOUT }
}

pub(crate) async fn log_in(
    gateway: &SessionConfig,
    account: Account,
    platform: &str,
) -> Result<(SessionClient, Pushes), ClientError> {
    let (client, pushes) = SessionClient::connect(gateway).await?;
    let user_id = account.to_string();
    let user_sig = usersig_of(&user_id);
    let platform = platform.to_owned();
    let login = Login { sdkappid: APP.0, user_id, user_sig, platform, cursor: None, session: None };
    client.login(&login).await?;
    Ok((client, pushes))
}
