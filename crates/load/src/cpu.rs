//! The processor time of a process, as the Linux kernel tells it.

use std::{fs, io};

/// Of a second; the kernel has shown this unit to programs for ever, whatever it counts in itself.
const TICKS_PER_SECOND: f64 = 100.0;

/// What it has used so far, in user and kernel mode, with all its threads.
pub(crate) fn cpu_s(process: u32) -> io::Result<f64> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path)?;
    ticks(&stat)
        .map(|ticks| ticks as f64 / TICKS_PER_SECOND)
        .ok_or_else(|| io::Error::other(format!("{path} has another form than it should: {stat:?}")))
}

/// What a process and its children have used so far, those among them that have ended as well.
pub(crate) fn family_cpu_s(parent: u32) -> io::Result<f64> {
    let mut sum_s = 0.0;
    for entry in fs::read_dir("/proc")? {
        let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that has ended meanwhile is counted by its parent.
        let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else {
            continue;
        };
        if process == parent {
            sum_s += fields(&stat, 11, 4).unwrap_or(0) as f64;
        } else if fields(&stat, 1, 1) == Some(parent.into()) {
            sum_s += fields(&stat, 11, 2).unwrap_or(0) as f64;
        }
    }
    Ok(sum_s / TICKS_PER_SECOND)
}

/// Fields 14 and 15. The second is the program's name in brackets, which may itself hold blanks and brackets.
fn ticks(stat: &str) -> Option<u64> {
    fields(stat, 11, 2)
}

/// The sum of `count` fields behind the program's name, from `first` on.
fn fields(stat: &str, first: usize, count: usize) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(first);
    (0..count).map(|_| fields.next()?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_kernel_time_are_added() {
        let stat = "7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 100 0 0";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks(""), None);
        assert_eq!(ticks("7 (a) S 1 2"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_used_some_time() {
        assert!(cpu_s(std::process::id()).expect("it runs") >= 0.0);
        assert!(cpu_s(u32::MAX).is_err());
    }
}
