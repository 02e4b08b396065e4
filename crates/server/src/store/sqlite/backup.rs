//! A copy of the whole store, made while it is written to.
//!
//! The writer's own connection copies, a few pages at a time; what it commits in between goes into the copy by SQLite's own
//! doing, and nobody waits longer than those pages take. A copy is whole and durable, or is not there.

use std::{
    fs::{self, File},
    io,
    path::Path,
    time::Duration,
};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};

use super::{OpenError, fault, folder::Folder, schema};
use crate::{chat::Fault, clock::Entropy};

/// 4 MB: some milliseconds.
const PAGES_AT_ONCE: i32 = 1024;

/// Where something holds the source up, which can only be for a moment.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Copies to a file that is not there yet; between two pieces, `meanwhile` has its turn. Answers the copy's length in bytes.
pub(super) fn copy(
    source: &Connection,
    to: &Path,
    mut meanwhile: impl FnMut() -> Result<(), Fault>,
) -> Result<u64, Fault> {
    let refused = |error: io::Error| Fault::Failed(format!("{}: {error}", to.display()).into());
    if to.exists() {
        return Err(refused(io::Error::from(io::ErrorKind::AlreadyExists)));
    }
    let part = to.with_extension("part");
    let copied = pages(source, &part, &mut meanwhile).and_then(|()| keep(&part, to).map_err(refused));
    if copied.is_err() {
        // What is left of it is of no use; the next try begins anew.
        let _ = fs::remove_file(&part);
    }
    copied
}

fn pages(source: &Connection, part: &Path, meanwhile: &mut impl FnMut() -> Result<(), Fault>) -> Result<(), Fault> {
    // What an earlier try has left would be taken for a database.
    let _ = fs::remove_file(part);
    let mut target = Connection::open(part).map_err(fault)?;
    target.pragma_update(None, "synchronous", "OFF").map_err(fault)?;
    let backup = Backup::new(source, &mut target).map_err(fault)?;
    loop {
        match backup.step(PAGES_AT_ONCE).map_err(fault)? {
            StepResult::Done => return Ok(()),
            StepResult::Busy | StepResult::Locked => std::thread::sleep(BUSY_PAUSE),
            StepResult::More | _ => {}
        }
        meanwhile()?;
    }
}

/// Durable under its own name, readable by the server's user alone.
fn keep(part: &Path, to: &Path) -> io::Result<u64> {
    use std::os::unix::fs::PermissionsExt;
    let file = File::open(part)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.sync_all()?;
    fs::rename(part, to)?;
    if let Some(folder) = to.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(file.metadata()?.len())
}

/// Puts a backup into a folder in which there is no store yet, as a store of a new epoch: what is told of it from now on is
/// told in other lanes than what was told before, and cursors of before are of no use.
pub fn restore(backup: &Path, folder: &Path, entropy: &Entropy) -> Result<(), OpenError> {
    let folder = Folder::lock(folder)?;
    let to = folder.database();
    let failed = |source| OpenError::Folder { path: to.clone(), source };
    if to.exists() {
        return Err(failed(io::Error::from(io::ErrorKind::AlreadyExists)));
    }
    let part = to.with_extension("part");
    let prepared = prepare(backup, &part, entropy);
    if let Err(error) = prepared {
        // A store that is none must not be found by the next start.
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    keep(&part, &to).map(drop).map_err(failed)
}

fn prepare(backup: &Path, part: &Path, entropy: &Entropy) -> Result<(), OpenError> {
    let failed = |source| OpenError::Folder { path: backup.to_owned(), source };
    fs::copy(backup, part).map_err(failed)?;
    let connection = Connection::open_with_flags(part, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let sound: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidData, sound)));
    }
    schema::renew_epoch(&connection, entropy)?;
    // The writer puts it back where it opens the store.
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    connection.close().map_err(|(_, error)| error.into())
}
