//! The operator's edge: `/api/v1`, for whoever runs this server, and what tells that it lives.
//!
//! A request has to carry the operator's token as `Authorization: Bearer`. Without a token in the configuration there
//! is no operator API.

mod apps;
mod body;
mod callback;
mod deliveries;
mod health;
mod parked;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Response, StatusCode, header},
    middleware::{self, Next},
    routing::{get, post, put},
};
pub use health::{Health, health};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use unsaid_protocol::SdkAppId;

use crate::{
    apps::{App, Apps, Secret},
    callback::{Callbacks, EndpointRules},
    chat::{Chat, Fault},
    clock::{Clock, Entropy, World},
    story::Stories,
};

/// What the operator API works with.
pub struct Operator {
    apps: Arc<Apps>,
    chat: Chat,
    rules: EndpointRules,
    callbacks: Callbacks,
    stories: Stories,
    clock: Clock,
    entropy: Entropy,
    /// Apps are made one after the other, so that of two with one number the second finds the first.
    making: Mutex<()>,
    /// Of the token, so that comparing takes the same time wherever two tokens differ.
    token_digest: Option<[u8; 32]>,
}

/// What an operator API is made of.
pub struct OperatorParts {
    pub apps: Arc<Apps>,
    pub chat: Chat,
    pub rules: EndpointRules,
    pub callbacks: Callbacks,
    pub stories: Stories,
    pub world: World,
    pub token: Option<Secret>,
}

impl Operator {
    pub fn new(parts: OperatorParts) -> Arc<Self> {
        let OperatorParts { apps, chat, rules, callbacks, stories, world: World { clock, entropy }, token } = parts;
        let token_digest = token.map(|token| Sha256::digest(token.expose()).into());
        Arc::new(Self { apps, chat, rules, callbacks, stories, clock, entropy, making: Mutex::new(()), token_digest })
    }

    fn app(&self, sdkappid: u32) -> Result<Arc<App>, Problem> {
        let missing = || Problem::new(StatusCode::NOT_FOUND, format!("there is no app {sdkappid}"));
        self.apps.get(SdkAppId(sdkappid)).ok_or_else(missing)
    }
}

/// The routes of the operator.
pub fn router(operator: Arc<Operator>) -> Router {
    let api = Router::new()
        .route("/apps", get(apps::list).post(apps::create))
        .route("/apps/{sdkappid}", put(apps::replace))
        .route("/apps/{sdkappid}/callback", get(callback::show))
        .route("/apps/{sdkappid}/callback/back", post(callback::back))
        .route("/apps/{sdkappid}/callback/test", post(callback::test))
        .route("/apps/{sdkappid}/parked", get(parked::list))
        .route("/apps/{sdkappid}/replay", post(parked::replay))
        .route("/apps/{sdkappid}/deliveries", get(deliveries::list))
        .route("/apps/{sdkappid}/events/{event}", get(deliveries::story))
        .layer(middleware::from_fn_with_state(Arc::clone(&operator), admit));
    Router::new().nest("/api/v1", api).with_state(operator)
}

/// An answer that is no success: an HTTP status, and a sentence that says what to do.
#[derive(Debug)]
struct Problem {
    status: StatusCode,
    message: String,
}

impl Problem {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, fault.to_string())
    }
}

impl axum::response::IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        #[derive(Serialize)]
        struct Message {
            message: String,
        }
        json(self.status, &Message { message: self.message })
    }
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> Response<Body> {
    let mut response = Response::new(Body::from(serde_json::to_vec(value).expect("it serializes")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn admit(State(operator): State<Arc<Operator>>, request: Request, next: Next) -> Result<Response<Body>, Problem> {
    let Some(expected) = operator.token_digest else {
        let message = "the operator API is off: set operator.token, or operator.token_file";
        return Err(Problem::new(StatusCode::FORBIDDEN, message));
    };
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let given: [u8; 32] = Sha256::digest(given).into();
    if given != expected {
        let message = "this is not the operator's token: send Authorization: Bearer, and operator.token";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, message));
    }
    Ok(next.run(request).await)
}
