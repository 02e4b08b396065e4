//! Apps: making one at run time, seeing and changing its settings.

pub(crate) mod change;
pub(crate) mod keys;
pub(crate) mod life;
mod shown;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use schemars::JsonSchema;
use serde::Serialize;
use unsaid_protocol::{SdkAppId, sign::hex};

pub(crate) use self::shown::Shown;
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
pub(crate) struct Made {
    #[serde(flatten)]
    pub(crate) app: Shown,
    /// Once only, in this answer.
    pub(crate) secret_key: String,
}

pub(super) async fn list(State(operator): State<Arc<Operator>>) -> Response<Body> {
    json(StatusCode::OK, &AppList { apps: operator.list_apps() })
}

pub(super) async fn show(
    State(operator): State<Arc<Operator>>,
    Named(app): Named<u32>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.show_app(app)?))
}

/// The keys of `[[apps]]` in the configuration file as JSON, with `ca_pem` for `ca_file`. A key is drawn where none is given.
pub(super) async fn create(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    body: Body,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::CREATED, &operator.create_app(&caller, body::read(body).await?).await?))
}

/// The same keys, in the place of all settings of before; only its keys stay where none is given, all of them. What it is owed
/// is parked if its callbacks have no endpoint any more (rule C11).
pub(super) async fn replace(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(sdkappid): Named<u32>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.replace_app(&caller, sdkappid, body::read(body).await?).await?))
}

impl Operator {
    pub(crate) fn list_apps(&self) -> Vec<Shown> {
        self.apps.list().iter().map(|app| Shown::new(app)).collect()
    }

    pub(crate) fn show_app(&self, sdkappid: u32) -> Result<Shown, Problem> {
        Ok(Shown::new(&*self.app(sdkappid)?))
    }

    pub(crate) async fn create_app(&self, caller: &Caller, declared: DeclaredApp) -> Result<Made, Problem> {
        let _making = self.making.lock().await;
        if self.apps.get(SdkAppId(declared.sdkappid)).is_some() {
            let message = format!("there is an app {} already: choose another sdkappid", declared.sdkappid);
            return Err(Problem::new(StatusCode::CONFLICT, message));
        }
        let around = Around { entropy: &self.entropy, keys: &[], kept: &[] };
        let app = declared.into_app(Origin::Runtime, &around)?;
        self.save(&app, caller.note("app.create", Some(app.sdkappid), app.name.clone())).await?;
        tracing::info!(app = %app.sdkappid, "an app was made");
        let secret_key = app.keys.first().expect("an app has a key").secret.expose().to_owned();
        Ok(Made { app: Shown::new(&app), secret_key })
    }

    async fn replace_app(&self, caller: &Caller, sdkappid: u32, declared: DeclaredApp) -> Result<Shown, Problem> {
        if declared.sdkappid != sdkappid {
            let message = format!("sdkappid is {} in the body, but {sdkappid} in the path", declared.sdkappid);
            return Err(Problem::new(StatusCode::CONFLICT, message));
        }
        let _making = self.making.lock().await;
        let before = self.changeable(sdkappid)?;
        let around = Around { entropy: &self.entropy, keys: &before.keys, kept: &[] };
        let gives_keys = declared.gives_keys();
        let mut app = declared.into_app(Origin::Runtime, &around)?;
        if !gives_keys {
            app.keys.clone_from(&before.keys);
        }
        app.disabled = before.disabled;
        self.save(&app, caller.note("app.replace", Some(app.sdkappid), "all settings")).await?;
        tracing::info!(app = %app.sdkappid, "an app's settings were replaced");
        Ok(Shown::new(&app))
    }

    /// Checks it and saves it, with a note.
    async fn save(&self, app: &App, note: Note) -> Result<(), Problem> {
        self.rules.now().check(app)?;
        self.chat.save_app_noted(app.clone(), note).await.map_err(|error| {
            tracing::error!(app = %app.sdkappid, %error, "an app was not saved");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
        })
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        Self { setting: Some(error.setting.to_owned()), ..Self::unprocessable(error.to_string()) }
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
