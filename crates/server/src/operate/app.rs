//! `unsaid app`: the apps of a running server, their settings and keys.

use anyhow::Context;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

use super::{AppFlags, ServerFlags, UserSigFlags, encoded, table, usersig};
use crate::terminal::Progress;

#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// Every app.
    List(ServerFlags),
    /// An app's settings, and which secrets are set.
    Show(AppFlags),
    /// Make an app; its key is drawn, and shown this once.
    Create(CreateFlags),
    /// Give an app another name.
    Rename(RenameFlags),
    /// Change settings: name=Example, recall_window_s=60, `callback.url=https://app.example/im`; KEY= takes the default.
    Set(SetFlags),
    /// Switch an app on.
    Enable(AppFlags),
    /// Switch an app off: it keeps its data and answers nobody; what it is owed is parked.
    Disable(AppFlags),
    /// Delete an app with everything that it has, also what it is owed.
    Delete(DeleteFlags),
    /// The keys of an app.
    #[command(subcommand)]
    Key(KeyCommand),
    /// The same as unsaid usersig.
    Usersig(UserSigFlags),
}

#[derive(Debug, Args)]
pub struct CreateFlags {
    #[command(flatten)]
    app: AppFlags,
    /// What people call it.
    #[arg(long, value_name = "NAME", default_value = "")]
    name: String,
}

#[derive(Debug, Args)]
pub struct RenameFlags {
    #[command(flatten)]
    app: AppFlags,
    /// What people shall call it.
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Debug, Args)]
pub struct SetFlags {
    #[command(flatten)]
    app: AppFlags,
    /// A setting as the configuration file names it, with callback. before those of its callbacks. Its value is JSON or a text.
    #[arg(value_name = "KEY=VALUE", required = true)]
    settings: Vec<String>,
}

#[derive(Debug, Args)]
pub struct DeleteFlags {
    #[command(flatten)]
    app: AppFlags,
    /// The app's number once more: what is deleted is gone for good.
    #[arg(long, value_name = "SDKAPPID")]
    confirm: u32,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Which keys are valid, without their secrets.
    List(AppFlags),
    /// Put a new key in use; it is shown this once, and those of before stay valid.
    Rotate(AppFlags),
    /// Remove a key: what was made with it is valid no more.
    Remove(KeyFlags),
}

#[derive(Debug, Args)]
pub struct KeyFlags {
    #[command(flatten)]
    app: AppFlags,
    /// The key's name, as list shows it.
    #[arg(value_name = "KEY")]
    key: String,
}

/// Carries the command out.
pub async fn app(command: AppCommand) -> anyhow::Result<()> {
    match command {
        AppCommand::List(server) => {
            let apps = server.ask(Method::GET, "/apps", Value::Null).await?;
            server.show(&apps, table::apps);
        }
        AppCommand::Show(app) => {
            let shown = app.ask(Method::GET, "", Value::Null).await?;
            app.show(&shown, table::app);
        }
        AppCommand::Create(CreateFlags { app, name }) => {
            let body = json!({"sdkappid": app.app, "name": name});
            let made = app.server.ask(Method::POST, "/apps", body).await?;
            app.show(&made, table::app);
        }
        AppCommand::Rename(RenameFlags { app, name }) => change(&app, json!({"name": name})).await?,
        AppCommand::Set(SetFlags { app, settings }) => change(&app, parse(&settings)?).await?,
        AppCommand::Enable(app) => {
            let shown = app.ask(Method::POST, "/enable", Value::Null).await?;
            app.show(&shown, table::app);
        }
        AppCommand::Disable(app) => {
            let shown = app.ask(Method::POST, "/disable", Value::Null).await?;
            app.show(&shown, table::app);
        }
        AppCommand::Delete(flags) => delete(&flags).await?,
        AppCommand::Key(command) => key(command).await?,
        AppCommand::Usersig(flags) => usersig(flags).await?,
    }
    Ok(())
}

async fn change(app: &AppFlags, changes: Value) -> anyhow::Result<()> {
    let shown = app.ask(Method::PATCH, "", changes).await?;
    app.show(&shown, table::app);
    Ok(())
}

/// Piece by piece, until the app is gone.
async fn delete(DeleteFlags { app, confirm }: &DeleteFlags) -> anyhow::Result<()> {
    let (progress, mut erased) = (Progress::begin(), 0);
    loop {
        let piece = app.ask(Method::DELETE, &format!("?confirm={confirm}"), Value::Null).await?;
        erased += piece["erased"].as_u64().unwrap_or(0);
        if piece["done"] == true {
            break;
        }
        progress.say(&format!("{erased} rows so far"));
    }
    drop(progress);
    app.show(&json!({"erased": erased, "done": true}), table::erased);
    Ok(())
}

async fn key(command: KeyCommand) -> anyhow::Result<()> {
    let (app, keys) = match command {
        KeyCommand::List(app) => {
            let keys = app.ask(Method::GET, "/keys", Value::Null).await?;
            (app, keys)
        }
        KeyCommand::Rotate(app) => {
            let keys = app.ask(Method::POST, "/keys", json!({})).await?;
            (app, keys)
        }
        KeyCommand::Remove(KeyFlags { app, key }) => {
            let keys = app.ask(Method::DELETE, &format!("/keys/{}", encoded(&key)), Value::Null).await?;
            (app, keys)
        }
    };
    app.show(&keys, table::keys);
    Ok(())
}

/// `callback.url=x` is `{"callback": {"url": "x"}}`. What reads as JSON is taken so, all else as text.
fn parse(settings: &[String]) -> anyhow::Result<Value> {
    let mut changes: Map<String, Value> = Map::new();
    for setting in settings {
        let (key, value) = setting.split_once('=').with_context(|| format!("{setting:?}: write it as KEY=VALUE"))?;
        let text = || Value::from(value);
        let value = if value.is_empty() { Value::Null } else { serde_json::from_str(value).unwrap_or_else(|_| text()) };
        match key.strip_prefix("callback.") {
            None => drop(changes.insert(key.to_owned(), value)),
            Some(inner) => {
                let callback = changes.entry("callback").or_insert_with(|| json!({}));
                let callback = callback.as_object_mut().context("callback and callback.KEY cannot both be set")?;
                callback.insert(inner.to_owned(), value);
            }
        }
    }
    Ok(changes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_json_or_text_and_nothing_is_the_default() {
        let check = |settings: &[&str], expected: Value| {
            let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
            assert_eq!(parse(&settings).expect("it can be read"), expected);
        };
        check(&["name=A b", "recall_window_s=60"], json!({"name": "A b", "recall_window_s": 60}));
        check(
            &["callback.url=https://x/?a=b", "callback.token="],
            json!({"callback": {"url": "https://x/?a=b", "token": null}}),
        );
        check(&[r#"admins=["a"]"#], json!({"admins": ["a"]}));
        assert!(parse(&["name".to_owned()]).is_err());
        assert!(parse(&["callback=".to_owned(), "callback.url=x".to_owned()]).is_err());
    }
}
