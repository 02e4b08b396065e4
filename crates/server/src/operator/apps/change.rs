//! Changing some of an app's settings: what is not named stays as it is, its secrets, too.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{
    super::{Operator, Problem, admit::Caller, ask::Named, body, json as answer},
    Around,
    shown::{Shown, secrets},
};
use crate::apps::{App, DeclaredApp, Origin, Secret};

/// Settings that are to be changed, as `POST /apps` takes them; `null` is the default.
pub(in crate::operator) struct Change;

impl JsonSchema for Change {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ChangedApp".into()
    }

    /// Every setting of an app that is made, but what names it and its keys.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = DeclaredApp::json_schema(generator);
        schema.remove("required");
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.retain(|name, _| !NOT_CHANGED.contains(&name.as_str()));
            for property in properties.values_mut() {
                *property = json!({"anyOf": [property.take(), {"type": "null"}]});
            }
        }
        schema
    }
}

const NOT_CHANGED: [&str; 3] = ["sdkappid", "secret_key", "previous_secret_key"];

pub(in crate::operator) async fn change(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(sdkappid): Named<u32>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    Ok(answer(StatusCode::OK, &operator.change_app(&caller, sdkappid, body::read(body).await?).await?))
}

impl Operator {
    /// Lays the changes over the settings; what they do not name stays.
    pub(crate) async fn change_app(
        &self,
        caller: &Caller,
        sdkappid: u32,
        changes: Map<String, Value>,
    ) -> Result<Shown, Problem> {
        let _making = self.making.lock().await;
        let names = names(&changes);
        let app = self.changed(sdkappid, changes)?;
        self.save(&app, caller.note("app.change", Some(app.sdkappid), names)).await?;
        tracing::info!(app = %app.sdkappid, "an app's settings were changed");
        Ok(Shown::new(&app))
    }

    /// Whether the changes would be saved.
    pub(crate) fn check_change(&self, sdkappid: u32, changes: Map<String, Value>) -> Result<(), Problem> {
        Ok(self.rules.now().check(&self.changed(sdkappid, changes)?)?)
    }

    fn changed(&self, sdkappid: u32, changes: Map<String, Value>) -> Result<App, Problem> {
        if let Some(name) = NOT_CHANGED.iter().find(|name| changes.contains_key(**name)) {
            return Err(Problem::malformed(format!("{name}: is not changed here; keys are changed at .../keys")));
        }
        let before = self.changeable(sdkappid)?;
        let kept = kept(&before, &changes);
        let declared: DeclaredApp = body::parse(merge(declared(&before), changes))?;
        let around = Around { entropy: &self.entropy, keys: &before.keys, kept: &kept };
        let mut app = declared.into_app(Origin::Runtime, &around)?;
        app.keys.clone_from(&before.keys);
        app.disabled = before.disabled;
        Ok(app)
    }
}

/// Which settings are changed, by name.
fn names(changes: &Map<String, Value>) -> String {
    let mut names = Vec::new();
    for (name, value) in changes {
        match value.as_object() {
            Some(inner) if !inner.is_empty() => names.extend(inner.keys().map(|key| format!("{name}.{key}"))),
            _ => names.push(name.clone()),
        }
    }
    // Names come from the caller, and may be unknown ones; those are refused before they are noted.
    names.join(", ")
}

/// The app as it would be declared, without its secrets.
fn declared(app: &App) -> Map<String, Value> {
    let Ok(Value::Object(mut shown)) = serde_json::to_value(Shown::new(app)) else {
        unreachable!("an app is shown as an object")
    };
    for name in ["origin", "disabled", "erasing", "keys"] {
        shown.remove(name);
    }
    if let Some(Value::Object(callback)) = shown.get_mut("callback") {
        callback.remove("secrets_set");
        callback.retain(|_, value| !value.is_null());
    }
    shown
}

/// Lays the changes over what is declared; objects are laid over each other, `null` takes away.
fn merge(mut under: Map<String, Value>, over: Map<String, Value>) -> Value {
    for (name, value) in over {
        let merged = match (under.remove(&name), value) {
            (_, Value::Null) => continue,
            (Some(Value::Object(under)), Value::Object(over)) => merge(under, over),
            (_, value) => value,
        };
        under.insert(name, merged);
    }
    Value::Object(under)
}

/// The secrets that the changes say nothing of. Without a URL they go with it.
fn kept(app: &App, changes: &Map<String, Value>) -> Vec<(&'static str, Secret)> {
    let Some(endpoint) = &app.callback.endpoint else {
        return Vec::new();
    };
    let callback = changes.get("callback");
    if callback.is_some_and(|callback| callback.is_null() || callback.get("url").is_some_and(Value::is_null)) {
        return Vec::new();
    }
    let is_named = |name: &str| callback.is_some_and(|callback| callback.get(name).is_some());
    let names = |name: &'static str| match name {
        "token" => "callback.token",
        "previous_token" => "callback.previous_token",
        "webhook_secret" => "callback.webhook_secret",
        "previous_webhook_secret" => "callback.previous_webhook_secret",
        _ => "callback.client_key",
    };
    // A certificate that is taken away takes its key along.
    let goes = |name: &str| {
        is_named(name)
            || name == "client_key_pem"
                && callback.and_then(|callback| callback.get("client_cert_pem")).is_some_and(Value::is_null)
    };
    let set = secrets(endpoint).into_iter().filter_map(|(name, secret)| Some((name, secret?.clone())));
    set.filter(|(name, _)| !goes(name)).map(|(name, secret)| (names(name), secret)).collect()
}
