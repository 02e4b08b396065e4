//! Backups: copies of the whole store in `data_dir/backups`, one at a time, made while commands go on.
//!
//! Here is which there are, and how far the one is that is being made; the store copies (`store/sqlite/backup.rs`). On
//! PostgreSQL there are none: its own tools make them. A backup's name is made from the time, and a name that a caller gives is parsed before it becomes part of a path.

use std::{
    fmt,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    calendar::time,
    chat::{CopyProgress, Fault, Store},
    clock::{Clock, Timestamp},
    limits,
    room::free_bytes,
    store::postgres::NO_BACKUP,
};

/// The backups of a server.
pub struct Backups {
    folder: PathBuf,
    store: Arc<dyn Store>,
    copies: Copies,
    clock: Clock,
    /// What has to be left free beside a backup.
    disk_free_min_bytes: u64,
    /// The one that was begun last since the start.
    last: Mutex<Option<Last>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Who makes copies of the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Copies {
    Ours,
    OfPostgres,
}

/// `unsaid-20261124-140501-123.db`: the moment when it was begun, in UTC. There is no other kind of name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct BackupName(String);

/// A backup, or what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backup {
    pub name: BackupName,
    pub state: BackupState,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BackupState {
    /// So much of what there is was copied so far.
    Running {
        copied_bytes: u64,
        store_bytes: u64,
    },
    /// How long it took is known until the next one, or the next start.
    Done {
        bytes: u64,
        took: Option<Duration>,
    },
    Failed {
        why: String,
    },
}

/// Why a backup is not begun, or not deleted.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{NO_BACKUP}")]
    OfPostgres,
    #[error("the backup {0} is being made: wait until it is done")]
    Busy(BackupName),
    #[error("there are {0} backups, as many as can be: move old ones to another disk, or delete them")]
    TooMany(usize),
    #[error(
        "a backup needs about {needed_mb} MB and limits.disk_free_min_mb beside it, but {free_mb} MB are free in data_dir: \
         make room, or delete an old backup"
    )]
    NoRoom { needed_mb: u64, free_mb: u64 },
    #[error("there is no backup of this name: GET /api/v1/backups has all of them")]
    None,
    #[error("{path}: {source}", path = .path.display())]
    Folder { path: PathBuf, source: io::Error },
}

struct Last {
    name: BackupName,
    progress: Arc<CopyProgress>,
    /// None while it is being made.
    outcome: Option<Result<(u64, Duration), Fault>>,
}

impl Backups {
    pub fn new(data_dir: &Path, store: Arc<dyn Store>, copies: Copies, clock: Clock, disk_free_min_bytes: u64) -> Self {
        Self {
            folder: data_dir.join("backups"),
            store,
            copies,
            clock,
            disk_free_min_bytes,
            last: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// The name of a backup that may be begun now, or why none may. Its caller lets nobody else begin one meanwhile.
    pub fn admit(&self) -> Result<BackupName, BackupError> {
        match self.copies {
            Copies::Ours => {}
            Copies::OfPostgres => return Err(BackupError::OfPostgres),
        }
        if let Some(running) = self.last().as_ref().filter(|last| last.outcome.is_none()) {
            return Err(BackupError::Busy(running.name.clone()));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(|error| self.failed(error))?;
        let kept = self.names()?.len();
        if kept >= limits::BACKUPS_MAX {
            return Err(BackupError::TooMany(kept));
        }
        self.remove_parts()?;
        let needed = self.store_bytes();
        let free = free_bytes(&self.folder).map_err(|error| self.failed(error))?;
        if free < needed.saturating_add(self.disk_free_min_bytes) {
            return Err(BackupError::NoRoom { needed_mb: needed / 1_000_000, free_mb: free / 1_000_000 });
        }
        Ok(BackupName::of(self.clock.now()))
    }

    /// Begins the one that was admitted. It goes on by itself; [`Backups::find`] tells how far it is.
    pub fn begin(self: &Arc<Self>, name: BackupName) -> Backup {
        let progress = Arc::new(CopyProgress::default());
        *self.last() = Some(Last { name: name.clone(), progress: Arc::clone(&progress), outcome: None });
        self.tasks.spawn(Arc::clone(self).make(name.clone(), progress));
        Backup { name, state: BackupState::Running { copied_bytes: 0, store_bytes: self.store_bytes() } }
    }

    async fn make(self: Arc<Self>, name: BackupName, progress: Arc<CopyProgress>) {
        let began = self.clock.instant();
        let made = tokio::select! {
            made = self.store.backup(self.folder.join(&name.0), progress) => made,
            () = self.stop.cancelled() => Err(Fault::Stopping),
        };
        let took = self.clock.instant() - began;
        match &made {
            Ok(bytes) => tracing::info!(%name, bytes, took_ms = took.as_millis(), "a backup was made"),
            Err(fault) => tracing::error!(%name, %fault, "a backup was not made, and nothing of it is left"),
        }
        if let Some(last) = &mut *self.last() {
            last.outcome = Some(made.map(|bytes| (bytes, took)));
        }
    }

    /// All of them, the latest first, and the last one also if it has failed.
    pub fn list(&self) -> Result<Vec<Backup>, BackupError> {
        let mut names = self.names()?;
        names.extend(self.last().as_ref().map(|last| last.name.clone()));
        names.sort_unstable_by(|one, other| other.cmp(one));
        names.dedup();
        Ok(names.into_iter().filter_map(|name| self.find(&name)).collect())
    }

    pub fn find(&self, name: &BackupName) -> Option<Backup> {
        let last = self.last();
        let outcome = last.as_ref().filter(|last| last.name == *name).map(|last| (&last.progress, &last.outcome));
        let state = match outcome {
            Some((progress, None)) => {
                let (copied_bytes, store_bytes) = progress.bytes();
                BackupState::Running { copied_bytes, store_bytes }
            }
            Some((_, Some(Err(fault)))) => BackupState::Failed { why: fault.to_string() },
            Some((_, Some(Ok((_, took))))) => BackupState::Done { bytes: self.bytes_of(name)?, took: Some(*took) },
            None => BackupState::Done { bytes: self.bytes_of(name)?, took: None },
        };
        Some(Backup { name: name.clone(), state })
    }

    /// Deletes a backup, or the memory of one that has failed. Answers what it was.
    pub fn delete(&self, name: &BackupName) -> Result<Backup, BackupError> {
        let backup = self.find(name).ok_or(BackupError::None)?;
        match backup.state {
            BackupState::Running { .. } => return Err(BackupError::Busy(name.clone())),
            BackupState::Failed { .. } => *self.last() = None,
            BackupState::Done { .. } => {
                fs::remove_file(self.folder.join(&name.0)).map_err(|error| self.failed(error))?;
            }
        }
        Ok(backup)
    }

    /// Gives up the one that is being made.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn last(&self) -> MutexGuard<'_, Option<Last>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names of files; whatever else is in the folder is not ours.
    fn names(&self) -> Result<Vec<BackupName>, BackupError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| self.failed(error))?,
        };
        Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
    }

    /// What servers have left that were killed while they copied.
    fn remove_parts(&self) -> Result<(), BackupError> {
        for entry in fs::read_dir(&self.folder).map_err(|error| self.failed(error))?.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                fs::remove_file(&path).map_err(|source| BackupError::Folder { path, source })?;
            }
        }
        Ok(())
    }

    /// The store and its log.
    fn store_bytes(&self) -> u64 {
        let data_dir = self.folder.parent().expect("it was joined");
        let length = |name: &str| fs::metadata(data_dir.join(name)).map_or(0, |file| file.len());
        length("unsaid.db") + length("unsaid.db-wal")
    }

    fn bytes_of(&self, name: &BackupName) -> Option<u64> {
        fs::metadata(self.folder.join(&name.0)).ok().map(|file| file.len())
    }

    fn failed(&self, source: io::Error) -> BackupError {
        BackupError::Folder { path: self.folder.clone(), source }
    }
}

/// What stands between the digits of a name.
const SHAPE: &str = "unsaid-00000000-000000-000.db";

impl BackupName {
    fn of(now: Timestamp) -> Self {
        let utc = time(Some(now.0));
        let mut digits = utc.chars().filter(char::is_ascii_digit);
        Self(SHAPE.chars().map(|one| if one == '0' { digits.next().unwrap_or('0') } else { one }).collect())
    }
}

impl FromStr for BackupName {
    type Err = BackupError;

    fn from_str(text: &str) -> Result<Self, BackupError> {
        let fits = |(one, shape): (u8, u8)| if shape == b'0' { one.is_ascii_digit() } else { one == shape };
        if text.len() == SHAPE.len() && text.bytes().zip(SHAPE.bytes()).all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(BackupError::None)
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_moment_and_nothing_else() {
        let name = BackupName::of(Timestamp(1_795_395_723_004));
        assert_eq!(name.to_string(), "unsaid-20261123-010203-004.db");
        assert_eq!(name.to_string().parse::<BackupName>().expect("it is one"), name);
        for text in [
            "",
            "..",
            "unsaid.db",
            "../unsaid.db",
            "unsaid-20261123-010203-004.part",
            "unsaid-20261123-010203-00.db",
            "unsaid-20261123-010203-0040.db",
            "unsaid-2026112/-010203-004.db",
            "unsaid-20261123-010203-004/db",
            "./unsaid-20261123-010203-004.db",
            "unsaid-\u{661}20261123-010203-04.db",
        ] {
            assert!(text.parse::<BackupName>().is_err(), "{text:?}");
        }
    }
}
