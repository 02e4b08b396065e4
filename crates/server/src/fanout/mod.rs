//! Fan-out: from what was committed to the sessions that are connected to this server.
//!
//! What is said here is a hint, but for messages that are stored nowhere: a session that misses one goes on from its cursor.
//! Nothing waits here, and nothing grows: a session that is not served in time loses online-only messages, and nothing
//! else. Where several servers share a store, those that are connected elsewhere are told over the bus (`everywhere.rs`), and
//! what the bus does not tell is found by asking the store now and then (`poll.rs`).

mod everywhere;
mod poll;

use std::{
    collections::{HashMap, VecDeque, hash_map::DefaultHasher},
    fmt,
    hash::{Hash, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;
use unsaid_protocol::{SdkAppId, UserId};

use self::poll::Pass;
pub use self::{everywhere::Everywhere, poll::Poll};
use crate::{
    bus::{Bus, Following},
    chat::{Devices, EndReason, SessionId, SessionKey, Shown},
    cluster::Glance,
    limits,
};

/// Whose sessions.
type Owner = (SdkAppId, UserId);

/// The sessions of this server.
pub struct Fanout {
    /// By a hash of their owner, so that those who look for different ones seldom wait for each other.
    shards: Vec<Mutex<HashMap<Owner, Vec<Connected>>>>,
    sessions: AtomicUsize,
    /// Where other servers say what is for them.
    bus: Bus,
}

struct Connected {
    session: SessionId,
    line: Arc<Line>,
}

const SHARDS: usize = 16;

/// What one session has to be told.
#[derive(Debug)]
pub struct Line {
    wake: Notify,
    waiting: Mutex<Heard>,
    /// Of the last update that it has.
    number: AtomicI64,
    /// Its row goes, and it knows.
    is_leaving: AtomicBool,
    /// How often it was there when the store was asked.
    polls: AtomicU32,
}

/// It has not logged in yet.
const NO_NUMBER: i64 = -1;

/// A session that has logged in and not left, as it stands when it is asked about.
struct Standing {
    key: SessionKey,
    line: Arc<Line>,
}

/// What a session has been told since it listened last.
#[derive(Debug, Default)]
pub struct Heard {
    /// There is something behind its cursor.
    pub something_new: bool,
    /// Messages that are stored nowhere.
    pub online: VecDeque<Arc<Shown>>,
    pub ended: Option<EndReason>,
}

/// A session's place among the connected ones; given up when it is dropped.
pub struct Registration {
    fanout: Arc<Fanout>,
    owner: Owner,
    session: SessionId,
    line: Arc<Line>,
    _following: Following,
}

impl Fanout {
    pub fn new(bus: Bus) -> Arc<Self> {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Arc::new(Self { shards, sessions: AtomicUsize::new(0), bus })
    }

    /// From now on the session hears what is for it.
    pub fn connect(self: &Arc<Self>, app: SdkAppId, user: &UserId, session: SessionId) -> Registration {
        let (owner, line) = ((app, user.clone()), Arc::new(Line::default()));
        let connected = Connected { session: session.clone(), line: Arc::clone(&line) };
        self.shard(&owner).entry(owner.clone()).or_default().push(connected);
        self.sessions.fetch_add(1, Ordering::Release);
        let following = self.bus.follow(app, user);
        Registration { fanout: Arc::clone(self), owner, session, line, _following: following }
    }

    pub fn is_connected(&self, app: SdkAppId, user: &UserId, session: &SessionId) -> bool {
        let owner = (app, user.clone());
        self.shard(&owner).get(&owner).is_some_and(|all| all.iter().any(|one| one.session == *session))
    }

    /// How many sessions are connected.
    pub fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Acquire)
    }

    /// The sessions that have logged in, those of them that are picked.
    fn standing(&self, pick: impl Fn(&Line) -> bool) -> Vec<Standing> {
        let mut standing = Vec::new();
        for shard in &self.shards {
            for ((app, user), connected) in &*lock(shard) {
                let picked = connected.iter().filter(|one| one.line.is_seated() && pick(&one.line));
                standing.extend(picked.map(|one| {
                    let key = (*app, user.clone(), one.session.clone());
                    Standing { key, line: Arc::clone(&one.line) }
                }));
            }
        }
        standing
    }

    fn shard(&self, owner: &Owner) -> MutexGuard<'_, HashMap<Owner, Vec<Connected>>> {
        let mut hasher = DefaultHasher::new();
        owner.hash(&mut hasher);
        let shard = usize::try_from(hasher.finish() % SHARDS as u64).expect("below 16");
        lock(&self.shards[shard])
    }

    fn each(&self, app: SdkAppId, user: &UserId, tell: impl Fn(&Connected)) {
        // Where nobody is connected, nobody pays for asking.
        if self.sessions() == 0 {
            return;
        }
        let owner = (app, user.clone());
        if let Some(connected) = self.shard(&owner).get(&owner) {
            connected.iter().for_each(tell);
        }
    }
}

impl Devices for Fanout {
    fn wake(&self, app: SdkAppId, user: &UserId) {
        self.each(app, user, |one| one.line.tell(|heard| heard.something_new = true));
    }

    fn end(&self, app: SdkAppId, user: &UserId, session: &SessionId, why: EndReason) {
        let theirs = |one: &Connected| one.session == *session;
        self.each(app, user, |one| {
            if theirs(one) {
                one.line.tell(|heard| heard.ended = Some(why));
            }
        });
    }

    fn online(&self, app: SdkAppId, user: &UserId, shown: &Arc<Shown>) {
        self.each(app, user, |one| {
            one.line.tell(|heard| {
                if heard.online.len() < limits::SESSION_ONLINE_MESSAGES_MAX {
                    heard.online.push_back(Arc::clone(shown));
                }
            });
        });
    }
}

impl Default for Line {
    fn default() -> Self {
        Self {
            wake: Notify::new(),
            waiting: Mutex::default(),
            number: AtomicI64::new(NO_NUMBER),
            is_leaving: AtomicBool::new(false),
            polls: AtomicU32::new(0),
        }
    }
}

impl Line {
    /// The session has logged in, and has every update up to this number.
    pub fn has_come_to(&self, number: i64) {
        self.number.store(number, Ordering::Release);
    }

    /// The session's row is about to go: nobody has to tell it.
    pub fn leaves(&self) {
        self.is_leaving.store(true, Ordering::Release);
    }

    /// Its row is there, unless somebody else has ended it.
    fn is_seated(&self) -> bool {
        self.number.load(Ordering::Acquire) != NO_NUMBER && !self.is_leaving.load(Ordering::Acquire)
    }

    /// Whether this pass is about it. Each passes it once.
    fn is_in(&self, pass: Pass) -> bool {
        let polls = self.polls.fetch_add(1, Ordering::Relaxed);
        match pass {
            Pass::All => true,
            Pass::New => polls == 1,
        }
    }

    /// How the store says that the session stands.
    fn stands(&self, glance: Glance) {
        match glance.ended {
            // Its row may have gone since, because it has left.
            Some(why) if self.is_seated() => self.tell(|heard| heard.ended = heard.ended.or(Some(why))),
            Some(_) => {}
            None if glance.sync_number > self.number.load(Ordering::Acquire) => {
                self.tell(|heard| heard.something_new = true);
            }
            None => {}
        }
    }

    fn tell(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut lock(&self.waiting));
        self.wake.notify_one();
    }

    /// Waits until there is something to hear.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Takes what there is to hear.
    pub fn take(&self) -> Heard {
        std::mem::take(&mut *lock(&self.waiting))
    }
}

impl Registration {
    pub fn line(&self) -> &Arc<Line> {
        &self.line
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut shard = self.fanout.shard(&self.owner);
        if let Some(connected) = shard.get_mut(&self.owner) {
            connected.retain(|one| one.session != self.session);
            if connected.is_empty() {
                shard.remove(&self.owner);
            }
        }
        drop(shard);
        self.fanout.sessions.fetch_sub(1, Ordering::Release);
    }
}

impl fmt::Debug for Fanout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fanout").field("sessions", &self.sessions()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: SdkAppId = SdkAppId(1_400_000_001);

    fn user(name: &str) -> UserId {
        UserId::new(name).expect("a valid name")
    }

    fn id(text: &str) -> SessionId {
        SessionId(text.into())
    }

    #[test]
    fn r8_every_session_of_an_account_hears_and_nobody_else() {
        let fanout = Fanout::new(Bus::none());
        let phone = fanout.connect(APP, &user("jared"), id("s_phone"));
        let web = fanout.connect(APP, &user("jared"), id("s_web"));
        let other = fanout.connect(APP, &user("Jonh"), id("s_other"));
        let other_app = fanout.connect(SdkAppId(7), &user("jared"), id("s_app"));
        fanout.wake(APP, &user("jared"));
        for registration in [&phone, &web] {
            assert!(registration.line().take().something_new);
            assert!(!registration.line().take().something_new, "it is told once");
        }
        for registration in [&other, &other_app] {
            assert!(!registration.line().take().something_new);
        }
    }

    #[test]
    fn the_end_of_one_session_is_told_to_that_one() {
        let fanout = Fanout::new(Bus::none());
        let phone = fanout.connect(APP, &user("jared"), id("s_phone"));
        let web = fanout.connect(APP, &user("jared"), id("s_web"));
        fanout.end(APP, &user("jared"), &id("s_web"), EndReason::OtherLogin);
        assert_eq!(phone.line().take().ended, None);
        assert_eq!(web.line().take().ended, Some(EndReason::OtherLogin));
    }

    #[test]
    fn a_place_is_given_up_when_it_is_dropped() {
        let fanout = Fanout::new(Bus::none());
        let phone = fanout.connect(APP, &user("jared"), id("s_phone"));
        assert!(fanout.is_connected(APP, &user("jared"), &id("s_phone")));
        drop(phone);
        assert!(!fanout.is_connected(APP, &user("jared"), &id("s_phone")));
        assert_eq!(fanout.sessions(), 0);
        fanout.shards.iter().for_each(|shard| assert!(lock(shard).is_empty()));
    }
}
