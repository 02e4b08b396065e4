//! Three servers on one PostgreSQL, under load, while one thing after the other breaks: `load cluster`, which says what came of it.
//!
//! They start as the oldest version that this one runs beside, if the history that it is built from is here.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    nats, postgres,
    system::{Outcome, cargo_command, passed_if, stream, target_directory},
};

const LOAD: [&str; 7] = ["run", "--release", "--locked", "-p", "load", "--", "cluster"];

/// The first that several servers could share a database with. A change of the schema that it cannot run with moves it on
/// (`oldest_reader`), and CHANGELOG.md says so.
const OLDER: &str = "f92b4c423fe41a1eef5aa71413767c3637b88013";

pub(crate) fn run(root: &Path) -> Result<Outcome> {
    if postgres::programs()?.is_none() {
        return Ok(Outcome::Skipped(postgres::NO_POSTGRES.to_owned()));
    }
    if !nats::is_there()? {
        return Ok(Outcome::Skipped(nats::NO_NATS.to_owned()));
    }
    let older = older(root)?;
    let mut command = cargo_command(root, &LOAD);
    if let Some(older) = &older {
        command.arg("--older").arg(older);
    }
    println!("$ cargo {}", LOAD.join(" "));
    let status = stream(&mut command)?;
    Ok(passed_if(status.success(), "something was lost, doubled, out of order, late or wrong; see what it says above"))
}

/// The older server, built in this target folder, so that what both need of others is built once.
fn older(root: &Path) -> Result<Option<PathBuf>> {
    let is_there = Command::new("git").args(["cat-file", "-e", OLDER]).current_dir(root).stderr(Stdio::null()).status();
    if !is_there.is_ok_and(|status| status.success()) {
        println!("The history does not reach back to {OLDER}, so all servers are of this version.");
        return Ok(None);
    }
    let program = target_directory(root)?.join("older-unsaid");
    let stamp = program.with_extension("commit");
    if program.exists() && fs::read_to_string(&stamp).is_ok_and(|commit| commit == OLDER) {
        return Ok(Some(program));
    }
    let source = env::temp_dir().join(format!("unsaid-older-{}", process::id()));
    let built = build(root, &source, &program);
    // It may not even have begun.
    let _ = fs::remove_dir_all(&source);
    built?;
    fs::write(&stamp, OLDER).context("what the older server was built from cannot be noted")?;
    Ok(Some(program))
}

fn build(root: &Path, source: &Path, program: &Path) -> Result<()> {
    let git = |folder: &Path, arguments: &[&str]| -> Result<()> {
        let status = stream(Command::new("git").current_dir(folder).args(arguments))?;
        ensure!(status.success(), "git {}: {status}", arguments.join(" "));
        Ok(())
    };
    let folder = source.to_str().context("the temporary folder has a name that is no text")?;
    git(root, &["clone", "--quiet", "--shared", "--no-checkout", ".", folder])?;
    git(source, &["checkout", "--quiet", "--detach", OLDER])?;
    let target = target_directory(root)?;
    println!("$ git checkout {OLDER} && cargo build --locked --package unsaid");
    let mut build = cargo_command(source, &["build", "--locked", "--package", "unsaid"]);
    let status = stream(build.env("CARGO_TARGET_DIR", &target))?;
    ensure!(status.success(), "the older server cannot be built: {status}");
    // The next build of this version puts its own in that place.
    fs::copy(target.join("debug/unsaid"), program).context("the older server cannot be kept")?;
    Ok(())
}
