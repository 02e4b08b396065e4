//! The connection to NATS: made again whenever it is lost, never waited for by anybody.
//!
//! One task owns it. It listens to what this server wants to hear, and hands on what it hears; it says what waits to be said.
//! While it is away, nothing is kept: whoever looks into the store instead is told that it is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    LinkParts, Look, Membership, Said, Unlinked,
    dial::{Connection, Dialler, Problem},
    frame::{Frames, Unheard},
    interest::{Change, Interest},
    looks::LookSender,
    settings::NatsServer,
    subject::{Subject, Subjects},
    wire::{self, Heard},
};
use crate::{chat::Devices, clock::World, cluster::Shard, limits, metrics::BusMetrics};

/// The connection of one server, which has to be run.
pub struct Link {
    servers: Vec<NatsServer>,
    dialler: Dialler,
    frames: Frames,
    subjects: Arc<Subjects>,
    said: mpsc::Receiver<Said>,
    interest: Arc<Interest>,
    state: State,
    world: World,
    metrics: BusMetrics,
}

/// Where others see how the connection is.
pub(super) struct State {
    pub(super) flag: Arc<AtomicBool>,
    pub(super) connected: watch::Sender<bool>,
    pub(super) looks: LookSender,
}

/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;

impl Link {
    pub(super) fn new(unlinked: Unlinked, parts: LinkParts) -> anyhow::Result<Self> {
        let Unlinked { said, interest, state, metrics } = unlinked;
        let LinkParts { settings, membership: Membership { epoch, member, key }, world } = parts;
        let (dialler, frames) = (Dialler::new(&settings)?, Frames::new(&key, member));
        let subjects = Arc::new(Subjects::new(&key, &epoch));
        interest.link(&subjects);
        Ok(Self { servers: settings.servers, dialler, frames, subjects, said, interest, state, world, metrics })
    }

    /// Connects whenever it is not connected, until it is told to stop.
    pub async fn run(mut self, devices: Arc<dyn Devices>, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.go_on(&*devices) => {}
        }
        self.away();
    }

    async fn go_on(&mut self, devices: &dyn Devices) {
        let (mut retry, mut is_told) = (Retry::default(), false);
        for turn in 0.. {
            let server = self.servers[turn % self.servers.len()].clone();
            let (problem, lasted) = self.connect_once(&server, devices).await;
            if is_told && lasted.is_none() {
                tracing::debug!(%server, %problem, "the bus is still away");
            } else {
                is_told = true;
                tracing::warn!(
                    %server,
                    %problem,
                    "the bus is away: until it is back, the store is asked every second for what other servers have done"
                );
            }
            let pause = retry.pause_after(lasted.unwrap_or_default());
            tokio::time::sleep(pause.mul_f64(1.0 - self.world.entropy.fraction() / 3.0)).await;
        }
    }

    /// Why the connection is gone, or was not made; and how long it lasted, if it was there.
    async fn connect_once(&mut self, server: &NatsServer, devices: &dyn Devices) -> (Problem, Option<Duration>) {
        let connection = match self.dialler.dial(server).await {
            Ok(connection) => connection,
            Err(problem) => return (problem, None),
        };
        let now = self.world.clock.instant();
        let mut talk =
            Talk { connection, out: BytesMut::new(), is_flushed: true, heard_at: now, asked: false, is_there: false };
        for subject in self.interest.begin() {
            self.change(&mut talk.out, Change::Listen(subject));
        }
        // It answers once it listens to all of that.
        wire::ping(&mut talk.out);
        let Err(problem) = self.talk(&mut talk, server, devices).await;
        self.away();
        (problem, talk.is_there.then(|| self.world.clock.instant().duration_since(now)))
    }

    async fn talk(
        &mut self,
        talk: &mut Talk,
        server: &NatsServer,
        devices: &dyn Devices,
    ) -> Result<std::convert::Infallible, Problem> {
        loop {
            while let Some(heard) = talk.connection.words.next()? {
                self.hear(talk, heard, server, devices)?;
            }
            let (has_room, has_unsent) = (talk.has_room(), talk.has_unsent());
            let next_tick = talk.next_tick();
            let Talk { connection: Connection { reader, writer, words, .. }, out, .. } = talk;
            words.buffer.reserve(READ_BYTES);
            let send =
                async { if out.is_empty() { writer.flush().await.map(|()| 0) } else { writer.write_buf(out).await } };
            tokio::select! {
                read = reader.read_buf(&mut words.buffer) => {
                    if read? == 0 {
                        return Err(Problem::Closed);
                    }
                    (talk.heard_at, talk.asked) = (self.world.clock.instant(), false);
                }
                sent = send, if has_unsent => talk.is_flushed = sent? == 0,
                Some(said) = self.said.recv(), if has_room => self.say(talk, said),
                () = self.interest.changed(), if has_room => {
                    for change in self.interest.take_changes(limits::BUS_CHANGES_AT_ONCE) {
                        self.change(&mut talk.out, change);
                    }
                }
                () = tokio::time::sleep_until(next_tick) => talk.tick(self.world.clock.instant())?,
            }
        }
    }

    fn hear(
        &mut self,
        talk: &mut Talk,
        heard: Heard,
        server: &NatsServer,
        devices: &dyn Devices,
    ) -> Result<(), Problem> {
        match heard {
            Heard::Message(frame) => match self.frames.read(&frame) {
                Ok(said) => self.hand_on(said, devices),
                Err(why) => self.metrics.unheard(why),
            },
            Heard::TooLong => self.metrics.unheard(Unheard::Malformed),
            Heard::Ping => wire::pong(&mut talk.out),
            Heard::Pong if !talk.is_there => {
                talk.is_there = true;
                self.here(server);
            }
            Heard::Pong | Heard::Info(_) => {}
            Heard::Problem(problem) => return Err(Problem::Said(problem)),
        }
        Ok(())
    }

    fn hand_on(&self, said: Said, devices: &dyn Devices) {
        self.metrics.heard(said.word());
        match said {
            Said::Wake { app, user } => devices.wake(app, &user),
            Said::End { app, user, session, why } => devices.end(app, &user, &session, why),
            Said::Online { app, user, shown } => devices.online(app, &user, &shown),
            Said::Look { app, lane, place } => self.state.looks.heard(Look { app, lane, place }),
        }
    }

    /// Says what waits, as much as there is room for.
    fn say(&mut self, talk: &mut Talk, said: Said) {
        let mut next = Some(said);
        while let Some(said) = next {
            let word = said.word();
            let subject = match &said {
                Said::Wake { app, user } | Said::End { app, user, .. } | Said::Online { app, user, .. } => {
                    self.subjects.account(*app, user)
                }
                Said::Look { app, lane, .. } => Subject::Shard(Shard::of(*app, lane)),
            };
            let frame = self.frames.write(&said);
            if frame.len() > talk.connection.payload_bytes_max {
                self.metrics.dropped(word);
                self.state.connected.send_modify(|_| {});
            } else {
                wire::publish(&mut talk.out, &self.subjects.name(subject), &frame);
                self.metrics.said(word);
            }
            next = if talk.has_room() { self.said.try_recv().ok() } else { None };
        }
    }

    fn change(&self, out: &mut BytesMut, change: Change) {
        match change {
            Change::Listen(subject) => {
                wire::subscribe(out, &self.subjects.name(subject), &subject.subscription());
            }
            Change::Leave(subject) => wire::unsubscribe(out, &subject.subscription()),
        }
    }

    fn here(&self, server: &NatsServer) {
        self.state.flag.store(true, Ordering::Release);
        self.metrics.is_there();
        // What was said before was said to others.
        self.state.looks.missed();
        self.state.connected.send_replace(true);
        tracing::info!(%server, "the bus is there");
    }

    /// What waits to be said is of no use any more.
    fn away(&mut self) {
        self.state.flag.store(false, Ordering::Release);
        self.metrics.is_away();
        self.interest.end();
        self.state.connected.send_replace(false);
        while let Ok(said) = self.said.try_recv() {
            self.metrics.dropped(said.word());
        }
    }
}

/// How long to wait before the next try.
#[derive(Default)]
struct Retry {
    pause: Option<Duration>,
}

impl Retry {
    /// What is taken back at once is no success: a NATS that lets us in and then refuses what we say is not called all the time.
    fn pause_after(&mut self, lasted: Duration) -> Duration {
        let last = self.pause.filter(|_| lasted < limits::BUS_RETRY_MAX);
        let pause = last.map_or(limits::BUS_RETRY_FIRST, |pause| (pause * 2).min(limits::BUS_RETRY_MAX));
        self.pause = Some(pause);
        pause
    }
}

/// One connection while it lasts.
struct Talk {
    connection: Connection,
    /// What is on its way to NATS.
    out: BytesMut,
    /// Whether what was written has gone out.
    is_flushed: bool,
    /// When something was heard last, and whether it was asked since if it is still there.
    heard_at: Instant,
    asked: bool,
    /// It listens to all that is wanted.
    is_there: bool,
}

impl Talk {
    fn has_room(&self) -> bool {
        self.out.len() < limits::BUS_UNSENT_BYTES_MAX
    }

    fn has_unsent(&self) -> bool {
        !self.out.is_empty() || !self.is_flushed
    }

    fn next_tick(&self) -> Instant {
        self.heard_at + if self.asked { limits::BUS_SILENCE_MAX } else { limits::BUS_PING_AFTER }
    }

    fn tick(&mut self, now: Instant) -> Result<(), Problem> {
        let silence = now.saturating_duration_since(self.heard_at);
        if silence >= limits::BUS_SILENCE_MAX {
            return Err(Problem::Silent(limits::BUS_SILENCE_MAX));
        }
        if silence >= limits::BUS_PING_AFTER && !self.asked {
            self.asked = true;
            wire::ping(&mut self.out);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_a_connection_has_lasted() {
        let (mut retry, short) = (Retry::default(), Duration::from_secs(1));
        let pauses: Vec<_> = (0..8).map(|_| retry.pause_after(short).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
        assert_eq!(retry.pause_after(limits::BUS_RETRY_MAX), limits::BUS_RETRY_FIRST);
    }
}
