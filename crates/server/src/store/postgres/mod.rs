//! The store on PostgreSQL 15 and later: a few writers with group commit, readers beside them.
//!
//! Commands come in through a bounded queue (`writer.rs`), are applied in batches (`batch/`) and answered after one commit for
//! all. Reads have threads and connections of their own (`reader.rs`, `query.rs`, `contacts.rs`). Several servers may use one
//! database: nothing that a writer keeps between two batches could be stale, but for the apps, whose version it checks. Each
//! connection is driven by the thread that asks it (`link.rs`), as SQLite's are.

mod address;
mod batch;
mod contacts;
mod erase;
mod glance;
mod leases;
mod link;
mod look;
mod mark;
mod messages;
mod migrate;
mod operators;
mod order;
mod outbox;
mod query;
mod reader;
mod row;
mod schema;
mod sessions;
mod statements;
mod tls;
mod view;
mod writer;
mod writes;

use std::{collections::BTreeMap, future::Future, path::PathBuf, pin::Pin, sync::Arc, thread};

use tokio::sync::oneshot;
use unsaid_protocol::{SdkAppId, UserId};

pub use self::address::{AddressError, PostgresAddress};
pub(crate) use self::look::Look;
pub use self::migrate::{Far, MigrateError, Moved, Step, migrate};
use self::{
    leases::PostgresLeases,
    link::{Link, Target},
    reader::Readers,
    tls::TlsError,
    writer::{Job, Writers},
};
use super::HintSender;
use crate::{
    apps::App,
    chat::{
        self, Applied, AuditFilter, AuditPage, Backlog, Command, ConversationsView, CopyProgress, EventId, Fault,
        HistoryQuery, KeptEvent, Lane, LaneHead, Later, Message, Oldest, OwedEvent, Pair, ParkedFilter, ParkedPiece,
        Person, Prunable, Pruned, Recent, Session, SessionKey, Settled, Store, SyncEvent, Token, Updates, UpdatesQuery,
    },
    clock::{Entropy, Timestamp, World},
    cluster::{Leases, MemberId},
    limits,
    metrics::StoreMetrics,
};

/// How the store is opened.
#[derive(Clone)]
pub struct PostgresOptions {
    pub address: PostgresAddress,
    /// How many connections write. With more than one, commands that come at the same time are stored in no certain order.
    pub writers: usize,
    pub metrics: StoreMetrics,
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "the database holds a store of version {found}, which only servers from version {oldest} on can read; this one knows version {known}: use a newer server"
    )]
    TooNew { found: i64, oldest: i64, known: i64 },
    #[error("the setting store: {0}")]
    Tls(#[from] TlsError),
    #[error("the store in PostgreSQL cannot be opened: {0}")]
    Failed(#[from] Fault),
    #[error("servers use this store: stop them first")]
    InUse,
    #[error("a migration into this database has not ended: run unsaid migrate again")]
    Migrating,
    #[error("there is no store in this database: has it been restored, and into the schema that is looked at?")]
    NoStore,
    #[error("a thread of the store cannot be started: {0}")]
    Thread(std::io::Error),
}

/// The store on PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    writers: Writers,
    readers: Arc<Readers>,
    leases: Arc<PostgresLeases>,
    epoch: String,
    /// What only servers of this store know.
    cluster_key: [u8; 32],
}

impl Postgres {
    /// Opens the store in its database; makes its tables where they are missing.
    pub fn open(options: &PostgresOptions, world: &World, hints: &HintSender) -> Result<Self, OpenError> {
        let target = &Target::of(&options.address)?;
        let (epoch, cluster_key) = on_a_thread(|| {
            let link = Link::connect(target)?;
            schema::migrate(&link.patient(), &world.entropy)
        })?;
        let member = MemberId(format!("m_{:016x}", world.entropy.next_u64()).into());
        let readers = Arc::new(Readers::start(target, limits::POSTGRES_READERS)?);
        let of_leases = Readers::start(target, 1)?;
        let leases = PostgresLeases::new(member.clone(), of_leases, Arc::clone(&readers), world.clock.clone());
        let leases = Arc::new(leases);
        let writers = Writers::start(target, options.writers, &member, world, hints, &options.metrics)?;
        Ok(Self { writers, readers, leases, epoch, cluster_key })
    }

    /// Who this server is among those that share the store.
    pub fn member(&self) -> MemberId {
        self.leases.member()
    }

    pub fn cluster_key(&self) -> [u8; 32] {
        self.cluster_key
    }

    fn ask<T: Send + 'static>(&self, job: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Job) -> Later<'_, T> {
        let (sender, receiver) = oneshot::channel();
        let job = job(sender);
        Box::pin(async move {
            self.writers.enqueue(job).await?;
            receiver.await.unwrap_or(Err(Fault::Stopping))
        })
    }
}

/// Tells a store that it was restored from a backup: it begins another life (a new epoch), because numbers that were given since
/// are given once more. Answers how that life is called.
pub fn renew_epoch(address: &PostgresAddress, entropy: &Entropy) -> Result<String, OpenError> {
    on_a_thread(|| {
        let link = Link::connect(&Target::of(address)?)?;
        if !look::is_there(&link)? {
            return Err(OpenError::NoStore);
        }
        if look::in_use(&link)? {
            return Err(OpenError::InUse);
        }
        Ok(schema::renew_epoch(&link, entropy)?)
    })
}

/// What needs a connection for a moment gets a thread of its own, for whoever asks may be within a runtime.
fn on_a_thread<T: Send>(work: impl FnOnce() -> Result<T, OpenError> + Send) -> Result<T, OpenError> {
    let done = thread::scope(|scope| {
        let thread = thread::Builder::new().name("store-opener".to_owned()).spawn_scoped(scope, work);
        thread.map_err(OpenError::Thread).map(|thread| thread.join())
    })?;
    done.unwrap_or_else(|_| Err(Fault::Failed("it panicked; see the log".into()).into()))
}

/// What makes copies of a database is PostgreSQL's own.
pub(crate) const NO_BACKUP: &str = "the store is on PostgreSQL, whose backups are made by pg_dump or pg_basebackup: docs/operations.md, \
                                    \"On PostgreSQL\", says how";

impl Store for Postgres {
    fn commit(&self, command: Command) -> Later<'_, Applied> {
        self.ask(|answer| Job::Commit { command, answer })
    }

    fn settle(&self, settled: Vec<Settled>) -> Later<'_, ()> {
        self.ask(|answer| Job::Settle { settled, answer })
    }

    fn apps(&self) -> Later<'_, Vec<App>> {
        self.readers.read(query::apps)
    }

    fn unread(&self, app: SdkAppId, user: UserId) -> Later<'_, Option<i64>> {
        self.readers.read(move |link| contacts::unread(link, app, &user))
    }

    fn unread_from(&self, app: SdkAppId, user: UserId, peers: Vec<UserId>) -> Later<'_, Vec<Option<i64>>> {
        self.readers.read(move |link| contacts::unread_from(link, app, &user, &peers))
    }

    fn exist(&self, app: SdkAppId, users: Vec<UserId>) -> Later<'_, Vec<bool>> {
        self.readers.read(move |link| contacts::exist(link, app, &users))
    }

    fn recent(&self, app: SdkAppId, user: UserId) -> Later<'_, Option<Vec<Recent>>> {
        self.readers.read(move |link| contacts::recent(link, app, &user))
    }

    fn blocklist(&self, app: SdkAppId, user: UserId) -> Later<'_, Vec<(UserId, u32)>> {
        self.readers.read(move |link| contacts::blocklist(link, app, &user))
    }

    fn blocks(&self, app: SdkAppId, user: UserId, others: Vec<UserId>) -> Later<'_, Vec<(bool, bool)>> {
        self.readers.read(move |link| contacts::blocks(link, app, &user, &others))
    }

    fn prunable(
        &self,
        app: SdkAppId,
        after: Option<Pair>,
        before_s: u32,
        conversations_max: u32,
    ) -> Later<'_, Prunable> {
        self.readers.read(move |link| query::prunable(link, app, after.as_ref(), before_s, conversations_max))
    }

    fn updates(&self, query: UpdatesQuery) -> Later<'_, Option<Updates>> {
        self.readers.look(move |view| chat::updates(view, &query))
    }

    fn conversations(&self, app: SdkAppId, user: UserId, peers: Vec<UserId>) -> Later<'_, Option<ConversationsView>> {
        self.readers.look(move |view| chat::conversations(view, app, &user, &peers))
    }

    fn people(&self, app: SdkAppId, users: Vec<UserId>) -> Later<'_, Vec<Option<Person>>> {
        self.readers.read(move |link| contacts::people(link, app, &users))
    }

    fn sessions(&self, app: SdkAppId, users: Vec<UserId>) -> Later<'_, Vec<Vec<Session>>> {
        self.readers.read(move |link| sessions::of(link, app, &users))
    }

    fn all_sessions(&self, after: Option<SessionKey>, sessions_max: u32) -> Later<'_, Vec<(SessionKey, Session)>> {
        let member = self.leases.member();
        self.readers.read(move |link| sessions::all(link, &member.0, after.as_ref(), sessions_max))
    }

    fn history(&self, query: HistoryQuery) -> Later<'_, Vec<Message>> {
        self.readers.at_once(move |link| query::history(link, &query))
    }

    fn sync_events(
        &self,
        app: SdkAppId,
        user: UserId,
        after: i64,
        events_max: u32,
    ) -> Later<'_, Option<Vec<(i64, SyncEvent)>>> {
        self.readers.read(move |link| query::sync_events(link, app, &user, after, events_max))
    }

    fn lanes(&self, after: Option<(SdkAppId, Lane)>, lanes_max: u32) -> Later<'_, Vec<(SdkAppId, Lane)>> {
        self.readers.read(move |link| query::lanes(link, after.clone(), lanes_max))
    }

    fn lane(&self, app: SdkAppId, lane: Lane, after: i64, events_max: u32) -> Later<'_, Vec<OwedEvent>> {
        self.readers.read(move |link| query::lane(link, app, &lane, after, events_max))
    }

    fn lane_heads(&self, app: SdkAppId, after: Option<Lane>, lanes_max: u32) -> Later<'_, Vec<LaneHead>> {
        self.readers.read(move |link| query::lane_heads(link, app, after.clone(), lanes_max))
    }

    fn backlogs(&self) -> Later<'_, BTreeMap<SdkAppId, Backlog>> {
        self.readers.read(statements::read_backlogs)
    }

    fn oldest(&self, app: SdkAppId, after: Option<Lane>, lanes_max: u32) -> Later<'_, Oldest> {
        self.readers.read(move |link| query::oldest(link, app, after.clone(), lanes_max))
    }

    fn parked(
        &self,
        app: SdkAppId,
        filter: ParkedFilter,
        after: Option<(Lane, i64)>,
        events_max: u32,
    ) -> Later<'_, ParkedPiece> {
        self.readers.read(move |link| query::parked(link, app, &filter, after.clone(), events_max))
    }

    fn event(&self, app: SdkAppId, id: EventId) -> Later<'_, Option<KeptEvent>> {
        self.readers.read(move |link| query::event(link, app, &id))
    }

    fn tokens(&self) -> Later<'_, Vec<Token>> {
        self.readers.read(operators::tokens)
    }

    fn audit(&self, filter: AuditFilter) -> Later<'_, AuditPage> {
        self.readers.read(move |link| operators::audit(link, &filter))
    }

    fn prune_events(&self, before: Timestamp, after: i64) -> Later<'_, Pruned> {
        self.ask(|answer| Job::PruneEvents { before, after, answer })
    }

    fn erase_audit_copies(&self, now: Timestamp) -> Later<'_, u64> {
        self.ask(|answer| Job::EraseAuditCopies { now, answer })
    }

    fn backup(&self, _: PathBuf, _: Arc<CopyProgress>) -> Later<'_, u64> {
        Box::pin(std::future::ready(Err(Fault::Failed(NO_BACKUP.into()))))
    }

    fn leases(&self) -> Option<Arc<dyn Leases>> {
        Some(Arc::clone(&self.leases) as Arc<dyn Leases>)
    }

    fn epoch(&self) -> &str {
        &self.epoch
    }

    fn broken(&self) -> Pin<Box<dyn Future<Output = Fault> + Send + '_>> {
        Box::pin(self.writers.broken())
    }

    fn close(&self) -> Later<'_, ()> {
        self.ask(|answer| Job::Close { answer })
    }
}
