//! The bus, held to its tests: they start servers of NATS of their own, on free ports of loopback, and need the program.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::system::{Outcome, answers, apt_get, cargo_command, is_root, passed_if, stream};

pub(crate) const NO_NATS: &str = "there is no nats-server; `apt-get install nats-server` (Debian, Ubuntu) adds it, or put the program of \
    https://nats.io into the PATH";

/// Every test of the bus.
const TESTS: [&str; 7] = ["test", "--locked", "--package", "unsaid", "--lib", "--", "bus::"];

pub(crate) fn suite(root: &Path) -> Result<Outcome> {
    if !is_there()? {
        return Ok(Outcome::Skipped(NO_NATS.to_owned()));
    }
    println!("$ cargo {}", TESTS.join(" "));
    let status = stream(&mut cargo_command(root, &TESTS))?;
    Ok(passed_if(status.success(), &status.to_string()))
}

/// A server of our own, on a free port of loopback.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    pub(crate) fn start() -> Result<Self> {
        // It was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("nats-server");
        command.args(["--addr", "127.0.0.1", "--port", &port.to_string()]).stderr(Stdio::null());
        let mut server = Self { child: command.spawn().context("nats-server does not start")?, port };
        while !takes_connections(port) {
            ensure!(server.child.try_wait()?.is_none(), "nats-server has ended");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "it is no endpoint of an app, but a server of our own")]
fn takes_connections(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Installed if that is possible without asking anyone.
pub(crate) fn is_there() -> Result<bool> {
    let answers_now = || answers("nats-server", &["--version"]);
    if answers_now() {
        return Ok(true);
    }
    if !(is_root() && answers("apt-get", &["--version"])) {
        return Ok(false);
    }
    println!("There is no nats-server: installing it.");
    Ok(apt_get(&["nats-server"])? && answers_now())
}
