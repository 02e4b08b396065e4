//! One try at one event: build and sign the request, send it, read the answer, say what came of it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{Response, body::Incoming};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use unsaid_protocol::callback::Query;

use super::{
    Outcome, Phase, Unavailable,
    connect::{ConnectTimes, Connector, Sender},
    endpoint::Endpoint,
};
use crate::{
    chat::OwedEvent,
    clock::{Clock, Timestamp},
    limits,
};

/// What an attempt tells.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) outcome: Outcome,
    /// The phases of the connection, if it was made for this attempt.
    pub(super) connect: Option<ConnectTimes>,
    pub(super) total: Duration,
}

/// What every attempt needs.
#[derive(Debug)]
pub(super) struct Attempts {
    pub(super) connector: Arc<Connector>,
    pub(super) clock: Clock,
    /// Part of the names of lanes.
    pub(super) epoch: String,
}

/// What may stand in a lane's header as it is.
const LANE: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'"');

impl Attempts {
    /// Tries the event, within the two seconds that an attempt has in all.
    pub(super) async fn run(&self, endpoint: &Endpoint, event: &OwedEvent) -> Report {
        let began = self.clock.instant();
        let mut phase = Phase::Resolve;
        let mut connect = None;
        let exchange = self.exchange(endpoint, event, &mut phase, &mut connect);
        let outcome = match tokio::time::timeout(limits::ATTEMPT_TIMEOUT, exchange).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(unavailable)) => Outcome::Unavailable(unavailable),
            Err(_) => Outcome::Unavailable(Unavailable::TimedOut(phase)),
        };
        Report { outcome, connect, total: self.clock.instant() - began }
    }

    async fn exchange(
        &self,
        endpoint: &Endpoint,
        event: &OwedEvent,
        phase: &mut Phase,
        connect: &mut Option<ConnectTimes>,
    ) -> Result<Outcome, Unavailable> {
        let mut request = self.request(endpoint, event);
        // A receiver may close an idle connection at any moment. What was not sent over it is sent over a new one.
        if let Some(mut sender) = endpoint.take_idle(self.clock.instant()) {
            *phase = Phase::Request;
            match sender.try_send_request(request).await {
                Ok(response) => return self.answer(endpoint, sender, response, phase).await,
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    // It may have arrived. The receiver sees by the event's id that it is a repeat.
                    None => request = self.request(endpoint, event),
                },
            }
        }
        let (mut sender, times) = self.connector.connect(&endpoint.target, phase).await?;
        *connect = Some(times);
        *phase = Phase::Answer;
        let response = sender.send_request(request).await.map_err(lost)?;
        self.answer(endpoint, sender, response, phase).await
    }

    async fn answer(
        &self,
        endpoint: &Endpoint,
        sender: Sender,
        response: Response<Incoming>,
        phase: &mut Phase,
    ) -> Result<Outcome, Unavailable> {
        *phase = Phase::Answer;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, limits::ATTEMPT_ANSWER_BYTES_MAX);
        #[expect(clippy::disallowed_methods, reason = "it is read up to a bound, within the attempt's time")]
        let body = body.collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Unavailable::AnswerTooLarge
            } else {
                Unavailable::ConnectionLost(error.to_string())
            }
        })?;
        endpoint.keep(sender, self.clock.instant());
        let retry_after = head.headers.get(header::RETRY_AFTER).and_then(retry_after);
        let rule = endpoint.app.callback.answer;
        Ok(Outcome::of_answer(head.status.as_u16(), retry_after, &body.to_bytes(), rule))
    }

    /// The body is the event's; URL, token and signature are those of this moment (rule C3).
    fn request(&self, endpoint: &Endpoint, event: &OwedEvent) -> Request<Full<Bytes>> {
        let settings = endpoint.app.callback.endpoint.as_ref();
        let token = settings.and_then(|settings| settings.token.as_ref());
        let Timestamp(now_ms) = self.clock.now();
        let query = Query {
            sdkappid: event.app,
            command: event.command,
            client_ip: event.origin.client_ip,
            platform: event.origin.platform,
            signed: token.map(|token| (token.expose(), now_ms.div_euclid(1000))),
        };
        let lane = format!("{}.{}", self.epoch, utf8_percent_encode(&event.lane.0, LANE));
        Request::builder()
            .method(Method::POST)
            .uri(query.append_to(&endpoint.path_and_query))
            .header(header::HOST, &endpoint.host_header)
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))
            .header(header::USER_AGENT, HeaderValue::from_static(concat!("Unsaid/", env!("CARGO_PKG_VERSION"))))
            .header("webhook-id", &event.id.0)
            .header("unsaid-lane", lane)
            .header("unsaid-number", event.number)
            .header("unsaid-previous", event.previous)
            .body(Full::new(event.body.clone()))
            .expect("the URL was checked, and the rest is visible ASCII")
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is used as a function from one error to another")]
fn lost(error: hyper::Error) -> Unavailable {
    Unavailable::ConnectionLost(error.to_string())
}

/// The seconds that the receiver asks for. A date is not honoured: it would need a clock that both agree on.
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
