//! Being an app's endpoint for a while: what was there before is put back, and nothing is touched that could not be.
//!
//! Secrets are never shown by a server. So one that the app has is left alone, and one that it lacks is set if it was given,
//! and taken away again.

use anyhow::{Context, bail};
use http::Method;
use serde_json::{Map, Value, json};
use unsaid_protocol::callback::CallbackCommand;

use super::desk::Secrets;
use crate::operate::{Failure, Server, word};

/// What the app's callbacks shall be.
pub(super) struct Wanted {
    pub(super) app: u32,
    pub(super) url: String,
    pub(super) ca_pem: Option<String>,
    pub(super) commands: Vec<CallbackCommand>,
    pub(super) secrets: Secrets,
}

/// An app whose endpoint this is.
pub(super) struct Registration {
    server: Server,
    pub(super) app: u32,
    url: String,
    /// What puts back what was there: the settings of `callback`.
    back: Map<String, Value>,
    /// How many callbacks waited for the endpoint of before.
    pub(super) waiting: u64,
    /// Every answer with status 200 counts as delivered.
    pub(super) by_status: bool,
    /// The app's callbacks are signed, and there is nothing here to check it with.
    pub(super) unchecked: Vec<&'static str>,
}

impl Registration {
    pub(super) async fn begin(server: Server, wanted: &Wanted) -> anyhow::Result<Self> {
        let path = format!("/apps/{}", wanted.app);
        let before = server.ask(Method::GET, &path, Value::Null).await?;
        if before["origin"] == "file" {
            bail!(
                "app {} is declared in the server's configuration file, so its endpoint is set there: make another one with \
                 unsaid app create, or set its callback.url to this address by hand",
                wanted.app
            );
        }
        let callback = &before["callback"];
        let state = server.ask(Method::GET, &format!("{path}/callback"), Value::Null).await?;
        let (mut set, mut back) = (Map::new(), Map::new());
        for name in ["url", "ca_pem", "commands"] {
            back.insert(name.to_owned(), callback[name].clone());
        }
        set.insert("url".to_owned(), json!(wanted.url));
        set.insert("ca_pem".to_owned(), json!(wanted.ca_pem));
        set.insert("commands".to_owned(), json!(wanted.commands.iter().map(|one| one.as_str()).collect::<Vec<_>>()));
        let mut unchecked = Vec::new();
        for (name, given) in [("token", &wanted.secrets.token), ("webhook_secret", &wanted.secrets.webhook)] {
            let has = callback["secrets_set"].as_array().is_some_and(|set| set.iter().any(|secret| secret == name));
            match (has, given) {
                (true, None) => unchecked.push(name),
                (false, Some(secret)) => {
                    set.insert(name.to_owned(), json!(secret));
                    back.insert(name.to_owned(), Value::Null);
                }
                (true, Some(_)) | (false, None) => {}
            }
        }
        let registration = Self {
            server,
            app: wanted.app,
            url: wanted.url.clone(),
            back,
            waiting: state["waiting"].as_u64().unwrap_or(0),
            by_status: callback["answer"] == "status",
            unchecked,
        };
        registration.set(set).await
    }

    async fn set(self, callback: Map<String, Value>) -> anyhow::Result<Self> {
        let (app, url) = (self.app, self.url.clone());
        let path = format!("/apps/{app}");
        let Err(error) = self.server.ask(Method::PATCH, &path, json!({"callback": callback})).await else {
            return Ok(self);
        };
        // The server may have done it, and only its answer be lost.
        if let Some(Failure::NotReached(_)) = error.downcast_ref() {
            self.end().await?;
        }
        Err(error.context(format!("the callbacks of app {app} cannot be sent to {url}")))
    }

    /// What a person types to put it back, should this be killed.
    pub(super) fn command(&self) -> String {
        let mut command = format!("unsaid app set {} --api {}", self.app, word(&self.server.api));
        for (name, value) in &self.back {
            // As unsaid app set reads it: nothing is the default, and what is JSON is JSON.
            let value = match value.as_str() {
                Some(url) if name == "url" => url.to_owned(),
                Some(_) | None if value.is_null() => String::new(),
                Some(_) | None => value.to_string(),
            };
            command += &format!(" {}", word(&format!("callback.{name}={value}")));
        }
        command
    }

    /// Puts back what was there, unless somebody else has changed it meanwhile.
    pub(super) async fn end(self) -> anyhow::Result<String> {
        let path = format!("/apps/{}", self.app);
        let put_back = async {
            let now = self.server.ask(Method::GET, &path, Value::Null).await?;
            if now["callback"]["url"] != self.url.as_str() {
                return Ok(format!("app {}: callback.url was changed meanwhile, and is left as it is", self.app));
            }
            self.server.ask(Method::PATCH, &path, json!({"callback": self.back})).await?;
            let said = match self.back["url"].as_str() {
                Some(url) => format!("app {}: callbacks go to {url} again", self.app),
                None => format!("app {}: callbacks go nowhere again", self.app),
            };
            anyhow::Ok(said)
        };
        put_back.await.with_context(|| {
            format!("app {} still has its callbacks sent here; put it back with\n  {}", self.app, self.command())
        })
    }
}
