//! The keys of an app. The first is the one in use; what was made with any of them is valid.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    super::{Operator, Problem, admit::Caller, ask::Named, body, json},
    draw_key,
};
use crate::{
    apps::{App, Secret, SecretKey},
    limits,
};

/// A key, without its text.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Shown {
    /// Names it. It is made of the secret, and says no more of it than every UserSig does.
    pub(crate) id: String,
    /// UserSigs are made with it.
    pub(crate) in_use: bool,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::operator) struct KeyList {
    keys: Vec<Shown>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// It is drawn where it is not given.
    #[schemars(length(min = 16, max = 128), regex(pattern = r"^[ -~]*$"))]
    pub(crate) secret_key: Option<String>,
}

/// A key that was just added.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Added {
    keys: Vec<Shown>,
    /// Once only, in this answer.
    pub(crate) secret_key: String,
}

fn shown(app: &App) -> Vec<Shown> {
    let numbered = app.keys.iter().enumerate();
    numbered.map(|(number, key)| Shown { id: id(key), in_use: number == 0 }).collect()
}

fn id(key: &SecretKey) -> String {
    format!("key_{:016x}", key.generation)
}

pub(in crate::operator) async fn list(
    State(operator): State<Arc<Operator>>,
    Named(app): Named<u32>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &KeyList { keys: operator.list_keys(app)? }))
}

/// The new key is in use at once, and those of before stay valid until they are removed.
pub(in crate::operator) async fn add(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(app): Named<u32>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::CREATED, &operator.add_key(&caller, app, body::read(body).await?).await?))
}

/// What was made with it is valid no more.
pub(in crate::operator) async fn remove(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named((app, key)): Named<(u32, String)>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &KeyList { keys: operator.remove_key(&caller, app, key).await? }))
}

impl Operator {
    pub(crate) fn list_keys(&self, app: u32) -> Result<Vec<Shown>, Problem> {
        Ok(shown(&*self.app(app)?))
    }

    pub(crate) async fn add_key(&self, caller: &Caller, app: u32, new: NewKey) -> Result<Added, Problem> {
        let _making = self.making.lock().await;
        let mut app = App::clone(&*self.changeable(app)?);
        if app.keys.len() >= limits::APP_KEYS_MAX {
            let message = format!("the app has {} keys, as many as it can: remove an old one", app.keys.len());
            return Err(Problem::new(StatusCode::CONFLICT, message));
        }
        let key = SecretKey::new(new.secret_key.map_or_else(|| draw_key(&self.entropy), Secret::new));
        if app.keys.contains(&key) {
            return Err(Problem::new(StatusCode::CONFLICT, "the app has this key already: send another one"));
        }
        app.keys.insert(0, key.clone());
        app.check()?;
        self.save(&app, caller.note("app.key.add", Some(app.sdkappid), id(&key))).await?;
        Ok(Added { keys: shown(&app), secret_key: key.secret.expose().to_owned() })
    }

    pub(crate) async fn remove_key(&self, caller: &Caller, app: u32, key: String) -> Result<Vec<Shown>, Problem> {
        let _making = self.making.lock().await;
        let mut app = App::clone(&*self.changeable(app)?);
        if !app.keys.iter().any(|known| id(known) == key) {
            return Err(Problem::new(StatusCode::NOT_FOUND, format!("the app has no key {key}")));
        }
        if app.keys.iter().all(|known| id(known) == key) {
            return Err(Problem::new(StatusCode::CONFLICT, "this is the app's only key: add another one first"));
        }
        app.keys.retain(|known| id(known) != key);
        self.save(&app, caller.note("app.key.remove", Some(app.sdkappid), key)).await?;
        Ok(shown(&app))
    }
}
