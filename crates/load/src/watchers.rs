//! Sessions of some accounts, one at each server, that have to see every recall. Their accounts recall through them.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, task::JoinSet};
use unsaid_client::{ClientError, SessionClient, SessionConfig};
use unsaid_protocol::{
    MsgKey,
    session::{Login, Push, What},
};

use crate::{
    account::Account,
    clock,
    device::{Devices, PLATFORMS, Seat},
    ledger::Ledger,
    setup::{APP, usersig_of},
};

/// Before it connects again.
const PAUSE: Duration = Duration::from_millis(100);

/// For one request; one that is given up is tried again.
const TIMEOUT: Duration = Duration::from_secs(3);

/// By then everything that has happened was pushed, with or without a bus.
const PUSHED_WITHIN: Duration = Duration::from_secs(30);

pub(crate) struct Watchers {
    watchers: Vec<Arc<Watcher>>,
    _tasks: JoinSet<()>,
}

struct Watcher {
    account: Account,
    server: SocketAddr,
    platform: &'static str,
    seen: Mutex<Seen>,
    seat: Arc<Seat>,
    /// Its connection is to break.
    cut: Notify,
}

#[derive(Default)]
struct Seen {
    recalls: HashSet<u32>,
    logins: u32,
    reloads: u32,
}

/// What sessions have seen.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Sessions {
    pub(crate) sessions: u64,
    /// Recalls that a session of one of their accounts did not see, over all sessions.
    pub(crate) missed: u64,
    pub(crate) seen: u64,
    /// How often a session had to begin anew, so that it may have missed something.
    pub(crate) reloads: u64,
    pub(crate) logins: u64,
}

impl Watchers {
    /// Each is there when this answers, so it has to see everything that happens from then on.
    pub(crate) async fn start(servers: &[SocketAddr], accounts: u32) -> anyhow::Result<Self> {
        let mut watchers = Vec::new();
        for account in (0..accounts).map(Account) {
            // A device for each server, for two of one platform would displace each other.
            for (server, platform) in servers.iter().zip(PLATFORMS) {
                let (seen, seat, cut) = (Mutex::default(), Arc::default(), Notify::new());
                watchers.push(Arc::new(Watcher { account, server: *server, platform, seen, seat, cut }));
            }
        }
        let tasks = watchers.iter().map(|watcher| Arc::clone(watcher).run()).collect();
        let began = clock::now();
        let is_there = |watcher: &Arc<Watcher>| watcher.seen.lock().unwrap_or_else(PoisonError::into_inner).logins > 0;
        while !watchers.iter().all(is_there) {
            anyhow::ensure!(clock::now() - began < PUSHED_WITHIN, "not all sessions could log in");
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Self { watchers, _tasks: tasks })
    }

    /// All connections break at once, and are made again.
    pub(crate) fn cut(&self) {
        self.watchers.iter().for_each(|watcher| watcher.cut.notify_one());
    }

    pub(crate) fn devices(&self) -> Devices {
        Devices::new(self.watchers.iter().map(|watcher| (watcher.account, Arc::clone(&watcher.seat))))
    }

    /// Waits until each has seen everything, for a time.
    pub(crate) async fn judge(&self, ledger: &Ledger) -> Sessions {
        let began = clock::now();
        loop {
            let sessions = self.look(ledger);
            if sessions.missed == 0 || clock::now() - began > PUSHED_WITHIN {
                return sessions;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn look(&self, ledger: &Ledger) -> Sessions {
        let mut sessions = Sessions::default();
        for watcher in &self.watchers {
            let seen = watcher.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let owed = ledger.recalls_of(watcher.account);
            sessions.sessions += 1;
            sessions.missed += owed.difference(&seen.recalls).count() as u64;
            sessions.seen += seen.recalls.len() as u64;
            sessions.reloads += u64::from(seen.reloads);
            sessions.logins += u64::from(seen.logins);
        }
        sessions
    }
}

/// Where a session goes on.
#[derive(Default)]
struct Bookmark {
    session: Option<String>,
    cursor: Option<String>,
}

impl Watcher {
    async fn run(self: Arc<Self>) {
        let mut bookmark = Bookmark::default();
        loop {
            // It ends when its server does, and goes on when that is there again.
            let _ = self.connection(&mut bookmark).await;
            self.seat.set(None);
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn connection(&self, bookmark: &mut Bookmark) -> Result<(), ClientError> {
        let config = SessionConfig { base: format!("http://{}", self.server), ca_pem: None, timeout: TIMEOUT };
        let (client, mut pushes) = SessionClient::connect(&config).await?;
        let user_id = self.account.to_string();
        let login = Login {
            sdkappid: APP.0,
            user_sig: usersig_of(&user_id),
            user_id,
            platform: self.platform.to_owned(),
            cursor: bookmark.cursor.clone(),
            session: bookmark.session.clone(),
        };
        let welcome = client.login(&login).await?;
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.logins += 1;
            seen.reloads += u32::from(welcome.reload && bookmark.cursor.is_some());
        }
        (bookmark.session, bookmark.cursor) = (Some(welcome.session), Some(welcome.cursor));
        self.seat.set(Some(client));
        loop {
            let push = tokio::select! {
                push = pushes.next() => push,
                () = self.cut.notified() => return Ok(()),
            };
            let updates = match push {
                Ok(Push::Updates(updates)) => updates,
                Ok(_) => continue,
                Err(_) => return Ok(()),
            };
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            for update in &updates.updates {
                if let What::Recall { message } = &update.what
                    && let Ok(MsgKey { random, .. }) = message.msg_key.parse()
                {
                    seen.recalls.insert(random);
                }
            }
            bookmark.cursor = Some(updates.cursor.clone());
        }
    }
}
