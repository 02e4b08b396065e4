//! Commands for whoever runs a server: they ask a running one over its operator API, and show what it says.

mod app;
mod ask;
mod backup;
mod ready;
mod show;
mod table;
mod token;

use anyhow::bail;
pub use app::{AppCommand, app};
pub use ask::{Failure, ServerFlags};
pub use backup::{BackupCommand, RestoreFlags, backup, reload, restore};
use clap::{Args, Subcommand};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
pub use ready::{ReadyFlags, ready};
use serde_json::{Map, Value, json};
pub use token::{AuditFlags, TokenCommand, audit, token};

#[derive(Debug, Subcommand)]
pub enum CallbackCommand {
    /// How an app's callbacks stand: what waits, what is parked, whether they flow.
    Status(AppFlags),
    /// Say that an app's endpoint is back: what waits for it is tried at once.
    Back(AppFlags),
    /// Send a sample to an app's endpoint, and tell what happens at each step. Fails if it is not accepted.
    Test(TestFlags),
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
pub struct DeliveriesFlags {
    #[command(flatten)]
    app: AppFlags,
    /// Only those of this account.
    #[arg(long, value_name = "USER")]
    account: Option<String>,
    #[arg(long, value_name = "MSGKEY")]
    msg_key: Option<String>,
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// delivered, refused, unavailable, or the name of one outcome.
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// That moment or later, in milliseconds since 1970.
    #[arg(long, value_name = "MS")]
    since_ms: Option<i64>,
    #[arg(long, value_name = "MS")]
    until_ms: Option<i64>,
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: u32,
}

/// Which parked events; what is left out holds for all.
#[derive(Debug, Args)]
pub struct ParkedFlags {
    #[command(flatten)]
    app: AppFlags,
    #[command(flatten)]
    filter: FilterFlags,
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: u32,
}

#[derive(Debug, Args)]
struct FilterFlags {
    /// One event, by its name.
    #[arg(long, value_name = "EVENT")]
    id: Option<String>,
    /// Those of this account.
    #[arg(long, value_name = "USER")]
    account: Option<String>,
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// Parked at that moment or later, in milliseconds since 1970.
    #[arg(long, value_name = "MS")]
    since_ms: Option<i64>,
}

#[derive(Debug, Args)]
pub struct ReplayFlags {
    #[command(flatten)]
    app: AppFlags,
    #[command(flatten)]
    filter: FilterFlags,
    /// All parked events.
    #[arg(long, conflicts_with_all = ["id", "account", "command", "since_ms"])]
    all: bool,
    /// Instead of parked events: recalls, reads and receipts that were delivered at that moment or later, in milliseconds
    /// since 1970; for a receiver that was restored from a backup. They are kept for seven days.
    #[arg(long, value_name = "MS", conflicts_with_all = ["all", "id", "account", "command", "since_ms"])]
    delivered_since_ms: Option<i64>,
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
    }
    Ok(())
}

/// `unsaid story`
pub async fn story(StoryFlags { app, event }: StoryFlags) -> anyhow::Result<()> {
    let story = app.ask(Method::GET, &format!("/events/{}", encoded(&event)), Value::Null).await?;
    app.show(&story, show::story);
    Ok(())
}

/// `unsaid deliveries`
pub async fn deliveries(flags: DeliveriesFlags) -> anyhow::Result<()> {
    let DeliveriesFlags { app, account, msg_key, command, outcome, since_ms, until_ms, limit } = flags;
    let number = |number: Option<i64>| number.map(|number| number.to_string());
    let query = query(&[
        ("account", account),
        ("msg_key", msg_key),
        ("command", command),
        ("outcome", outcome),
        ("since_ms", number(since_ms)),
        ("until_ms", number(until_ms)),
        ("limit", Some(limit.to_string())),
    ]);
    let page = app.ask(Method::GET, &format!("/deliveries?{query}"), Value::Null).await?;
    app.show(&page, show::deliveries);
    Ok(())
}

/// `unsaid parked`
pub async fn parked(ParkedFlags { app, filter, limit }: ParkedFlags) -> anyhow::Result<()> {
    let FilterFlags { id, account, command, since_ms } = filter;
    let since_ms = since_ms.map(|since_ms| since_ms.to_string());
    let limit = Some(limit.to_string());
    let query =
        query(&[("id", id), ("account", account), ("command", command), ("since_ms", since_ms), ("limit", limit)]);
    let page = app.ask(Method::GET, &format!("/parked?{query}"), Value::Null).await?;
    app.show(&page, show::parked);
    Ok(())
}

/// `unsaid replay`: piece by piece, until all are sent again.
pub async fn replay(flags: ReplayFlags) -> anyhow::Result<()> {
    let ReplayFlags { app, filter, all, delivered_since_ms } = flags;
    let mut what = match delivered_since_ms {
        Some(since_ms) => json!({"delivered_since_ms": since_ms}),
        None => {
            let filter = filter.json();
            if filter.is_empty() && !all {
                bail!("say which: --all, --id, --account, --command, --since-ms or --delivered-since-ms");
            }
            json!({"parked": filter})
        }
    };
    let (mut replayed, mut skipped) = (0, 0);
    loop {
        let piece = app.ask(Method::POST, "/replay", what.clone()).await?;
        replayed += piece["replayed"].as_u64().unwrap_or(0);
        skipped += piece["skipped"].as_u64().unwrap_or(0);
        if piece["next"].is_null() {
            break;
        }
        what["next"] = piece["next"].clone();
        eprintln!("{replayed} so far");
    }
    app.show(&json!({"replayed": replayed, "skipped": skipped}), show::replayed);
    Ok(())
}

impl FilterFlags {
    fn json(self) -> Map<String, Value> {
        let Self { id, account, command, since_ms } = self;
        let fields = [
            ("id", id.map(Value::from)),
            ("account", account.map(Value::from)),
            ("command", command.map(Value::from)),
            ("since_ms", since_ms.map(Value::from)),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
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
