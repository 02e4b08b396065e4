//! The bus: what servers that share a store tell each other right after a commit, over NATS.
//!
//! What is said here is a hint, but for messages that are stored nowhere: the outbox and the sync events are the truth, and
//! whoever hears nothing looks there a little later. So nobody who says something waits, and what finds no place is dropped
//! and counted. What is said goes through `link.rs`, which owns the connection and writes NATS's own words (`wire.rs`), under
//! subjects that are made of hashes (`subject.rs`), as frames that only members of this cluster can make (`frame.rs`). What is
//! heard goes to the devices of this server, and to whoever delivers its lanes (`looks.rs`). `interest.rs` knows what this
//! server wants to hear.

mod settings;

mod subject;

mod interest;
mod looks;

mod frame;

mod dial;
mod link;
mod wire;

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use unsaid_protocol::{SdkAppId, UserId};

pub(crate) use self::{
    dial::{Reached, check_authority, reach},
    settings::servers,
};
pub use self::{
    frame::Unheard,
    interest::Following,
    link::Link,
    looks::{Look, Looks},
    settings::{BusSettings, NatsServer},
};
use self::{interest::Interest, link::State};
use crate::{
    chat::{EndReason, Lane, SessionId, Shown},
    clock::World,
    cluster::{MemberId, ShardSet, Share},
    limits,
    metrics::BusMetrics,
};

/// What one server tells the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// There is something new for the devices of an account.
    Wake { app: SdkAppId, user: UserId },
    /// A session has ended; its row is gone already.
    End { app: SdkAppId, user: UserId, session: SessionId, why: EndReason },
    /// A message that is stored nowhere, for the devices of `user`.
    Online { app: SdkAppId, user: UserId, shown: Arc<Shown> },
    /// There is something in a lane, up to this place at least.
    Look { app: SdkAppId, lane: Lane, place: i64 },
}

/// Speaks to the other servers. Clones speak over the same connection.
#[derive(Clone)]
pub struct Bus {
    /// None where there is nobody to talk to.
    ends: Option<Ends>,
    connected: watch::Sender<bool>,
}

#[derive(Clone)]
struct Ends {
    said: mpsc::Sender<Said>,
    interest: Arc<Interest>,
    /// What is said while it is not is dropped at once.
    is_connected: Arc<AtomicBool>,
    metrics: BusMetrics,
}

/// A bus whose connection is not made yet: what that takes is known once the store is open.
pub struct Unlinked {
    said: mpsc::Receiver<Said>,
    interest: Arc<Interest>,
    state: State,
    metrics: BusMetrics,
}

/// What it takes to make the connection.
pub struct LinkParts {
    pub settings: BusSettings,
    pub membership: Membership,
    pub world: World,
}

/// Who this server is among those that share its store.
#[derive(Clone)]
pub struct Membership {
    /// What the servers of one cluster have in common and others have not: the store's epoch.
    pub epoch: Arc<str>,
    pub member: MemberId,
    /// What only the servers of this cluster know: who does not, can neither speak to them nor tell whom they speak of.
    pub key: [u8; 32],
}

impl Bus {
    /// There is nobody to talk to.
    pub fn none() -> Self {
        Self { ends: None, connected: watch::Sender::new(false) }
    }

    /// The bus, what its connection is made of, and what is heard of lanes.
    pub fn new(metrics: BusMetrics) -> (Self, Unlinked, Looks) {
        // Full where NATS takes less than is said; then what is said is dropped.
        let (sender, said) = mpsc::channel(limits::BUS_QUEUE_WORDS_MAX);
        let connected = watch::Sender::new(false);
        let (look_sender, looks) = looks::looks();
        let interest = Arc::new(Interest::default());
        let is_connected = Arc::new(AtomicBool::new(false));
        let ends = Ends {
            said: sender,
            interest: Arc::clone(&interest),
            is_connected: Arc::clone(&is_connected),
            metrics: metrics.clone(),
        };
        let state = State { flag: is_connected, connected: connected.clone(), looks: look_sender };
        let unlinked = Unlinked { said, interest, state, metrics };
        (Self { ends: Some(ends), connected }, unlinked, looks)
    }

    /// Whether there is anybody to talk to.
    pub fn is_some(&self) -> bool {
        self.ends.is_some()
    }

    /// Never waits. What finds no place is dropped.
    pub fn say(&self, said: Said) {
        let Some(ends) = &self.ends else {
            return;
        };
        let word = said.word();
        if !ends.is_connected.load(Ordering::Acquire) {
            ends.metrics.dropped(word);
        } else if ends.said.try_send(said).is_err() {
            ends.metrics.dropped(word);
            self.connected.send_modify(|_| {});
        }
    }

    /// From now on, what is said to the devices of this account is heard, until the answer is dropped. Nobody asks before the
    /// bus has its link.
    pub fn follow(&self, app: SdkAppId, user: &UserId) -> Following {
        self.ends.as_ref().map_or_else(Following::nobody, |ends| ends.interest.follow(app, user))
    }

    /// From now on, what is said of the lanes of these shards is heard, and of no others.
    pub fn shards(&self, shards: ShardSet) {
        if let Some(ends) = &self.ends {
            ends.interest.deliver(shards);
        }
    }

    /// Listens to what is said of the lanes that are delivered here, whichever those are, until it is told to stop.
    pub async fn go_by(self, mut share: watch::Receiver<Share>, stop: CancellationToken) {
        loop {
            let mine = share.borrow_and_update().mine;
            self.shards(mine);
            tokio::select! {
                () = stop.cancelled() => return,
                changed = share.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Whether the others can be heard now. It changes whenever that does, and also when something that was said is lost.
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.connected.subscribe()
    }
}

impl Unlinked {
    /// The connection, which has to be run. Nothing is dialled yet.
    pub fn link(self, parts: LinkParts) -> anyhow::Result<Link> {
        Link::new(self, parts)
    }
}

impl Said {
    /// What the metrics call it.
    fn word(&self) -> Word {
        match self {
            Self::Wake { .. } => Word::Wake,
            Self::End { .. } => Word::End,
            Self::Online { .. } => Word::Online,
            Self::Look { .. } => Word::Look,
        }
    }
}

/// The kinds of what can be said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    Wake,
    End,
    Online,
    Look,
}

impl Word {
    pub const ALL: [Self; 4] = [Self::Wake, Self::End, Self::Online, Self::Look];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wake => "wake",
            Self::End => "end",
            Self::Online => "online",
            Self::Look => "look",
        }
    }
}

/// Without its key.
impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").field("member", &self.member).finish_non_exhaustive()
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("connected", &*self.connected.borrow()).finish_non_exhaustive()
    }
}
