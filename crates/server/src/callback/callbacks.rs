//! What others may ask of callbacks: a test, how an app's events stand, and to say that an endpoint is back.

use std::{collections::BTreeMap, sync::Arc};

use unsaid_protocol::{SdkAppId, callback::CallbackCommand};

use super::{
    Connector, DispatcherHandle, FlowState, TestReport, attempt::Attempts, endpoints::Endpoints, test_call::test,
};
use crate::{
    apps::Apps,
    clock::{Entropy, World},
    cluster::Leases,
    metrics::CallbackMetrics,
    story::Stories,
};

/// The way out, as the edges and the dispatcher share it.
#[derive(Clone, Debug)]
pub struct Callbacks {
    pub(super) attempts: Arc<Attempts>,
    pub(super) endpoints: Arc<Endpoints>,
    pub(super) entropy: Entropy,
    pub(super) stories: Stories,
    pub(super) metrics: CallbackMetrics,
    /// Where other servers are told, if there are any.
    leases: Option<Arc<dyn Leases>>,
    /// Set once the dispatcher is there.
    dispatcher: Option<DispatcherHandle>,
}

/// What the way out is made of.
#[derive(Debug)]
pub struct CallbacksParts {
    pub apps: Arc<Apps>,
    pub connector: Arc<Connector>,
    pub stories: Stories,
    pub metrics: CallbackMetrics,
    pub world: World,
    pub leases: Option<Arc<dyn Leases>>,
}

impl Callbacks {
    /// `epoch` is the store's, part of the names of lanes.
    pub fn new(parts: CallbacksParts, epoch: &str) -> Self {
        let CallbacksParts { apps, connector, stories, metrics, world: World { clock, entropy }, leases } = parts;
        let endpoints = Arc::new(Endpoints::new(apps, Arc::clone(&connector)));
        let attempts = Arc::new(Attempts { connector, clock, epoch: epoch.to_owned() });
        Self { attempts, endpoints, entropy, stories, metrics, leases, dispatcher: None }
    }

    /// The same, with a dispatcher to ask.
    #[must_use]
    pub fn with_dispatcher(self, dispatcher: DispatcherHandle) -> Self {
        Self { dispatcher: Some(dispatcher), ..self }
    }

    /// Sends a sample, and tells what happened at each step (rule C10).
    pub async fn test(&self, app: SdkAppId, command: CallbackCommand) -> TestReport {
        test(&self.attempts, &self.endpoints, &self.entropy, app, command).await
    }

    /// Says that an app's endpoint is back: what waits for it is tried at once (rule C9).
    pub async fn back(&self, app: SdkAppId) {
        if let Some(dispatcher) = &self.dispatcher {
            dispatcher.back(app).await;
        }
        if let Some(leases) = &self.leases
            && let Err(fault) = leases.say_back(app).await
        {
            tracing::warn!(%app, %fault, "other servers do not hear that the endpoint is back; they find out themselves");
        }
    }

    /// How the events of all apps stand; of none, if the server stops.
    pub async fn states(&self) -> BTreeMap<SdkAppId, FlowState> {
        match &self.dispatcher {
            Some(dispatcher) => dispatcher.states().await,
            None => BTreeMap::new(),
        }
    }

    pub async fn state(&self, app: SdkAppId) -> Option<FlowState> {
        self.dispatcher.as_ref()?.state(app).await
    }
}
