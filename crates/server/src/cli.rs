//! The command line.

use std::{net::SocketAddr, process::ExitCode};

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::{Shell, generate};

use crate::{
    config::DEFAULT_TOML,
    demo::{self, Then},
    examine::{self, CheckFlags, DoctorFlags},
    listen::{self, ListenFlags},
    operate::{
        self, AccountCommand, AppCommand, AuditFlags, BackupCommand, CallbackCommand, DeliveriesFlags, Failure,
        MigrateFlags, ParkedFlags, ReadyFlags, ReplayFlags, RestoreFlags, ServerFlags, StoryFlags, TokenCommand,
        UserSigFlags,
    },
    serve::{self, ServeFlags},
    terminal,
};

/// A self-hosted server for one-to-one messaging that tells the app backend of every recall.
#[derive(Debug, Parser)]
#[command(name = "unsaid", version, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 refused, or failed; 2 a wrong command line; 3 the server was not reached; 4 the token \
                          is missing, wrong, or may not do this";

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell the main job as a story: send, recall, and the callback as it arrives. Then stay up for trying by hand.
    Demo(DemoFlags),
    /// Run the server until SIGTERM or SIGINT.
    Serve(ServeFlags),
    /// Check a configuration without starting: everything that is wrong, and what would be served where.
    Check(CheckFlags),
    /// Examine a deployment: clock, disk, open files, certificates, store, and the endpoint of every app, which gets a sample.
    Doctor(Box<DoctorFlags>),
    /// Receive callbacks while you develop: show each with its checks, and answer it well or badly.
    Listen(Box<ListenFlags>),
    /// Print the default configuration, with what each key means.
    Config,
    /// Print what completes this command line in a shell: unsaid completions bash > ~/.local/share/bash-completion/completions/unsaid.
    Completions(CompletionsFlags),
    /// The apps of a running server: list, show, create, rename, set, enable, disable, delete, key, usersig.
    #[command(subcommand)]
    App(AppCommand),
    /// Accounts and with whom they talk, for support: show, conversations, messages.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Make a UserSig, which speaks as an account: by a running server, which notes it, or here with the app's key.
    Usersig(UserSigFlags),
    /// Tokens of the operator API: create, list, revoke.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Read the audit log: who changed what, the latest first.
    Audit(AuditFlags),
    /// Ask a running server about an app's callbacks: status, test, back, lanes.
    #[command(subcommand)]
    Callback(CallbackCommand),
    /// Show attempts at callbacks, the latest first.
    Deliveries(DeliveriesFlags),
    /// Tell the whole story of an event: what it was, and every attempt at it.
    Story(StoryFlags),
    /// Show callbacks that are no longer tried, with the reason; or throw one away.
    Parked(ParkedFlags),
    /// Send callbacks again: parked ones, or delivered ones from a time on.
    Replay(ReplayFlags),
    /// Backups of a running server: create, list, delete.
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Put a backup into a folder in which there is no store, for a server that is started on it then.
    Restore(RestoreFlags),
    /// Tell a store on PostgreSQL that its database was restored from a backup, before servers are started on it.
    Restored(ServeFlags),
    /// Move the store of a stopped server into an empty database of PostgreSQL.
    Migrate(MigrateFlags),
    /// Let a running server read its configuration again, as SIGHUP does; what needs a start is named.
    Reload(ServerFlags),
    /// Whether a running server can serve, for a supervisor; needs no token.
    Ready(ReadyFlags),
}

#[derive(Debug, Args)]
struct CompletionsFlags {
    /// For which shell.
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Args)]
struct DemoFlags {
    /// End with the story. The exit code is 0 only if everything that was owed arrived and was right.
    #[arg(long)]
    once: bool,
    /// Where the server of the demo listens; port 0 is a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A database of PostgreSQL without a store, instead of a fresh folder; what the demo makes stays there.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Servers that share the store: jared is at the first, Jonh and the app backend are at the last. More than one needs
    /// --store.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=6))]
    servers: u8,
    /// A NATS over which they tell each other what has changed. Without it, they look into the store.
    #[arg(long, value_name = "URL", requires = "store")]
    bus: Option<String>,
}

impl Cli {
    /// Carries the command out.
    pub async fn run(self) -> ExitCode {
        let done = match self.command {
            Command::Demo(DemoFlags { once, listen, store, servers, bus }) => {
                let ground = demo::Ground { listen, store, servers, bus };
                demo::run(ground, if once { Then::End } else { Then::StayUp }).await
            }
            Command::Serve(flags) => serve::run(&flags.sources()).await,
            Command::Check(flags) => examine::check(flags),
            Command::Doctor(flags) => examine::doctor(*flags).await,
            Command::Listen(flags) => listen::run(*flags).await,
            Command::App(command) => operate::app(command).await,
            Command::Account(command) => operate::account(command).await,
            Command::Usersig(flags) => operate::usersig(flags).await,
            Command::Token(command) => operate::token(command).await,
            Command::Audit(flags) => operate::audit(flags).await,
            Command::Callback(command) => operate::callback(command).await,
            Command::Deliveries(flags) => operate::deliveries(flags).await,
            Command::Story(flags) => operate::story(flags).await,
            Command::Parked(flags) => operate::parked(flags).await,
            Command::Replay(flags) => operate::replay(flags).await,
            Command::Completions(CompletionsFlags { shell }) => {
                // Written at once, so that a reader that goes is no panic of the generator.
                let mut script = Vec::new();
                generate(shell, &mut Self::command(), "unsaid", &mut script);
                terminal::show(&String::from_utf8_lossy(&script));
                Ok(())
            }
            Command::Backup(command) => operate::backup(command).await,
            Command::Restore(flags) => operate::restore(&flags),
            Command::Restored(flags) => operate::restored(&flags.sources()),
            Command::Migrate(flags) => operate::migrate(&flags),
            Command::Reload(server) => operate::reload(server).await,
            Command::Ready(flags) => operate::ready(flags).await,
            Command::Config => {
                terminal::show(DEFAULT_TOML);
                Ok(())
            }
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("unsaid: {error:#}");
                error.downcast_ref().map_or(ExitCode::FAILURE, |failure: &Failure| failure.exit_code().into())
            }
        }
    }
}
