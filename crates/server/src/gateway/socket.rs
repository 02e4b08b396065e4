//! The rim of a session: a WebSocket, timers, and work that takes time. What is done about anything is said by
//! `session/`.

use std::{future::Future, net::IpAddr, pin::Pin, sync::Arc};

use futures_util::{SinkExt, StreamExt, stream::FuturesUnordered};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use unsaid_protocol::session::{FRAME_BYTES_MAX, close};

use super::{
    Gateway,
    request::{NAMES, Ticket},
    session::{Done, Output, Session, Work},
    show,
    work::{Seat, Seated, Worker, log_in},
};
use crate::{
    chat::{Command, LogOut, RequestId},
    limits,
};

type Socket = WebSocketStream<TokioIo<Upgraded>>;
type Pending = Pin<Box<dyn Future<Output = Finished> + Send>>;

enum Finished {
    Seated(Seated),
    Done(Done),
}

/// What has happened next.
enum Event {
    Stopping,
    Frame(Option<Result<Message, Error>>),
    Finished(Finished),
    Woken,
    Tick,
}

/// One connection, from its upgrade to its end.
pub(super) async fn run(gateway: Arc<Gateway>, upgraded: Upgraded, client_ip: IpAddr, stop: CancellationToken) {
    let config = WebSocketConfig::default()
        .read_buffer_size(limits::SESSION_READ_BUFFER_BYTES)
        .write_buffer_size(limits::SESSION_WRITE_BUFFER_BYTES)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let session = Session::new(gateway.moment());
    let pending = FuturesUnordered::new();
    Driver { gateway, socket, session, client_ip, seat: None, pending, closed: None, stop }.run().await;
}

struct Driver {
    gateway: Arc<Gateway>,
    socket: Socket,
    session: Session,
    client_ip: IpAddr,
    /// Once it has logged in.
    seat: Option<Arc<Seat>>,
    pending: FuturesUnordered<Pending>,
    /// Why the server closes it.
    closed: Option<u16>,
    stop: CancellationToken,
}

impl Driver {
    async fn run(mut self) {
        let mut connected = true;
        while connected && !self.session.is_over() {
            let event = self.next().await;
            connected = self.handle(event) && self.put_out().await.is_ok();
        }
        self.gateway.metrics.closed(self.closed);
        if connected {
            self.agree_to_close().await;
        }
        self.leave().await;
    }

    async fn next(&mut self) -> Event {
        let now = self.gateway.moment();
        let line = self.seat.as_ref().map(|seat| Arc::clone(seat.registration.line()));
        let woken = async {
            match &line {
                Some(line) => line.woken().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => Event::Stopping,
            frame = self.socket.next(), if self.session.reads_on() => Event::Frame(frame),
            Some(finished) = self.pending.next(), if !self.pending.is_empty() => Event::Finished(finished),
            () = woken => Event::Woken,
            () = tokio::time::sleep_until(self.session.next_tick(now)) => Event::Tick,
        }
    }

    /// Whether the connection is still there.
    fn handle(&mut self, event: Event) -> bool {
        let now = self.gateway.moment();
        // Whoever is always heard from has no silence in which a tick would find out.
        if matches!(event, Event::Frame(Some(Ok(_)))) {
            self.session.tick(now, self.is_disabled());
        }
        match event {
            Event::Stopping => self.session.going_away(),
            Event::Frame(Some(Ok(Message::Text(text)))) => {
                let request = RequestId::draw(&self.gateway.world.entropy);
                self.session.text(now, request, &text);
            }
            Event::Frame(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => self.session.sign_of_life(now),
            Event::Frame(Some(Ok(Message::Binary(_)))) => self.session.not_text(),
            Event::Frame(Some(Err(Error::Capacity(_)))) => self.session.too_long(),
            Event::Frame(Some(Err(Error::Utf8(_)))) => self.session.not_utf8(),
            Event::Frame(None | Some(Ok(Message::Close(_) | Message::Frame(_)) | Err(_))) => return false,
            Event::Finished(finished) => {
                match finished {
                    Finished::Done(done) => self.session.done(done),
                    Finished::Seated(seated) => self.sit_down(seated),
                }
                self.note_number();
            }
            Event::Woken => {
                if let Some(seat) = &self.seat {
                    self.session.heard(seat.registration.line().take());
                }
            }
            Event::Tick => self.session.tick(now, self.is_disabled()),
        }
        true
    }

    fn is_disabled(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| self.gateway.is_disabled(seat.app))
    }

    /// Whoever asks the store for what it has missed sees how far it has come.
    fn note_number(&self) {
        if let (Some(seat), Some(number)) = (&self.seat, self.session.number()) {
            seat.registration.line().has_come_to(number);
        }
    }

    fn sit_down(&mut self, Seated { ticket, result }: Seated) {
        let result = result.map(|(seat, welcome)| {
            self.seat = Some(Arc::new(seat));
            welcome
        });
        self.session.done(Done::LoggedIn(ticket, result));
    }

    /// Does what the session wants done. Whoever does not read is waited for here, until the listener's patience ends.
    async fn put_out(&mut self) -> Result<(), Error> {
        let gateway = Arc::clone(&self.gateway);
        let metrics = &gateway.metrics;
        for output in self.session.take() {
            match output {
                Output::Answer(ticket, code, text) => {
                    metrics.answered(ticket.place, code);
                    let name = NAMES.get(ticket.place).copied().unwrap_or("unknown");
                    tracing::debug!(request = %ticket.request, name, %code, "a request of a session was answered");
                    self.socket.feed(Message::text(text)).await?;
                }
                Output::Push(push) => {
                    metrics.pushed(&push);
                    self.socket.feed(Message::text(show::frame(&push))).await?;
                }
                Output::Ping => self.socket.feed(Message::Ping(bytes::Bytes::new())).await?,
                Output::Close(code) => {
                    self.closed = Some(code);
                    let reason = close::ALL.iter().find(|(known, _)| *known == code).map_or("", |(_, reason)| reason);
                    let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
                    self.socket.feed(Message::Close(Some(frame))).await?;
                }
                Output::Work(work) => self.begin(work),
            }
        }
        self.socket.flush().await
    }

    fn begin(&mut self, work: Work) {
        let gateway = Arc::clone(&self.gateway);
        let pending: Pending = match (work, &self.seat) {
            (Work::LogIn(ticket, login), _) => {
                let client_ip = self.client_ip;
                let done = async move { Finished::Seated(log_in(gateway, client_ip, ticket, login).await) };
                Box::pin(done.instrument(span(ticket)))
            }
            (work, Some(seat)) => {
                let ticket = match &work {
                    Work::LogIn(ticket, _) | Work::Change(ticket, _) | Work::Ask(ticket, _) => Some(*ticket),
                    Work::Look(_) => None,
                };
                let worker = Worker { gateway, seat: Arc::clone(seat) };
                let done = async move { Finished::Done(worker.work(work).await) };
                match ticket {
                    Some(ticket) => Box::pin(done.instrument(span(ticket))),
                    None => Box::pin(done),
                }
            }
            (_, None) => unreachable!("who has not logged in asks for nothing"),
        };
        self.pending.push(pending);
    }

    /// What the other end still sends is thrown away until it has closed, too, so that it gets to read why.
    async fn agree_to_close(&mut self) {
        let closed = async { while let Some(Ok(_)) = self.socket.next().await {} };
        // Who does not agree in time is cut.
        let _ = tokio::time::timeout(limits::SESSION_CLOSE_TIMEOUT, closed).await;
    }

    /// The session's end is told, if nobody has told it. A login that is under way is waited for, however the connection has
    /// ended: it may have been committed, and those whom it displaces are told by it.
    async fn leave(&mut self) {
        let how = self.session.leaving();
        if self.seat.is_none()
            && let Some(Finished::Seated(Seated { result: Ok((seat, _)), .. })) = self.pending.next().await
        {
            self.seat = Some(Arc::new(seat));
        }
        let (Some(seat), Some(how)) = (&self.seat, how) else {
            return;
        };
        let Seat { app, user, session, .. } = &**seat;
        let log_out = LogOut { app: *app, user: user.clone(), session: session.clone(), how, request: RequestId::NONE };
        if let Err(error) = self.gateway.chat.run(Command::LogOut(log_out)).await {
            tracing::warn!(app = %app, %session, %error, "the end of a session was not noted; it is found later");
        }
    }
}

/// Of the level of errors, so that it is there for whatever is logged.
fn span(ticket: Ticket) -> tracing::Span {
    tracing::error_span!("session", request = %ticket.request)
}
