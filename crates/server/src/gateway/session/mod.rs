//! One session as a state machine: what comes in, and what is to be done about it. It does no I/O and does not know the
//! time; `socket.rs` drives it.

use std::collections::VecDeque;

use serde_json::value::RawValue;
use tokio::time::Instant;
use unsaid_protocol::{
    ErrorCode, UserId, error,
    session::{self, AnswerFrame, Beat, KickReason, Kicked, Login, Nothing, Push, RequestFrame, close},
};

use super::{
    cursor::Cursor,
    rate::{Rate, Taken},
    request::{Change, Question, Request, Ticket},
    show,
};
use crate::{
    chat::{EndReason, Fault, Leaving, Refusal, RequestId, Updates},
    clock::Timestamp,
    fanout::Heard,
    limits,
};

/// When something comes in: by the clock that measures, and by the one on the wall.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) instant: Instant,
    pub(super) wall: Timestamp,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Output {
    Answer(Ticket, ErrorCode, String),
    Push(Box<Push>),
    /// Ask the other end whether it is still there.
    Ping,
    Work(Work),
    /// The last thing that is done.
    Close(u16),
}

/// What takes time, and is answered by a [`Done`].
#[derive(Debug)]
pub(super) enum Work {
    LogIn(Ticket, Login),
    Change(Ticket, Change),
    Ask(Ticket, Question),
    /// Look for what is behind this cursor.
    Look(Cursor),
}

/// What came of work.
#[derive(Debug)]
pub(super) enum Done {
    LoggedIn(Ticket, Result<Box<Welcome>, Refusal>),
    Changed(Ticket, Answer),
    Asked(Ticket, Answer),
    Looked(Result<Option<Updates>, Fault>),
    LoggedOut(Ticket, Answer),
}

pub(super) type Answer = Result<Box<RawValue>, Refusal>;

/// A login that succeeded.
#[derive(Debug)]
pub(super) struct Welcome {
    pub(super) me: UserId,
    /// Where updates go on.
    pub(super) cursor: Cursor,
    /// When the UserSig ends, in seconds.
    pub(super) expires_s: u64,
    pub(super) answer: session::LoggedIn,
}

pub(super) struct Session {
    phase: Phase,
    /// When something was heard last.
    heard_at: Instant,
    /// It was asked since whether it is still there.
    asked: bool,
    rate: Rate,
    /// Changes that wait for the one that is under way.
    changes: VecDeque<(Ticket, Change)>,
    changing: bool,
    questions: usize,
    outputs: Vec<Output>,
}

enum Phase {
    /// Nobody has logged in.
    New {
        until: Instant,
    },
    LoggingIn {
        until: Instant,
    },
    Open(Open),
    /// How its end is to be told; none if it was told, or will be.
    Over(Option<Leaving>),
}

struct Open {
    me: UserId,
    cursor: Cursor,
    expires_s: u64,
    /// There may be something behind the cursor.
    something_new: bool,
    looking: bool,
}

impl Session {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            phase: Phase::New { until: now.instant + limits::SESSION_LOGIN_TIMEOUT },
            heard_at: now.instant,
            asked: false,
            rate: Rate::new(now.instant),
            changes: VecDeque::new(),
            changing: false,
            questions: 0,
            outputs: Vec::new(),
        }
    }

    /// What is to be done now, in order.
    pub(super) fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Whether it takes another frame; else it has enough to do.
    pub(super) fn reads_on(&self) -> bool {
        self.changes.len() + usize::from(self.changing) + self.questions < limits::SESSION_REQUESTS_MAX
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(_))
    }

    /// Of the last update that it has; none as long as it has not logged in.
    pub(super) fn number(&self) -> Option<i64> {
        match &self.phase {
            Phase::Open(open) => Some(open.cursor.number),
            Phase::New { .. } | Phase::LoggingIn { .. } | Phase::Over(_) => None,
        }
    }

    /// How its end is to be told, now that its connection is gone.
    pub(super) fn leaving(&self) -> Option<Leaving> {
        match self.phase {
            Phase::Over(how) => how,
            Phase::New { .. } | Phase::LoggingIn { .. } | Phase::Open(_) => Some(Leaving::LinkClosed),
        }
    }

    /// Something came that holds nothing: the other end is there. It counts as a request, since it is work all the same.
    pub(super) fn sign_of_life(&mut self, now: Moment) {
        self.is_there(now);
        if self.rate.take(now.instant) == Taken::Flood {
            self.close(close::TOO_MANY_FRAMES, Some(Leaving::LinkClosed));
        }
    }

    fn is_there(&mut self, now: Moment) {
        (self.heard_at, self.asked) = (now.instant, false);
    }

    /// `drawn`: what the request is called, if it is one.
    pub(super) fn text(&mut self, now: Moment, drawn: RequestId, text: &str) {
        if self.is_over() {
            return;
        }
        self.is_there(now);
        let Ok(RequestFrame { id, request, data }) = serde_json::from_str(text) else {
            return self.close(close::NOT_A_REQUEST, Some(Leaving::LinkClosed));
        };
        let ticket = Ticket::of(id, &request, drawn);
        match self.rate.take(now.instant) {
            Taken::Yes => {}
            Taken::No => {
                let info = format!("more than {} requests a second: wait a moment", limits::SESSION_REQUESTS_PER_S);
                return self.refuse(ticket, &Refusal::new(error::TOO_OFTEN, info));
            }
            Taken::Flood => return self.close(close::TOO_MANY_FRAMES, Some(Leaving::LinkClosed)),
        }
        match Request::read(&request, data) {
            Ok(request) => self.request(now, ticket, request),
            Err(refusal) => self.refuse(ticket, &refusal),
        }
    }

    pub(super) fn not_text(&mut self) {
        self.close(close::NOT_TEXT, Some(Leaving::LinkClosed));
    }

    pub(super) fn too_long(&mut self) {
        self.close(close::FRAME_TOO_LONG, Some(Leaving::LinkClosed));
    }

    pub(super) fn not_utf8(&mut self) {
        self.close(close::NOT_A_REQUEST, Some(Leaving::LinkClosed));
    }

    fn request(&mut self, now: Moment, ticket: Ticket, request: Request) {
        match (&self.phase, request) {
            (_, Request::Heartbeat) => self.accept(ticket, show::data(&Beat { time_ms: now.wall.0 })),
            (Phase::New { until }, Request::Login(login)) => {
                self.phase = Phase::LoggingIn { until: *until };
                self.outputs.push(Output::Work(Work::LogIn(ticket, login)));
            }
            (Phase::New { .. }, _) => {
                self.refuse_state(ticket, "log in first: the first request of a connection is login");
            }
            (Phase::LoggingIn { .. }, _) => self.refuse_state(ticket, "the login is under way: wait for its answer"),
            (Phase::Open(_), Request::Login(_)) => {
                self.refuse_state(ticket, "this connection has logged in already: log in on another one");
            }
            (Phase::Open(_), Request::Change(change)) => {
                self.changes.push_back((ticket, change));
                self.change();
            }
            (Phase::Open(_), Request::Question(question)) => {
                self.questions += 1;
                self.outputs.push(Output::Work(Work::Ask(ticket, question)));
            }
            (Phase::Over(_), _) => {}
        }
    }

    fn refuse_state(&mut self, ticket: Ticket, info: &'static str) {
        self.refuse(ticket, &Refusal::new(error::NOT_LOGGED_IN, info));
    }

    /// Begins the next change, if none is under way.
    fn change(&mut self) {
        if !self.changing
            && let Some((ticket, change)) = self.changes.pop_front()
        {
            self.changing = true;
            self.outputs.push(Output::Work(Work::Change(ticket, change)));
        }
    }

    pub(super) fn done(&mut self, done: Done) {
        if self.is_over() {
            return;
        }
        match done {
            Done::LoggedIn(ticket, Ok(welcome)) => self.welcome(ticket, *welcome),
            Done::LoggedIn(ticket, Err(refusal)) => {
                if let Phase::LoggingIn { until } = self.phase {
                    self.phase = Phase::New { until };
                }
                self.refuse(ticket, &refusal);
            }
            Done::Changed(ticket, answer) => {
                self.answer(ticket, answer);
                self.changing = false;
                self.change();
            }
            Done::Asked(ticket, answer) => {
                self.questions -= 1;
                self.answer(ticket, answer);
            }
            Done::LoggedOut(ticket, answer) => {
                let has_left = answer.is_ok();
                self.answer(ticket, answer);
                self.close(close::LOGGED_OUT, (!has_left).then_some(Leaving::LoggedOut));
            }
            Done::Looked(looked) => self.looked(looked),
        }
    }

    fn welcome(&mut self, ticket: Ticket, welcome: Welcome) {
        let Welcome { me, cursor, expires_s, answer } = welcome;
        self.accept(ticket, show::data(&answer));
        // Whatever has happened since the login was committed was told to nobody.
        self.phase = Phase::Open(Open { me, cursor, expires_s, something_new: true, looking: false });
        self.look();
    }

    /// Looks behind the cursor, if there may be something and nobody is looking yet.
    fn look(&mut self) {
        if let Phase::Open(open) = &mut self.phase
            && open.something_new
            && !open.looking
        {
            (open.something_new, open.looking) = (false, true);
            self.outputs.push(Output::Work(Work::Look(open.cursor.clone())));
        }
    }

    fn looked(&mut self, looked: Result<Option<Updates>, Fault>) {
        let Phase::Open(open) = &mut self.phase else {
            return;
        };
        open.looking = false;
        // It comes back with its cursor, and learns that it has to begin anew.
        let Ok(Some(updates)) = looked else {
            return self.close(close::FAILED, Some(Leaving::LinkClosed));
        };
        let pushes = show::updates(&open.me, &open.cursor, &updates);
        open.cursor.number = updates.told_to();
        open.something_new |= updates.more;
        self.outputs.extend(pushes.into_iter().map(|push| Output::Push(Box::new(push))));
        self.look();
    }

    pub(super) fn heard(&mut self, heard: Heard) {
        let Phase::Open(open) = &mut self.phase else {
            return;
        };
        let Heard { something_new, online, ended } = heard;
        open.something_new |= something_new;
        for shown in &online {
            self.push(Push::Online(show::message(shown)));
        }
        match ended {
            None => self.look(),
            Some(EndReason::OtherLogin) => self.kick(KickReason::OtherLogin, None),
            Some(EndReason::AppBackend) => self.kick(KickReason::AppBackend, None),
            Some(EndReason::Resumed) => self.close(close::KICKED, None),
        }
    }

    /// The server stops. Nobody is told of the session's end: it may well come back.
    pub(super) fn going_away(&mut self) {
        self.push(Push::GoingAway(Nothing {}));
        self.close(close::GOING_AWAY, None);
    }

    /// Time has passed. `disabled`: the session's app is.
    pub(super) fn tick(&mut self, now: Moment, disabled: bool) {
        match &self.phase {
            Phase::New { until } | Phase::LoggingIn { until } if now.instant >= *until => {
                return self.close(close::NO_LOGIN, Some(Leaving::LinkClosed));
            }
            Phase::Open(_) if disabled => return self.kick(KickReason::AppDisabled, Some(Leaving::LoggedOut)),
            Phase::Open(open) if u64::from(now.wall.seconds()) > open.expires_s => {
                return self.kick(KickReason::UserSigExpired, Some(Leaving::LoggedOut));
            }
            Phase::New { .. } | Phase::LoggingIn { .. } | Phase::Open(_) | Phase::Over(_) => {}
        }
        let silence = now.instant.saturating_duration_since(self.heard_at);
        if silence >= limits::SESSION_SILENCE_MAX {
            self.close(close::SILENT, Some(Leaving::TimedOut));
        } else if silence >= limits::SESSION_PING_AFTER && !self.asked {
            self.asked = true;
            self.outputs.push(Output::Ping);
        }
    }

    /// When [`Self::tick`] has to be called next, at the latest.
    pub(super) fn next_tick(&self, now: Moment) -> Instant {
        let pause = if self.asked { limits::SESSION_SILENCE_MAX } else { limits::SESSION_PING_AFTER };
        let silent = self.heard_at + pause;
        match &self.phase {
            Phase::New { until } | Phase::LoggingIn { until } => silent.min(*until),
            Phase::Open(open) => {
                let left_s = open.expires_s.saturating_add(1).saturating_sub(u64::from(now.wall.seconds()));
                silent.min(now.instant + std::time::Duration::from_secs(left_s.clamp(1, 3600)))
            }
            Phase::Over(_) => silent,
        }
    }

    fn kick(&mut self, reason: KickReason, how: Option<Leaving>) {
        self.push(Push::Kicked(Kicked { reason }));
        self.close(close::KICKED, how);
    }

    fn push(&mut self, push: Push) {
        self.outputs.push(Output::Push(Box::new(push)));
    }

    fn close(&mut self, code: u16, how: Option<Leaving>) {
        if !self.is_over() {
            self.phase = Phase::Over(how);
            self.outputs.push(Output::Close(code));
        }
    }

    fn answer(&mut self, ticket: Ticket, answer: Answer) {
        match answer {
            Ok(data) => self.accept(ticket, data),
            Err(refusal) => self.refuse(ticket, &refusal),
        }
    }

    fn accept(&mut self, ticket: Ticket, data: Box<RawValue>) {
        let code = ErrorCode(0);
        let frame = AnswerFrame { id: ticket.id, code, info: String::new(), data: Some(data) };
        self.outputs.push(Output::Answer(ticket, code, show::frame(&frame)));
    }

    fn refuse(&mut self, ticket: Ticket, refusal: &Refusal) {
        let code = refusal.code;
        let frame = AnswerFrame { id: ticket.id, code, info: refusal.info.to_string(), data: None };
        self.outputs.push(Output::Answer(ticket, code, show::frame(&frame)));
    }
}

#[cfg(test)]
mod tests;
