//! Asking the store what other servers have done to the sessions that are connected here.
//!
//! The bus tells it at once, and may lose it. So the store is asked for all sessions every second while there is no bus, once
//! when it has come, and now and then while it is there. A session that has just logged in is asked about once, when the
//! subscription of its account has surely begun. What is compared is how far the session itself has come, so nobody is woken
//! for nothing.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Fanout;
use crate::{chat::Fault, clock::Clock, cluster::Leases, limits};

/// Who asks.
pub struct Poll {
    pub fanout: Arc<Fanout>,
    /// The store's part that is asked.
    pub leases: Arc<dyn Leases>,
    /// Whether every other server tells at once what it commits.
    pub hears_all: watch::Receiver<bool>,
    pub clock: Clock,
}

/// Whom is asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pass {
    All,
    /// Those that have logged in before the last pass, and not before the one before it.
    New,
}

impl Poll {
    /// Asks until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut hears_all = self.hears_all.clone();
        let (mut all_at, mut is_failing) = (None, false);
        loop {
            let now = self.clock.instant();
            let is_due = all_at.is_none_or(|at| now.duration_since(at) >= limits::POLL_NET_PAUSE);
            let pass = if *hears_all.borrow() && !is_due { Pass::New } else { Pass::All };
            match self.once(pass).await {
                Ok(()) => {
                    is_failing = false;
                    all_at = if pass == Pass::All { Some(now) } else { all_at };
                }
                Err(fault) if !is_failing => {
                    is_failing = true;
                    tracing::warn!(%fault, "the store could not be asked what other servers have done; it is tried again");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                // What was said meanwhile was said to nobody.
                () = changed(&mut hears_all) => all_at = None,
                () = tokio::time::sleep(limits::POLL_PAUSE) => {}
            }
        }
    }

    async fn once(&self, pass: Pass) -> Result<(), Fault> {
        let standing = self.fanout.standing(|line| line.is_in(pass));
        for piece in standing.chunks(limits::POLL_PIECE_SESSIONS) {
            let keys: Vec<_> = piece.iter().map(|session| session.key.clone()).collect();
            let glances = self.leases.glance(keys).await?;
            assert_eq!(glances.len(), piece.len(), "each session that is asked about is answered for");
            piece.iter().zip(glances).for_each(|(session, glance)| session.line.stands(glance));
        }
        Ok(())
    }
}

/// Comes when the others can be heard, or no longer.
async fn changed(hears_all: &mut watch::Receiver<bool>) {
    if hears_all.changed().await.is_err() {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        sync::{Mutex, MutexGuard},
        time::Duration,
    };

    use unsaid_protocol::{SdkAppId, UserId};

    use super::*;
    use crate::{
        bus::Bus,
        chat::{EndReason, Later, SessionId, SessionKey},
        cluster::{Glance, MemberId, Renewal, Renewed},
        fanout::Registration,
    };

    const APP: SdkAppId = SdkAppId(1_400_000_001);

    /// A store that only says how sessions stand.
    #[derive(Debug, Default)]
    struct Stands {
        sessions: Mutex<HashMap<SessionId, Glance>>,
        asked: Mutex<Vec<usize>>,
        is_away: Mutex<bool>,
    }

    impl Stands {
        fn put(&self, session: &str, sync_number: i64, ended: Option<EndReason>) {
            lock(&self.sessions).insert(SessionId(session.into()), Glance { sync_number, ended });
        }

        /// For how many sessions it was asked since, each time.
        fn take_asked(&self) -> Vec<usize> {
            std::mem::take(&mut lock(&self.asked))
        }
    }

    impl Leases for Stands {
        fn renew(&self, _: Renewal) -> Later<'_, Renewed> {
            unreachable!("nobody renews here")
        }

        fn end(&self, _: MemberId) -> Later<'_, ()> {
            unreachable!("nobody ends here")
        }

        fn member(&self) -> MemberId {
            unreachable!("nobody asks")
        }

        fn say_back(&self, _: SdkAppId) -> Later<'_, ()> {
            unreachable!("nobody is back here")
        }

        fn glance(&self, sessions: Vec<SessionKey>) -> Later<'_, Vec<Glance>> {
            lock(&self.asked).push(sessions.len());
            let gone = Glance { sync_number: 0, ended: Some(EndReason::AppBackend) };
            let known = lock(&self.sessions);
            let glances = sessions.iter().map(|(_, _, session)| known.get(session).copied().unwrap_or(gone)).collect();
            let is_away = *lock(&self.is_away);
            Box::pin(async move { if is_away { Err(Fault::Failed("away".into())) } else { Ok(glances) } })
        }
    }

    fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().expect("nobody has panicked")
    }

    /// A server that asks, and what it asks.
    struct Asking {
        fanout: Arc<Fanout>,
        stands: Arc<Stands>,
        connected: watch::Sender<bool>,
        stop: CancellationToken,
    }

    impl Asking {
        fn start() -> Self {
            let connected = watch::Sender::new(false);
            let (fanout, stands) = (Fanout::new(Bus::none()), Arc::<Stands>::default());
            let poll = Poll {
                fanout: Arc::clone(&fanout),
                leases: Arc::clone(&stands) as Arc<dyn Leases>,
                hears_all: connected.subscribe(),
                clock: Clock::system(),
            };
            let stop = CancellationToken::new();
            tokio::spawn(poll.run(stop.clone()));
            Self { fanout, stands, connected, stop }
        }

        fn connect(&self, session: &str) -> Registration {
            let user = UserId::new("jared").expect("a name");
            self.fanout.connect(APP, &user, SessionId(session.into()))
        }

        /// One that has logged in and has come to that number.
        fn seated(&self, session: &str, number: i64) -> Registration {
            let registration = self.connect(session);
            registration.line().has_come_to(number);
            registration
        }
    }

    impl Drop for Asking {
        fn drop(&mut self) {
            self.stop.cancel();
        }
    }

    async fn seconds(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds) + Duration::from_millis(500)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_bus_whoever_is_behind_is_woken_within_a_second_and_nobody_else() {
        let asking = Asking::start();
        let (behind, there) = (asking.seated("s_behind", 6), asking.seated("s_there", 7));
        for session in ["s_behind", "s_there"] {
            asking.stands.put(session, 7, None);
        }
        seconds(1).await;
        assert!(behind.line().take().something_new);
        assert!(!there.line().take().something_new);
        behind.line().has_come_to(7);
        seconds(5).await;
        assert!(!behind.line().take().something_new, "it has come to where its account is");
        asking.stands.put("s_there", 8, None);
        seconds(1).await;
        assert!(there.line().take().something_new);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_whose_row_is_gone_is_ended_but_none_that_comes_or_goes_itself() {
        let asking = Asking::start();
        let (gone, comes, goes) = (asking.seated("s_gone", 1), asking.connect("s_comes"), asking.seated("s_goes", 1));
        asking.stands.put("s_gone", 1, Some(EndReason::OtherLogin));
        goes.line().leaves();
        seconds(3).await;
        assert_eq!(gone.line().take().ended, Some(EndReason::OtherLogin));
        assert_eq!(comes.line().take().ended, None, "its row is not there yet");
        assert_eq!(goes.line().take().ended, None, "it knows");
        comes.line().has_come_to(1);
        seconds(1).await;
        assert_eq!(comes.line().take().ended, Some(EndReason::AppBackend), "it was, and is gone");
    }

    /// The store may have been asked before the session said that it goes.
    #[test]
    fn a_session_that_leaves_while_the_store_answers_is_not_ended() {
        let fanout = Fanout::new(Bus::none());
        let session = fanout.connect(APP, &UserId::new("jared").expect("a name"), SessionId("s_1".into()));
        session.line().has_come_to(1);
        session.line().leaves();
        session.line().stands(Glance { sync_number: 0, ended: Some(EndReason::AppBackend) });
        assert_eq!(session.line().take().ended, None);
    }

    #[tokio::test(start_paused = true)]
    async fn with_a_bus_all_are_asked_about_when_it_comes_and_then_now_and_then() {
        let asking = Asking::start();
        let _sessions = [asking.seated("s_1", 1), asking.seated("s_2", 1)];
        asking.stands.put("s_1", 1, None);
        asking.stands.put("s_2", 1, None);
        seconds(3).await;
        assert!(asking.stands.take_asked().len() >= 3, "every second without");
        asking.connected.send_replace(true);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(asking.stands.take_asked(), [2], "at once when it has come");
        seconds(20).await;
        assert_eq!(asking.stands.take_asked(), [0_usize; 0]);
        seconds(20).await;
        assert_eq!(asking.stands.take_asked(), [2], "and every half minute");

        let _new = asking.seated("s_3", 1);
        asking.stands.put("s_3", 1, None);
        tokio::time::sleep(limits::POLL_PAUSE).await;
        assert_eq!(asking.stands.take_asked(), [0_usize; 0], "its subscription may just have begun");
        seconds(4).await;
        assert_eq!(asking.stands.take_asked(), [1], "the new one alone, once");
        asking.connected.send_replace(false);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(asking.stands.take_asked(), [3], "at once when it has gone");
        seconds(2).await;
        assert_eq!(asking.stands.take_asked(), [3, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_away_is_asked_again_and_nobody_is_ended_meanwhile() {
        let asking = Asking::start();
        let session = asking.seated("s_1", 1);
        *lock(&asking.stands.is_away) = true;
        seconds(3).await;
        assert_eq!(session.line().take().ended, None);
        asking.stands.put("s_1", 2, None);
        *lock(&asking.stands.is_away) = false;
        seconds(1).await;
        assert!(session.line().take().something_new);
    }

    #[tokio::test(start_paused = true)]
    async fn many_sessions_are_asked_about_in_pieces() {
        let asking = Asking::start();
        let count = limits::POLL_PIECE_SESSIONS + 1;
        let sessions: Vec<_> = (0..count).map(|number| asking.seated(&format!("s_{number}"), 0)).collect();
        for number in 0..count {
            asking.stands.put(&format!("s_{number}"), 1, None);
        }
        seconds(1).await;
        assert_eq!(asking.stands.take_asked().split_at(2).0, [limits::POLL_PIECE_SESSIONS, 1]);
        assert!(sessions.iter().all(|session| session.line().take().something_new));
    }
}
