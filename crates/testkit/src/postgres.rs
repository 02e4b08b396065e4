//! A PostgreSQL of a run's own: in a temporary folder, on a socket in it, gone with the run. Debian's package `postgresql` is
//! enough. PostgreSQL refuses to run as root, who lets the user `postgres` run it.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// The oldest version that will do.
const OLDEST: u32 = 15;

/// The longest name of a socket on Linux, and what a folder of ours and PostgreSQL's name of it take of that.
const SOCKET_PATH_BYTES_MAX: usize = 107;
const SOCKET_BYTES: usize = 40;

/// A server of PostgreSQL. What it has committed is on the disk.
pub struct Postgres {
    programs: PathBuf,
    folder: TempDir,
}

/// How it is stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shutdown {
    /// Whoever is connected is cut; what is under way is rolled back.
    Fast,
    /// As if it had crashed: it recovers at its next start.
    Immediate,
}

impl Postgres {
    /// None where there is no PostgreSQL of version 15 or later, which is said. `beside` is a folder on a real disk; where the user
    /// that PostgreSQL runs as cannot get there, or its socket would have too long a name, the system's temporary one is used.
    pub fn start(beside: &Path) -> Option<Self> {
        let Some(programs) = programs() else {
            eprintln!("skipped: there is no PostgreSQL of version 15 or later; `apt-get install postgresql` adds it");
            return None;
        };
        let system = std::env::temp_dir();
        let folder = if is_reached(beside) { beside } else { &system };
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir_in(folder).expect("a folder");
        let postgres = Self { programs, folder };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(postgres.folder.path()));
        }
        let data = postgres.data();
        let mut initdb = postgres.program("initdb");
        initdb.args(["--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C"]);
        run(initdb.arg("--pgdata").arg(&data));
        postgres.start_again();
        Some(postgres)
    }

    /// Its address, as a server is given it.
    pub fn url(&self) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}/postgres")
    }

    /// Its first process; the others are children of it.
    pub fn process(&self) -> io::Result<u32> {
        let text = fs::read_to_string(self.data().join("postmaster.pid"))?;
        text.lines()
            .next()
            .and_then(|line| line.parse().ok())
            .ok_or_else(|| io::Error::other("postmaster.pid is empty"))
    }

    /// Stops it and starts it again; blocks until it answers.
    pub fn restart(&self, shutdown: Shutdown) {
        let mode = match shutdown {
            Shutdown::Fast => "fast",
            Shutdown::Immediate => "immediate",
        };
        run(self.program("pg_ctl").args(["stop", "--wait", "--silent", "--mode", mode, "--pgdata"]).arg(self.data()));
        self.start_again();
    }

    fn start_again(&self) {
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c max_connections=200",
            self.folder.path().display()
        );
        let mut start = self.program("pg_ctl");
        start.args(["start", "--wait", "--silent", "--options", &options, "--pgdata"]).arg(self.data());
        run(start.arg("--log").arg(self.folder.path().join("log")));
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
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
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        stop.args(["stop", "--mode", "immediate", "--silent", "--pgdata"]).arg(self.data());
        // One that does not run any more has nothing to stop.
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// The folder of the newest programs, which Debian keeps out of the way.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = versions.filter_map(|folder| folder.file_name().to_string_lossy().parse::<u32>().ok());
    let newest = versions.filter(|version| *version >= OLDEST).max()?;
    let programs = PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"));
    programs.join("initdb").exists().then_some(programs)
}

/// Whether a socket below it has a name that is short enough, and another user may get there.
fn is_reached(folder: &Path) -> bool {
    let is_open = |folder: &Path| fs::metadata(folder).is_ok_and(|folder| folder.mode() & 0o001 != 0);
    let is_short = folder.as_os_str().len() + SOCKET_BYTES <= SOCKET_PATH_BYTES_MAX;
    is_short && (!is_root() || folder.ancestors().all(is_open))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn run(command: &mut Command) {
    let output = command.stdout(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
