//! `unsaid deliveries`: attempts at callbacks, a page of them, or as they come.

use std::{
    io::{Write, stdout},
    time::Duration,
};

use clap::Args;
use http::Method;
use serde_json::Value;

use super::{AppFlags, PageFlags, query, show};

/// How often it is looked for new ones.
const PAUSE: Duration = Duration::from_secs(1);

/// New ones that are shown after one pause; if there are more, it is said.
const FOLLOWED_MAX: u32 = 1000;

#[derive(Debug, Args)]
pub struct DeliveriesFlags {
    #[command(flatten)]
    app: AppFlags,
    /// Only those of this account.
    #[arg(long, value_name = "USER")]
    account: Option<String>,
    /// Only those of this message.
    #[arg(long, value_name = "MSGKEY")]
    msg_key: Option<String>,
    /// Only those of this callback.
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// delivered, refused, unavailable, or the name of one outcome.
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// That moment or later, in milliseconds since 1970.
    #[arg(long, value_name = "MS")]
    since_ms: Option<i64>,
    /// That moment or before, in milliseconds since 1970.
    #[arg(long, value_name = "MS")]
    until_ms: Option<i64>,
    #[command(flatten)]
    page: PageFlags,
    /// Show them in the order of their end, and new ones as they come, until Ctrl-C. With --json each is a line.
    #[arg(long, conflicts_with_all = ["next", "until_ms"])]
    follow: bool,
}

/// `unsaid deliveries`
pub async fn deliveries(flags: DeliveriesFlags) -> anyhow::Result<()> {
    if flags.follow {
        return follow(&flags).await;
    }
    let page = flags.app.ask(Method::GET, &flags.path(flags.page.fields()), Value::Null).await?;
    flags.app.show(&page, show::deliveries);
    Ok(())
}

async fn follow(flags: &DeliveriesFlags) -> anyhow::Result<()> {
    let server = flags.app.server.server()?;
    let (mut limit, mut last) = (flags.page.limit, None);
    loop {
        let path = format!("/apps/{}{}", flags.app.app, flags.path(vec![("limit", Some(limit.to_string()))]));
        let page = server.ask(Method::GET, &path, Value::Null).await?;
        let attempts = show::list(&page["attempts"]);
        let new = attempts.iter().take_while(|attempt| attempt["record"].as_i64() > last).count();
        if last.is_some() && new == limit as usize {
            eprintln!("there were more than {new} within a second; unsaid deliveries has them all");
        }
        for attempt in attempts[..new].iter().rev() {
            let line = if flags.app.server.json { format!("{attempt}\n") } else { show::delivery(attempt) };
            // Whoever read this has gone, and has seen enough.
            if stdout().write_all(line.as_bytes()).and_then(|()| stdout().flush()).is_err() {
                return Ok(());
            }
        }
        let newest = attempts.first().and_then(|attempt| attempt["record"].as_i64());
        last = newest.max(last).or(Some(0));
        limit = FOLLOWED_MAX;
        tokio::time::sleep(PAUSE).await;
    }
}

impl DeliveriesFlags {
    fn path(&self, page: Vec<(&'static str, Option<String>)>) -> String {
        let number = |number: Option<i64>| number.map(|number| number.to_string());
        let mut fields = vec![
            ("account", self.account.clone()),
            ("msg_key", self.msg_key.clone()),
            ("command", self.command.clone()),
            ("outcome", self.outcome.clone()),
            ("since_ms", number(self.since_ms)),
            ("until_ms", number(self.until_ms)),
        ];
        fields.extend(page);
        format!("/deliveries?{}", query(&fields))
    }
}
