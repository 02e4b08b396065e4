//! Devices of accounts: sessions with the server that are logged in.

use std::time::Duration;

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
