//! Stands between a store and PostgreSQL, cuts or holds one connection while it commits, and goes away as a whole.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
};

use tokio_postgres::config::{Config, Host};

/// When a connection is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cut {
    /// The server never sees the commit.
    BeforeCommit,
    /// The server never sees the commit, and cannot be reached any more, until [`Proxy::come_back`].
    WithServer,
    /// The server has committed; its answer is lost.
    BehindCommit,
    /// Nobody says anything any more, and the transaction stays open for as long as the server bears with it.
    Held,
}

/// Its threads end with the connections that they carry.
pub(super) struct Proxy {
    port: u16,
    server: Config,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The ends of all connections, while PostgreSQL is there.
    open: Mutex<Vec<Box<dyn Stream>>>,
    is_away: AtomicBool,
    cut: Mutex<Option<Cut>>,
    cuts: AtomicU32,
}

/// One end of a connection to PostgreSQL.
trait Stream: Read + Write + Send {
    fn another(&self) -> Box<dyn Stream>;
    fn end(&self);
}

macro_rules! stream {
    ($kind:ty) => {
        impl Stream for $kind {
            fn another(&self) -> Box<dyn Stream> {
                Box::new(self.try_clone().expect("a socket has as many handles as are wanted"))
            }

            fn end(&self) {
                // It may have ended of itself.
                let _ = self.shutdown(Shutdown::Both);
            }
        }
    };
}

stream!(TcpStream);
stream!(UnixStream);

impl Proxy {
    pub(super) fn start(server: &str) -> Self {
        let server: Config = server.parse().expect("an address of PostgreSQL");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let shared = Arc::new(Shared::default());
        let (target, seen) = (server.clone(), Arc::clone(&shared));
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = Box::new(client.expect("a connection"));
                let mut open = seen.open.lock().expect("no panic");
                if seen.is_away.load(Ordering::SeqCst) {
                    client.end();
                    continue;
                }
                open.push(client.another());
                carry(client, dial(&target), &seen);
            }
        });
        Self { port, server, shared }
    }

    /// The address of the server behind it.
    pub(super) fn url(&self) -> String {
        let user = self.server.get_user().unwrap_or("postgres");
        let password = self.server.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
        let password = password.map_or_else(String::new, |password| format!(":{password}"));
        let database = self.server.get_dbname().unwrap_or(user);
        format!("postgres://{user}{password}@127.0.0.1:{}/{database}", self.port)
    }

    pub(super) fn cut_next_commit(&self, cut: Cut) {
        *self.shared.cut.lock().expect("no panic") = Some(cut);
    }

    /// Ends all connections, and takes none, until it is back.
    pub(super) fn go_away(&self) {
        let mut open = self.shared.open.lock().expect("no panic");
        self.shared.is_away.store(true, Ordering::SeqCst);
        open.drain(..).for_each(|client| client.end());
    }

    pub(super) fn come_back(&self) {
        self.shared.is_away.store(false, Ordering::SeqCst);
    }

    pub(super) fn cuts(&self) -> u32 {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

#[expect(clippy::disallowed_methods, reason = "it stands before PostgreSQL, in tests")]
fn dial(server: &Config) -> Box<dyn Stream> {
    let port = server.get_ports().first().copied().unwrap_or(5432);
    match &server.get_hosts()[0] {
        Host::Unix(folder) => {
            Box::new(UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).expect("PostgreSQL answers"))
        }
        Host::Tcp(host) => Box::new(TcpStream::connect((host.as_str(), port)).expect("PostgreSQL answers")),
    }
}

/// As a store sends it: a query of its own.
const COMMIT: &[u8] = b"COMMIT\0";

fn carry(client: Box<dyn Stream>, server: Box<dyn Stream>, shared: &Arc<Shared>) {
    let (mut back_from, mut back_to) = (server.another(), client.another());
    let cut_back = Arc::new(Mutex::new(false));
    let (shared, cutting) = (Arc::clone(shared), Arc::clone(&cut_back));
    thread::spawn(move || {
        let (mut client, mut server, mut buffer) = (client, server, [0; 64 * 1024]);
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            let commits = buffer[..length].windows(COMMIT.len()).any(|window| window == COMMIT);
            let cut = if commits { shared.cut.lock().expect("no panic").take() } else { None };
            if let Some(cut) = cut {
                shared.is_away.fetch_or(cut == Cut::WithServer, Ordering::SeqCst);
                shared.cuts.fetch_add(1, Ordering::SeqCst);
                if cut == Cut::BeforeCommit || cut == Cut::WithServer {
                    break;
                }
                if cut == Cut::Held {
                    // The other thread ends both when the server has had enough.
                    while let Ok(1..) = client.read(&mut buffer) {}
                    break;
                }
                *cutting.lock().expect("no panic") = true;
            }
            if server.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        client.end();
        server.end();
    });
    thread::spawn(move || {
        let mut buffer = [0; 64 * 1024];
        while let Ok(length @ 1..) = back_from.read(&mut buffer) {
            // The server answers a commit when it is durable.
            if *cut_back.lock().expect("no panic") || back_to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        back_from.end();
        back_to.end();
    });
}
