//! File descriptors: every connection takes one, and a system gives a process few unless it asks.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are kept for what is not a caller's connection: the store, the endpoints, the log.
const RESERVE: u64 = 1024;

/// Asks for as many as the system allows this process, and answers how many connections they suffice for.
pub fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // What is refused leaves the limit as it is, and that is what is counted with.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
    connections(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
}

/// For how many connections so many descriptors suffice.
pub(crate) fn connections(limit: u64) -> usize {
    usize::try_from(limit.saturating_sub(RESERVE).max(limit / 2)).unwrap_or(usize::MAX)
}
