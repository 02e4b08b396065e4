//! A NATS of a test's own: in a temporary folder, on a free port of loopback, gone with the test. Debian's package
//! `nats-server` is enough.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long anything that it does may take.
const BOUND: Duration = Duration::from_secs(20);

/// A server of NATS.
pub struct Nats {
    /// None while it is stopped.
    child: Option<Child>,
    arguments: Vec<String>,
    port: u16,
    monitoring: u16,
    folder: TempDir,
}

impl Nats {
    /// None where `nats-server` is not installed, which is said.
    pub async fn start(arguments: &[&str]) -> Option<Self> {
        if Command::new("nats-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            eprintln!("skipped: nats-server is not installed");
            return None;
        }
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let mut nats = Self { child: None, arguments, port: 0, monitoring: 0, folder };
        nats.start_again().await;
        Some(nats)
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// On the same port as before, if there was one.
    pub async fn start_again(&mut self) {
        let port = if self.port == 0 { "-1".to_owned() } else { self.port.to_string() };
        let folder = self.folder.path();
        let mut command = Command::new("nats-server");
        command.args(["--addr", "127.0.0.1", "--port", &port, "--http_port", "-1", "--ports_file_dir"]).arg(folder);
        command.args(&self.arguments).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("nats-server starts");
        let ports = folder.join(format!("nats-server_{}.ports", child.id()));
        self.child = Some(child);
        let written = async {
            loop {
                let text = std::fs::read_to_string(&ports).unwrap_or_default();
                if let Ok(ports) = serde_json::from_str::<serde_json::Value>(&text) {
                    break ports;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let ports = timeout(BOUND, written).await.expect("nats-server says where it listens");
        let port = |of: &str| {
            let url = ports[of][0].as_str().unwrap_or_else(|| panic!("no {of} in {ports}"));
            url.rsplit_once(':').expect("a port").1.parse().expect("a number")
        };
        (self.port, self.monitoring) = (port("nats"), port("monitoring"));
    }

    /// Its process, while it runs.
    pub fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Kills it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
        }
    }

    /// Sends it a signal: `STOP`, `CONT`.
    pub fn signal(&self, signal: &str) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        let status = Command::new("kill").args(["-s", signal, &id]).status().expect("kill starts");
        assert!(status.success());
    }

    /// Waits until clients listen to so many subjects.
    pub async fn has_subscriptions(&self, count: usize) {
        let mut found = 0;
        let agrees = async {
            loop {
                found = self.subscriptions().await;
                if found == count {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let agreed = timeout(BOUND, agrees).await.is_ok();
        assert!(agreed, "{found} subscriptions, not {count}");
    }

    async fn subscriptions(&self) -> usize {
        let page = self.page("/connz").await;
        let connections = page["connections"].as_array().expect("it lists its connections");
        let count = |connection: &serde_json::Value| connection["subscriptions"].as_u64().unwrap_or(0);
        usize::try_from(connections.iter().map(count).sum::<u64>()).expect("few")
    }

    async fn page(&self, path: &str) -> serde_json::Value {
        #[expect(clippy::disallowed_methods, reason = "it is the page of a server that this test has started")]
        let mut stream = TcpStream::connect(("127.0.0.1", self.monitoring)).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        let (_, body) = answer.split_once("\r\n\r\n").expect("an answer has a body");
        serde_json::from_str(body).expect("JSON")
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.stop();
    }
}
