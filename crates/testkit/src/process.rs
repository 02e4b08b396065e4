//! What a process takes of memory, as the Linux kernel tells it.

use std::{fs, io};

/// What it holds in memory now, in KiB.
pub fn rss_kb(process: u32) -> io::Result<u64> {
    status_kb(process, "VmRSS:")
}

/// The most it has ever held in memory, in KiB.
pub fn rss_peak_kb(process: u32) -> io::Result<u64> {
    status_kb(process, "VmHWM:")
}

fn status_kb(process: u32, name: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|value| value.trim().strip_suffix(" kB"))
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| io::Error::other(format!("/proc/{process}/status has no {name} the process may have ended")))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_memory() {
        let process = std::process::id();
        let peak_kb = rss_peak_kb(process).expect("it runs");
        assert!(rss_kb(process).expect("it runs") > 0 && peak_kb > 0);
        assert!(rss_kb(u32::MAX).is_err());
    }
}
