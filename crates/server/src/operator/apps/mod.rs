//! Apps: making one at run time, and seeing which there are.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, State},
    http::{Response, StatusCode},
};
use serde::Serialize;
use unsaid_protocol::{UserId, sign::hex};

use super::{Operator, Problem, body, json};
use crate::{
    apps::{App, AppError, DeclaredApp, Origin, Secret, SecretKey, Surroundings},
    clock::Entropy,
};

/// An app as it is shown: without its secrets.
#[derive(Serialize)]
struct Shown<'a> {
    sdkappid: u32,
    name: &'a str,
    origin: Origin,
    disabled: bool,
    admins: &'a [UserId],
    callback_url: Option<&'a str>,
    callback_commands: Vec<&'static str>,
    /// Once only, in the answer that made the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key: Option<&'a str>,
}

impl<'a> Shown<'a> {
    fn new(app: &'a App) -> Self {
        Self {
            sdkappid: app.sdkappid.0,
            name: &app.name,
            origin: app.origin,
            disabled: app.disabled,
            admins: &app.admins,
            callback_url: app.callback.endpoint.as_ref().map(|endpoint| endpoint.url.as_str()),
            callback_commands: app.callback.commands.iter().map(|command| command.as_str()).collect(),
            secret_key: None,
        }
    }
}

/// `GET /api/v1/apps`.
pub(super) async fn list(State(operator): State<Arc<Operator>>) -> Response<Body> {
    let apps = operator.apps.list();
    json(StatusCode::OK, &apps.iter().map(|app| Shown::new(app)).collect::<Vec<_>>())
}

/// `POST /api/v1/apps`: the keys of `[[apps]]` in the configuration file as JSON, with `ca_pem` for `ca_file`. A key is
/// drawn where none is given.
pub(super) async fn create(State(operator): State<Arc<Operator>>, body: Body) -> Result<Response<Body>, Problem> {
    let declared: DeclaredApp = body::read(body).await?;
    let _making = operator.making.lock().await;
    if operator.apps.get(unsaid_protocol::SdkAppId(declared.sdkappid)).is_some() {
        let message = format!("there is an app {} already: choose another sdkappid", declared.sdkappid);
        return Err(Problem::new(StatusCode::CONFLICT, message));
    }
    let around = Around { entropy: &operator.entropy, keys: &[] };
    let app = declared.into_app(Origin::Runtime, &around)?;
    save(&operator, &app).await?;
    tracing::info!(app = %app.sdkappid, "an app was made");
    let secret_key = app.keys.first().map(|key| key.secret.expose());
    Ok(json(StatusCode::CREATED, &Shown { secret_key, ..Shown::new(&app) }))
}

/// `PUT /api/v1/apps/{sdkappid}`: the same keys, in the place of all settings of before; only its keys stay where none is
/// given, all of them. What it is owed is parked if its callbacks have no endpoint any more (rule C11).
pub(super) async fn replace(
    State(operator): State<Arc<Operator>>,
    Path(sdkappid): Path<u32>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let declared: DeclaredApp = body::read(body).await?;
    if declared.sdkappid != sdkappid {
        let message = format!("sdkappid is {} in the body, but {sdkappid} in the path", declared.sdkappid);
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message));
    }
    let _making = operator.making.lock().await;
    let before = operator.app(sdkappid)?;
    if before.origin == Origin::File {
        let message = "the app is declared in the configuration file: change it there, and start the server again";
        return Err(Problem::new(StatusCode::CONFLICT, message));
    }
    let around = Around { entropy: &operator.entropy, keys: &before.keys };
    let gives_keys = declared.gives_keys();
    let mut app = declared.into_app(Origin::Runtime, &around)?;
    if !gives_keys {
        app.keys.clone_from(&before.keys);
    }
    save(&operator, &app).await?;
    tracing::info!(app = %app.sdkappid, "an app's settings were replaced");
    Ok(json(StatusCode::OK, &Shown::new(&app)))
}

async fn save(operator: &Operator, app: &App) -> Result<(), Problem> {
    operator.rules.check(app)?;
    operator.chat.save_app(app.clone()).await.map_err(|error| {
        tracing::error!(app = %app.sdkappid, %error, "an app was not saved");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    })
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
    }
}

/// Over the network nothing is read from the server's files.
struct Around<'a> {
    entropy: &'a Entropy,
    /// Those that the app has.
    keys: &'a [SecretKey],
}

impl Surroundings for Around<'_> {
    fn read(&self, setting: &'static str, _: &std::path::Path) -> Result<String, AppError> {
        let problem = "is for the configuration file: send the text itself".to_owned();
        Err(AppError { setting, problem })
    }

    fn secret(&self, _: u32, _: &'static str) -> Option<String> {
        None
    }

    fn missing_key(&self, _: u32) -> Result<Secret, AppError> {
        if let Some(key) = self.keys.first() {
            return Ok(key.secret.clone());
        }
        let bytes: Vec<u8> = (0..4).flat_map(|_| self.entropy.next_u64().to_be_bytes()).collect();
        Ok(Secret::new(hex(&bytes)))
    }
}
