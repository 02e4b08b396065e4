//! `unsaid token` and `unsaid audit`: who may use the operator API, and what they did.

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Value, json};

use super::{PageFlags, ServerFlags, encoded, query, table};

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; it is shown this once.
    Create(CreateFlags),
    /// Which tokens are valid, without their texts.
    List(ServerFlags),
    /// Revoke a token.
    Revoke(RevokeFlags),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleFlag {
    /// It reads.
    Viewer,
    /// It may do everything.
    Operator,
}

#[derive(Debug, Args)]
pub struct CreateFlags {
    /// What it may do.
    #[arg(long, value_enum)]
    role: RoleFlag,
    /// What people call it; the audit log says who did something by this.
    #[arg(long, value_name = "NAME")]
    name: String,
    #[command(flatten)]
    server: ServerFlags,
}

#[derive(Debug, Args)]
pub struct RevokeFlags {
    /// The token's id, tok_..., as list shows it.
    #[arg(value_name = "TOKEN_ID")]
    id: String,
    #[command(flatten)]
    server: ServerFlags,
}

#[derive(Debug, Args)]
pub struct AuditFlags {
    /// Only what was done with the token of that name.
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// As app.create, or app for everything that begins so.
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only what was done to this app.
    #[arg(long, value_name = "SDKAPPID")]
    app: Option<u32>,
    /// That moment or later, in milliseconds since 1970.
    #[arg(long, value_name = "MS")]
    since_ms: Option<i64>,
    /// That moment or before, in milliseconds since 1970.
    #[arg(long, value_name = "MS")]
    until_ms: Option<i64>,
    #[command(flatten)]
    page: PageFlags,
    #[command(flatten)]
    server: ServerFlags,
}

/// `unsaid token ...`
pub async fn token(command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create(CreateFlags { role, name, server }) => {
            let role = match role {
                RoleFlag::Viewer => "viewer",
                RoleFlag::Operator => "operator",
            };
            let made = server.ask(Method::POST, "/tokens", json!({"name": name, "role": role})).await?;
            server.show(&made, table::token);
        }
        TokenCommand::List(server) => {
            let tokens = server.ask(Method::GET, "/tokens", Value::Null).await?;
            server.show(&tokens, table::tokens);
        }
        TokenCommand::Revoke(RevokeFlags { id, server }) => {
            let gone = server.ask(Method::DELETE, &format!("/tokens/{}", encoded(&id)), Value::Null).await?;
            server.show(&gone, table::revoked);
        }
    }
    Ok(())
}

/// `unsaid audit`
pub async fn audit(flags: AuditFlags) -> anyhow::Result<()> {
    let AuditFlags { actor, action, app, since_ms, until_ms, page, server } = flags;
    let mut fields = page.fields();
    fields.extend([
        ("actor", actor),
        ("action", action),
        ("app", app.map(|app| app.to_string())),
        ("since_ms", since_ms.map(|ms| ms.to_string())),
        ("until_ms", until_ms.map(|ms| ms.to_string())),
    ]);
    let log = server.ask(Method::GET, &format!("/audit?{}", query(&fields)), Value::Null).await?;
    server.show(&log, table::audit);
    Ok(())
}
