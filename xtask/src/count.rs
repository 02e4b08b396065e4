//! Instructions of the hot pieces of the server (`crates/server/src/pieces.rs`), counted by Valgrind's cachegrind and held against
//! those that were written down: a machine that others use changes how long a piece takes, and not how many it has.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::system::{Outcome, answers, apt_get, cargo_command, is_root, passed_if, stream, target_directory};

/// What to do about what was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Counts {
    /// Compare it with what was written down.
    Compare,
    /// Write it down.
    Write,
}

/// So many times each. What a piece needs is made in a run that does nothing else, and its instructions are taken off.
const TIMES: u64 = 1000;

/// So much more than what was written down, in percent, is a change that somebody has to look at. Hash seeds and addresses change most
/// counts by less than one, and `delivery`, which is small, by four from the least to the most.
const MORE_MAX_PERCENT: f64 = 5.0;

const BUILD: [&str; 5] = ["build", "--release", "--locked", "--package", "load"];

const CACHEGRIND: [&str; 4] =
    ["--tool=cachegrind", "--cache-sim=no", "--branch-sim=no", "--cachegrind-out-file=/dev/null"];

const NO_VALGRIND: &str =
    "there is no Valgrind, which counts instructions: `apt-get install valgrind` (Debian, Ubuntu)";

pub(crate) fn run(root: &Path, counts: Counts) -> Result<Outcome> {
    let there = || answers("valgrind", &["--version"]);
    let may_install = is_root() && answers("apt-get", &["--version"]);
    let is_there = there() || may_install && apt_get(&["valgrind"])? && there();
    if !is_there {
        return Ok(Outcome::Skipped(NO_VALGRIND.to_owned()));
    }
    let built = stream(&mut cargo_command(root, &BUILD))?;
    ensure!(built.success(), "cargo build: {built}");
    let load = target_directory(root)?.join("release/load");
    let file = written(root);
    let known = read(&fs::read_to_string(&file).unwrap_or_default())?;
    let (mut lines, mut slower) = (String::new(), Vec::new());
    println!("{:>14}  {:>12}  {:>12}", "", "instructions", "written down");
    for (name, what) in pieces(&load)? {
        let count = count(&load, &name)?;
        lines += &format!("{name} {count}\n");
        let before = known.get(&name).copied();
        let change = before.map_or(0.0, |before| 100.0 * (count as f64 / before as f64 - 1.0));
        let shown = before.map_or_else(|| "-".to_owned(), |before| before.to_string());
        println!("{name:>14}  {count:>12}  {shown:>12}  {change:>+6.1} %   {what}");
        if before.is_none() || change > MORE_MAX_PERCENT {
            slower.push(name);
        }
    }
    if counts == Counts::Write {
        fs::write(&file, lines).with_context(|| format!("{} cannot be written", file.display()))?;
        println!("written down in {}", file.display());
        return Ok(Outcome::Passed);
    }
    let why_not = format!(
        "{} has more instructions than were written down: mend it, or accept it with `cargo xtask count --write`",
        slower.join(", ")
    );
    Ok(passed_if(slower.is_empty(), &why_not))
}

/// Where the counts are written down.
fn written(root: &Path) -> PathBuf {
    root.join("crates/server/pieces.txt")
}

/// A name and a count on each line.
fn read(text: &str) -> Result<BTreeMap<String, u64>> {
    let line = |line: &str| {
        let (name, count) = line.split_once(' ').with_context(|| format!("{line:?} is no name and count"))?;
        Ok((name.to_owned(), count.parse().with_context(|| format!("{line:?}"))?))
    };
    text.lines().map(line).collect()
}

fn pieces(load: &Path) -> Result<Vec<(String, String)>> {
    let output = Command::new(load).arg("piece").stdin(Stdio::null()).output().context("the load tool")?;
    let text = String::from_utf8(output.stdout)?;
    let piece = |line: &str| {
        let (name, what) = line.split_once('\t').with_context(|| format!("{line:?} is no piece"))?;
        Ok((name.to_owned(), what.to_owned()))
    };
    text.lines().map(piece).collect()
}

/// Instructions of one time.
fn count(load: &Path, piece: &str) -> Result<u64> {
    let (with, without) = (instructions(load, piece, &[])?, instructions(load, piece, &["--prepare-only"])?);
    with.checked_sub(without).map(|count| count / TIMES).context("less with the piece than without")
}

fn instructions(load: &Path, piece: &str, flags: &[&str]) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(CACHEGRIND).arg(load).args(["piece", piece, "--times", &TIMES.to_string()]).args(flags);
    let output = command.stdin(Stdio::null()).output().context("valgrind")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{piece}: {}\n{text}", output.status);
    refs(&text).with_context(|| format!("no count of instructions in:\n{text}"))
}

/// What cachegrind says: `==42== I   refs:      1,234`.
fn refs(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains(" refs:"))?;
    line.rsplit(' ').next()?.replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cachegrind_says_is_understood() {
        let text = "==42== Cachegrind\n==42== \n==42== I   refs:      1,234,567\n";
        assert_eq!(refs(text), Some(1_234_567));
        assert_eq!(refs("==42== killed"), None);
    }

    #[test]
    fn what_is_written_down_is_a_name_and_a_count() {
        let known = read("recall 90210\nsend 1\n").expect("it is right");
        assert_eq!(known.get("recall"), Some(&90_210));
        assert!(read("recall").is_err() && read("recall x").is_err());
    }
}
