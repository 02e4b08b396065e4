//! Apps: the tenants of a server, their keys, settings and callback configuration.
//!
//! The store holds them; [`Apps`] is the copy that the edges read without asking the store. Whoever saves an app does
//! it through [`crate::chat::Chat::save_app`], which writes both.

mod declared;
pub mod schema;
mod secret;
mod settings;

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
pub use declared::{DeclaredApp, Surroundings, is_secret};
pub use secret::Secret;
pub use settings::{
    AnswerRule, App, AppError, BeforeFailure, CallbackSettings, ClientCertificate, EndpointSettings, LaneBy, Origin,
    RecallBody, Retry, SecretKey,
};
use tokio::sync::watch;
use unsaid_protocol::SdkAppId;

/// All apps as they stand now.
#[derive(Debug, Default)]
pub struct Apps {
    by_id: ArcSwap<HashMap<SdkAppId, Arc<App>>>,
    /// Tells that something was put.
    changes: watch::Sender<()>,
}

impl Apps {
    pub fn get(&self, sdkappid: SdkAppId) -> Option<Arc<App>> {
        self.by_id.load().get(&sdkappid).cloned()
    }

    /// All of them, by their number.
    pub fn list(&self) -> Vec<Arc<App>> {
        let mut apps: Vec<_> = self.by_id.load().values().cloned().collect();
        apps.sort_by_key(|app| app.sdkappid);
        apps
    }

    /// Puts `app` in the place of the one with its number.
    pub fn put(&self, app: &Arc<App>) {
        self.by_id.rcu(|apps| {
            let mut apps = HashMap::clone(apps);
            apps.insert(app.sdkappid, Arc::clone(app));
            apps
        });
        self.changes.send_replace(());
    }

    /// Puts these in the place of all. Those that are the same stay the same.
    pub fn replace(&self, apps: Vec<App>) {
        let before = self.by_id.load();
        let mut all = HashMap::with_capacity(apps.len());
        for app in apps {
            let known = before.get(&app.sdkappid).filter(|known| ***known == app).cloned();
            all.insert(app.sdkappid, known.unwrap_or_else(|| Arc::new(app)));
        }
        self.by_id.store(Arc::new(all));
        self.changes.send_replace(());
    }

    /// Takes an app out that was erased.
    pub fn remove(&self, app: SdkAppId) {
        self.by_id.rcu(|apps| {
            let mut apps = HashMap::clone(apps);
            apps.remove(&app);
            apps
        });
        self.changes.send_replace(());
    }

    /// Wakes its holder after each change of an app.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}
