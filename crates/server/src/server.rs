//! A whole server: everything is built here once, in the order of the data, and stopped in that order too.
//!
//! Nothing is global, so two servers can live in one process.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use tokio::sync::{Mutex, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    apps::{App, Apps, Secret},
    backups::{Backups, Copies},
    callback::{Alarms, Callbacks, CallbacksParts, Connector, Dispatcher, DispatcherParts},
    chat::{Chat, Store},
    clock::World,
    cluster::Share,
    config::{Config, StoreSettings},
    console::{self, Console},
    fanout::Fanout,
    follow::Followed,
    forget::Forget,
    gateway::{self, Gateway, GatewayParts},
    ground::{Ground, Others, Tasks},
    identity::Identities,
    listener::Listener,
    metrics::{self, Metrics, Page, Recent},
    operator::{self, Operator, OperatorParts, Tokens},
    pages,
    reload::{LiveSettings, Reload, ReloadError, ReloadParts, Reloaded},
    rest::{self, Rest, RestParts},
    store::Folder,
    story::Stories,
};

/// A server that runs.
pub struct Server {
    /// The domain, through which an internal caller acts like the edges do.
    chat: Chat,
    gateway: Arc<Gateway>,
    fanout: Arc<Fanout>,
    metrics: Arc<Metrics>,
    /// What was counted over the last hours.
    recent: Arc<Recent>,
    health: Arc<operator::Health>,
    store: Arc<dyn Store>,
    stories: Stories,
    apps: Arc<Apps>,
    live: LiveSettings,
    backups: Arc<Backups>,
    reload: Arc<Reload>,
    addresses: Vec<SocketAddr>,
    /// Drawn at this start, for there was none.
    first_token: Option<Secret>,
    /// How long each part of a stop may take.
    stop_grace: Duration,
    /// Ends the listeners, then the dispatcher.
    stop_listening: CancellationToken,
    stop_delivering: CancellationToken,
    /// Ends this server's part among those that share its store.
    leave: CancellationToken,
    listeners: TaskTracker,
    workers: TaskTracker,
    /// Whoever says that this server is there, if there are others.
    membership: TaskTracker,
    /// Locked as long as this server is there; the embedded store sees to that itself.
    _folder: Option<Folder>,
}

impl Server {
    /// Opens the store, saves the declared apps, and begins to listen and to deliver.
    pub async fn start(config: &Config, world: World) -> anyhow::Result<Self> {
        let (live, metrics) = (LiveSettings::new(config)?, Arc::new(Metrics::new()));
        let Ground { store, folder, fanout, devices, ways, others } = Ground::open(config, &world, &metrics)?;
        let (apps, identities) = (Arc::new(Apps::default()), Arc::new(Identities::default()));
        let connector = Arc::new(Connector::new(live.rules.clone()));
        let stories = Stories::open(&config.data_dir, config.stories, world.clock.clone());
        let parts = CallbacksParts {
            apps: Arc::clone(&apps),
            connector: Arc::clone(&connector),
            stories: stories.clone(),
            metrics: metrics.callbacks.clone(),
            world: world.clone(),
            leases: store.leases(),
        };
        let callbacks = Callbacks::new(parts, store.epoch());
        let before = Arc::new(callbacks.clone());
        let chat = Chat::new(Arc::clone(&store), Arc::clone(&apps), before, devices, world.clock.clone());
        let gateway = Gateway::new(GatewayParts {
            apps: Arc::clone(&apps),
            chat: chat.clone(),
            identities: Arc::clone(&identities),
            fanout: Arc::clone(&fanout),
            world: world.clone(),
            trusted_proxies: live.trusted_proxies.clone(),
            metrics: metrics.gateway.clone(),
        });
        let mut server = Self {
            chat: chat.clone(),
            gateway,
            fanout,
            recent: Recent::new(Arc::clone(&metrics), world.clock.clone()),
            metrics,
            health: health(config, &store),
            store: Arc::clone(&store),
            stories,
            apps: Arc::clone(&apps),
            backups: backups(config, &store, &world),
            reload: reload(config, &live, &apps, &chat, &store),
            live,
            addresses: Vec::new(),
            first_token: None,
            stop_grace: config.listener.stop_grace,
            stop_listening: CancellationToken::new(),
            stop_delivering: CancellationToken::new(),
            leave: CancellationToken::new(),
            listeners: TaskTracker::new(),
            workers: TaskTracker::new(),
            membership: TaskTracker::new(),
            _folder: folder,
        };
        server.reload.take_over_apps(&config.apps).await?;

        let tokens = server.operator_tokens(config, &world).await?;
        let parts = DispatcherParts { apps, callbacks: callbacks.clone(), ways, world: world.clone() };
        let (dispatcher, handle) = Dispatcher::new(store, parts);
        let callbacks = callbacks.with_dispatcher(handle);
        let (clients, operator) = server.routers(config, &world, callbacks, identities, Arc::clone(&tokens));
        server.listen(config, clients, operator).await?;

        // Nothing is delivered by a server that cannot start.
        server.work(config, &world, dispatcher, connector, others.share());
        server.join(config, world, tokens, others);
        Ok(server)
    }

    /// Begins what goes on until the server stops.
    fn work(
        &self,
        config: &Config,
        world: &World,
        dispatcher: Dispatcher,
        connector: Arc<Connector>,
        share: watch::Receiver<Share>,
    ) {
        let stop = || self.stop_delivering.clone();
        self.workers.spawn(dispatcher.run(stop()));
        self.workers.spawn(Arc::clone(&self.gateway).sweep(config.session_return, stop()));
        let alarms = Alarms {
            store: Arc::clone(&self.store),
            apps: Arc::clone(&self.apps),
            connector,
            clock: world.clock.clone(),
            settings: self.live.alarm.clone(),
            metrics: Arc::clone(&self.metrics),
            share: share.clone(),
        };
        self.workers.spawn(alarms.run(stop()));
        let (chat, apps, stories) = (self.chat.clone(), Arc::clone(&self.apps), self.stories.clone());
        let forget = Forget { chat, apps, stories, clock: world.clock.clone(), share };
        self.workers.spawn(forget.run(stop()));
        self.workers.spawn(Arc::clone(&self.recent).run(stop()));
    }

    fn join(&self, config: &Config, world: World, tokens: Arc<Tokens>, others: Others) {
        let followed = Followed { store: Arc::clone(&self.store), apps: Arc::clone(&self.apps), tokens };
        let tasks = Tasks {
            workers: &self.workers,
            stop: &self.stop_delivering,
            membership: &self.membership,
            leave: &self.leave,
        };
        others.join(config, Arc::clone(&self.fanout), followed, world, &tasks);
    }

    /// What is served to clients and app backends, and what to the operator.
    fn routers(
        &self,
        config: &Config,
        world: &World,
        callbacks: Callbacks,
        identities: Arc<Identities>,
        tokens: Arc<Tokens>,
    ) -> (Router, Router) {
        let operator = Operator::new(OperatorParts {
            apps: Arc::clone(&self.apps),
            chat: self.chat.clone(),
            rules: self.live.rules.clone(),
            callbacks: callbacks.clone(),
            stories: self.stories.clone(),
            world: world.clone(),
            tokens,
            show_text: self.live.show_text.clone(),
            wrong_tokens_per_min: config.operator.wrong_tokens_per_min,
            trusted_proxies: self.live.trusted_proxies.clone(),
            backups: Arc::clone(&self.backups),
            reload: Arc::clone(&self.reload),
            making: self.reload.making(),
        });
        let console = Console::new(Arc::clone(&operator), Arc::clone(&self.recent), world.clone());
        let rest = Rest::new(RestParts {
            apps: Arc::clone(&self.apps),
            chat: self.chat.clone(),
            callbacks: callbacks.clone(),
            identities,
            world: world.clone(),
            settings: self.live.rest.clone(),
            trusted_proxies: self.live.trusted_proxies.clone(),
            metrics: self.metrics.rest.clone(),
        });
        let page = Page {
            metrics: Arc::clone(&self.metrics),
            store: Arc::clone(&self.store),
            callbacks,
            stories: self.stories.clone(),
            fanout: Arc::clone(&self.fanout),
            health: Arc::clone(&self.health),
            clock: world.clock.clone(),
        };
        let sessions = gateway::router(Arc::clone(&self.gateway));
        (
            rest::router(rest).merge(sessions).merge(pages::router()),
            operator::router(operator).merge(console::router(console)).merge(metrics::router(page)),
        )
    }

    /// The tokens of the operator API. Where it can be reached and there is none, neither here nor in the configuration, the
    /// first one is drawn.
    async fn operator_tokens(&mut self, config: &Config, world: &World) -> anyhow::Result<Arc<Tokens>> {
        let mut tokens = self.store.tokens().await?;
        let is_reached = config.operator.listen.is_some() || config.listen.ip().is_loopback();
        if tokens.is_empty() && config.operator.token.is_none() && is_reached {
            self.first_token = Some(operator::first_token(&self.chat, world).await?);
            tokens = self.store.tokens().await?;
        }
        Ok(Arc::new(Tokens::new(tokens, config.operator.token.clone())))
    }

    /// The operator's routes have an address of their own, or share `listen` where that is loopback.
    async fn listen(&mut self, config: &Config, rest: Router, operator: Router) -> anyhow::Result<()> {
        let tls = self.live.certificate.clone();
        let shared = config.operator.listen.is_none() && config.listen.ip().is_loopback();
        let health = operator::health(Arc::clone(&self.health));
        let rest = if shared { rest.merge(operator.clone()) } else { rest };
        let (rest, operator) = (rest.merge(health.clone()), operator.merge(health));
        let mut addresses = vec![(config.listen, tls.clone(), rest.clone())];
        addresses.extend(config.listen_plain.map(|address| (address, None, rest)));
        addresses.extend(config.operator.listen.map(|address| (address, tls, operator)));
        let mut bound = Vec::new();
        for (address, tls, router) in addresses {
            let listener = Listener::bind(address, tls, config.listener).await;
            let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
            self.addresses.push(listener.address()?);
            bound.push((listener, router));
        }
        // Nobody is served by a server that cannot listen everywhere.
        for (listener, router) in bound {
            self.listeners.spawn(listener.serve(router, self.stop_listening.clone()));
        }
        Ok(())
    }

    /// Where it listens; the first is `listen`.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// The token that was drawn at this start, for whoever started it; it is kept nowhere else.
    pub fn first_token(&self) -> Option<&Secret> {
        self.first_token.as_ref()
    }

    pub fn chat(&self) -> &Chat {
        &self.chat
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Makes an app or changes its settings. What cannot work is refused, with the reason.
    pub async fn save_app(&self, app: App) -> anyhow::Result<()> {
        self.live.rules.now().check(&app)?;
        Ok(self.chat.save_app(app).await?)
    }

    /// Reads the configuration again, and changes what can be changed without a start.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        self.reload.run().await
    }

    /// What is logged, whenever that was changed; the log is the process's.
    pub fn log(&self) -> watch::Receiver<String> {
        self.reload.log()
    }

    /// Comes when the store can no longer tell what is durable.
    pub async fn broken(&self) -> anyhow::Error {
        self.store.broken().await.into()
    }

    /// Finishes what was accepted: requests first, then attempts, then what the store has to keep.
    pub async fn stop(self) {
        self.stop_listening.cancel();
        self.backups.stop().await;
        self.listeners.close();
        let sessions = tokio::time::timeout(self.stop_grace, self.gateway.stop());
        let (_, in_time) = tokio::join!(self.listeners.wait(), sessions);
        if in_time.is_err() {
            tracing::warn!("the time to finish is over; sessions that did not go are cut");
        }
        self.stop_delivering.cancel();
        self.workers.close();
        if tokio::time::timeout(self.stop_grace, self.workers.wait()).await.is_err() {
            tracing::warn!("the outbox was not told in time what was delivered; it is repeated after the next start");
        }
        // Nothing of what others deliver from now on is under way here.
        self.leave.cancel();
        self.membership.close();
        self.membership.wait().await;
        self.stories.close().await;
        if let Err(fault) = self.store.close().await {
            tracing::warn!(%fault, "the store was not closed in order; it recovers at the next start");
        }
    }
}

fn backups(config: &Config, store: &Arc<dyn Store>, world: &World) -> Arc<Backups> {
    let (store, clock) = (Arc::clone(store), world.clock.clone());
    let copies = match config.store {
        StoreSettings::Embedded => Copies::Ours,
        StoreSettings::Postgres(_) => Copies::OfPostgres,
    };
    Arc::new(Backups::new(&config.data_dir, store, copies, clock, config.disk_free_min_bytes))
}

fn reload(config: &Config, live: &LiveSettings, apps: &Arc<Apps>, chat: &Chat, store: &Arc<dyn Store>) -> Arc<Reload> {
    let parts = ReloadParts {
        live: live.clone(),
        apps: Arc::clone(apps),
        chat: chat.clone(),
        store: Arc::clone(store),
        making: Arc::new(Mutex::new(())),
    };
    Reload::new(config, parts)
}

fn health(config: &Config, store: &Arc<dyn Store>) -> Arc<operator::Health> {
    Arc::new(operator::Health {
        store: Arc::clone(store),
        data_dir: config.data_dir.clone(),
        disk_free_min_bytes: config.disk_free_min_bytes,
    })
}
