//! The time. Everything else is handed a moment, as the workspace has it everywhere.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The moment that is measured.
pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "measuring time is what this tool is for")]
    Instant::now()
}

/// Seconds since 1970, for the signature of the admin.
pub(crate) fn unix_s() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the server compares it with its own clock")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
