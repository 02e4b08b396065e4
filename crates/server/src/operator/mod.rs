//! The operator's edge: `/api/v1`, for whoever runs this server, and what tells that it lives.
//!
//! A request carries a token as `Authorization: Bearer`; its role says whether it may only read (`admit.rs`). Whatever is
//! changed is noted in the audit log, in the same transaction. What there is stands on one screen (`routes.rs`), and the
//! OpenAPI document is made from it. Each route is a function of the [`Operator`] with typed arguments and a typed answer, in a thin
//! wrapper that speaks HTTP; the console calls the same functions.

mod routes;

mod admit;
mod ask;
pub(crate) mod body;

pub(crate) mod accounts;
pub(crate) mod apps;
pub(crate) mod audit;
mod backups;
pub(crate) mod callback;
pub(crate) mod deliveries;
mod health;
pub(crate) mod lanes;
pub(crate) mod messages;
mod openapi;
pub(crate) mod parked;
mod reload;
pub(crate) mod tokens;
pub(crate) mod usersig;

use std::sync::Arc;

pub(crate) use admit::Caller;
pub use admit::Tokens;
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
pub use health::{Health, health};
use ipnet::IpNet;
pub use openapi::document;
pub use routes::router;
use serde::Serialize;
use tokio::sync::Mutex;

use unsaid_protocol::SdkAppId;

use self::admit::Wrong;
use crate::{
    apps::{App, Apps, Origin, Secret},
    backups::Backups,
    callback::{Callbacks, EndpointRules},
    chat::{Chat, Fault},
    clock::{Clock, Entropy, World},
    live::Live,
    reload::Reload,
    story::Stories,
};

/// What the operator API works with.
pub struct Operator {
    apps: Arc<Apps>,
    chat: Chat,
    rules: Live<EndpointRules>,
    callbacks: Callbacks,
    stories: Stories,
    clock: Clock,
    entropy: Entropy,
    /// Apps, tokens and backups are made one after the other, so that of two with one name the second finds the first.
    making: Arc<Mutex<()>>,
    tokens: Arc<Tokens>,
    wrong: Wrong,
    /// Whether what messages say may be shown.
    show_text: Live<bool>,
    trusted_proxies: Live<Vec<IpNet>>,
    backups: Arc<Backups>,
    reload: Arc<Reload>,
}

/// What an operator API is made of.
pub struct OperatorParts {
    pub apps: Arc<Apps>,
    pub chat: Chat,
    pub rules: Live<EndpointRules>,
    pub callbacks: Callbacks,
    pub stories: Stories,
    pub world: World,
    pub tokens: Arc<Tokens>,
    pub show_text: Live<bool>,
    pub wrong_tokens_per_min: u32,
    pub trusted_proxies: Live<Vec<IpNet>>,
    pub backups: Arc<Backups>,
    pub reload: Arc<Reload>,
    pub making: Arc<Mutex<()>>,
}

/// Draws the first token of a server that has none. It is the one thing of it that is shown, once.
pub async fn first_token(chat: &Chat, world: &World) -> anyhow::Result<Secret> {
    tokens::first(chat, world).await
}

impl Operator {
    pub fn new(parts: OperatorParts) -> Arc<Self> {
        let OperatorParts { apps, chat, rules, callbacks, stories, world: World { clock, entropy }, .. } = parts;
        Arc::new(Self {
            apps,
            chat,
            rules,
            callbacks,
            stories,
            clock,
            entropy,
            making: parts.making,
            tokens: parts.tokens,
            wrong: Wrong::new(parts.wrong_tokens_per_min),
            show_text: parts.show_text,
            trusted_proxies: parts.trusted_proxies,
            backups: parts.backups,
            reload: parts.reload,
        })
    }

    fn world(&self) -> World {
        World { clock: self.clock.clone(), entropy: self.entropy.clone() }
    }

    /// An app that may be changed at run time.
    fn changeable(&self, sdkappid: u32) -> Result<Arc<App>, Problem> {
        let app = self.app(sdkappid)?;
        let conflict = |message: &str| Err(Problem::new(StatusCode::CONFLICT, message));
        if app.erasing {
            return conflict("the app is being deleted: send DELETE again to go on");
        }
        if app.origin == Origin::File {
            return conflict("the app is declared in the configuration file: change it there, then unsaid reload");
        }
        Ok(app)
    }

    fn app(&self, sdkappid: u32) -> Result<Arc<App>, Problem> {
        let missing = || Problem::new(StatusCode::NOT_FOUND, format!("there is no app {sdkappid}"));
        self.apps.get(SdkAppId(sdkappid)).ok_or_else(missing)
    }
}

/// An answer that is no success: an HTTP status, and a sentence that says what to do.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// The setting that is wrong, if it is one.
    pub(crate) setting: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), setting: None }
    }

    /// It does not have the form that the document says.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// It has that form, and cannot be.
    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    fn broken_next() -> Self {
        Self::new(StatusCode::NOT_FOUND, "next: no page begins there; send what the page before gave, as it is")
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
        let mut response = json(self.status, &Message { message: self.message });
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> Response<Body> {
    let mut response = Response::new(Body::from(serde_json::to_vec(value).expect("it serializes")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
