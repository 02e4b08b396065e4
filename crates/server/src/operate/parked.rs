//! `unsaid parked` and `unsaid replay`: callbacks that are no longer tried, and sending callbacks again.

use anyhow::bail;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

use super::{AppFlags, PageFlags, ServerFlags, encoded, query, show};
use crate::terminal::Progress;

/// Which parked events; what is left out holds for all.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ParkedFlags {
    #[command(subcommand)]
    command: Option<ParkedCommand>,
    /// The app's number.
    #[arg(value_name = "SDKAPPID", required = true)]
    app: Option<u32>,
    #[command(flatten)]
    server: ServerFlags,
    #[command(flatten)]
    filter: FilterFlags,
    #[command(flatten)]
    page: PageFlags,
}

#[derive(Debug, Subcommand)]
enum ParkedCommand {
    /// Throw a parked callback away: its receiver never gets it.
    Discard(DiscardFlags),
}

#[derive(Debug, Args)]
struct DiscardFlags {
    #[command(flatten)]
    app: AppFlags,
    /// The event's name, evt_...
    #[arg(value_name = "EVENT")]
    event: String,
}

#[derive(Debug, Args)]
struct FilterFlags {
    /// One event, by its name.
    #[arg(long, value_name = "EVENT")]
    id: Option<String>,
    /// Those of this account.
    #[arg(long, value_name = "USER")]
    account: Option<String>,
    /// Those of this callback.
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

/// `unsaid parked`
pub async fn parked(flags: ParkedFlags) -> anyhow::Result<()> {
    match flags {
        ParkedFlags { command: Some(ParkedCommand::Discard(DiscardFlags { app, event })), .. } => {
            let gone = app.ask(Method::DELETE, &format!("/parked/{}", encoded(&event)), Value::Null).await?;
            app.show(&gone, show::discarded);
        }
        ParkedFlags { app: Some(app), server, filter, page, .. } => {
            let app = AppFlags { app, server };
            let FilterFlags { id, account, command, since_ms } = filter;
            let since_ms = since_ms.map(|since_ms| since_ms.to_string());
            let mut fields = page.fields();
            fields.extend([("id", id), ("account", account), ("command", command), ("since_ms", since_ms)]);
            let page = app.ask(Method::GET, &format!("/parked?{}", query(&fields)), Value::Null).await?;
            app.show(&page, show::parked);
        }
        ParkedFlags { command: None, app: None, .. } => bail!("say of which app: unsaid parked SDKAPPID"),
    }
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
    let (progress, mut replayed, mut skipped) = (Progress::begin(), 0, 0);
    loop {
        let piece = app.ask(Method::POST, "/replay", what.clone()).await?;
        replayed += piece["replayed"].as_u64().unwrap_or(0);
        skipped += piece["skipped"].as_u64().unwrap_or(0);
        if piece["next"].is_null() {
            break;
        }
        what["next"] = piece["next"].clone();
        progress.say(&format!("{replayed} so far"));
    }
    drop(progress);
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
