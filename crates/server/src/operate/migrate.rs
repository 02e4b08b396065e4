//! `unsaid migrate`: no server runs.

use std::path::Path;

use anyhow::Context as _;
use clap::Args;

use crate::{
    clock::World,
    store::postgres::{self, Far, Moved, PostgresAddress, Step},
    terminal::{self, Progress},
};

#[derive(Debug, Args)]
pub struct MigrateFlags {
    /// The data_dir of a stopped server: sqlite:FOLDER.
    #[arg(long, value_name = "SOURCE")]
    from: String,
    /// An empty database: postgres://user:password@host:5432/database.
    #[arg(long, value_name = "URL", hide_env_values = true, env = "UNSAID_STORE")]
    to: String,
}

/// `unsaid migrate`
pub fn migrate(MigrateFlags { from, to }: &MigrateFlags) -> anyhow::Result<()> {
    let folder =
        from.strip_prefix("sqlite:").context("--from must be sqlite:FOLDER, the data_dir of a stopped server")?;
    let target: PostgresAddress = to.parse().context("--to")?;
    let world = World::system()?;
    let begun = world.clock.instant();
    let a_second = |rows: u64| rows * 1000 / u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    let progress = Progress::begin();
    let moved = postgres::migrate(Path::new(folder), &target, &world, |Far { step, table, rows, rows_max }| {
        let done = match step {
            Step::Copied => "copied",
            Step::ReadBack => "read back and compared",
        };
        let percent = (rows * 100).checked_div(rows_max).unwrap_or(100).min(100);
        let speed = a_second(if step == Step::ReadBack { rows + rows_max } else { rows });
        progress.say(&format!("{percent} % {done}: {table}, {rows} of {rows_max} rows, {speed} a second"));
    });
    drop(progress);
    let Moved { rows, unread } = moved?;
    terminal::show(&format!(
        "{target} has the store of {folder} now: {rows} rows, at {} rows a second. All of them were read back and are the same; \
         unread messages: {unread}.\n\n\
         Next: set store to that address, and start the server. On {folder} alone none starts any more.\n",
        a_second(rows)
    ));
    Ok(())
}
