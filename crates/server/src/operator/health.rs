//! What tells a supervisor whether this server lives and can serve.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, routing::get};

use crate::{chat::Store, clock::Timestamp};

/// `/healthz`: the process answers. `/readyz`: the store does, too.
pub fn health(store: Arc<dyn Store>) -> Router {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).with_state(store)
}

async fn ready(State(store): State<Arc<dyn Store>>) -> (StatusCode, String) {
    // A transaction that finds nothing to do waits its turn at the writer like any other.
    match store.erase_audit_copies(Timestamp(i64::MIN)).await {
        Ok(_) => (StatusCode::OK, "ready\n".to_owned()),
        Err(fault) => (StatusCode::SERVICE_UNAVAILABLE, format!("{fault}\n")),
    }
}
