//! Programs of this machine: what is there, what can be installed, and how a step runs one.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, ensure};

/// What became of a step.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

pub(crate) fn passed_if(good: bool, why_not: &str) -> Outcome {
    if good { Outcome::Passed } else { Outcome::Failed(why_not.to_owned()) }
}

/// Whether what is missing may be installed without asking anyone.
pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").stdin(Stdio::null()).output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Installs packages of the system; whether that succeeded.
pub(crate) fn apt_get(packages: &[&str]) -> Result<bool> {
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    for arguments in [&["update"][..], &install] {
        let mut command = Command::new("apt-get");
        if !stream(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))?.success() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The cargo that runs this task, so that a toolchain that was chosen (`cargo +nightly`) holds for every step.
pub(crate) fn cargo_command(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root).stdin(Stdio::null());
    command
}

pub(crate) fn stream(command: &mut Command) -> Result<ExitStatus> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).status().with_context(|| format!("cannot start {program}"))
}

pub(crate) fn answers(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    output.is_ok_and(|output| output.status.success())
}

/// The server program, built if it is not.
pub(crate) fn server_program(root: &Path) -> Result<PathBuf> {
    let status = stream(&mut cargo_command(root, &["build", "--locked", "--package", "unsaid"]))?;
    ensure!(status.success(), "cargo build: {status}");
    Ok(target_directory(root)?.join("debug/unsaid"))
}

/// Where cargo builds.
pub(crate) fn target_directory(root: &Path) -> Result<PathBuf> {
    let metadata = cargo_command(root, &["metadata", "--format-version", "1", "--no-deps", "--locked"]).output();
    let metadata = metadata.context("cargo metadata cannot be started")?;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).context("cargo metadata is JSON")?;
    let target = metadata["target_directory"].as_str().context("cargo metadata names the target directory")?;
    Ok(target.into())
}
