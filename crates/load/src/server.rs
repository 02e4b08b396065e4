//! The server that is measured: this program once more, in a process of its own.
//!
//! It ends with the tool, however the tool ends: it is killed when [`Server`] is dropped, and ends by itself when the
//! pipe to its standard input is closed.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use http::Request;
use http_body_util::Full;
use unsaid::{config::Sources, failpoint};
use unsaid_client::RestClient;

use crate::{clock, flags::Failpoints};

/// How long it may take until it answers.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// How long it may take until it has ended.
const STOP_TIME_MAX: Duration = Duration::from_secs(30);

const START_POLL: Duration = Duration::from_millis(20);

pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts it with a configuration that makes it listen at `address`.
    pub(crate) fn start(config: &Path, set: &[String], address: SocketAddr) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program's own path is not known")?;
        Self::start_program(&program, config, set, address)
    }

    /// The same with another program that has `serve`: `unsaid` of some version.
    pub(crate) fn start_program(
        program: &Path,
        config: &Path,
        set: &[String],
        address: SocketAddr,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.arg("serve");
        Self::spawn(command, config, set, address)
    }

    /// This program, which dies at a commit.
    pub(crate) fn start_to_die(
        failpoints: Failpoints,
        config: &Path,
        set: &[String],
        address: SocketAddr,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("this program's own path is not known")?);
        command.arg("serve");
        let Failpoints { die_before_commit, die_after_commit } = failpoints;
        for (flag, pass) in [("--die-before-commit", die_before_commit), ("--die-after-commit", die_after_commit)] {
            command.args(pass.map(|pass| format!("{flag}={pass}")));
        }
        Self::spawn(command, config, set, address)
    }

    fn spawn(mut command: Command, config: &Path, set: &[String], address: SocketAddr) -> anyhow::Result<Self> {
        command.arg("--config").arg(config);
        for set in set {
            command.arg("--set").arg(set);
        }
        // Standard output is the report's; the log of the server goes where the tool's complaints go.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let child =
            command.spawn().with_context(|| format!("{} cannot be started", command.get_program().display()))?;
        Ok(Self { child, address })
    }

    /// Waits until it answers.
    pub(crate) async fn ready(&mut self, client: &RestClient) -> anyhow::Result<()> {
        let began = clock::now();
        while clock::now() - began < START_TIME_MAX {
            self.still_runs()?;
            let request = Request::get("/healthz").body(Full::default()).context("the question for its health")?;
            if client.raw(request).await.is_ok_and(|(status, _, _)| status.is_success()) {
                return Ok(());
            }
            tokio::time::sleep(START_POLL).await;
        }
        bail!("the server does not answer at {} after {} s", self.address, START_TIME_MAX.as_secs())
    }

    /// An error if it has ended by itself.
    pub(crate) fn still_runs(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().context("the server's process")? {
            Some(status) => bail!("the server ended too early ({status}); what it had to say is above"),
            None => Ok(()),
        }
    }

    /// Waits until it has died, but not for ever; whether it has.
    pub(crate) async fn has_died_within(&mut self, patience: Duration) -> anyhow::Result<bool> {
        let began = clock::now();
        while clock::now() - began < patience {
            if self.child.try_wait().context("the server's process")?.is_some() {
                return Ok(true);
            }
            tokio::time::sleep(START_POLL).await;
        }
        Ok(false)
    }

    pub(crate) fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let status = Command::new("kill").args(["-s", signal, &self.id().to_string()]).status();
        anyhow::ensure!(status.context("kill cannot be started")?.success(), "the server cannot be sent {signal}");
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        let began = clock::now();
        while clock::now() - began < STOP_TIME_MAX {
            if let Some(status) = self.child.try_wait().context("the server's process")? {
                anyhow::ensure!(status.success(), "the server ended with {status}");
                return Ok(());
            }
            tokio::time::sleep(START_POLL).await;
        }
        bail!("the server does not end within {} s", STOP_TIME_MAX.as_secs())
    }

    /// Kills it (SIGKILL), and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The hidden subcommand: runs the server as `unsaid serve` would, but with this file and these settings alone. The environment is not
/// looked at, so that every run measures the same.
pub(crate) fn serve(config: PathBuf, set: Vec<String>, failpoints: Failpoints) -> anyhow::Result<()> {
    failpoint::BEFORE_COMMIT.arm(failpoints.die_before_commit.unwrap_or(0));
    failpoint::AFTER_COMMIT.arm(failpoints.die_after_commit.unwrap_or(0));
    thread::Builder::new().name("ends with the tool".to_owned()).spawn(end_with_stdin).context("no thread")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(unsaid::serve::run(&Sources { file: Some(config), set, ..Sources::default() }))
}

fn end_with_stdin() {
    // Nothing is ever written to it: it ends when the tool does.
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    std::process::exit(0);
}
