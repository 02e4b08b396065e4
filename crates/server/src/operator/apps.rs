//! Apps: making one at run time, and seeing which there are.

use std::{path::Path, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use unsaid_protocol::{UserId, sign::hex};

use super::{Operator, Problem, json};
use crate::{
    apps::{App, AppError, DeclaredApp, Origin, Secret, Surroundings},
    clock::Entropy,
};

const BODY_BYTES_MAX: usize = 256 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

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
    let body = read(body).await?;
    let declared: DeclaredApp = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(&body))
        .map_err(|error| {
            let message = format!("{}: {}", error.path(), error.inner());
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message)
        })?;
    let _making = operator.making.lock().await;
    if operator.apps.get(unsaid_protocol::SdkAppId(declared.sdkappid)).is_some() {
        let message = format!("there is an app {} already: choose another sdkappid", declared.sdkappid);
        return Err(Problem::new(StatusCode::CONFLICT, message));
    }
    let wrong = |error: AppError| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
    let app = declared.into_app(Origin::Runtime, &Around { entropy: &operator.entropy }).map_err(wrong)?;
    operator.rules.check(&app).map_err(wrong)?;
    operator.chat.save_app(app.clone()).await.map_err(|error| {
        tracing::error!(app = %app.sdkappid, %error, "an app was not saved");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    })?;
    tracing::info!(app = %app.sdkappid, "an app was made");
    let secret_key = app.keys.first().map(|key| key.secret.expose());
    Ok(json(StatusCode::CREATED, &Shown { secret_key, ..Shown::new(&app) }))
}

async fn read(body: Body) -> Result<bytes::Bytes, Problem> {
    #[expect(clippy::disallowed_methods, reason = "it is read up to a bound, within a time")]
    let whole = Limited::new(body, BODY_BYTES_MAX).collect();
    let problem = |message: &str| Problem::new(StatusCode::BAD_REQUEST, message);
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(problem("the body is broken, or longer than 256 KiB")),
        Err(_) => Err(problem("the body took longer than 10 s")),
    }
}

/// Over the network nothing is read from the server's files.
struct Around<'a> {
    entropy: &'a Entropy,
}

impl Surroundings for Around<'_> {
    fn read(&self, setting: &'static str, _: &Path) -> Result<String, AppError> {
        let problem = "is for the configuration file: send the text itself".to_owned();
        Err(AppError { setting, problem })
    }

    fn secret(&self, _: u32, _: &'static str) -> Option<String> {
        None
    }

    fn missing_key(&self, _: u32) -> Result<Secret, AppError> {
        let bytes: Vec<u8> = (0..4).flat_map(|_| self.entropy.next_u64().to_be_bytes()).collect();
        Ok(Secret::new(hex(&bytes)))
    }
}
