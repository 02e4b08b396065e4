//! The rim of a session in a simulation: what `socket.rs` does with a socket, in steps. When each of them happens, and what is
//! lost between two of them, is for the simulation to choose.

use std::{future::Future, net::Ipv4Addr, sync::Arc};

use futures_util::FutureExt;
use tokio::time::Instant;

use super::{
    Gateway,
    session::{Done, Moment, Output, Session, Work},
    show, sweep,
    work::{Seat, Seated, Worker, log_in},
};
use crate::chat::{ChatError, Command, LogOut, RequestId, SessionId};

/// One connection, as the server has it.
pub(crate) struct Link {
    gateway: Arc<Gateway>,
    session: Session,
    seat: Option<Arc<Seat>>,
}

/// What the server does about something.
pub(crate) enum Deed {
    Frame(String),
    /// It asks whether the device is there.
    Ping,
    Close(u16),
    Work(Task),
}

/// Work that was begun.
#[derive(Debug)]
pub(crate) struct Task(Work);

/// What came of it.
pub(crate) struct Finished(Came);

enum Came {
    Seated(Box<Seated>),
    Done(Done),
}

impl Finished {
    pub(crate) fn is_login(&self) -> bool {
        matches!(self.0, Came::Seated(_))
    }
}

impl Task {
    pub(crate) fn is_login(&self) -> bool {
        matches!(self.0, Work::LogIn(..))
    }
}

impl Link {
    pub(crate) fn new(gateway: Arc<Gateway>, at: Instant) -> Self {
        let session = Session::new(Moment { instant: at, wall: gateway.world.clock.now() });
        Self { gateway, session, seat: None }
    }

    fn moment(&self, at: Instant) -> Moment {
        Moment { instant: at, wall: self.gateway.world.clock.now() }
    }

    /// Whether it takes another frame.
    pub(crate) fn reads_on(&self) -> bool {
        self.session.reads_on()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.session.is_over()
    }

    /// The session that sits here.
    pub(crate) fn seated(&self) -> Option<&SessionId> {
        self.seat.as_ref().map(|seat| &seat.session)
    }

    pub(crate) fn text(&mut self, at: Instant, text: &str) -> Vec<Deed> {
        let now = self.moment(at);
        self.session.tick(now, self.is_disabled());
        let request = RequestId::draw(&self.gateway.world.entropy);
        self.session.text(now, request, text);
        self.deeds()
    }

    pub(crate) fn sign_of_life(&mut self, at: Instant) -> Vec<Deed> {
        self.session.sign_of_life(self.moment(at));
        self.deeds()
    }

    pub(crate) fn tick(&mut self, at: Instant) -> Vec<Deed> {
        self.session.tick(self.moment(at), self.is_disabled());
        self.deeds()
    }

    pub(crate) fn next_tick(&self, at: Instant) -> Instant {
        self.session.next_tick(self.moment(at))
    }

    /// Does the work, and needs the link no longer for that.
    pub(crate) fn work(&self, task: Task) -> impl Future<Output = Finished> + use<> {
        let (gateway, seat) = (Arc::clone(&self.gateway), self.seat.clone());
        async move {
            Finished(match (task.0, seat) {
                (Work::LogIn(ticket, login), _) => {
                    let client_ip = Ipv4Addr::LOCALHOST.into();
                    Came::Seated(Box::new(log_in(gateway, client_ip, ticket, login).await))
                }
                (work, Some(seat)) => Came::Done(Worker { gateway, seat }.work(work).await),
                (_, None) => unreachable!("who has not logged in asks for nothing"),
            })
        }
    }

    pub(crate) fn finished(&mut self, finished: Finished) -> Vec<Deed> {
        match finished.0 {
            Came::Done(done) => self.session.done(done),
            Came::Seated(seated) => {
                let Seated { ticket, result } = *seated;
                let result = result.map(|(seat, welcome)| {
                    self.seat = Some(Arc::new(seat));
                    welcome
                });
                self.session.done(Done::LoggedIn(ticket, result));
            }
        }
        if let (Some(seat), Some(number)) = (&self.seat, self.session.number()) {
            seat.registration.line().has_come_to(number);
        }
        self.deeds()
    }

    /// Whether it was woken since it was asked last.
    pub(crate) fn is_woken(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| seat.registration.line().woken().now_or_never().is_some())
    }

    pub(crate) fn hear(&mut self) -> Vec<Deed> {
        if let Some(seat) = &self.seat {
            self.session.heard(seat.registration.line().take());
        }
        self.deeds()
    }

    /// The connection is gone: the session's end is told, if nobody has told it. What cannot be told is found later.
    pub(crate) async fn leave(self) {
        let (Some(seat), Some(how)) = (&self.seat, self.session.leaving()) else {
            return;
        };
        let Seat { app, user, session, .. } = &**seat;
        let log_out = LogOut { app: *app, user: user.clone(), session: session.clone(), how, request: RequestId::NONE };
        let _ = self.gateway.chat.run(Command::LogOut(log_out)).await;
    }

    fn is_disabled(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| self.gateway.is_disabled(seat.app))
    }

    fn deeds(&mut self) -> Vec<Deed> {
        let deed = |output| match output {
            Output::Answer(_, _, text) => Deed::Frame(text),
            Output::Push(push) => Deed::Frame(show::frame(&push)),
            Output::Ping => Deed::Ping,
            Output::Close(code) => Deed::Close(code),
            Output::Work(work) => Deed::Work(Task(work)),
        };
        self.session.take().into_iter().map(deed).collect()
    }
}

/// Ends the sessions that nobody holds.
pub(crate) async fn sweep(gateway: &Gateway) -> Result<(), ChatError> {
    sweep::once(gateway, gateway.world.clock.now().plus(std::time::Duration::from_millis(1))).await
}
