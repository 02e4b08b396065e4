//! The `unsaid` program.

use std::process::ExitCode;

use clap::Parser;
use unsaid::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().run().await
}
