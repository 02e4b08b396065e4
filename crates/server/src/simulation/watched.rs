//! A store that is watched: every command that reaches it is noted and judged as it commits, whichever door it came through;
//! and now and then it fails, as a store may.

use std::{
    collections::BTreeMap,
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
};

use unsaid_protocol::{SdkAppId, UserId};

use super::book::Book;
use crate::{
    apps::App,
    chat::{
        Applied, AuditFilter, AuditPage, Backlog, Command, ConversationsView, CopyProgress, EventId, Fault,
        HistoryQuery, KeptEvent, Lane, LaneHead, Later, Message, Oldest, OwedEvent, Pair, ParkedFilter, ParkedPiece,
        Person, Prunable, Pruned, Recent, Session, SessionKey, Settled, Store, SyncEvent, Token, Updates, UpdatesQuery,
    },
    clock::{self, Timestamp},
};

pub(super) struct Watched {
    pub(super) inner: Arc<dyn Store>,
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) world: clock::World,
    pub(super) fails_in_100: Arc<AtomicU32>,
}

impl Watched {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nobody panics with it but the judge")
    }

    /// It fails before it has done anything.
    fn fails(&self) -> Result<(), Fault> {
        let fails = self.world.entropy.next_u32() % 100 < self.fails_in_100.load(Ordering::Relaxed);
        if fails { Err(Fault::Full) } else { Ok(()) }
    }

    /// Holds what a command has done against what was said, and what it owes against what is in the outbox.
    async fn look(&self, command: &Command, applied: &Applied) -> Result<(), Fault> {
        let now = self.world.clock.now();
        let mut events = Vec::new();
        let lanes = self.book().lanes();
        for (app, lane, after) in lanes {
            events.extend(self.inner.lane(app, lane, after, u32::MAX).await?);
        }
        let touched = self.book().note(command, applied, now, &events);
        for (app, user) in touched.accounts {
            let expected = self.book().unread(app, &user);
            let peers: Vec<_> = expected.iter().map(|(peer, _)| peer.clone()).collect();
            let from = self.inner.unread_from(app, user.clone(), peers).await?;
            let counted: Vec<_> = expected.iter().map(|(_, unread)| Some(*unread)).collect();
            assert_eq!(from, counted, "R6: {user} of {expected:?} after {command:?}");
            let total = expected.iter().map(|(_, unread)| unread).sum();
            assert_eq!(self.inner.unread(app, user.clone()).await?, Some(total), "R6: {user} after {command:?}");
        }
        for query in touched.histories {
            let history = self.inner.history(query.clone()).await?;
            self.book().compare_history(&query, &history);
        }
        Ok(())
    }
}

/// What is asked of the store behind it as it is.
macro_rules! passed_on {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $($argument: $type),*) -> Later<'_, $answer> { self.inner.$name($($argument),*) })*
    };
}

impl Store for Watched {
    fn commit(&self, command: Command) -> Later<'_, Applied> {
        Box::pin(async move {
            self.fails()?;
            let applied = self.inner.commit(command.clone()).await?;
            self.look(&command, &applied).await?;
            Ok(applied)
        })
    }

    fn settle(&self, settled: Vec<Settled>) -> Later<'_, ()> {
        Box::pin(async move {
            self.fails()?;
            self.inner.settle(settled).await
        })
    }

    fn updates(&self, query: UpdatesQuery) -> Later<'_, Option<Updates>> {
        Box::pin(async move {
            self.fails()?;
            self.inner.updates(query).await
        })
    }

    fn lanes(&self, after: Option<(SdkAppId, Lane)>, lanes_max: u32) -> Later<'_, Vec<(SdkAppId, Lane)>> {
        Box::pin(async move {
            self.fails()?;
            self.inner.lanes(after, lanes_max).await
        })
    }

    fn lane(&self, app: SdkAppId, lane: Lane, after: i64, events_max: u32) -> Later<'_, Vec<OwedEvent>> {
        Box::pin(async move {
            self.fails()?;
            self.inner.lane(app, lane, after, events_max).await
        })
    }

    passed_on! {
        apps() -> Vec<App>;
        unread(app: SdkAppId, user: UserId) -> Option<i64>;
        unread_from(app: SdkAppId, user: UserId, peers: Vec<UserId>) -> Vec<Option<i64>>;
        exist(app: SdkAppId, users: Vec<UserId>) -> Vec<bool>;
        recent(app: SdkAppId, user: UserId) -> Option<Vec<Recent>>;
        blocklist(app: SdkAppId, user: UserId) -> Vec<(UserId, u32)>;
        blocks(app: SdkAppId, user: UserId, others: Vec<UserId>) -> Vec<(bool, bool)>;
        prunable(app: SdkAppId, after: Option<Pair>, before_s: u32, conversations_max: u32) -> Prunable;
        conversations(app: SdkAppId, user: UserId, peers: Vec<UserId>) -> Option<ConversationsView>;
        people(app: SdkAppId, users: Vec<UserId>) -> Vec<Option<Person>>;
        sessions(app: SdkAppId, users: Vec<UserId>) -> Vec<Vec<Session>>;
        all_sessions(after: Option<SessionKey>, sessions_max: u32) -> Vec<(SessionKey, Session)>;
        history(query: HistoryQuery) -> Vec<Message>;
        sync_events(app: SdkAppId, user: UserId, after: i64, events_max: u32) -> Option<Vec<(i64, SyncEvent)>>;
        lane_heads(app: SdkAppId, after: Option<Lane>, lanes_max: u32) -> Vec<LaneHead>;
        backlogs() -> BTreeMap<SdkAppId, Backlog>;
        oldest(app: SdkAppId, after: Option<Lane>, lanes_max: u32) -> Oldest;
        parked(app: SdkAppId, filter: ParkedFilter, after: Option<(Lane, i64)>, events_max: u32) -> ParkedPiece;
        event(app: SdkAppId, id: EventId) -> Option<KeptEvent>;
        tokens() -> Vec<Token>;
        audit(filter: AuditFilter) -> AuditPage;
        prune_events(before: Timestamp, after: i64) -> Pruned;
        erase_audit_copies(now: Timestamp) -> u64;
        backup(to: PathBuf, progress: Arc<CopyProgress>) -> u64;
        close() -> ();
    }

    fn epoch(&self) -> &str {
        self.inner.epoch()
    }

    fn broken(&self) -> Pin<Box<dyn Future<Output = Fault> + Send + '_>> {
        self.inner.broken()
    }
}
