//! What `load recall` is told.

use std::path::PathBuf;

use clap::Args;

/// How many, how, and where.
#[derive(Clone, Debug, Args)]
pub(crate) struct Flags {
    /// Accounts that are imported; messages go between random pairs of them.
    #[arg(long, default_value_t = 10_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    pub(crate) accounts: u32,
    /// Messages that are sent before, and then recalled.
    #[arg(long, default_value_t = 100_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) recalls: u32,
    /// Connections that recall at the same time.
    #[arg(long, default_value_t = 64, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) connections: u32,
    /// The receiver is down while messages are recalled, and comes back when all are: what waits then drains.
    #[arg(long)]
    pub(crate) receiver_down: bool,
    /// Print one line of JSON on standard output, instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// An empty folder for the server's store, which is kept. Without it, a temporary folder beside this program is
    /// used, since the system's one may be in memory, where nothing is ever waited for.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A setting of the server that is measured; may be repeated: stories.keep_days=0.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Which pairs of accounts exchange messages; the same seed chooses the same pairs.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
}
