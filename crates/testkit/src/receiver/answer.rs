//! What a receiver answers, and the order in which it does.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use unsaid_receiver::ANSWER_OK;

use super::Arrival;

/// What is done with one request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// 200 and the documented answer that accepts.
    Ok,
    /// 200 and this `ErrorCode`.
    Refuse(i64),
    /// This HTTP status, without a body.
    Status(u16),
    /// 200 and this body, whatever it is.
    Body(String),
    /// A whole response, where headers matter (`Retry-After`).
    Response(Response<Bytes>),
    /// After this time, that answer.
    Delay(Duration, Box<Self>),
    /// None, while the connection stays open.
    Hang,
    /// None, and the connection is closed.
    Close,
}

/// Which request gets which answer.
#[derive(Clone)]
pub struct Script(Kind);

#[derive(Clone)]
enum Kind {
    Always(Answer),
    Queue(VecDeque<Answer>, Answer),
    Function(Arc<Function>),
}

type Function = dyn Fn(&Arrival, u64) -> Answer + Send + Sync;

impl Script {
    /// The same for all.
    pub fn always(answer: Answer) -> Self {
        Self(Kind::Always(answer))
    }

    /// One after the other, and `then` for all that come later.
    pub fn queue(answers: impl IntoIterator<Item = Answer>, then: Answer) -> Self {
        Self(Kind::Queue(answers.into_iter().collect(), then))
    }

    /// What `function` says of the arrival and its number; the first is 1.
    pub fn function(function: impl Fn(&Arrival, u64) -> Answer + Send + Sync + 'static) -> Self {
        Self(Kind::Function(Arc::new(function)))
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::always(Answer::Ok)
    }
}

/// The script in force; it can be exchanged while requests come.
pub(super) struct Stage(Mutex<Script>);

impl Stage {
    pub(super) fn new(script: Script) -> Self {
        Self(Mutex::new(script))
    }

    pub(super) fn play(&self, script: Script) {
        *self.0.lock().expect("no holder panics") = script;
    }

    pub(super) fn answer_to(&self, arrival: &Arrival) -> Answer {
        let function = match &mut self.0.lock().expect("no holder panics").0 {
            Kind::Always(answer) => return answer.clone(),
            Kind::Queue(answers, then) => return answers.pop_front().unwrap_or_else(|| then.clone()),
            Kind::Function(function) => Arc::clone(function),
        };
        function(arrival, arrival.number)
    }
}

/// The connection is to be closed without an answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the script says to close the connection")]
pub(super) struct Closed;

/// Carries an answer out, as far as there is a response.
pub(super) async fn respond(mut answer: Answer) -> Result<Response<Full<Bytes>>, Closed> {
    while let Answer::Delay(time, then) = answer {
        tokio::time::sleep(time).await;
        answer = *then;
    }
    let body = match answer {
        Answer::Ok => Bytes::from_static(ANSWER_OK.as_bytes()),
        Answer::Refuse(code) => {
            format!(r#"{{"ActionStatus":"FAIL","ErrorInfo":"refused by the script","ErrorCode":{code}}}"#).into()
        }
        Answer::Body(body) => body.into(),
        Answer::Status(status) => return Ok(without_body(status)),
        Answer::Response(response) => return Ok(response.map(Full::new)),
        Answer::Delay(..) => unreachable!("unwrapped above"),
        Answer::Hang => std::future::pending().await,
        Answer::Close => return Err(Closed),
    };
    Ok(Response::new(Full::new(body)))
}

pub(super) fn without_body(status: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::from_u16(status).expect("the script names an HTTP status, 100 to 999");
    response
}
