//! `unsaid migrate`: with no server, for it is stopped.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::{
    clock::Entropy,
    store::postgres::{self, PostgresAddress},
    terminal::{self, Progress},
};

#[derive(Debug, Args)]
pub struct MigrateFlags {
    /// The data_dir of a stopped server: sqlite:FOLDER.
    #[arg(long, value_name = "SOURCE")]
    from: String,
    /// An empty database: postgres://user:password@host:5432/database.
    #[arg(long, value_name = "ADDRESS", hide_env_values = true, env = "UNSAID_STORE")]
    to: String,
}

/// `unsaid migrate`
pub fn migrate(MigrateFlags { from, to }: &MigrateFlags) -> anyhow::Result<()> {
    let folder =
        from.strip_prefix("sqlite:").context("--from has to be sqlite:FOLDER, the data_dir of a stopped server")?;
    let target: PostgresAddress = to.parse().context("--to")?;
    let progress = Progress::begin();
    let rows = postgres::migrate(&PathBuf::from(folder), &target, &Entropy::system()?, |table, rows| {
        progress.say(&format!("{table}: {rows} rows"));
    })?;
    drop(progress);
    terminal::show(&format!(
        "{rows} rows are in {target}, and were counted there.\n\n\
         Next: set store to that address, and start the server. A server refuses {folder} from now on.\n"
    ));
    Ok(())
}
