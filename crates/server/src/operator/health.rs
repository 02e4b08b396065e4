//! What tells a supervisor whether this server lives and can serve.

use std::{path::PathBuf, sync::Arc};

use axum::{Router, extract::State, http::StatusCode, routing::get};

use crate::{chat::Store, clock::Timestamp};

/// What readiness depends on.
pub struct Health {
    pub store: Arc<dyn Store>,
    pub data_dir: PathBuf,
    /// With less room on the disk the server is not ready, before anything breaks (rule C9).
    pub disk_free_min_bytes: u64,
}

/// `/healthz`: the process answers. `/readyz`: the store does, too, and has room to grow.
pub fn health(health: Health) -> Router {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).with_state(Arc::new(health))
}

async fn ready(State(health): State<Arc<Health>>) -> (StatusCode, String) {
    let no = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why);
    // A transaction that finds nothing to do waits its turn at the writer like any other.
    if let Err(fault) = health.store.erase_audit_copies(Timestamp(i64::MIN)).await {
        return no(format!("{fault}\n"));
    }
    let (folder, least_mb) = (health.data_dir.display(), health.disk_free_min_bytes / 1_000_000);
    match rustix::fs::statvfs(&health.data_dir) {
        Ok(disk) if disk.f_bavail.saturating_mul(disk.f_frsize) < health.disk_free_min_bytes => {
            let free_mb = disk.f_bavail.saturating_mul(disk.f_frsize) / 1_000_000;
            no(format!(
                "{free_mb} MB are free in data_dir {folder}, less than limits.disk_free_min_mb ({least_mb}): make room\n"
            ))
        }
        Ok(_) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => no(format!("data_dir {folder} cannot be looked at: {error}\n")),
    }
}
