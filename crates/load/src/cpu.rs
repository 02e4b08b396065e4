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

/// Fields 14 and 15. The second is the program's name in brackets, which may itself hold blanks and brackets.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
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
