//! The `unsaid` program.

use std::process::ExitCode;

use clap::Parser;
use unsaid::cli::Cli;

/// Ten thousand sessions come and stay, each after a handshake whose buffers go: the system's allocator keeps the holes that they
/// leave (244 MB instead of 85, docs/operations.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().run().await
}
