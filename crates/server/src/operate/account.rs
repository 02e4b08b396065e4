//! `unsaid account`: who somebody is, with whom they talk, and what became of their messages. Never what was said, unless the
//! server allows it to be asked for.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::Value;

use super::{AppFlags, PageFlags, encoded, query, table};

#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// An account: unread messages, devices that are connected, when it was kicked.
    Show(OneFlags),
    /// With whom an account talks, the latest first.
    Conversations(ConversationsFlags),
    /// The messages of a conversation, the latest first: who wrote, when, read or recalled.
    Messages(MessagesFlags),
}

#[derive(Debug, Args)]
pub struct OneFlags {
    #[command(flatten)]
    app: AppFlags,
    /// The account, by its UserID.
    #[arg(value_name = "USER")]
    account: String,
}

#[derive(Debug, Args)]
pub struct ConversationsFlags {
    #[command(flatten)]
    one: OneFlags,
    #[command(flatten)]
    page: PageFlags,
}

#[derive(Debug, Args)]
pub struct MessagesFlags {
    #[command(flatten)]
    one: OneFlags,
    /// The other account.
    #[arg(value_name = "PEER")]
    peer: String,
    /// What they say, too. The server needs operator.show_text, and writes each look into the audit log.
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    page: PageFlags,
}

/// `unsaid account ...`
pub async fn account(command: AccountCommand) -> anyhow::Result<()> {
    match command {
        AccountCommand::Show(one) => one.ask_and_show("", table::account).await,
        AccountCommand::Conversations(ConversationsFlags { one, page }) => {
            let path = format!("/conversations?{}", query(&page.fields()));
            one.ask_and_show(&path, table::conversations).await
        }
        AccountCommand::Messages(MessagesFlags { one, peer, text, page }) => {
            let mut fields = page.fields();
            fields.push(("text", text.then(|| "true".to_owned())));
            let path = format!("/conversations/{}/messages?{}", encoded(&peer), query(&fields));
            one.ask_and_show(&path, table::messages).await
        }
    }
}

impl OneFlags {
    async fn ask_and_show(&self, path: &str, text: fn(&Value) -> String) -> anyhow::Result<()> {
        let path = format!("/accounts/{}{path}", encoded(&self.account));
        let answer = self.app.ask(Method::GET, &path, Value::Null).await?;
        self.app.show(&answer, text);
        Ok(())
    }
}
