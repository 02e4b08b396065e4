//! What tells a supervisor whether this server lives and can serve.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, routing::get};
use unsaid_protocol::{SdkAppId, UserId};

use crate::chat::Store;

/// `/healthz`: the process answers. `/readyz`: the store does, too.
pub fn health(store: Arc<dyn Store>) -> Router {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).with_state(store)
}

async fn ready(State(store): State<Arc<dyn Store>>) -> (StatusCode, String) {
    let anyone = UserId::new("anyone").expect("a valid UserID");
    match store.unread(SdkAppId(0), anyone).await {
        Ok(_) => (StatusCode::OK, "ready\n".to_owned()),
        Err(fault) => (StatusCode::SERVICE_UNAVAILABLE, format!("{fault}\n")),
    }
}
