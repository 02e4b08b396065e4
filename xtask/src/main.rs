//! The chores of this repository: `cargo xtask test` and `cargo xtask tidy`.
//!
//! It must stay small enough to build in seconds, and must never be needed to build or run the server.

mod api;
mod cluster;
mod count;
mod crash;
mod fuzz;
mod nats;
mod postgres;
mod sim;
mod system;
mod test;
mod tidy;
mod web;

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};

const USAGE: &str = "\
Usage: cargo xtask <command>

Commands:
  test [--full]  everything that has to pass before a change is merged; --full adds
                 more kills and seeds, the demo in release mode and a short load run
  cluster        three servers on one PostgreSQL under load, while servers, PostgreSQL and
                 NATS are killed, stopped and started again; --full has it, too
  count [--write]
                 instructions of the hot pieces of the server, against those in crates/server/pieces.txt;
                 --write puts them there; --full has it, too
  api            the operator API against its document, by Schemathesis; --full has it, too
  fuzz [--seconds N] [TARGET]
                 everything that reads foreign bytes, or one target, for 60 s each or N; what leads
                 to new places is kept in fuzz/corpus
  nats           the tests of the bus, on servers of NATS of their own; test has them, too
  sim [--seeds N | --seed N]
                 a whole server in a simulation, from many seeds or once more from one;
                 --full has some, too
  postgres       the tests of the store on PostgreSQL, on a server of their own; test has them, too
  tidy           style as a test: lengths, names, links, licences
  help           this text";

#[derive(PartialEq, Eq, Debug)]
enum Task {
    Test(test::Extent),
    Api,
    Cluster,
    Count(count::Counts),
    Fuzz { seconds: u32, target: Option<String> },
    Nats,
    Postgres,
    Sim(sim::Seeds),
    Tidy,
    Help,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some(task) = parse(&arguments) else {
        eprintln!("There is no `{}`.\n\n{USAGE}", arguments.join(" "));
        return ExitCode::from(2);
    };
    match run(&task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<Task> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test"] => Some(Task::Test(test::Extent::Usual)),
        ["test", "--full"] => Some(Task::Test(test::Extent::Full)),
        ["api"] => Some(Task::Api),
        ["cluster"] => Some(Task::Cluster),
        ["count"] => Some(Task::Count(count::Counts::Compare)),
        ["count", "--write"] => Some(Task::Count(count::Counts::Write)),
        ["nats"] => Some(Task::Nats),
        ["postgres"] => Some(Task::Postgres),
        ["sim"] => Some(Task::Sim(sim::Seeds::Many(sim::SEEDS))),
        ["sim", "--seeds", count] => count.parse().ok().map(|count| Task::Sim(sim::Seeds::Many(count))),
        ["sim", "--seed", seed] => seed.parse().ok().map(|seed| Task::Sim(sim::Seeds::One(seed))),
        ["tidy"] => Some(Task::Tidy),
        [] | ["help" | "--help" | "-h"] | [_, "--help" | "-h"] => Some(Task::Help),
        ["fuzz", rest @ ..] => parse_fuzz(rest),
        _ => None,
    }
}

fn parse_fuzz(arguments: &[&str]) -> Option<Task> {
    let (seconds, rest) = match arguments {
        ["--seconds", seconds, rest @ ..] => (seconds.parse().ok()?, rest),
        rest => (fuzz::SECONDS, rest),
    };
    match rest {
        [] => Some(Task::Fuzz { seconds, target: None }),
        [target] if !target.starts_with('-') => Some(Task::Fuzz { seconds, target: Some((*target).to_owned()) }),
        _ => None,
    }
}

/// Whether the task found everything in order.
fn run(task: &Task) -> Result<bool> {
    match task {
        Task::Test(extent) => test::run(&root()?, *extent),
        Task::Api => test::api(&root()?),
        Task::Cluster => test::cluster(&root()?),
        Task::Count(counts) => test::count(&root()?, *counts),
        Task::Fuzz { seconds, target } => test::fuzz(&root()?, *seconds, target.as_deref()),
        Task::Nats => test::nats(&root()?),
        Task::Postgres => test::postgres(&root()?),
        Task::Sim(seeds) => test::sim(&root()?, *seeds),
        Task::Tidy => tidy::run(&root()?),
        Task::Help => {
            println!("{USAGE}");
            Ok(true)
        }
    }
}

/// The root of the repository. Read at run time, so that a moved checkout needs no rebuild.
fn root() -> Result<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`, from within the repository")?;
    let root = PathBuf::from(package).parent().map(PathBuf::from);
    root.context("xtask is a folder of the repository, so it has a parent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_name_a_task_or_nothing() {
        let check = |line: &str, expect: Option<Task>| {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(parse(&arguments), expect, "{line:?}");
        };
        check("test", Some(Task::Test(test::Extent::Usual)));
        check("test --full", Some(Task::Test(test::Extent::Full)));
        check("test --help", Some(Task::Help));
        check("api", Some(Task::Api));
        check("cluster", Some(Task::Cluster));
        check("count", Some(Task::Count(count::Counts::Compare)));
        check("count --write", Some(Task::Count(count::Counts::Write)));
        let fuzz = |seconds, target: Option<&str>| Some(Task::Fuzz { seconds, target: target.map(str::to_owned) });
        check("fuzz", fuzz(60, None));
        check("fuzz rest", fuzz(60, Some("rest")));
        check("fuzz --seconds 600", fuzz(600, None));
        check("fuzz --seconds 600 rest", fuzz(600, Some("rest")));
        check("fuzz --seconds rest", None);
        check("fuzz --help", Some(Task::Help));
        check("fuzz --second 5", None);
        check("nats", Some(Task::Nats));
        check("sim", Some(Task::Sim(sim::Seeds::Many(sim::SEEDS))));
        check("sim --seeds 7", Some(Task::Sim(sim::Seeds::Many(7))));
        check("sim --seed 7", Some(Task::Sim(sim::Seeds::One(7))));
        check("sim --seed x", None);
        check("tidy", Some(Task::Tidy));
        check("", Some(Task::Help));
        check("test --ful", None);
        check("tidy up", None);
        check("deploy", None);
    }
}
