//! What the domain needs of a store: the trait that every one of them keeps (`crate::store`).

use std::{
    collections::BTreeMap,
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use unsaid_protocol::{SdkAppId, UserId};

use super::{
    applied::Applied,
    audit::{AuditFilter, AuditPage},
    command::Command,
    event::{EventId, KeptEvent, OwedEvent, Tries},
    history::{HistoryQuery, Recent},
    lane::Lane,
    message::{Message, SyncEvent},
    pair::Pair,
    replay::ParkedFilter,
    session::{Session, SessionId},
    token::Token,
    tx::Fault,
    view::{ConversationsView, Person, Updates, UpdatesQuery},
};
use crate::{apps::App, clock::Timestamp, cluster::Leases, limits};

/// Where a session stands among all.
pub type SessionKey = (SdkAppId, UserId, SessionId);

/// An answer that comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// Where everything is kept.
pub trait Store: Send + Sync + 'static {
    /// Applies a command, in one transaction with others that wait. Answers when it is durable; before that nobody
    /// learns of it. Dropping the answer does not take the command back.
    fn commit(&self, command: Command) -> Later<'_, Applied>;

    /// Notes what became of attempts, all or nothing. Where servers share the store, what another one delivers by now is left alone.
    fn settle(&self, settled: Vec<Settled>) -> Later<'_, ()>;

    fn apps(&self) -> Later<'_, Vec<App>>;

    /// An account's total of unread messages; none if there is no such account.
    fn unread(&self, app: SdkAppId, user: UserId) -> Later<'_, Option<i64>>;

    /// An account's unread messages from each of the peers; none where there is no such account.
    fn unread_from(&self, app: SdkAppId, user: UserId, peers: Vec<UserId>) -> Later<'_, Vec<Option<i64>>>;

    /// Which of the accounts are there.
    fn exist(&self, app: SdkAppId, users: Vec<UserId>) -> Later<'_, Vec<bool>>;

    /// The conversations in an account's list, in no order; none if there is no such account.
    fn recent(&self, app: SdkAppId, user: UserId) -> Later<'_, Option<Vec<Recent>>>;

    /// Whom an account has on its blocklist, by name, with the second since when.
    fn blocklist(&self, app: SdkAppId, user: UserId) -> Later<'_, Vec<(UserId, u32)>>;

    /// Of each of the others, whether `user` has it on its blocklist, and whether it has `user` on its own.
    fn blocks(&self, app: SdkAppId, user: UserId, others: Vec<UserId>) -> Later<'_, Vec<(bool, bool)>>;

    /// Conversations behind `after` in which messages of before that second, or that neither account sees any more, are to
    /// be erased; so many are looked at.
    fn prunable(
        &self,
        app: SdkAppId,
        after: Option<Pair>,
        before_s: u32,
        conversations_max: u32,
    ) -> Later<'_, Prunable>;

    /// What a device has missed; none where it has to begin anew.
    fn updates(&self, query: UpdatesQuery) -> Later<'_, Option<Updates>>;

    /// Conversations as they stand now; none if there is no such account.
    fn conversations(&self, app: SdkAppId, user: UserId, peers: Vec<UserId>) -> Later<'_, Option<ConversationsView>>;

    /// Accounts with their names and faces, also those that were deleted.
    fn people(&self, app: SdkAppId, users: Vec<UserId>) -> Later<'_, Vec<Option<Person>>>;

    /// The sessions of each of the accounts.
    fn sessions(&self, app: SdkAppId, users: Vec<UserId>) -> Later<'_, Vec<Vec<Session>>>;

    /// All sessions in the order of their keys, behind `after`. Where servers share the store: those of this one, and of those that
    /// are gone for a while.
    fn all_sessions(&self, after: Option<SessionKey>, sessions_max: u32) -> Later<'_, Vec<(SessionKey, Session)>>;

    /// A slice of history, newest first.
    fn history(&self, query: HistoryQuery) -> Later<'_, Vec<Message>>;

    /// What the devices of an account have to learn behind the number `after`, in order; none if that is more than
    /// `events_max`, or no longer known.
    fn sync_events(
        &self,
        app: SdkAppId,
        user: UserId,
        after: i64,
        events_max: u32,
    ) -> Later<'_, Option<Vec<(i64, SyncEvent)>>>;

    /// Lanes that hold events, in their order, behind `after`.
    fn lanes(&self, after: Option<(SdkAppId, Lane)>, lanes_max: u32) -> Later<'_, Vec<(SdkAppId, Lane)>>;

    /// The events of a lane behind the place `after`, in their order.
    fn lane(&self, app: SdkAppId, lane: Lane, after: i64, events_max: u32) -> Later<'_, Vec<OwedEvent>>;

    /// The first event of each lane of an app, with how many wait in it, behind `after`.
    fn lane_heads(&self, app: SdkAppId, after: Option<Lane>, lanes_max: u32) -> Later<'_, Vec<LaneHead>>;

    /// How much each app is owed, and how much is parked. Counted at each commit, so asking costs next to nothing.
    fn backlogs(&self) -> Later<'_, BTreeMap<SdkAppId, Backlog>>;

    /// The sum over all apps.
    fn backlog(&self) -> Later<'_, Backlog> {
        Box::pin(async {
            let backlogs = self.backlogs().await?;
            Ok(backlogs.into_values().fold(Backlog::default(), Backlog::plus))
        })
    }

    /// Since when the event waits that waits longest, among the first events of the app's lanes behind `after`; at most
    /// `lanes_max` of them are looked at.
    fn oldest(&self, app: SdkAppId, after: Option<Lane>, lanes_max: u32) -> Later<'_, Oldest>;

    /// The same over all lanes of the app, piece by piece, so that nobody waits long for a reader.
    fn oldest_of_all(&self, app: SdkAppId) -> Later<'_, Option<Timestamp>> {
        Box::pin(async move {
            let (mut oldest, mut after) = (None, None);
            loop {
                let Oldest { since, next } = self.oldest(app, after, limits::OLDEST_PIECE_LANES).await?;
                oldest = [oldest, since].into_iter().flatten().min();
                if next.is_none() {
                    return Ok(oldest);
                }
                after = next;
            }
        })
    }

    /// Parked events, in the order of lanes and places, behind `after`. A piece may hold fewer than `events_max`, even
    /// none, and not be the last: only so many rows are looked at for it.
    fn parked(
        &self,
        app: SdkAppId,
        filter: ParkedFilter,
        after: Option<(Lane, i64)>,
        events_max: u32,
    ) -> Later<'_, ParkedPiece>;

    /// An event, while it is kept.
    fn event(&self, app: SdkAppId, id: EventId) -> Later<'_, Option<KeptEvent>>;

    /// The tokens of the operator API, in the order in which they were made.
    fn tokens(&self) -> Later<'_, Vec<Token>>;

    /// Lines of the audit log, the latest first. A page may hold fewer than asked for, even none, and not be the last: only
    /// so many rows are looked at for it.
    fn audit(&self, filter: AuditFilter) -> Later<'_, AuditPage>;

    /// Erases delivered events that are older than `before`, among some rows of the log behind `after`.
    fn prune_events(&self, before: Timestamp, after: i64) -> Later<'_, Pruned>;

    /// Erases audit copies whose day has come (rule R3). Answers how many.
    fn erase_audit_copies(&self, now: Timestamp) -> Later<'_, u64>;

    /// Copies everything into a file that is not there yet, while commands go on: one copy at a time. Answers its length in
    /// bytes. Whoever no longer waits for it gets none.
    fn backup(&self, to: PathBuf, progress: Arc<CopyProgress>) -> Later<'_, u64>;

    /// What servers that share this store ask of it; none where one server owns it.
    fn leases(&self) -> Option<Arc<dyn Leases>> {
        None
    }

    /// Part of the names of lanes; a restore renews it (rule C3).
    fn epoch(&self) -> &str;

    /// Comes when the store can no longer tell what is durable, so that the server has to stop and recover.
    fn broken(&self) -> Pin<Box<dyn Future<Output = Fault> + Send + '_>>;

    /// Finishes what was accepted and closes. Commands that come later are refused.
    fn close(&self) -> Later<'_, ()>;
}

/// How far a copy of the store has come, for whoever watches.
#[derive(Debug, Default)]
pub struct CopyProgress {
    copied_bytes: AtomicU64,
    bytes: AtomicU64,
}

impl CopyProgress {
    pub fn is_at(&self, copied_bytes: u64, bytes: u64) {
        self.copied_bytes.store(copied_bytes, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// How many bytes are copied, and of how many; the store may grow meanwhile.
    pub fn bytes(&self) -> (u64, u64) {
        (self.copied_bytes.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// A lane, with the event whose turn it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaneHead {
    /// Counted up to [`limits::LANE_COUNT_MAX`].
    pub waiting: u32,
    pub head: OwedEvent,
}

/// Events that wait, and events that are parked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Backlog {
    pub waiting: u64,
    /// The bodies of those that wait.
    pub waiting_bytes: u64,
    pub parked: u64,
}

impl Backlog {
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            waiting: self.waiting + other.waiting,
            waiting_bytes: self.waiting_bytes + other.waiting_bytes,
            parked: self.parked + other.parked,
        }
    }
}

/// What was found of the event that waits longest.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Oldest {
    pub since: Option<Timestamp>,
    /// Behind which lane to go on; none if that was the last.
    pub next: Option<Lane>,
}

/// A piece of what is parked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ParkedPiece {
    pub events: Vec<KeptEvent>,
    /// Behind which lane and place to go on; none if that was all.
    pub next: Option<(Lane, i64)>,
}

/// Conversations in which something is to be erased.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Prunable {
    pub pairs: Vec<Pair>,
    /// Behind which to go on; none if that was the last.
    pub next: Option<Pair>,
}

/// What a piece of pruning has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pruned {
    pub erased: u64,
    /// Behind which row to go on; none if nothing older is left.
    pub next: Option<i64>,
}

/// What became of an attempt, as the outbox has to know it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    pub app: SdkAppId,
    pub lane: Lane,
    pub place: i64,
    pub to: Settlement,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settlement {
    /// It leaves the outbox.
    Delivered,
    /// It stays the head of its lane until then.
    DueAgain { tries: Tries, due: Timestamp },
    /// It leaves its lane, so that the next one can go, and is kept aside with the reason.
    Parked { tries: Tries, at: Timestamp, reason: Arc<str> },
}
