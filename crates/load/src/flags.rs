//! What the scenarios are told.

use std::path::PathBuf;

use clap::Args;

/// What every scenario stands on.
#[derive(Clone, Debug, Args)]
pub(crate) struct Ground {
    /// An empty folder for the server's store, which is kept. Without it, a temporary folder beside this program is
    /// used, since the system's one may be in memory, where nothing is ever waited for.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A setting of the server that is measured; may be repeated: stories.keep_days=0.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// `load recall`: how many, how, and where.
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
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// Which pairs of accounts exchange messages; the same seed chooses the same pairs.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
}

/// `load idle`: how many sessions, and for how long.
#[derive(Clone, Debug, Args)]
pub(crate) struct IdleFlags {
    /// Sessions, each of an account of its own.
    #[arg(long, default_value_t = 10_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) sessions: u32,
    /// How long they stay before the server's memory is looked at, in seconds. After 30 s the server asks each of them
    /// whether it is still there.
    #[arg(long, default_value_t = 40, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub(crate) hold_s: u64,
    /// Print one line of JSON on standard output, instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) ground: Ground,
}
