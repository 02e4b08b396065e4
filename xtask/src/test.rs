//! `cargo xtask test`: every check in one command, the same on a fresh machine, in CI and here.
//!
//! A step that fails does not hide the next one: what does not depend on it still runs, and the summary names
//! them all. Nothing here reads standard input, and only what is missing may be installed: a C
//! compiler, PostgreSQL, NATS, Chromium.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    api, cluster,
    count::{self, Counts},
    crash, fuzz, nats,
    postgres::{self, Part},
    sim::{self, Seeds},
    system::{Outcome, answers, apt_get, cargo_command, is_root, passed_if, stream},
    tidy, web,
};

/// How much is tested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Extent {
    Usual,
    Full,
}

#[derive(PartialEq, Eq, Debug)]
struct Report {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

/// One step. An error of its action is a failure of this step alone.
struct Step<'a> {
    name: &'static str,
    needs: Needs,
    action: Box<dyn FnOnce() -> Result<Outcome> + 'a>,
}

/// What must be there for a step to make sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Needs {
    Nothing,
    Compiler,
}

/// What a run without `--full` leaves out.
const LEFT_OUT: [&str; 9] = [
    "tests, long form: more kills and more seeds (UNSAID_TEST_FULL=1)",
    "postgres, all of it: the tests of the server and of the SDK on PostgreSQL, and on two servers that share it",
    "simulation: a whole server from some hundred seeds more; `cargo xtask sim` runs thousands",
    "operator API: requests of every kind made out of its document, by Schemathesis",
    "demo, release: the demo as users run it",
    "load, release: 20,000 recalls, of which none may be lost or unknown",
    "count: instructions of the hot pieces, against those that were written down",
    "crash: a server that dies at its commits and at random moments, 25 times on each store",
    "cluster: three servers on one PostgreSQL under load, while one thing after the other breaks",
];

const CLIPPY: [&str; 8] =
    ["clippy", "--workspace", "--all-targets", "--all-features", "--locked", "--", "-D", "warnings"];

const LOAD: [&str; 10] = ["run", "--release", "--locked", "-p", "load", "--", "recall", "--recalls", "20000", "--json"];

const NO_COMPILER: &str = "there is no C compiler, which the bundled SQLite and aws-lc need. Install one: \
    `apt-get install build-essential` (Debian, Ubuntu), `dnf install gcc` (Fedora), `apk add build-base` (Alpine), \
    `xcode-select --install` (macOS). If yours is not called `cc`, name it in the environment variable CC";

/// Runs all steps; true if none failed.
pub(crate) fn run(root: &Path, extent: Extent) -> Result<bool> {
    let mut reports = vec![perform(Step::new("prerequisites", Needs::Nothing, prerequisites))];
    let ready = reports[0].outcome == Outcome::Passed;
    for mut step in steps(root, extent) {
        if !ready && step.needs == Needs::Compiler {
            step.action = Box::new(|| Ok(Outcome::Skipped("it needs the C compiler that is missing".to_owned())));
        }
        reports.push(perform(step));
    }
    print!("\n{}", summary(&reports, extent));
    Ok(!reports.iter().any(|report| matches!(report.outcome, Outcome::Failed(_))))
}

/// The step of that name alone; true if it did not fail.
pub(crate) fn api(root: &Path) -> Result<bool> {
    let report = perform(Step::new("operator API", Needs::Compiler, || api::operator_api(root)));
    Ok(!matches!(report.outcome, Outcome::Failed(_)))
}

/// The step of that name alone; true if it did not fail.
pub(crate) fn cluster(root: &Path) -> Result<bool> {
    let report = perform(Step::new("cluster", Needs::Compiler, || cluster::run(root)));
    Ok(!matches!(report.outcome, Outcome::Failed(_)))
}

/// The step of that name alone; true if it did not fail.
pub(crate) fn count(root: &Path, counts: Counts) -> Result<bool> {
    let report = perform(Step::new("count", Needs::Compiler, || count::run(root, counts)));
    Ok(!matches!(report.outcome, Outcome::Failed(_)))
}

/// Each target for so long, or the one that is named; true if nothing was found.
pub(crate) fn fuzz(root: &Path, seconds: u32, target: Option<&str>) -> Result<bool> {
    let report = perform(Step::new("fuzz", Needs::Compiler, || fuzz::run(root, seconds, target)));
    Ok(!matches!(report.outcome, Outcome::Failed(_)))
}

/// The step of that name alone; true if it did not fail.
pub(crate) fn nats(root: &Path) -> Result<bool> {
    let report = perform(Step::new("nats", Needs::Compiler, || nats::suite(root)));
    Ok(!matches!(report.outcome, Outcome::Failed(_)))
}

/// The step of that name alone; true if it did not fail.
pub(crate) fn postgres(root: &Path) -> Result<bool> {
    let report = perform(Step::new("postgres", Needs::Compiler, || postgres::suite(root, Part::Everything)));
    Ok(!matches!(report.outcome, Outcome::Failed(_)))
}

/// The simulation alone; true if it did not fail.
pub(crate) fn sim(root: &Path, seeds: Seeds) -> Result<bool> {
    let report = perform(Step::new("simulation", Needs::Compiler, || sim::run(root, seeds)));
    Ok(!matches!(report.outcome, Outcome::Failed(_)))
}

/// What makes tests do more.
const fn full(extent: Extent) -> &'static [(&'static str, &'static str)] {
    match extent {
        Extent::Usual => &[],
        Extent::Full => &[("UNSAID_TEST_FULL", "1")],
    }
}

impl<'a> Step<'a> {
    fn new(name: &'static str, needs: Needs, action: impl FnOnce() -> Result<Outcome> + 'a) -> Self {
        Self { name, needs, action: Box::new(action) }
    }
}

fn steps(root: &Path, extent: Extent) -> Vec<Step<'_>> {
    use Needs::{Compiler, Nothing};

    let mut steps = vec![
        Step::new("fmt", Nothing, || {
            if_installed(root, "fmt", "rustfmt", || cargo(root, &["fmt", "--all", "--check"], &[]))
        }),
        Step::new("clippy", Compiler, || if_installed(root, "clippy", "clippy", || cargo(root, &CLIPPY, &[]))),
        // Before the tests, for it may install what they need.
        Step::new("nats", Compiler, || nats::suite(root)),
        Step::new("tests", Compiler, move || {
            cargo(root, &["test", "--workspace", "--all-features", "--locked", "--no-fail-fast"], full(extent))
        }),
        Step::new("postgres", Compiler, move || {
            let part = if extent == Extent::Full { Part::Everything } else { Part::Store };
            // More cases and more kills are run on the embedded store; here they would take ten minutes more.
            postgres::suite(root, part)
        }),
        Step::new("docs", Compiler, || {
            cargo(
                root,
                &["doc", "--workspace", "--all-features", "--no-deps", "--locked"],
                &[("RUSTDOCFLAGS", "-D warnings")],
            )
        }),
        Step::new("sdk", Compiler, || web::sdk(root)),
        Step::new("chat", Compiler, || web::chat(root)),
        Step::new("console", Compiler, || web::console(root)),
        Step::new("demo", Compiler, || cargo(root, &["run", "--locked", "--", "demo", "--once"], &[])),
        Step::new("tidy", Nothing, || Ok(passed_if(tidy::run(root)?, "see the findings above"))),
    ];
    if extent == Extent::Full {
        steps.push(Step::new("simulation", Compiler, || sim::run(root, Seeds::Many(sim::SEEDS_OF_FULL))));
        steps.push(Step::new("operator API", Compiler, || api::operator_api(root)));
        steps.push(Step::new("demo, release", Compiler, || {
            cargo(root, &["run", "--release", "--locked", "--", "demo", "--once"], &[])
        }));
        steps.push(Step::new("load, release", Compiler, || load(root)));
        steps.push(Step::new("count", Compiler, || count::run(root, Counts::Compare)));
        steps.push(Step::new("crash", Compiler, || crash::run(root)));
        steps.push(Step::new("cluster", Compiler, || cluster::run(root)));
    }
    steps
}

fn perform(step: Step<'_>) -> Report {
    println!("\n=== {}", step.name);
    let start = now();
    let outcome = (step.action)().unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
    if let Outcome::Failed(why) | Outcome::Skipped(why) = &outcome {
        println!("{}: {why}", step.name);
    }
    Report { name: step.name, outcome, took: start.elapsed() }
}

#[expect(clippy::disallowed_methods, reason = "the duration of a step is for people; nothing here is simulated")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// A C compiler, installed if that is possible without asking anyone.
fn prerequisites() -> Result<Outcome> {
    if compiler_answers() {
        return Ok(Outcome::Passed);
    }
    if !(is_root() && answers("apt-get", &["--version"])) {
        bail!(NO_COMPILER);
    }
    println!("There is no C compiler: installing build-essential.");
    ensure!(apt_get(&["build-essential"])?, "apt-get failed; {NO_COMPILER}");
    Ok(passed_if(compiler_answers(), NO_COMPILER))
}

/// CC may hold arguments too (`ccache cc`).
fn compiler_answers() -> bool {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let mut words = compiler.split_whitespace();
    let program = words.next().unwrap_or("cc");
    answers(program, &words.chain(["--version"]).collect::<Vec<_>>())
}

/// Runs a step whose tool is an optional component of a Rust installation.
fn if_installed(
    root: &Path,
    subcommand: &str,
    component: &str,
    action: impl FnOnce() -> Result<Outcome>,
) -> Result<Outcome> {
    if cargo_command(root, &[subcommand, "--version"]).output().is_ok_and(|output| output.status.success()) {
        return action();
    }
    Ok(Outcome::Skipped(format!("{component} is not installed; `rustup component add {component}` adds it")))
}

/// A short run of the load tool, whose last line is its result.
fn load(root: &Path) -> Result<Outcome> {
    println!("$ cargo {}", LOAD.join(" "));
    let mut child = cargo_command(root, &LOAD).stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().expect("stdout is piped");
    let mut result = String::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cannot read what the load tool prints")?;
        println!("{line}");
        if line.starts_with('{') {
            result = line;
        }
    }
    let status = child.wait().context("cannot wait for the load tool")?;
    ensure!(status.success(), "{status}");
    judge_load(&result)?;
    Ok(Outcome::Passed)
}

fn judge_load(line: &str) -> Result<()> {
    let result: serde_json::Value = serde_json::from_str(line).context("the load tool printed no line of JSON")?;
    for field in ["lost", "unknown"] {
        let count = result.get(field).and_then(serde_json::Value::as_u64);
        let count = count.with_context(|| format!("its result has no number `{field}`"))?;
        ensure!(
            count == 0,
            "`{field}` is {count}: each acknowledged recall must have its callback, and none be unknown"
        );
    }
    Ok(())
}

fn cargo(root: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Outcome> {
    let set: String = variables.iter().map(|(name, value)| format!("{name}={value:?} ")).collect();
    println!("$ {set}cargo {}", arguments.join(" "));
    let status = stream(cargo_command(root, arguments).envs(variables.iter().copied()))?;
    Ok(passed_if(status.success(), &status.to_string()))
}

fn summary(reports: &[Report], extent: Extent) -> String {
    let mut text = "=== summary\n".to_owned();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for Report { name, outcome, took } in reports {
        let (word, why, count) = match outcome {
            Outcome::Passed => ("ran", "", &mut passed),
            Outcome::Failed(why) => ("failed", why.as_str(), &mut failed),
            Outcome::Skipped(why) => ("skipped", why.as_str(), &mut skipped),
        };
        *count += 1;
        let line = format!("{word:<8} {name:<14} {:>7.1} s  {why}", took.as_secs_f64());
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if extent == Extent::Usual {
        for part in LEFT_OUT {
            text.push_str(&format!("left out {part}; `cargo xtask test --full` runs it\n"));
        }
    }
    text.push_str(&format!("steps: {passed} passed, {failed} failed, {skipped} skipped\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &'static str, outcome: Outcome, tenths: u64) -> Report {
        Report { name, outcome, took: Duration::from_millis(tenths * 100) }
    }

    #[test]
    fn the_summary_names_every_step_and_ends_with_the_counts() {
        let reports = [
            report("fmt", Outcome::Skipped("rustfmt is not installed".to_owned()), 0),
            report("clippy", Outcome::Passed, 123),
            report("tests", Outcome::Failed("exit status: 101".to_owned()), 4567),
        ];
        let expect = "\
=== summary
skipped  fmt                0.0 s  rustfmt is not installed
ran      clippy            12.3 s
failed   tests            456.7 s  exit status: 101
";
        let counts = "steps: 1 passed, 1 failed, 1 skipped\n";
        assert_eq!(summary(&reports, Extent::Full), format!("{expect}{counts}"));

        let usual = summary(&reports, Extent::Usual);
        assert!(usual.starts_with(expect) && usual.ends_with(&format!("\n{counts}")), "{usual}");
        assert_eq!(usual.lines().filter(|line| line.starts_with("left out ")).count(), LEFT_OUT.len(), "{usual}");
    }

    #[test]
    fn a_step_that_cannot_run_has_failed() {
        let report = perform(Step::new("demo", Needs::Nothing, || bail!("cannot start cargo")));
        assert_eq!(report.outcome, Outcome::Failed("cannot start cargo".to_owned()));
    }

    #[test]
    fn a_load_run_is_judged_by_what_was_lost_or_unknown() {
        let check = |line: &str, expect: Result<(), &str>| match (judge_load(line), expect) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(part)) => assert!(format!("{error:#}").contains(part), "{line}: {error:#}"),
            (result, _) => panic!("{line}: {result:?}"),
        };
        check(r#"{"recalls":20000,"lost":0,"unknown":0}"#, Ok(()));
        check(r#"{"lost":1,"unknown":0}"#, Err("`lost` is 1"));
        check(r#"{"lost":0,"unknown":2}"#, Err("`unknown` is 2"));
        check(r#"{"lost":0}"#, Err("no number `unknown`"));
        check(r#"{"lost":null,"unknown":0}"#, Err("no number `lost`"));
        check("", Err("no line of JSON"));
    }
}
