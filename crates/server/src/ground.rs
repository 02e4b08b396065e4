//! The ground that a server stands on: its store, and, where others share that, the ways to them.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    bus::{Bus, Link, LinkParts, Looks, Membership, Unlinked},
    callback::Ways,
    chat::{Devices, Store},
    clock::World,
    cluster::{self, Leases, MemberId, Rota, RotaParts, Share, Turns},
    config::{Config, StoreSettings},
    fanout::{Everywhere, Fanout, Poll},
    follow::{Follow, Followed},
    limits,
    metrics::{ClusterMetrics, Metrics},
    store::{
        self, Folder,
        postgres::{Postgres, PostgresAddress, PostgresOptions},
        sqlite::{Sqlite, SqliteOptions},
    },
};

/// What a server stands on.
pub(crate) struct Ground {
    pub(crate) store: Arc<dyn Store>,
    /// Locked as long as it is there; the embedded store sees to that itself.
    pub(crate) folder: Option<Folder>,
    /// The sessions that are connected here, and those of all servers.
    pub(crate) fanout: Arc<Fanout>,
    pub(crate) devices: Arc<dyn Devices>,
    /// By which the dispatcher hears what there is to deliver.
    pub(crate) ways: Ways,
    pub(crate) others: Others,
}

/// What is to be done for the servers that share the store, and to hear of them.
pub(crate) struct Others {
    leases: Option<Arc<dyn Leases>>,
    predecessor: Option<MemberId>,
    turns: Turns,
    bus: Bus,
    link: Option<Link>,
    metrics: ClusterMetrics,
}

/// Where that is done.
pub(crate) struct Tasks<'a> {
    pub(crate) workers: &'a TaskTracker,
    pub(crate) stop: &'a CancellationToken,
    /// Ends last: what is delivered here until then, others do not deliver.
    pub(crate) membership: &'a TaskTracker,
    pub(crate) leave: &'a CancellationToken,
}

impl Ground {
    /// Opens the store. Others are not spoken to yet.
    pub(crate) fn open(config: &Config, world: &World, metrics: &Metrics) -> anyhow::Result<Self> {
        let (bus, unlinked, looks) = open_bus(config, metrics);
        let fanout = Fanout::new(bus.clone());
        let devices = Everywhere::of(&fanout, &bus);
        let (hint_sender, hints) = store::hints(Arc::clone(&devices));
        let folder = lock_folder(config)?;
        let (store, membership) = open_store(config, world, metrics, hint_sender)?;
        let link = link_bus(config, unlinked, membership, world)?;
        let leases = store.leases();
        let predecessor = match (&folder, &leases) {
            (Some(folder), Some(leases)) => succeed(folder, &leases.member()),
            _ => None,
        };
        let (turns, turn) = cluster::turn(match &leases {
            None => Share::whole(),
            Some(_) => Share::nothing(world.clock.instant()),
        });
        let ways = Ways { hints, turn, bus: bus.clone(), looks };
        Ok(Self {
            store,
            folder,
            fanout,
            devices,
            ways,
            others: Others { leases, predecessor, turns, bus, link, metrics: metrics.cluster.clone() },
        })
    }
}

impl Others {
    /// What part of all that is owed is delivered here.
    pub(crate) fn share(&self) -> watch::Receiver<Share> {
        self.turns.watch()
    }

    /// Becomes one of the servers that share the store, if there can be others.
    pub(crate) fn join(
        self,
        config: &Config,
        fanout: Arc<Fanout>,
        followed: Followed,
        world: World,
        tasks: &Tasks<'_>,
    ) {
        let Self { leases: Some(leases), predecessor, turns, bus, link, metrics } = self else {
            return;
        };
        let stop = || tasks.stop.clone();
        if let Some(link) = link {
            let devices = Arc::clone(&fanout) as Arc<dyn Devices>;
            tasks.workers.spawn(link.run(devices, stop()));
            tasks.workers.spawn(bus.clone().go_by(turns.watch(), stop()));
        }
        let (settings, version) = watch::channel(-1);
        let (all_tell, hears_all) = watch::channel(false);
        let parts = RotaParts {
            leases: Arc::clone(&leases),
            predecessor,
            settings,
            is_on_bus: bus.connected(),
            all_tell,
            clock: world.clock.clone(),
            metrics,
            session_return: config.session_return,
        };
        tasks.workers.spawn(Poll { fanout, leases, hears_all, clock: world.clock }.run(stop()));
        tasks.workers.spawn(Follow { followed, version }.run(stop()));
        tasks.membership.spawn(Rota::new(parts, turns).run(tasks.leave.clone()));
    }
}

/// This member takes the place of the one that ran on the folder before.
fn succeed(folder: &Folder, member: &MemberId) -> Option<MemberId> {
    let predecessor = folder.predecessor();
    if let Err(error) = folder.is_of(member) {
        tracing::warn!(%error, "data_dir cannot be told who runs there; after a crash the next start waits for the end of a lease");
    }
    predecessor
}

/// Stories are in the folder, wherever the store is.
fn lock_folder(config: &Config) -> anyhow::Result<Option<Folder>> {
    match config.store {
        StoreSettings::Embedded => Ok(None),
        StoreSettings::Postgres(_) => Ok(Some(Folder::lock(&config.data_dir)?)),
    }
}

fn open_store(
    config: &Config,
    world: &World,
    metrics: &Metrics,
    hints: store::HintSender,
) -> anyhow::Result<(Arc<dyn Store>, Option<Membership>)> {
    let metrics = metrics.store.clone();
    let address = match &config.store {
        StoreSettings::Embedded => {
            let options = SqliteOptions { folder: config.data_dir.clone(), pages_max: None, metrics };
            let store = Sqlite::open(&options, world.clock.clone(), world.entropy.clone(), hints)?;
            return Ok((Arc::new(store), None));
        }
        StoreSettings::Postgres(address) => PostgresAddress::clone(address),
    };
    let options = PostgresOptions { address, writers: limits::POSTGRES_WRITERS, metrics };
    let store = Postgres::open(&options, world, &hints)?;
    let epoch = store.epoch().into();
    let membership = Membership { epoch, member: store.member(), key: store.cluster_key() };
    Ok((Arc::new(store), Some(membership)))
}

/// A bus whose link is made when the store is open, where there is somebody to talk to.
fn open_bus(config: &Config, metrics: &Metrics) -> (Bus, Option<Unlinked>, Looks) {
    if config.bus.is_none() {
        return (Bus::none(), None, Looks::none());
    }
    let (bus, unlinked, looks) = Bus::new(metrics.bus.clone());
    (bus, Some(unlinked), looks)
}

fn link_bus(
    config: &Config,
    unlinked: Option<Unlinked>,
    membership: Option<Membership>,
    world: &World,
) -> anyhow::Result<Option<Link>> {
    let (Some(settings), Some(unlinked)) = (config.bus.clone(), unlinked) else {
        return Ok(None);
    };
    let membership = membership.context("bus is set, and a server that owns its store has nobody to talk to")?;
    unlinked.link(LinkParts { settings, membership, world: world.clone() }).map(Some)
}
