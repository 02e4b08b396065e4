//! The endpoints of all apps, each made anew when its app's settings change.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use unsaid_protocol::SdkAppId;

use super::{Connector, endpoint::Endpoint};
use crate::apps::Apps;

#[derive(Debug)]
pub(super) struct Endpoints {
    apps: Arc<Apps>,
    connector: Arc<Connector>,
    by_app: Mutex<HashMap<SdkAppId, Arc<Endpoint>>>,
}

impl Endpoints {
    pub(super) fn new(apps: Arc<Apps>, connector: Arc<Connector>) -> Self {
        Self { apps, connector, by_app: Mutex::default() }
    }

    /// The endpoint of an app as its settings are at this moment; with what is in the way if there is none.
    pub(super) fn of(&self, app: SdkAppId) -> Result<Arc<Endpoint>, String> {
        let settings = self.apps.get(app).ok_or("the app does not exist")?;
        let mut by_app = self.by_app.lock().expect("nothing panics while it holds them");
        if let Some(endpoint) = by_app.get(&app)
            && Arc::ptr_eq(&endpoint.app, &settings)
        {
            return Ok(Arc::clone(endpoint));
        }
        let endpoint = Arc::new(Endpoint::new(settings, &self.connector)?);
        by_app.insert(app, Arc::clone(&endpoint));
        Ok(endpoint)
    }

    /// One that has no connections yet, so that a call over it shows every step.
    pub(super) fn fresh(&self, app: SdkAppId) -> Result<Endpoint, String> {
        let settings = self.apps.get(app).ok_or("the app does not exist")?;
        Endpoint::new(settings, &self.connector)
    }
}
