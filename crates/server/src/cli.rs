//! The command line.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    config::{DEFAULT_TOML, Sources},
    serve,
};

/// A self-hosted server for one-to-one messaging that tells the app backend of every recall.
#[derive(Debug, Parser)]
#[command(name = "unsaid", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until SIGTERM or SIGINT.
    Serve(ServeFlags),
    /// Print the default configuration, with what each key means.
    Config,
}

/// Where the configuration comes from.
#[derive(Debug, Args)]
pub struct ServeFlags {
    /// A configuration file, laid over the default one.
    #[arg(long, value_name = "FILE", env = "UNSAID_CONFIG")]
    config: Option<PathBuf>,
    /// Where to listen; the same as --set listen=ADDRESS.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where everything is stored; the same as --set data_dir=FOLDER.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// A setting, laid over file and environment; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ServeFlags {
    /// The layers of the configuration that these flags and the environment name.
    pub fn sources(self) -> Sources {
        let mut set = self.set;
        set.extend(self.listen.map(|listen| format!("listen={listen}")));
        set.extend(self.data_dir.map(|folder| format!("data_dir={folder}")));
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("UNSAID_"))
            .collect();
        Sources { file: self.config, environment, set }
    }
}

impl Cli {
    /// Carries the command out.
    pub async fn run(self) -> ExitCode {
        let done = match self.command {
            Command::Serve(flags) => serve::run(&flags.sources()).await,
            Command::Config => {
                print!("{DEFAULT_TOML}");
                Ok(())
            }
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("unsaid: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}
