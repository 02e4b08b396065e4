//! How much room is left on a disk.

use std::path::Path;

/// The bytes that are free to this process where that folder is.
pub(crate) fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
