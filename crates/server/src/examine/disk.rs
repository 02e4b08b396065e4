//! The disk under the store: how much room, how fast an fsync, and what lies there.

use std::{fs::File, io::Write, path::Path, time::Duration};

use super::{Findings, configuration::existing};
use crate::{
    clock::Clock,
    config::Config,
    room::free_bytes,
    store::{Moved, sqlite::Look},
};

/// Small appends that are measured, as many as the time suffices for.
const APPENDS: usize = 100;
const APPENDS_TIME_MAX: Duration = Duration::from_secs(5);

/// A page of the database.
const APPEND_BYTES: usize = 4096;

/// Slower than that, people notice: every answer waits for one.
const FSYNC_SLOW: Duration = Duration::from_millis(20);

/// What a Linux kernel calls a file system in memory.
const TMPFS: u64 = 0x0102_1994;

/// Whether a server uses the store.
pub(super) fn store(config: &Config, findings: &mut Findings) -> bool {
    let folder = config.data_dir.display();
    let look = match Look::at(&config.data_dir) {
        Ok(look) => look,
        Err(error) => {
            let next = "run this as the user that the server runs as, or check the disk";
            findings.problem("store", format!("{folder} cannot be looked at: {error}"), next);
            return false;
        }
    };
    let (used, known) = (if look.in_use { "a server uses it" } else { "no server uses it" }, Look::known());
    if let Some(Moved { file, text }) = look.moved {
        let next =
            format!("set store to the address of that database; without {} this one is opened again", file.display());
        findings.problem("store", text, &next);
        return look.in_use;
    }
    match look.version {
        None if look.in_use => {
            findings
                .ok("store", format!("a server uses {folder}, and has not written its first version to the file yet"));
        }
        None => findings.ok("store", format!("there is none in {folder} yet")),
        Some(version) if version > known => findings.warning(
            "store",
            format!("the store in {folder} has version {version}, this program knows up to {known}; {used}"),
            "examine it with the program that has written it; an older one may refuse to start",
        ),
        Some(version) if version < known => {
            let says = format!("the store in {folder} has version {version}; the next start makes it {known}; {used}");
            findings.ok("store", says);
        }
        Some(version) => findings.ok("store", format!("the store in {folder} has version {version}; {used}")),
    }
    look.in_use
}

/// How much is free, against what readiness asks for.
pub(super) fn room(config: &Config, findings: &mut Findings) {
    let folder = existing(&config.data_dir);
    let free_mb = match free_bytes(&folder) {
        Ok(free) => free / 1_000_000,
        Err(error) => {
            let says = format!("{} cannot be looked at: {error}", folder.display());
            return findings.problem("disk", says, "check that it is mounted");
        }
    };
    let least_mb = config.disk_free_min_bytes / 1_000_000;
    let says = format!("{free_mb} MB are free in {}; limits.disk_free_min_mb is {least_mb}", folder.display());
    if free_mb < least_mb {
        findings.problem("disk", says, "make room: /readyz says no");
    } else if free_mb < least_mb.saturating_mul(2) {
        findings.warning("disk", says, "make room: below that, /readyz says no");
    } else {
        findings.ok("disk", says);
    }
    if rustix::fs::statfs(&folder).is_ok_and(|disk| u64::try_from(disk.f_type).is_ok_and(|kind| kind == TMPFS)) {
        let says = format!("{} is in memory (tmpfs): a restart of the machine loses everything", folder.display());
        findings.warning("disk", says, "set data_dir to a folder on a disk");
    }
}

/// How long a commit takes here: small appends, each made durable, to a file without a name that is gone with this process.
pub(super) fn fsync(config: &Config, clock: &Clock, findings: &mut Findings) {
    let folder = existing(&config.data_dir);
    let mut took = match measure(&folder, clock) {
        Ok(took) => took,
        Err(error) => {
            let says = format!("nothing can be written in {}: {error}", folder.display());
            return findings.problem("fsync", says, "run this as the user that the server runs as, or mend the folder");
        }
    };
    took.sort();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    let (p50, p99) = (at(50), at(99));
    let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
    let commits = (1.0 / p50.as_secs_f64().max(1e-6)).round();
    let says = format!(
        "{} half of the time, {} in 99 of 100, in {}: about {commits} commits a second, each shared by all the recalls that wait",
        ms(p50),
        ms(p99),
        folder.display()
    );
    if p50 > FSYNC_SLOW {
        findings.warning("fsync", says, "every answer waits for one: use a local SSD, and look who else writes there");
    } else {
        findings.ok("fsync", says);
    }
}

fn measure(folder: &Path, clock: &Clock) -> std::io::Result<Vec<Duration>> {
    let mut file: File = tempfile::tempfile_in(folder)?;
    let (began, mut took) = (clock.instant(), Vec::with_capacity(APPENDS));
    while took.len() < APPENDS && (took.is_empty() || began.elapsed() < APPENDS_TIME_MAX) {
        let before = clock.instant();
        file.write_all(&[0x75; APPEND_BYTES])?;
        file.sync_data()?;
        took.push(before.elapsed());
    }
    Ok(took)
}
