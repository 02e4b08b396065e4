//! The store on PostgreSQL, held to its tests: they need a server, so one is started for them, on a socket in a temporary
//! folder, and gone afterwards.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{self, Command},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    nats,
    system::{Outcome, answers, apt_get, cargo_command, is_root, stream},
    web,
};

/// Whoever has a server already says where.
const ADDRESS: &str = "UNSAID_TEST_POSTGRES";

const OLDEST: u32 = 15;

pub(crate) const NO_POSTGRES: &str = "there is no PostgreSQL of version 15 or later; `apt-get install postgresql` (Debian, Ubuntu) adds \
    it, or set UNSAID_TEST_POSTGRES to the address of a server that is there for tests alone, as its superuser";

/// Every test whose name says that it needs PostgreSQL: the store's suite and model, and what the server has of its own there.
const TESTS: [&str; 10] =
    ["test", "--locked", "--package", "unsaid", "--lib", "--test", "it", "--", "--ignored", "postgres"];

/// The same tests of the server that run on the embedded store, on PostgreSQL.
const SERVER: [&str; 6] = ["test", "--locked", "--package", "unsaid", "--test", "it"];

/// Those of REST and of clients, on two servers that share the store.
const TWO_SERVERS: [&str; 13] = [
    "test",
    "--locked",
    "--package",
    "unsaid",
    "--test",
    "it",
    "--",
    "rest_",
    "gateway",
    "sessions",
    "recall::",
    "callbacks::c5_",
    "modify_receipt",
];

/// If it is set, the servers of all tests store there; how many they are; and over which NATS they talk.
const STORE: &str = "UNSAID_TEST_STORE";
const SERVERS: &str = "UNSAID_TEST_SERVERS";
const BUS: &str = "UNSAID_TEST_BUS";

/// How much of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// What is only there: the store itself, and servers that share it.
    Store,
    /// Also what holds on every store, on one server and on two.
    Everything,
}

pub(crate) fn suite(root: &Path, part: Part) -> Result<Outcome> {
    if let Ok(address) = env::var(ADDRESS) {
        return tests(root, part, &address);
    }
    let Some(programs) = programs()? else {
        return Ok(Outcome::Skipped(NO_POSTGRES.to_owned()));
    };
    let server = Server::start(programs)?;
    tests(root, part, &server.address())
}

fn tests(root: &Path, part: Part, address: &str) -> Result<Outcome> {
    let (one, two) = ([(STORE, address)], [(STORE, address), (SERVERS, "2")]);
    let mut runs = vec![(&TESTS[..], vec![(ADDRESS, address)])];
    let bus = if part == Part::Everything && nats::is_there()? { Some(nats::Server::start()?) } else { None };
    let url = bus.as_ref().map(nats::Server::url).unwrap_or_default();
    let with_bus = [&two[..], &[(BUS, &*url)]].concat();
    if part == Part::Everything {
        runs.extend([(&SERVER[..], one.to_vec()), (&TWO_SERVERS, two.to_vec())]);
    }
    if bus.is_some() {
        runs.push((&TWO_SERVERS, with_bus.clone()));
    }
    let mut failed = None;
    for (arguments, variables) in runs {
        let set: String = variables.iter().map(|(name, value)| format!("{name}={value} ")).collect();
        println!("$ {set}cargo {}", arguments.join(" "));
        let status = stream(cargo_command(root, arguments).envs(variables))?;
        failed = failed.or(Some(status).filter(|status| !status.success()));
    }
    match failed {
        Some(status) => Ok(Outcome::Failed(status.to_string())),
        None if part == Part::Store => Ok(Outcome::Passed),
        None => sdk(root, &one, bus.is_some().then_some(&with_bus)),
    }
}

/// On one server, and on two where there is a bus for them.
fn sdk(root: &Path, one: &[(&str, &str)], two: Option<&Vec<(&str, &str)>>) -> Result<Outcome> {
    match (web::sdk_on(root, one)?, two) {
        (Outcome::Passed, Some(two)) => web::sdk_on(root, two),
        (outcome, _) => Ok(outcome),
    }
}

/// The folder of PostgreSQL's programs, which Debian keeps out of the way; installed if that is possible without asking.
pub(crate) fn programs() -> Result<Option<PathBuf>> {
    if let Some(found) = newest() {
        return Ok(Some(found));
    }
    if !(is_root() && answers("apt-get", &["--version"])) {
        return Ok(None);
    }
    println!("There is no PostgreSQL: installing it.");
    Ok(if apt_get(&["postgresql"])? { newest() } else { None })
}

fn newest() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = versions.filter_map(|folder| folder.file_name().to_string_lossy().parse::<u32>().ok());
    let newest = versions.filter(|version| *version >= OLDEST).max()?;
    let programs = PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"));
    programs.join("initdb").exists().then_some(programs)
}

/// A server of our own. It refuses to run as root, who lets the user `postgres` run it.
struct Server {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Server {
    fn start(programs: PathBuf) -> Result<Self> {
        let folder = env::temp_dir().join(format!("unsaid-postgres-{}", process::id()));
        fs::create_dir(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        // It was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Self { programs, folder, port };
        if is_root() {
            let chown = stream(Command::new("chown").arg("postgres").arg(&server.folder))?;
            ensure!(chown.success(), "the user `postgres` cannot be given a folder");
        }
        let data = server.folder.join("data");
        let mut initdb = server.program("initdb");
        initdb.args(["--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]);
        ensure!(stream(initdb.arg("--pgdata").arg(&data))?.success(), "initdb failed");
        // What these tests store is thrown away, so nothing of it has to be durable.
        // Connections over the network, and with TLS, are tested, too.
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c fsync=off -c max_connections=400",
            server.port,
            server.folder.display()
        );
        let mut start = server.program("pg_ctl");
        start.args(["start", "--wait", "--silent", "--options", &options]).arg("--pgdata").arg(&data);
        start.arg("--log").arg(server.folder.join("log"));
        ensure!(stream(&mut start)?.success(), "PostgreSQL does not start; see {}/log", server.folder.display());
        Ok(server)
    }

    fn address(&self) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{}/postgres", self.port)
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(&self.folder);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        stop.args(["stop", "--mode", "immediate", "--silent"]).arg("--pgdata").arg(self.folder.join("data"));
        let stopped = stream(&mut stop).and_then(|_| Ok(fs::remove_dir_all(&self.folder)?));
        if let Err(error) = stopped {
            eprintln!("PostgreSQL in {} was not cleared away: {error:#}", self.folder.display());
        }
    }
}
