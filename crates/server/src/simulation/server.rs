//! The server of a run: its real parts, put together as `server.rs` does it, without sockets, tasks and threads. It starts,
//! is killed, and starts again on what the store holds.

use std::sync::{Arc, Mutex, atomic::AtomicU32};

use super::{book::Book, mix::Ground, watched::Watched};
use crate::{
    apps::Apps,
    bus::Bus,
    callback::Delivery,
    chat::{Before, Chat, Question, Store, Verdict},
    clock::{Clock, Entropy, World},
    cluster::Share,
    fanout::Fanout,
    gateway::{Gateway, GatewayParts},
    identity::Identities,
    live::Live,
    metrics::Metrics,
    store::{
        HintReceiver, HintSender, hints,
        memory::Memory,
        sqlite::{Sqlite, SqliteOptions},
    },
};

/// Where servers start: what outlives them.
pub(super) struct Site {
    world: World,
    book: Arc<Mutex<Book>>,
    pub(super) fails_in_100: Arc<AtomicU32>,
    ground: Kept,
    /// The store of the server that lives, watched.
    pub(super) store: Arc<dyn Store>,
}

enum Kept {
    Memory(Arc<Memory>),
    Sqlite(tempfile::TempDir),
}

/// One life of a server.
pub(super) struct Server {
    pub(super) apps: Arc<Apps>,
    pub(super) chat: Chat,
    pub(super) gateway: Arc<Gateway>,
    pub(super) fanout: Arc<Fanout>,
    pub(super) hints: HintReceiver,
    pub(super) delivery: Delivery,
}

impl Site {
    pub(super) fn new(ground: Ground, clock: &Clock, entropy: &Entropy, book: &Arc<Mutex<Book>>) -> Self {
        let world = World { clock: clock.clone(), entropy: entropy.clone() };
        let (sender, _) = hints(Fanout::new(Bus::none()));
        let memory = Arc::new(Memory::new(clock.clone(), entropy.clone(), sender));
        let kept = match ground {
            Ground::Memory => Kept::Memory(Arc::clone(&memory)),
            Ground::Sqlite => Kept::Sqlite(tempfile::tempdir().expect("a folder")),
        };
        Self { world, book: Arc::clone(book), fails_in_100: Arc::default(), ground: kept, store: memory }
    }

    fn open(&mut self, sender: HintSender) {
        let World { clock, entropy } = self.world.clone();
        let inner: Arc<dyn Store> = match &mut self.ground {
            Kept::Memory(memory) => {
                *memory = Arc::new(memory.opened_again(sender));
                Arc::<Memory>::clone(memory)
            }
            Kept::Sqlite(folder) => {
                let metrics = Metrics::new().store;
                let options = SqliteOptions { folder: folder.path().to_owned(), pages_max: None, metrics };
                Arc::new(Sqlite::open(&options, clock, entropy, sender).expect("the folder is free"))
            }
        };
        let (book, fails_in_100) = (Arc::clone(&self.book), Arc::clone(&self.fails_in_100));
        self.store = Arc::new(Watched { inner, book, world: self.world.clone(), fails_in_100 });
    }

    /// What was committed stays; a store on a disk gives its folder free once nobody holds it any more.
    pub(super) async fn close(&mut self, server: &mut Server) {
        if matches!(self.ground, Kept::Sqlite(_)) {
            self.store.close().await.expect("what was accepted is finished");
            let mut elsewhere = Self::new(Ground::Memory, &self.world.clock, &self.world.entropy, &self.book);
            *server = Server::start(&mut elsewhere);
            self.store = elsewhere.store;
        }
    }
}

impl Server {
    pub(super) fn start(site: &mut Site) -> Self {
        let fanout = Fanout::new(Bus::none());
        let (sender, hints) = hints(Arc::<Fanout>::clone(&fanout));
        site.open(sender);
        let (apps, world) = (Arc::new(Apps::default()), site.world.clone());
        let devices = Arc::<Fanout>::clone(&fanout);
        let (store, before) = (Arc::clone(&site.store), Arc::new(NobodyIsAsked));
        let chat = Chat::new(store, Arc::clone(&apps), before, devices, world.clock.clone());
        let gateway = Gateway::new(GatewayParts {
            apps: Arc::clone(&apps),
            chat: chat.clone(),
            identities: Arc::new(Identities::default()),
            fanout: Arc::clone(&fanout),
            world: world.clone(),
            trusted_proxies: Live::new(Vec::new()),
            metrics: Metrics::new().gateway,
        });
        let delivery = Delivery::new(Arc::clone(&apps), world.entropy, Share::whole());
        Self { apps, chat, gateway, fanout, hints, delivery }
    }
}

/// No app of a run wants to be asked before sending.
#[derive(Debug)]
struct NobodyIsAsked;

impl Before for NobodyIsAsked {
    fn ask<'a>(
        &'a self,
        _: unsaid_protocol::SdkAppId,
        _: Question<'a>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Verdict> + Send + 'a>> {
        Box::pin(std::future::ready(Verdict::Pass { body: None, custom_data: None }))
    }
}
