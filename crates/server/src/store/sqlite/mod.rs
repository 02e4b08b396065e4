//! The embedded store: SQLite, one writer thread with group commit, readers beside it.
//!
//! Commands come in through a bounded queue (`writer.rs`), are applied in batches (`batch.rs`) and answered after one
//! fsync for all. Reads have threads and connections of their own (`reader.rs`, `query.rs`, `contacts.rs`). The outbox of a batch is
//! in `outbox.rs`. The data folder is locked: one server owns it, so nothing in it is claimed or leased.

mod backup;
mod batch;
mod checkpoint;
mod contacts;
mod erase;
mod known;
mod look;
mod messages;
mod operators;
mod outbox;
#[cfg(any(test, feature = "pieces"))]
pub(crate) mod pieces;
#[cfg(test)]
mod plans;
mod prepared;
mod prune;
mod query;
mod reader;
mod row;
mod schema;
mod sessions;
mod statements;
mod view;
mod writer;

pub use backup::{RestoreError, restore};
#[cfg(test)]
pub(super) use schema::{bring_to, versions};

use std::{
    collections::BTreeMap,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use tokio::sync::oneshot;
use unsaid_protocol::{SdkAppId, UserId};

pub(crate) use self::look::Look;
use self::{
    reader::Readers,
    writer::{Job, Writer},
};
use super::{Folder, FolderError, HintSender, Moved};
use crate::{
    apps::App,
    chat::{
        self, Applied, AuditFilter, AuditPage, Backlog, Command, ConversationsView, CopyProgress, EventId, Fault,
        HistoryQuery, KeptEvent, Lane, LaneHead, Later, Message, Oldest, OwedEvent, Pair, ParkedFilter, ParkedPiece,
        Person, Prunable, Pruned, Recent, Session, SessionKey, Settled, Store, SyncEvent, Token, Updates, UpdatesQuery,
    },
    clock::{Clock, Entropy, Timestamp, World},
    metrics::StoreMetrics,
};

/// How the store is opened.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    pub folder: PathBuf,
    /// How large the database may grow, in pages; for tests of a full disk.
    pub pages_max: Option<u32>,
    pub metrics: StoreMetrics,
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(
        "data_dir holds a store of version {found}, which only servers from version {oldest} on can read; this one knows version {known}: use a newer server"
    )]
    TooNew { found: i64, oldest: i64, known: i64 },
    #[error("the store in data_dir cannot be opened: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("{text}; remove {file} to open what is left of it here", file = .file.display())]
    Moved { file: PathBuf, text: String },
    #[error("a thread of the store cannot be started: {0}")]
    Thread(std::io::Error),
}

/// The embedded store.
#[derive(Debug)]
pub struct Sqlite {
    writer: Writer,
    readers: Readers,
    epoch: String,
    /// Held until the store is dropped and its writer has ended.
    _folder: Arc<Folder>,
}

impl Sqlite {
    /// Opens the store in its folder; makes both where they are missing.
    pub fn open(options: &SqliteOptions, clock: Clock, entropy: Entropy, hints: HintSender) -> Result<Self, OpenError> {
        let folder = Arc::new(Folder::lock(&options.folder)?);
        let failed = |source| FolderError::Failed { path: options.folder.clone(), source };
        if let Some(Moved { file, text }) = folder.moved().map_err(failed)? {
            return Err(OpenError::Moved { file, text });
        }
        let path = folder.database();
        let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        prepare_writer(&connection, options.pages_max)?;
        schema::migrate(&mut connection)?;
        let epoch = schema::epoch(&connection, &entropy)?;
        let readers = Readers::start(&path)?;
        let writer =
            Writer::start(connection, Arc::clone(&folder), World { clock, entropy }, hints, options.metrics.clone())?;
        Ok(Self { writer, readers, epoch, _folder: folder })
    }

    fn ask<T: Send + 'static>(&self, job: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Job) -> Later<'_, T> {
        let (sender, receiver) = oneshot::channel();
        let job = job(sender);
        Box::pin(async move {
            self.writer.enqueue(job).await?;
            receiver.await.unwrap_or(Err(Fault::Stopping))
        })
    }
}

impl Store for Sqlite {
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
        self.readers.read(move |connection| contacts::unread(connection, app, &user))
    }

    fn unread_from(&self, app: SdkAppId, user: UserId, peers: Vec<UserId>) -> Later<'_, Vec<Option<i64>>> {
        self.readers.read(move |connection| contacts::unread_from(connection, app, &user, &peers))
    }

    fn exist(&self, app: SdkAppId, users: Vec<UserId>) -> Later<'_, Vec<bool>> {
        self.readers.read(move |connection| contacts::exist(connection, app, &users))
    }

    fn recent(&self, app: SdkAppId, user: UserId) -> Later<'_, Option<Vec<Recent>>> {
        self.readers.read(move |connection| contacts::recent(connection, app, &user))
    }

    fn blocklist(&self, app: SdkAppId, user: UserId) -> Later<'_, Vec<(UserId, u32)>> {
        self.readers.read(move |connection| contacts::blocklist(connection, app, &user))
    }

    fn blocks(&self, app: SdkAppId, user: UserId, others: Vec<UserId>) -> Later<'_, Vec<(bool, bool)>> {
        self.readers.read(move |connection| contacts::blocks(connection, app, &user, &others))
    }

    fn prunable(
        &self,
        app: SdkAppId,
        after: Option<Pair>,
        before_s: u32,
        conversations_max: u32,
    ) -> Later<'_, Prunable> {
        self.readers
            .read(move |connection| prune::prunable(connection, app, after.as_ref(), before_s, conversations_max))
    }

    fn updates(&self, query: UpdatesQuery) -> Later<'_, Option<Updates>> {
        self.readers.look(move |view| chat::updates(view, &query))
    }

    fn conversations(&self, app: SdkAppId, user: UserId, peers: Vec<UserId>) -> Later<'_, Option<ConversationsView>> {
        self.readers.look(move |view| chat::conversations(view, app, &user, &peers))
    }

    fn people(&self, app: SdkAppId, users: Vec<UserId>) -> Later<'_, Vec<Option<Person>>> {
        self.readers.read(move |connection| contacts::people(connection, app, &users))
    }

    fn sessions(&self, app: SdkAppId, users: Vec<UserId>) -> Later<'_, Vec<Vec<Session>>> {
        self.readers.read(move |connection| users.iter().map(|user| sessions::of(connection, app, user)).collect())
    }

    fn all_sessions(&self, after: Option<SessionKey>, sessions_max: u32) -> Later<'_, Vec<(SessionKey, Session)>> {
        self.readers.read(move |connection| sessions::all(connection, after.as_ref(), sessions_max))
    }

    fn history(&self, query: HistoryQuery) -> Later<'_, Vec<Message>> {
        self.readers.read(move |connection| query::history(connection, &query))
    }

    fn sync_events(
        &self,
        app: SdkAppId,
        user: UserId,
        after: i64,
        events_max: u32,
    ) -> Later<'_, Option<Vec<(i64, SyncEvent)>>> {
        self.readers.read(move |connection| query::sync_events(connection, app, &user, after, events_max))
    }

    fn lanes(&self, after: Option<(SdkAppId, Lane)>, lanes_max: u32) -> Later<'_, Vec<(SdkAppId, Lane)>> {
        self.readers.read(move |connection| query::lanes(connection, after, lanes_max))
    }

    fn lane(&self, app: SdkAppId, lane: Lane, after: i64, events_max: u32) -> Later<'_, Vec<OwedEvent>> {
        self.readers.read(move |connection| query::lane(connection, app, &lane, after, events_max))
    }

    fn lane_heads(&self, app: SdkAppId, after: Option<Lane>, lanes_max: u32) -> Later<'_, Vec<LaneHead>> {
        self.readers.read(move |connection| query::lane_heads(connection, app, after, lanes_max))
    }

    fn backlogs(&self) -> Later<'_, BTreeMap<SdkAppId, Backlog>> {
        self.readers.read(statements::read_backlogs)
    }

    fn oldest(&self, app: SdkAppId, after: Option<Lane>, lanes_max: u32) -> Later<'_, Oldest> {
        self.readers.read(move |connection| query::oldest(connection, app, after, lanes_max))
    }

    fn parked(
        &self,
        app: SdkAppId,
        filter: ParkedFilter,
        after: Option<(Lane, i64)>,
        events_max: u32,
    ) -> Later<'_, ParkedPiece> {
        self.readers.read(move |connection| query::parked(connection, app, &filter, after, events_max))
    }

    fn event(&self, app: SdkAppId, id: EventId) -> Later<'_, Option<KeptEvent>> {
        self.readers.read(move |connection| query::event(connection, app, &id))
    }

    fn tokens(&self) -> Later<'_, Vec<Token>> {
        self.readers.read(operators::tokens)
    }

    fn audit(&self, filter: AuditFilter) -> Later<'_, AuditPage> {
        self.readers.read(move |connection| operators::audit(connection, &filter))
    }

    fn prune_events(&self, before: Timestamp, after: i64) -> Later<'_, Pruned> {
        self.ask(|answer| Job::PruneEvents { before, after, answer })
    }

    fn erase_audit_copies(&self, now: Timestamp) -> Later<'_, u64> {
        self.ask(|answer| Job::EraseAuditCopies { now, answer })
    }

    fn backup(&self, to: PathBuf, progress: Arc<CopyProgress>) -> Later<'_, u64> {
        if to.exists() {
            let taken = Fault::Failed(format!("{} is there already", to.display()).into());
            return Box::pin(std::future::ready(Err(taken)));
        }
        let part = backup::part_of(&to);
        let copied = self.ask({
            let part = part.clone();
            |answer| Job::Backup { part, progress, answer }
        });
        Box::pin(async move {
            copied.await?;
            // Making a large file durable takes a while; the writer goes on meanwhile.
            let kept = tokio::task::spawn_blocking(move || backup::keep(&part, &to)).await;
            let kept = kept.unwrap_or_else(|_| Err(std::io::ErrorKind::Interrupted.into()));
            kept.map_err(|error| Fault::Failed(format!("the backup cannot be kept: {error}").into()))
        })
    }

    fn epoch(&self) -> &str {
        &self.epoch
    }

    fn broken(&self) -> Pin<Box<dyn Future<Output = Fault> + Send + '_>> {
        Box::pin(self.writer.broken())
    }

    fn close(&self) -> Later<'_, ()> {
        self.ask(|answer| Job::Close { answer })
    }
}

/// The newest version of the schema that this program knows.
pub(super) fn newest_version() -> i64 {
    schema::newest()
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Without it, SQLite plans a statement again for each value that it might compare with statistics, which there are none of.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// A commit that was answered survives a power cut: `synchronous=FULL`. Checkpoints are `checkpoint.rs`'s.
fn prepare_writer(connection: &Connection, pages_max: Option<u32>) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    if let Some(pages) = pages_max {
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    Ok(())
}

/// What a failure of SQLite means to a caller.
#[expect(clippy::needless_pass_by_value, reason = "it is used as a function from one error to another")]
fn fault(error: rusqlite::Error) -> Fault {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => Fault::Full,
        Some(rusqlite::ErrorCode::SystemIoFailure | rusqlite::ErrorCode::ReadOnly) => {
            let text =
                format!("the disk cannot be read or written ({error}): look at the system's log, and mend the disk");
            Fault::Failed(text.into())
        }
        _ => Fault::Failed(Arc::from(error.to_string())),
    }
}
