//! What tells a supervisor whether this server lives and can serve.

use std::{path::PathBuf, sync::Arc};

use axum::{Router, extract::State, http::StatusCode, routing::get};

use crate::{chat::Store, clock::Timestamp, room::free_bytes};

/// What readiness depends on.
pub struct Health {
    pub store: Arc<dyn Store>,
    pub data_dir: PathBuf,
    /// With less room on the disk the server is not ready, before anything breaks (rule C9).
    pub disk_free_min_bytes: u64,
}

/// `/healthz`: the process answers. `/readyz`: the store does, too, and has room to grow.
pub fn health(health: Arc<Health>) -> Router {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).with_state(health)
}

async fn ready(State(health): State<Arc<Health>>) -> (StatusCode, String) {
    match health.check().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

impl Health {
    /// Whether this server can serve, or why not.
    pub async fn check(&self) -> Result<(), String> {
        // A transaction that finds nothing to do waits its turn at the writer like any other.
        self.store.erase_audit_copies(Timestamp(i64::MIN)).await.map_err(|fault| fault.to_string())?;
        let (folder, least_mb) = (self.data_dir.display(), self.disk_free_min_bytes / 1_000_000);
        match self.disk_free_bytes() {
            Ok(free) if free < self.disk_free_min_bytes => {
                let free_mb = free / 1_000_000;
                Err(format!(
                    "{free_mb} MB are free in data_dir {folder}, less than limits.disk_free_min_mb ({least_mb}): make room"
                ))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(format!("data_dir {folder} cannot be looked at: {error}")),
        }
    }

    /// Room that is left where everything is kept.
    pub fn disk_free_bytes(&self) -> std::io::Result<u64> {
        free_bytes(&self.data_dir)
    }
}
