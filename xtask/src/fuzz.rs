//! Fuzzing with libFuzzer, whose targets stand in the server (`crates/server/src/fuzz`) and whose inputs in `fuzz/corpus`. The compiler
//! in use suffices: it needs no nightly, for what tells libFuzzer of new places in the code is a pass of LLVM. A C++ compiler is needed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::system::{Outcome, cargo_command, passed_if, stream, target_directory};

/// How long each target runs, unless it is said.
pub(crate) const SECONDS: u32 = 60;

/// Counts how often each edge of the code is passed, and hands over what is compared; `fuzzing` builds the targets.
const FLAGS: [&str; 7] = [
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// What an input may be and cost. The targets themselves allow much less time; this is for what never ends.
const BOUNDS: [&str; 3] = ["-max_len=65536", "-timeout=10", "-rss_limit_mb=2048"];

/// Runs a target, or each of them, and keeps what leads to new places; true if none found anything.
pub(crate) fn run(root: &Path, seconds: u32, target: Option<&str>) -> Result<Outcome> {
    let corpus = root.join("fuzz/corpus");
    let all = targets(&corpus)?;
    let chosen: Vec<&String> = all.iter().filter(|name| target.is_none_or(|target| target == *name)).collect();
    ensure!(!chosen.is_empty(), "there is no target {:?}; there are {}", target.unwrap_or_default(), all.join(", "));
    let program = build(root)?;
    let mut found = Vec::new();
    for name in chosen {
        println!("\n--- {name}, {seconds} s");
        if !fuzz(root, &program, name, seconds)? {
            found.push(name.as_str());
        }
    }
    let why = format!("something was found by {}; the inputs are in fuzz/artifacts", found.join(", "));
    Ok(passed_if(found.is_empty(), &why))
}

/// Each has a folder of inputs.
fn targets(corpus: &Path) -> Result<Vec<String>> {
    let folders = fs::read_dir(corpus).with_context(|| format!("cannot list {}", corpus.display()))?;
    let names = folders.map(|folder| Ok(folder?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<String>>>()?;
    names.sort();
    Ok(names)
}

fn build(root: &Path) -> Result<PathBuf> {
    // With a target named, build scripts and macros are built without the flags.
    let triple = host()?;
    let arguments = ["build", "--release", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--target", &triple];
    println!("$ RUSTFLAGS={:?} cargo {}", FLAGS.join(" "), arguments.join(" "));
    let folder = target_directory(root)?;
    let mut command = cargo_command(root, &arguments);
    command.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f")).env("CARGO_TARGET_DIR", &folder);
    let status = stream(&mut command)?;
    ensure!(status.success(), "cargo build: {status}; a C++ compiler is needed (Debian: g++)");
    Ok(folder.join(triple).join("release/unsaid-fuzz"))
}

fn host() -> Result<String> {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}

/// Whether nothing was found. New inputs gather in a folder of their own; those that are needed are kept.
fn fuzz(root: &Path, program: &Path, name: &str, seconds: u32) -> Result<bool> {
    let (kept, grown) = (root.join("fuzz/corpus").join(name), root.join("fuzz/grown").join(name));
    let artifacts = root.join("fuzz/artifacts").join(name);
    for folder in [&grown, &artifacts] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let command = || {
        let mut command = Command::new(program);
        command.env("UNSAID_FUZZ_TARGET", name).args(BOUNDS).stdin(Stdio::null());
        command.arg(format!("-artifact_prefix={}/", artifacts.display()));
        command
    };
    let for_seconds = format!("-max_total_time={seconds}");
    let status = stream(command().args([&for_seconds, "-print_final_stats=1"]).args([&grown, &kept]))?;
    if !status.success() {
        return Ok(false);
    }
    // Taken over are those that reach what no kept one reaches.
    Ok(stream(command().args(["-set_cover_merge=1", "-use_counters=0"]).args([&kept, &grown]))?.success())
}
