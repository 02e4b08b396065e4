//! What the scenarios are told.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

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

/// How requests come.
#[derive(Clone, Debug, Args)]
pub(crate) struct Pace {
    /// Requests that come in a second, whatever the server does (an open loop). A request that could not be sent when it was
    /// due counts from then. Without a rate, each connection asks again when it has its answer (a closed loop).
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: Option<u32>,
    /// With --rate: whether requests are due by chance, as people are, or after the same pause each.
    #[arg(long, value_enum, default_value_t = Arrivals::Random, value_name = "HOW")]
    pub(crate) arrivals: Arrivals,
}

/// When the requests of an open loop are due.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arrivals {
    /// As many on average, each independent of the others (a Poisson process).
    Random,
    Even,
}

/// Who recalls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// The app backend, through the REST API.
    Rest,
    /// The senders, each over a session of its own.
    Sessions,
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
    /// Connections that recall at the same time; by sessions, how many of them. A session may ask 50 times a second.
    #[arg(long, default_value_t = 64, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) connections: u32,
    /// Who recalls.
    #[arg(long, value_enum, default_value_t = By::Rest, value_name = "WHO")]
    pub(crate) by: By,
    #[command(flatten)]
    pub(crate) pace: Pace,
    /// Without measuring what this machine can do at most: bare POSTs and bare commits.
    #[arg(long)]
    pub(crate) no_limits: bool,
    /// Print one line of JSON on standard output, instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// Which pairs of accounts exchange messages, and when requests are due; the same seed chooses the same.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
}

/// `load send`: how many, how, and where.
#[derive(Clone, Debug, Args)]
pub(crate) struct SendFlags {
    /// Accounts that are imported; messages go between random pairs of them.
    #[arg(long, default_value_t = 10_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    pub(crate) accounts: u32,
    /// Messages that are sent.
    #[arg(long, default_value_t = 100_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) messages: u32,
    /// Connections that send at the same time.
    #[arg(long, default_value_t = 64, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) connections: u32,
    /// With the switch of `C2C.CallbackAfterSendMsg` on: the app backend is told of each message.
    #[arg(long)]
    pub(crate) callback: bool,
    #[command(flatten)]
    pub(crate) pace: Pace,
    /// Without measuring what this machine can do at most: bare POSTs and bare commits.
    #[arg(long)]
    pub(crate) no_limits: bool,
    /// Print one line of JSON on standard output, instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// Which pairs of accounts exchange messages, and when requests are due; the same seed chooses the same.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
}

/// `load backlog`: how much waits, and what happens then.
#[derive(Clone, Debug, Args)]
pub(crate) struct BacklogFlags {
    /// Accounts between which the messages went.
    #[arg(long, default_value_t = 20_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    pub(crate) accounts: u32,
    /// Messages that are recalled while the receiver is down, and so callbacks that wait.
    #[arg(long, default_value_t = 100_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) events: u32,
    /// Connections that recall at the same time.
    #[arg(long, default_value_t = 128, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) connections: u32,
    /// While they wait, the server is killed (SIGKILL), and started again when the receiver is back.
    #[arg(long)]
    pub(crate) restart: bool,
    /// Print one line of JSON on standard output, instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// Which pairs of accounts exchange messages; the same seed chooses the same pairs.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
}

/// `load growth`: how many messages lie in the store while others are recalled.
#[derive(Clone, Debug, Args)]
pub(crate) struct GrowthFlags {
    /// Messages that are stored and stay, for each run; what is recalled lies evenly among them.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 1_000_000, 10_000_000], value_name = "COUNTS", value_parser = clap::value_parser!(u32).range(0..=1_000_000_000))]
    pub(crate) sizes: Vec<u32>,
    /// Accounts between which the messages went.
    #[arg(long, default_value_t = 10_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    pub(crate) accounts: u32,
    /// Messages that are recalled in each run.
    #[arg(long, default_value_t = 100_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) recalls: u32,
    /// In how many rounds, in each of which all take turns.
    #[arg(long, default_value_t = 5, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Connections that recall at the same time.
    #[arg(long, default_value_t = 64, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) connections: u32,
    #[command(flatten)]
    pub(crate) pace: Pace,
    /// Print one line of JSON on standard output, instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// Which pairs of accounts exchange messages, and when requests are due; the same seed chooses the same.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
}

/// `load fanout`: whose devices hear of how much.
#[derive(Clone, Debug, Args)]
pub(crate) struct FanoutFlags {
    /// Accounts that are sent messages, and see them recalled.
    #[arg(long, default_value_t = 500, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) accounts: u32,
    /// Devices of each that are logged in.
    #[arg(long, default_value_t = 3, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=6))]
    pub(crate) devices: u32,
    /// Messages that are sent, and then recalled.
    #[arg(long, default_value_t = 20_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) messages: u32,
    /// Connections that send and recall at the same time.
    #[arg(long, default_value_t = 64, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) connections: u32,
    #[command(flatten)]
    pub(crate) pace: Pace,
    /// Print one line of JSON on standard output, instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) ground: Ground,
    /// When requests are due; the same seed chooses the same.
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

/// `load cluster`: how many servers, under what load, and what breaks.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClusterFlags {
    /// Servers on one PostgreSQL.
    #[arg(long, default_value_t = 3, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=6))]
    pub(crate) servers: u32,
    /// Without NATS: servers hear of each other's commits by asking PostgreSQL.
    #[arg(long)]
    pub(crate) no_bus: bool,
    /// Accounts between which messages go.
    #[arg(long, default_value_t = 200, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub(crate) accounts: u32,
    /// Accounts that have a session at each server.
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    pub(crate) watched: u32,
    /// Callers at the same time.
    #[arg(long, default_value_t = 32, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) callers: u32,
    /// Messages a second, three of four of which are recalled; 0: as many as the servers take.
    #[arg(long, default_value_t = 200, value_name = "COUNT")]
    pub(crate) rate: u32,
    /// For how long nothing breaks at first, in seconds.
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    pub(crate) calm_s: u64,
    /// Nothing breaks.
    #[arg(long)]
    pub(crate) no_faults: bool,
    /// An older `unsaid`: all servers start with it, and become this version one after the other.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) older: Option<PathBuf>,
    /// What breaks; all of it, if nothing is named. May be repeated.
    #[arg(long, value_name = "FAULT")]
    pub(crate) faults: Vec<Fault>,
    /// Print one line of JSON on standard output, instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// A setting of the servers; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Which accounts exchange messages, and which servers are hit.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
}

/// What breaks in `load cluster`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// With --older: each server is told to stop, and started again as this version; one goes back once.
    Upgrade,
    /// A server is killed (SIGKILL), and started again.
    Kill,
    /// A server stands still (SIGSTOP) for longer than its lease.
    Pause,
    /// A server is told to stop (SIGTERM), and started again.
    Stop,
    /// PostgreSQL crashes, and starts again.
    PostgresCrash,
    /// PostgreSQL is restarted.
    PostgresRestart,
    /// NATS is killed, and started again.
    Nats,
}

/// `load crash`: how often, on what, and under what load.
#[derive(Clone, Debug, Args)]
pub(crate) struct CrashFlags {
    /// How often the server dies.
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rounds: u32,
    /// Where it stores: the file in its folder, or PostgreSQL 15 or later.
    #[arg(long, default_value = "sqlite")]
    pub(crate) store: StoreKind,
    /// Accounts between which messages go.
    #[arg(long, default_value_t = 20, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(crate) accounts: u32,
    /// Callers at the same time.
    #[arg(long, default_value_t = 16, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) callers: u32,
    /// Print one line of JSON on standard output, instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// A setting of the server; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Which accounts exchange messages, and how and when the server dies.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
}

/// `load soak`: for how long, under what load.
#[derive(Clone, Debug, Args)]
pub(crate) struct SoakFlags {
    /// For how long.
    #[arg(long, default_value_t = 60, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) minutes: u32,
    /// Where the server stores: the file in its folder, or PostgreSQL 15 or later.
    #[arg(long, default_value = "sqlite")]
    pub(crate) store: StoreKind,
    /// Accounts between which messages go.
    #[arg(long, default_value_t = 200, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub(crate) accounts: u32,
    /// Accounts that have a connected device, through which they recall.
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=500))]
    pub(crate) watched: u32,
    /// Callers at the same time.
    #[arg(long, default_value_t = 32, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) callers: u32,
    /// Messages a second, three of four of which are recalled.
    #[arg(long, default_value_t = 200, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: u32,
    /// Between two faults, in seconds.
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    pub(crate) calm_s: u64,
    /// Nothing breaks.
    #[arg(long)]
    pub(crate) no_faults: bool,
    /// Print one line of JSON on standard output, instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// A setting of the server; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Which accounts exchange messages, and what breaks when.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
}

/// What a server stores in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoreKind {
    Sqlite,
    Postgres,
}

/// At which commit the hidden server dies.
#[derive(Clone, Copy, Default, Debug, Args)]
pub(crate) struct Failpoints {
    /// Right before its commit of that number.
    #[arg(long)]
    pub(crate) die_before_commit: Option<u32>,
    /// Right after it, before anybody is told.
    #[arg(long)]
    pub(crate) die_after_commit: Option<u32>,
}
