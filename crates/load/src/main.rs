//! The load tool: starts a server of its own, puts it under load, and tells what came of it.
//!
//! The way of the data: `setup` builds the ground (folder, receiver, server), `prepare` imports accounts and sends
//! messages, or `stock` fills the store before the server starts; in `measure`, `caller`s ask for one message after the other
//! as `schedule` says, `callback` reads what the receiver is sent, `table` matches both, `effort` knows what the server has used,
//! and `figures` says what that means. `bare` measures what this machine can do at most. The server runs as a process of its
//! own, which is this program again, so that its memory and processor time are told apart from the tool's.

mod backlog;
mod cluster;
mod crash;
mod fanout;
mod growth;
mod idle;
mod recall;
mod send;
mod soak;

mod flags;

mod setup;

mod server;

mod single;

mod prepare;

mod stock;

mod account;

mod measure;

mod schedule;

mod caller;
mod callers;

mod connection;

mod device;

mod watchers;

mod callback;

mod ledger;

mod table;

mod effort;

mod figures;

mod bare;

mod piece;

mod cpu;

mod progress;

mod clock;

use std::{fmt::Display, future::Future, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Parser, Subcommand};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    backlog::BacklogReport,
    bare::posts::{self, PostFlags},
    fanout::FanoutReport,
    flags::{
        BacklogFlags, ClusterFlags, CrashFlags, Failpoints, FanoutFlags, Flags, GrowthFlags, IdleFlags, SendFlags,
        SoakFlags,
    },
    growth::GrowthReport,
    idle::IdleReport,
    piece::PieceFlags,
    recall::Report,
    send::SendReport,
};

/// The server that is measured is this program, and has the allocator of `unsaid`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Puts a server under load.
///
/// It needs nothing else: the server, the receiver of its callbacks and their certificates are its own.
#[derive(Debug, Parser)]
#[command(name = "load", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Recall messages, and wait for the callback of each.
    ///
    /// Without --rate the loop is closed: each connection sends its next recall when the last one is answered, so the load is as
    /// high as the server lets it be, and a slow server is asked less. With it the loop is open: recalls come when they are
    /// due. Over HTTPS, a receiver in this process takes the callbacks. Afterwards it is measured what this machine can do
    /// at most: bare POSTs to the same receiver, and bare durable commits. The exit code is 1 if a recall failed, a callback
    /// was lost, unknown or out of order, or a signature was wrong.
    Recall(Flags),
    /// Send messages, with the callback after each or without.
    ///
    /// The exit code is 1 if one was refused, or with --callback if the app backend was not told of one as it should be.
    Send(SendFlags),
    /// Log in many sessions that do nothing, and look at the memory of the server.
    ///
    /// The exit code is 1 if a session could not log in, or was closed.
    Idle(IdleFlags),
    /// Send messages to accounts whose devices are connected, and recall them: how soon each device hears of it.
    ///
    /// The exit code is 1 if a request failed, or a device did not hear of something.
    Fanout(FanoutFlags),
    /// Recall messages while the receiver is down, and see what waits being delivered when it is back.
    ///
    /// With --restart the server is killed while they wait. The exit code is 1 if a recall failed, or a callback was lost,
    /// unknown or out of order, or the server has forgotten one.
    Backlog(BacklogFlags),
    /// Recall messages among ten thousand others, a million, ten million: whether a recall costs more.
    ///
    /// The exit code is 1 if a recall failed, or a callback was lost, unknown or out of order.
    Growth(GrowthFlags),
    /// Put several servers on one PostgreSQL under load, and break one thing after the other.
    ///
    /// It needs PostgreSQL 15 or later and nats-server. The exit code is 1 if an acknowledged recall has no callback, or one
    /// came that nobody asked for, twice as two events, or out of order, or if a session missed a recall, or a total is wrong.
    Cluster(ClusterFlags),
    /// Let a server die under load, again and again, and look at what it stored and told.
    ///
    /// It is killed at a random moment, while it starts, or right before or after one of its commits; on PostgreSQL, that crashes
    /// with it now and then. The exit code is 1 if an acknowledged send or recall is lost, a recall has no callback or two
    /// events, an event has no recall, one came out of order, or a total is not what the messages say.
    Crash(CrashFlags),
    /// Put one server under mixed load for an hour, while what is around it breaks again and again, and watch its memory.
    ///
    /// The exit code is 1 if something was lost, unknown, doubled or out of order, a call failed, a device missed a recall, a total
    /// is wrong, or the server's memory grew from the middle of the run to its end.
    Soak(SoakFlags),
    /// Run a hot piece of the server by itself, for `cargo xtask count`; without a name, list them.
    #[command(hide = true)]
    Piece(PieceFlags),
    /// Send bare POSTs to the receiver, and print how many a second.
    #[command(hide = true)]
    Post(PostFlags),
    /// Run the server that is measured.
    #[command(hide = true)]
    Serve {
        #[arg(long)]
        config: PathBuf,
        #[arg(long)]
        set: Vec<String>,
        #[command(flatten)]
        failpoints: Failpoints,
    },
}

/// The tool shares the machine with the server, and has to stay out of its way.
const WORKER_THREADS: usize = 2;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Recall(flags) => scenario(recall::run(&flags), flags.json, Report::is_good),
        Command::Send(flags) => scenario(send::run(&flags), flags.json, SendReport::is_good),
        Command::Fanout(flags) => scenario(fanout::run(&flags), flags.json, FanoutReport::is_good),
        Command::Backlog(flags) => scenario(backlog::run(&flags), flags.json, BacklogReport::is_good),
        Command::Growth(flags) => scenario(growth::run(&flags), flags.json, GrowthReport::is_good),
        Command::Idle(flags) => scenario(idle::run(&flags), flags.json, IdleReport::is_good),
        Command::Cluster(flags) => scenario(cluster::run(&flags), flags.json, cluster::Report::is_good),
        Command::Crash(flags) => scenario(crash::run(&flags), flags.json, crash::Report::is_good),
        Command::Soak(flags) => scenario(soak::run(&flags), flags.json, soak::Report::is_good),
        Command::Piece(flags) => piece::run(&flags).map(|()| ExitCode::SUCCESS),
        Command::Post(flags) => posts::post(&flags).map(|()| ExitCode::SUCCESS),
        Command::Serve { config, set, failpoints } => {
            server::serve(config, set, failpoints).map(|()| ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("load: {error:#}");
        ExitCode::FAILURE
    })
}

/// Runs a scenario to its report, unless somebody ends it before.
fn scenario<R: Serialize + Display>(
    run: impl Future<Output = anyhow::Result<R>>,
    as_json: bool,
    is_good: impl Fn(&R) -> bool,
) -> anyhow::Result<ExitCode> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(WORKER_THREADS).enable_all().build().context("no runtime")?;
    let report = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        // Dropping a run ends its server and removes its folder.
        tokio::select! {
            report = run => report,
            _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted; there is no result")),
            _ = terminate.recv() => Err(anyhow::anyhow!("told to end; there is no result")),
        }
    })?;
    if as_json {
        println!("{}", serde_json::to_string(&report).context("the report is no JSON")?);
    } else {
        print!("{report}");
    }
    Ok(if is_good(&report) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
