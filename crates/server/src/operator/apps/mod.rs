//! Apps: making one at run time, seeing and changing its settings.

pub(super) mod change;
pub(super) mod keys;
pub(super) mod life;
mod shown;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use schemars::JsonSchema;
use serde::Serialize;
use unsaid_protocol::sign::hex;

pub(super) use self::shown::Shown;
use super::{Operator, Problem, admit::Caller, ask::Named, body, json};
use crate::{
    apps::{App, AppError, DeclaredApp, Origin, Secret, SecretKey, Surroundings},
    chat::Note,
    clock::Entropy,
};

#[derive(Serialize, JsonSchema)]
pub(super) struct AppList {
    apps: Vec<Shown>,
}

/// An app that was just made.
#[derive(Serialize, JsonSchema)]
pub(super) struct Made {
    #[serde(flatten)]
    app: Shown,
    /// Once only, in this answer.
    secret_key: String,
}

pub(super) async fn list(State(operator): State<Arc<Operator>>) -> Response<Body> {
    let apps = operator.apps.list().iter().map(|app| Shown::new(app)).collect();
    json(StatusCode::OK, &AppList { apps })
}

pub(super) async fn show(
    State(operator): State<Arc<Operator>>,
    Named(app): Named<u32>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &Shown::new(&*operator.app(app)?)))
}

/// The keys of `[[apps]]` in the configuration file as JSON, with `ca_pem` for `ca_file`. A key is drawn where none is given.
pub(super) async fn create(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let declared: DeclaredApp = body::read(body).await?;
    let _making = operator.making.lock().await;
    if operator.apps.get(unsaid_protocol::SdkAppId(declared.sdkappid)).is_some() {
        let message = format!("there is an app {} already: choose another sdkappid", declared.sdkappid);
        return Err(Problem::new(StatusCode::CONFLICT, message));
    }
    let around = Around { entropy: &operator.entropy, keys: &[], kept: &[] };
    let app = declared.into_app(Origin::Runtime, &around)?;
    save(&operator, &app, caller.note("app.create", Some(app.sdkappid), app.name.clone())).await?;
    tracing::info!(app = %app.sdkappid, "an app was made");
    let secret_key = app.keys.first().expect("an app has a key").secret.expose().to_owned();
    Ok(json(StatusCode::CREATED, &Made { app: Shown::new(&app), secret_key }))
}

/// The same keys, in the place of all settings of before; only its keys stay where none is given, all of them. What it is owed
/// is parked if its callbacks have no endpoint any more (rule C11).
pub(super) async fn replace(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(sdkappid): Named<u32>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let declared: DeclaredApp = body::read(body).await?;
    if declared.sdkappid != sdkappid {
        let message = format!("sdkappid is {} in the body, but {sdkappid} in the path", declared.sdkappid);
        return Err(Problem::new(StatusCode::CONFLICT, message));
    }
    let _making = operator.making.lock().await;
    let before = operator.changeable(sdkappid)?;
    let around = Around { entropy: &operator.entropy, keys: &before.keys, kept: &[] };
    let gives_keys = declared.gives_keys();
    let mut app = declared.into_app(Origin::Runtime, &around)?;
    if !gives_keys {
        app.keys.clone_from(&before.keys);
    }
    app.disabled = before.disabled;
    save(&operator, &app, caller.note("app.replace", Some(app.sdkappid), "all settings")).await?;
    tracing::info!(app = %app.sdkappid, "an app's settings were replaced");
    Ok(json(StatusCode::OK, &Shown::new(&app)))
}

/// Checks it and saves it, with a note.
async fn save(operator: &Operator, app: &App, note: Note) -> Result<(), Problem> {
    operator.rules.now().check(app)?;
    operator.chat.save_app_noted(app.clone(), note).await.map_err(|error| {
        tracing::error!(app = %app.sdkappid, %error, "an app was not saved");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    })
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        Self::unprocessable(error.to_string())
    }
}

fn draw_key(entropy: &Entropy) -> Secret {
    let bytes: Vec<u8> = (0..4).flat_map(|_| entropy.next_u64().to_be_bytes()).collect();
    Secret::new(hex(&bytes))
}

/// Over the network nothing is read from the server's files.
struct Around<'a> {
    entropy: &'a Entropy,
    /// Those that the app has.
    keys: &'a [SecretKey],
    /// Secrets that the app has and that are not changed.
    kept: &'a [(&'static str, Secret)],
}

impl Surroundings for Around<'_> {
    fn read(&self, setting: &'static str, _: &std::path::Path) -> Result<String, AppError> {
        let problem = "is for the configuration file: send the text itself".to_owned();
        Err(AppError { setting, problem })
    }

    fn secret(&self, _: u32, setting: &'static str) -> Option<String> {
        let kept = self.kept.iter().find(|(name, _)| *name == setting);
        kept.map(|(_, secret)| secret.expose().to_owned())
    }

    fn missing_key(&self, _: u32) -> Result<Secret, AppError> {
        Ok(self.keys.first().map_or_else(|| draw_key(self.entropy), |key| key.secret.clone()))
    }
}
