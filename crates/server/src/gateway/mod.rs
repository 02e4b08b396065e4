//! The gateway: the edge through which clients come in, and where they hear of what happened.
//!
//! A connection is upgraded here and becomes a session: a state machine (`session/`) at whose rim a socket stands
//! (`socket.rs`). Its requests are read (`request.rs`), become commands and questions of the domain (`work.rs`), and what
//! it is shown is made in `show.rs`. What it has missed is found behind its cursor (`cursor.rs`); `fanout` only wakes it.

mod cursor;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod rate;
mod request;
mod session;
mod show;
#[cfg(test)]
pub(crate) mod simulated;
mod socket;
mod sweep;
mod work;

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header},
    routing::any,
};
use ipnet::IpNet;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use unsaid_protocol::{SdkAppId, session::PATH};

pub use self::request::NAMES as REQUESTS;
use self::session::Moment;
use crate::{
    apps::Apps,
    chat::Chat,
    clock::World,
    fanout::Fanout,
    identity::Identities,
    listener::{Permit, client_ip},
    live::Live,
    metrics::GatewayMetrics,
};

/// What the gateway works with.
pub struct Gateway {
    apps: Arc<Apps>,
    chat: Chat,
    identities: Arc<Identities>,
    fanout: Arc<Fanout>,
    world: World,
    /// Networks whose `X-Forwarded-For` is believed (rule R7).
    trusted_proxies: Live<Vec<IpNet>>,
    metrics: GatewayMetrics,
    sessions: TaskTracker,
    stop: CancellationToken,
}

/// What a gateway is made of.
pub struct GatewayParts {
    pub apps: Arc<Apps>,
    pub chat: Chat,
    pub identities: Arc<Identities>,
    pub fanout: Arc<Fanout>,
    pub world: World,
    pub trusted_proxies: Live<Vec<IpNet>>,
    pub metrics: GatewayMetrics,
}

impl Gateway {
    pub fn new(parts: GatewayParts) -> Arc<Self> {
        let GatewayParts { apps, chat, identities, fanout, world, trusted_proxies, metrics } = parts;
        let (sessions, stop) = (TaskTracker::new(), CancellationToken::new());
        Arc::new(Self { apps, chat, identities, fanout, world, trusted_proxies, metrics, sessions, stop })
    }

    /// Ends the sessions of before that do not come back, until it is told to stop.
    pub async fn sweep(self: Arc<Self>, session_return: Duration, stop: CancellationToken) {
        sweep::run(&self, session_return, stop).await;
    }

    /// Tells all sessions to go elsewhere, and waits until they are gone.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.sessions.close();
        self.sessions.wait().await;
    }

    fn moment(&self) -> Moment {
        Moment { instant: self.world.clock.instant(), wall: self.world.clock.now() }
    }

    fn epoch(&self) -> Arc<str> {
        self.chat.store().epoch().into()
    }

    fn is_disabled(&self, app: SdkAppId) -> bool {
        self.apps.get(app).is_none_or(|app| app.disabled)
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("sessions", &self.sessions.len()).finish_non_exhaustive()
    }
}

/// The route of the listener for clients.
pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new().route(PATH, any(upgrade)).with_state(gateway)
}

/// Answers a request that wants to become a WebSocket, and lets a session take over its connection.
async fn upgrade(State(gateway): State<Arc<Gateway>>, mut request: Request) -> Response<Body> {
    let Some(accept) = accepts(&request) else {
        let mut refused = Response::new(Body::from("this is a WebSocket: connect to it as docs/gateway.md says\n"));
        *refused.status_mut() = StatusCode::UPGRADE_REQUIRED;
        refused.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        return refused;
    };
    let upgraded = hyper::upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    let client_ip = client_ip(&head, &gateway.trusted_proxies.now());
    let permit = head.extensions.get::<Permit>().cloned();
    let stop = gateway.stop.clone();
    let session = Arc::clone(&gateway);
    gateway.sessions.spawn(async move {
        let _permit = permit;
        match upgraded.await {
            Ok(upgraded) => socket::run(session, upgraded, client_ip, stop).await,
            Err(error) => tracing::debug!(%client_ip, %error, "a connection was not upgraded"),
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// What the handshake is answered with; none if this is none (RFC 6455, 4.2.1).
fn accepts(request: &Request) -> Option<HeaderValue> {
    let headers = request.headers();
    let is_handshake = request.method() == Method::GET
        && has_token(headers, &header::CONNECTION, "upgrade")
        && has_token(headers, &header::UPGRADE, "websocket")
        && headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| is_handshake)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(token))
}
