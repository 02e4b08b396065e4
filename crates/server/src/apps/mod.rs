//! Apps: the tenants of a server, their keys, settings and callback configuration.
//!
//! The store holds them; [`Apps`] is the copy that the edges read without asking the store. Whoever saves an app does
//! it through [`crate::chat::Chat::save_app`], which writes both.

mod declared;
pub mod schema;
mod secret;
mod settings;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

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
    /// How often something was put here. Held by whoever writes.
    puts: Mutex<u64>,
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
        let mut puts = self.puts();
        *puts += 1;
        let mut apps = HashMap::clone(&self.by_id.load());
        apps.insert(app.sdkappid, Arc::clone(app));
        self.by_id.store(Arc::new(apps));
        self.changes.send_replace(());
    }

    /// How often something was put, for [`Apps::replace`].
    pub fn moment(&self) -> u64 {
        *self.puts()
    }

    /// Puts these in the place of all; those that are the same stay the same. They were read after that moment: if something was
    /// put since, they may lack it, and nothing is replaced. Answers whether it was.
    pub fn replace(&self, apps: Vec<App>, moment: u64) -> bool {
        let puts = self.puts();
        if *puts != moment {
            return false;
        }
        let before = self.by_id.load();
        let mut all = HashMap::with_capacity(apps.len());
        for app in apps {
            let known = before.get(&app.sdkappid).filter(|known| ***known == app).cloned();
            all.insert(app.sdkappid, known.unwrap_or_else(|| Arc::new(app)));
        }
        self.by_id.store(Arc::new(all));
        self.changes.send_replace(());
        true
    }

    /// Takes an app out that was erased.
    pub fn remove(&self, app: SdkAppId) {
        let mut puts = self.puts();
        *puts += 1;
        let mut apps = HashMap::clone(&self.by_id.load());
        apps.remove(&app);
        self.by_id.store(Arc::new(apps));
        self.changes.send_replace(());
    }

    fn puts(&self) -> MutexGuard<'_, u64> {
        self.puts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes its holder after each change of an app.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_not_replaced_by_what_was_read_before() {
        let app = |number| App::new(SdkAppId(number), Secret::new("0123456789abcdef"), Origin::Runtime);
        let apps = Apps::default();
        let moment = apps.moment();
        apps.put(&Arc::new(app(1)));
        assert!(!apps.replace(Vec::new(), moment), "it was read before the app was there");
        assert!(apps.get(SdkAppId(1)).is_some());
        assert!(apps.replace(vec![app(2)], apps.moment()));
        assert_eq!(apps.list().iter().map(|app| app.sdkappid.0).collect::<Vec<_>>(), [2]);
    }
}
