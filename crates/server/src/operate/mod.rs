//! Commands for whoever runs a server: they ask a running one over its operator API, and show what it says.

mod account;
mod app;
mod ask;
mod backup;
mod deliveries;
mod migrate;
mod parked;
mod profile;
mod ready;
mod show;
mod table;
mod token;
mod usersig;

pub use account::{AccountCommand, account};
use anyhow::bail;
pub use app::{AppCommand, app};
pub(crate) use ask::{API, Server};
pub use ask::{Failure, ServerFlags};
pub use backup::{BackupCommand, RestoreFlags, backup, reload, restore, restored};
use clap::{Args, Subcommand};
pub use deliveries::{DeliveriesFlags, deliveries};
use http::Method;
pub use migrate::{MigrateFlags, migrate};
pub use parked::{ParkedFlags, ReplayFlags, parked, replay};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
pub use ready::{ReadyFlags, ready};
use serde_json::{Value, json};
pub(crate) use show::word;
pub use token::{AuditFlags, TokenCommand, audit, token};
pub use usersig::{UserSigFlags, usersig};

#[derive(Debug, Subcommand)]
pub enum CallbackCommand {
    /// How an app's callbacks stand: what waits, what is parked, whether they flow.
    Status(AppFlags),
    /// Say that an app's endpoint is back: what waits for it is tried at once.
    Back(AppFlags),
    /// Send a sample to an app's endpoint, and tell what happens at each step. Fails if it is not accepted.
    Test(TestFlags),
    /// The lanes in which something waits, each with the callback whose turn it is.
    Lanes(LanesFlags),
}

#[derive(Debug, Args)]
pub struct AppFlags {
    /// The app's number.
    #[arg(value_name = "SDKAPPID")]
    app: u32,
    #[command(flatten)]
    server: ServerFlags,
}

#[derive(Debug, Args)]
pub struct TestFlags {
    #[command(flatten)]
    app: AppFlags,
    /// Which callback, by its full name.
    #[arg(long, value_name = "COMMAND", default_value = "C2C.CallbackAfterMsgWithDraw")]
    command: String,
}

#[derive(Debug, Args)]
pub struct StoryFlags {
    #[command(flatten)]
    app: AppFlags,
    /// The event's name: webhook-id of its attempts, evt_...
    #[arg(value_name = "EVENT")]
    event: String,
}

#[derive(Debug, Args)]
pub struct LanesFlags {
    #[command(flatten)]
    app: AppFlags,
    #[command(flatten)]
    page: PageFlags,
}

/// A page of what may be long.
#[derive(Debug, Args)]
pub struct PageFlags {
    /// The next page, as the one before names it.
    #[arg(long, value_name = "NEXT")]
    next: Option<String>,
    /// How many at once, 1000 at most.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: u32,
}

/// `unsaid callback ...`
pub async fn callback(command: CallbackCommand) -> anyhow::Result<()> {
    match command {
        CallbackCommand::Status(app) => {
            let state = app.ask(Method::GET, "/callback", Value::Null).await?;
            app.show(&state, show::state);
        }
        CallbackCommand::Back(app) => {
            let state = app.ask(Method::POST, "/callback/back", json!({})).await?;
            app.show(&state, show::state);
        }
        CallbackCommand::Test(TestFlags { app, command }) => {
            let report = app.ask(Method::POST, "/callback/test", json!({"command": command})).await?;
            app.show(&report, show::test);
            if report["outcome"] != "delivered" {
                bail!("the endpoint did not accept the test");
            }
        }
        CallbackCommand::Lanes(LanesFlags { app, page }) => {
            let lanes = app.ask(Method::GET, &format!("/lanes?{}", query(&page.fields())), Value::Null).await?;
            app.show(&lanes, table::lanes);
        }
    }
    Ok(())
}

/// `unsaid story`
pub async fn story(StoryFlags { app, event }: StoryFlags) -> anyhow::Result<()> {
    let story = app.ask(Method::GET, &format!("/events/{}", encoded(&event)), Value::Null).await?;
    app.show(&story, show::story);
    Ok(())
}

impl PageFlags {
    fn fields(&self) -> Vec<(&'static str, Option<String>)> {
        vec![("next", self.next.clone()), ("limit", Some(self.limit.to_string()))]
    }
}

impl AppFlags {
    /// Asks about the app.
    async fn ask(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        self.server.ask(method, &format!("/apps/{}{path}", self.app), body).await
    }

    fn show(&self, answer: &Value, text: fn(&Value) -> String) {
        self.server.show(answer, text);
    }
}

fn query(fields: &[(&str, Option<String>)]) -> String {
    let given = fields.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_ref()?))));
    given.collect::<Vec<_>>().join("&")
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
