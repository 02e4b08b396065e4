//! `unsaid backup`, `unsaid restore`, `unsaid restored` and `unsaid reload`.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    time::Duration,
};

use anyhow::bail;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::{
    ServerFlags, encoded,
    show::{list, plain},
    table::table,
};
use crate::{
    clock::Entropy,
    config::{Config, Sources, StoreSettings},
    store::{postgres, sqlite},
    terminal,
};

#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Make a backup of everything that is stored, while the server goes on, and wait until it is done.
    Create(ServerFlags),
    /// Which backups there are, in data_dir/backups.
    List(ServerFlags),
    /// Delete a backup.
    Delete(DeleteFlags),
}

#[derive(Debug, Args)]
pub struct DeleteFlags {
    /// As list shows it.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    server: ServerFlags,
}

#[derive(Debug, Args)]
pub struct RestoreFlags {
    /// The backup.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Where the server is to find it: a folder in which there is no store. It is made if it is missing.
    #[arg(long, value_name = "FOLDER")]
    data_dir: PathBuf,
}

/// Between two looks at how far a backup is.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// `unsaid backup ...`
pub async fn backup(command: BackupCommand) -> anyhow::Result<()> {
    match command {
        BackupCommand::Create(server) => {
            let begun = server.ask(Method::POST, "/backups", json!({})).await?;
            let made = wait(&server, begun).await?;
            server.show(&made, made_backup);
        }
        BackupCommand::List(server) => {
            let backups = server.ask(Method::GET, "/backups", Value::Null).await?;
            server.show(&backups, backups_table);
        }
        BackupCommand::Delete(DeleteFlags { name, server }) => {
            let gone = server.ask(Method::DELETE, &format!("/backups/{}", encoded(&name)), Value::Null).await?;
            server.show(&gone, |gone| format!("{} is deleted\n", plain(&gone["name"])));
        }
    }
    Ok(())
}

/// `unsaid reload`
pub async fn reload(server: ServerFlags) -> anyhow::Result<()> {
    let reloaded = server.ask(Method::POST, "/reload", json!({})).await?;
    server.show(&reloaded, |reloaded| {
        let lines = |field: &str, says: &str| -> String {
            list(&reloaded[field]).iter().map(|name| format!("{says}  {}\n", plain(name))).collect()
        };
        let shown = lines("applied", "holds now           ") + &lines("restart", "after the next start");
        if shown.is_empty() { "nothing was changed\n".to_owned() } else { shown }
    });
    Ok(())
}

/// `unsaid restore`: with no server, for there is none yet.
pub fn restore(RestoreFlags { from, data_dir }: &RestoreFlags) -> anyhow::Result<()> {
    let bytes = sqlite::restore(from, data_dir, &Entropy::system()?)?;
    let folder = data_dir.display();
    terminal::show(&format!(
        "{} is restored into {folder}: {} MB, whole.\n\n\
         Next:\n\
         1. If the server runs as another user, give it the folder: chown -R USER {folder}\n\
         2. Start it: unsaid serve --data-dir {folder}, with its configuration\n\
         3. Clients begin anew by themselves. Callbacks that were owed are sent again; a receiver knows them by webhook-id.\n\
         4. Messages that were sent since the backup are gone, and what was recalled or deleted since is back: recall and\n\
         \x20  delete it again (docs/operations.md, \"Restore\")\n",
        from.display(),
        megabytes(bytes),
    ));
    Ok(())
}

/// `unsaid restored`: with no server, for numbers that were given since the backup are given once more.
pub fn restored(sources: &Sources) -> anyhow::Result<()> {
    let address = match Config::load(sources)?.store {
        StoreSettings::Postgres(address) => address,
        StoreSettings::Embedded => bail!(
            "store names no database of PostgreSQL: a backup of the embedded store is put into a folder by unsaid restore, which \
             does this itself"
        ),
    };
    let epoch = postgres::renew_epoch(&address, &Entropy::system()?)?;
    terminal::show(&format!(
        "The store in {address} begins another life, {epoch}.\n\n\
         Next:\n\
         1. Start its servers.\n\
         2. Clients begin anew by themselves. Callbacks that were owed are sent again; a receiver knows them by webhook-id.\n\
         3. Messages that were sent since the backup are gone, and what was recalled or deleted since is back: recall and\n\
         \x20  delete it again (docs/operations.md, \"Restore\")\n"
    ));
    Ok(())
}

/// Asks until it is done; shows how far it is to whoever sits there.
async fn wait(server: &ServerFlags, mut backup: Value) -> anyhow::Result<Value> {
    let path = format!("/backups/{}", encoded(&plain(&backup["name"])));
    let is_watched = std::io::stderr().is_terminal();
    while backup["state"] == "running" {
        if is_watched {
            let expected = backup["bytes_expected"].as_u64().unwrap_or(0).max(1);
            let percent = backup["bytes"].as_u64().unwrap_or(0).saturating_mul(100) / expected;
            eprint!("\r{percent:3} % of {} MB ", megabytes(expected));
            // A terminal that is gone is no reason to end.
            let _ = std::io::stderr().flush();
        }
        tokio::time::sleep(LOOK_PAUSE).await;
        backup = server.ask(Method::GET, &path, Value::Null).await?;
    }
    if is_watched {
        eprint!("\r{:30}\r", "");
    }
    if backup["state"] == "failed" {
        bail!("the backup was not made, and nothing of it is left: {}", plain(&backup["problem"]));
    }
    Ok(backup)
}

fn made_backup(backup: &Value) -> String {
    let took_s = backup["took_ms"].as_u64().unwrap_or(0) as f64 / 1e3;
    let megabytes = megabytes(backup["bytes"].as_u64().unwrap_or(0));
    format!(
        "{} is made: {megabytes} MB in {took_s:.1} s, in data_dir/backups; copy it to another machine\n",
        plain(&backup["name"])
    )
}

fn backups_table(answer: &Value) -> String {
    let row = |backup: &Value| {
        let size = megabytes(backup["bytes"].as_u64().unwrap_or(0));
        vec![plain(&backup["name"]), plain(&backup["state"]), size, plain(&backup["problem"])]
    };
    table(&["NAME", "STATE", "MB", "PROBLEM"], list(&answer["backups"]).iter().map(row).collect())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}
