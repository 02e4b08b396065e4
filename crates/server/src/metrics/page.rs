//! `/metrics`: what was counted, and what stands now.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderName, header},
    routing::get,
};
use tokio::sync::Mutex;

use super::Metrics;
use crate::{callback::Callbacks, chat::Store, clock::Clock, fanout::Fanout, operator::Health, story::Stories};

/// What the page is made of.
pub struct Page {
    pub metrics: Arc<Metrics>,
    pub store: Arc<dyn Store>,
    pub callbacks: Callbacks,
    pub stories: Stories,
    pub fanout: Arc<Fanout>,
    pub health: Arc<Health>,
    pub clock: Clock,
}

/// How long a store that does not answer is waited for; the rest is shown without it.
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The route for Prometheus. Whoever reaches the operator's listener may read it: it names apps and nobody.
pub fn router(page: Page) -> Router {
    Router::new().route("/metrics", get(show)).with_state(Arc::new((page, Mutex::new(()))))
}

/// One at a time, so that a page is of one moment.
async fn show(State(page): State<Arc<(Page, Mutex<()>)>>) -> ([(HeaderName, &'static str); 1], String) {
    let (page, turn) = &*page;
    let _turn = turn.lock().await;
    page.note().await;
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], page.metrics.text())
}

impl Page {
    /// Notes what stands now.
    async fn note(&self) {
        let standing = &self.metrics.standing;
        let ready = tokio::time::timeout(STORE_TIMEOUT, self.health.check()).await;
        let is_ready = matches!(ready, Ok(Ok(())));
        standing.note_readiness(is_ready, self.health.disk_free_bytes().ok(), self.health.disk_free_min_bytes);
        match tokio::time::timeout(STORE_TIMEOUT, self.store.backlogs()).await {
            Ok(Ok(backlogs)) => standing.note_backlogs(&backlogs, self.clock.now()),
            Ok(Err(fault)) => tracing::warn!(%fault, "the backlogs are not in the metrics: the store did not answer"),
            Err(_) => tracing::warn!("the backlogs are not in the metrics: the store did not answer within 1 s"),
        }
        standing.note_flows(&self.callbacks.states().await);
        standing.note_sessions(self.fanout.sessions());
        standing.note_stories(self.stories.counts());
        standing.note_process();
    }
}
