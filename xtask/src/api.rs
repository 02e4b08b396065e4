//! The operator API, held to its document by Schemathesis: requests of every kind are made out of the document, and no answer
//! may be one that it does not name. What Schemathesis needs is put into the target folder.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::system::{Outcome, answers, apt_get, is_root, server_program, stream};

const SETTINGS: &str = "crates/server/tests/schemathesis";

const NO_PYTHON: &str = "Python 3 with venv is not installed; `apt-get install python3-venv` (Debian, Ubuntu) adds it";

const TOKEN: &str = "a token of the operator API for this test";

/// Each kind of request in some forms, and so many at random of each operation.
const EXAMPLES_MAX: &str = "60";

/// The same ones each time. Another one may find more: `target/operator-api/venv/bin/st run --seed`.
const SEED: &str = "20261124";

/// Starts a server on a fresh store, and lets Schemathesis loose on it.
pub(crate) fn operator_api(root: &Path) -> Result<Outcome> {
    if !has_python()? {
        return Ok(Outcome::Skipped(NO_PYTHON.to_owned()));
    }
    let (program, folder) = (server_program(root)?, root.join("target/operator-api"));
    let schemathesis = install(root, &folder)?;
    let data_dir = folder.join("data");
    if data_dir.exists() {
        std::fs::remove_dir_all(&data_dir).context("the store of the run before cannot be removed")?;
    }
    let server = Server::start(&program, &data_dir)?;
    let document = format!("http://{}/api/v1/openapi.json", server.address);
    let settings = root.join(SETTINGS).join("schemathesis.toml");
    println!("$ st run {document}");
    let mut run = Command::new(schemathesis);
    run.arg("--config-file").arg(settings).args([
        "run",
        &document,
        "--max-examples",
        EXAMPLES_MAX,
        "--seed",
        SEED,
        "--no-color",
    ]);
    run.args(["--header", &format!("Authorization: Bearer {TOKEN}"), "--request-timeout", "30"]);
    let status = stream(run.current_dir(&folder))?;
    let errors = server.stop()?;
    ensure!(errors.is_empty(), "the server logged an error:\n{}", errors.join("\n"));
    Ok(if status.success() { Outcome::Passed } else { Outcome::Failed("see what it has found above".to_owned()) })
}

fn has_python() -> Result<bool> {
    let there = || answers("python3", &["-c", "import ensurepip, venv"]);
    if !there() && is_root() && answers("apt-get", &["--version"]) {
        println!("Python 3 with venv is not installed: installing it.");
        return Ok(apt_get(&["python3-venv"])? && there());
    }
    Ok(there())
}

fn install(root: &Path, folder: &Path) -> Result<std::path::PathBuf> {
    let (venv, wanted) = (folder.join("venv"), root.join(SETTINGS).join("requirements.txt"));
    let status = stream(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    ensure!(status.success(), "python3 -m venv: {status}");
    let mut pip = Command::new(venv.join("bin/pip"));
    let status = stream(pip.args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(wanted))?;
    ensure!(status.success(), "pip install: {status}");
    Ok(venv.join("bin/st"))
}

/// A server that runs until it is stopped or dropped.
struct Server {
    child: Child,
    address: String,
    /// Reads what it logs, and keeps the errors.
    log: Option<JoinHandle<Vec<String>>>,
}

impl Server {
    /// Returns when it is ready.
    fn start(program: &Path, data_dir: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--set", "log_format=json", "--data-dir"]).arg(data_dir);
        // Schemathesis looks at what wrong tokens are answered with, for each operation.
        command.args(["--set", "operator.wrong_tokens_per_min=0"]).env("UNSAID_OPERATOR__TOKEN", TOKEN);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("the server cannot be started")?;
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let ready = lines.by_ref().map_while(Result::ok).find(|line| line.contains("Unsaid is ready"));
        let ready: Value = serde_json::from_str(&ready.context("the server ended before it was ready")?)?;
        let address = ready["address"].as_str().context("it says where it listens")?.to_owned();
        let is_error = |line: &String| line.contains(r#""level":"ERROR""#);
        let log = thread::spawn(move || lines.map_while(Result::ok).filter(is_error).collect());
        Ok(Self { child, address, log: Some(log) })
    }

    /// What it has logged of errors.
    fn stop(mut self) -> Result<Vec<String>> {
        self.end();
        let log = self.log.take().expect("it is stopped once");
        log.join().map_err(|_| anyhow::anyhow!("its log could not be read"))
    }

    fn end(&mut self) {
        // One that has ended by itself needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
