//! The data folder: for this server alone.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::cluster::MemberId;

/// How long a server waits for one that was just killed to let go of the folder.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Where the name of its member stands, in the folder of a server that shares its store.
const MEMBER: &str = "member";

/// Says where the store of a folder went (`unsaid migrate`).
const MOVED: &str = "moved.txt";

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("data_dir {path}: {source}", path = .path.display())]
    Failed { path: PathBuf, source: io::Error },
    #[error("data_dir {0} is used by another server: stop that one, or give this one a folder of its own")]
    Locked(PathBuf),
}

/// A folder that no other server uses while this value lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing, keeps others out of it, and locks it. The lock is the kernel's, so it is
    /// gone with the process, however that ends.
    pub(crate) fn lock(path: &Path) -> Result<Self, FolderError> {
        let lock = prepare(path).map_err(|source| FolderError::Failed { path: path.to_owned(), source })?;
        for _ in 0..LOCK_TRIES {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path: path.to_owned(), _lock: lock }),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(source)) => {
                    return Err(FolderError::Failed { path: path.to_owned(), source });
                }
            }
        }
        Err(FolderError::Locked(path.to_owned()))
    }

    /// The member of a cluster that ran on this folder before. It is gone for certain, for its lock is.
    pub(crate) fn predecessor(&self) -> Option<MemberId> {
        let text = std::fs::read_to_string(self.path.join(MEMBER)).ok()?;
        Some(MemberId(text.trim().into())).filter(|member| !member.0.is_empty())
    }

    /// Who runs on this folder now.
    pub(crate) fn is_of(&self, member: &MemberId) -> io::Result<()> {
        std::fs::write(self.path.join(MEMBER), &*member.0)
    }

    /// The file of the database.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("unsaid.db")
    }

    /// Where the store went that was in this folder, if it has moved.
    pub(crate) fn moved(&self) -> io::Result<Option<Moved>> {
        Moved::from(&self.path)
    }

    /// Says so, durably. No server opens the store any more, unless a person removes the file.
    pub(crate) fn note_moved(&self, text: &str) -> io::Result<()> {
        let mut file = File::create(self.path.join(MOVED))?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        File::open(&self.path)?.sync_all()
    }
}

/// What a folder says about a store that has moved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Moved {
    pub(crate) file: PathBuf,
    pub(crate) text: String,
}

impl Moved {
    /// Of a folder that others may use.
    pub(crate) fn from(folder: &Path) -> io::Result<Option<Self>> {
        let file = folder.join(MOVED);
        match fs::read_to_string(&file) {
            Ok(text) => Ok(Some(Self { file, text: text.trim_end().to_owned() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn prepare(path: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock"))
}
