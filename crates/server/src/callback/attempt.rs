//! One request to an endpoint: build and sign it, send it, read the answer, say what came of it.
//!
//! A [`Call`] is what is sent: a try at an event, a question before a message is sent, or a test. A [`Report`] is
//! everything that is known of it afterwards.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{Response, body::Incoming};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;
use unsaid_protocol::{
    SdkAppId,
    callback::{CallbackCommand, Query},
    webhook,
};

use super::{
    Outcome, Phase, Refused, Unavailable,
    connect::{Connector, Sender, alert},
    endpoint::Endpoint,
    phases::{PhaseTimes, Stopwatch},
};
use crate::{
    apps::{AnswerRule, Secret},
    chat::{Lane, Origin, OwedEvent},
    clock::{Clock, Timestamp},
    limits,
    metrics::CallbackMetrics,
};

/// What is sent.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) app: SdkAppId,
    pub(super) command: CallbackCommand,
    /// `webhook-id`.
    pub(super) id: String,
    pub(super) body: Bytes,
    pub(super) origin: Origin,
    /// Where it stands in its lane; nothing where nobody is owed it.
    pub(super) lane: Option<InLane>,
}

/// Where an event stands in its lane.
#[derive(Clone, Debug)]
pub(super) struct InLane {
    pub(super) lane: Lane,
    pub(super) number: i64,
    pub(super) previous: i64,
    /// New for each time that it is sent again on request.
    pub(super) replay: Option<i64>,
}

/// What is known of a call when it is over.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) outcome: Outcome,
    pub(super) phases: PhaseTimes,
    /// Where it was dialled.
    pub(super) address: Option<SocketAddr>,
    pub(super) total: Duration,
    pub(super) answer: Option<AnswerSeen>,
    pub(super) receiver: ReceiverSeen,
}

/// What the receiver showed of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct ReceiverSeen {
    /// Over a new connection with TLS.
    pub(super) certificate: Option<CertificateDer<'static>>,
    /// How far its clock is ahead of ours, in seconds, by the date of its answer.
    pub(super) clock_ahead_s: Option<i64>,
}

/// What the receiver answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct AnswerSeen {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// What every call needs.
#[derive(Debug)]
pub(super) struct Attempts {
    pub(super) connector: Arc<Connector>,
    pub(super) clock: Clock,
    /// Part of the names of lanes.
    pub(super) epoch: String,
}

/// What a call has come to, so that it is known even if its time runs out.
struct Progress {
    watch: Stopwatch,
    address: Option<SocketAddr>,
    answer: Option<AnswerSeen>,
    receiver: ReceiverSeen,
}

/// What may stand in a lane's header as it is.
const LANE: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'"');

/// More headers than a request has, so that their table need not grow.
const HEADERS_MAX: usize = 12;

/// The headers of [`webhook`].
mod names {
    use http::HeaderName;
    use unsaid_protocol::webhook;

    pub(super) const ID: HeaderName = HeaderName::from_static(webhook::ID_HEADER);
    pub(super) const TIMESTAMP: HeaderName = HeaderName::from_static(webhook::TIMESTAMP_HEADER);
    pub(super) const SIGNATURE: HeaderName = HeaderName::from_static(webhook::SIGNATURE_HEADER);
    pub(super) const LANE: HeaderName = HeaderName::from_static(webhook::LANE_HEADER);
    pub(super) const NUMBER: HeaderName = HeaderName::from_static(webhook::NUMBER_HEADER);
    pub(super) const PREVIOUS: HeaderName = HeaderName::from_static(webhook::PREVIOUS_HEADER);
    pub(super) const REPLAY: HeaderName = HeaderName::from_static(webhook::REPLAY_HEADER);
    pub(super) const REQUEST: HeaderName = HeaderName::from_static(webhook::REQUEST_HEADER);
}

impl From<&OwedEvent> for Call {
    fn from(event: &OwedEvent) -> Self {
        Self {
            app: event.app,
            command: event.command,
            id: event.id.0.clone(),
            body: event.body.clone(),
            origin: event.origin,
            lane: Some(InLane {
                lane: event.lane.clone(),
                number: event.number,
                previous: event.previous,
                replay: event.replay.then_some(event.place),
            }),
        }
    }
}

impl Report {
    /// Of a call that was never made.
    pub(super) fn without_call(outcome: Outcome) -> Self {
        let (phases, receiver) = (PhaseTimes::default(), ReceiverSeen::default());
        Self { outcome, phases, address: None, total: Duration::ZERO, answer: None, receiver }
    }

    pub(super) fn count(&self, app: SdkAppId, command: CallbackCommand, metrics: &CallbackMetrics) {
        metrics.attempted(app, command, &self.outcome, self.total);
        let PhaseTimes { resolve, connect, tls, answer } = self.phases;
        let phases = [Phase::Resolve, Phase::Connect, Phase::Tls, Phase::Answer];
        for (phase, took) in phases.into_iter().zip([resolve, connect, tls, answer]) {
            if let Some(took) = took {
                metrics.phase(phase, took);
            }
        }
    }
}

impl Attempts {
    /// Makes the call, within the two seconds that it has in all.
    pub(super) async fn call(&self, endpoint: &Endpoint, call: &Call) -> Report {
        self.call_until(endpoint, call, self.clock.instant() + limits::ATTEMPT_TIMEOUT).await
    }

    /// The same, by that moment.
    pub(super) async fn call_until(&self, endpoint: &Endpoint, call: &Call, deadline: Instant) -> Report {
        let began = self.clock.instant();
        let watch = Stopwatch::start(&self.clock);
        let mut progress = Progress { watch, address: None, answer: None, receiver: ReceiverSeen::default() };
        let signed = self.with_each_token(endpoint, call, &mut progress);
        let outcome = match tokio::time::timeout_at(deadline, signed).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(unavailable)) => Outcome::Unavailable(unavailable),
            Err(_) => Outcome::Unavailable(Unavailable::TimedOut(progress.watch.phase())),
        };
        let Progress { watch, address, answer, receiver } = progress;
        Report { outcome, phases: watch.stop(), address, total: self.clock.instant() - began, answer, receiver }
    }

    /// While a token is being replaced, what is rejected with one is sent with the other at once, so that no event waits,
    /// whichever side changes first.
    async fn with_each_token(
        &self,
        endpoint: &Endpoint,
        call: &Call,
        progress: &mut Progress,
    ) -> Result<Outcome, Unavailable> {
        let mut tokens = endpoint.tokens().into_iter();
        let first = tokens.next();
        let outcome = self.exchange(endpoint, call, first.map(|(_, token)| token), progress).await?;
        let Some((index, token)) = tokens.next().filter(|_| looks_rejected(&outcome, call.command)) else {
            return Ok(outcome);
        };
        let with_other = self.exchange(endpoint, call, Some(token), progress).await?;
        if with_other == Outcome::Delivered {
            endpoint.token_accepted(index);
        }
        Ok(with_other)
    }

    async fn exchange(
        &self,
        endpoint: &Endpoint,
        call: &Call,
        token: Option<&Secret>,
        progress: &mut Progress,
    ) -> Result<Outcome, Unavailable> {
        let mut request = self.request(endpoint, call, token);
        // A receiver may close an idle connection at any moment. What was not sent over it is sent over a new one.
        if let Some(mut sender) = endpoint.take_idle(self.clock.instant()) {
            progress.watch.enter(Phase::Answer);
            match sender.try_send_request(request).await {
                Ok(response) => return self.answer(endpoint, call, sender, response, progress).await,
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    // It may have arrived. A question is not asked twice (rule C2).
                    None if call.command.is_waited_for() => return Err(lost(error.into_error())),
                    // The receiver sees by the event's id that it is a repeat.
                    None => request = self.request(endpoint, call, token),
                },
            }
        }
        let mut connected = self.connector.connect(&endpoint.target, &mut progress.watch).await?;
        progress.address = Some(connected.address);
        progress.receiver.certificate = connected.certificate.take();
        progress.watch.enter(Phase::Answer);
        let response = connected.send(request).await.map_err(lost)?;
        self.answer(endpoint, call, connected.sender, response, progress).await
    }

    async fn answer(
        &self,
        endpoint: &Endpoint,
        call: &Call,
        sender: Sender,
        response: Response<Incoming>,
        progress: &mut Progress,
    ) -> Result<Outcome, Unavailable> {
        let (head, body) = response.into_parts();
        progress.answer = Some(AnswerSeen { status: head.status.as_u16(), body: Bytes::new() });
        progress.receiver.clock_ahead_s = clock_ahead_s(&head.headers, self.clock.now());
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
        let body = body.to_bytes();
        let retry_after = retry_after(&head.headers, self.clock.now());
        // What is waited for is answered in the body, whatever else suffices.
        let rule = if call.command.is_waited_for() { AnswerRule::ErrorCode } else { endpoint.app.callback.answer };
        let outcome = Outcome::of_answer(head.status.as_u16(), retry_after, &body, rule);
        progress.answer = Some(AnswerSeen { status: head.status.as_u16(), body });
        Ok(outcome)
    }

    /// The body is the event's; URL, tokens and signatures are those of this moment (rule C3).
    pub(super) fn request(&self, endpoint: &Endpoint, call: &Call, token: Option<&Secret>) -> Request<Full<Bytes>> {
        let Timestamp(now_ms) = self.clock.now();
        let now_s = now_ms.div_euclid(1000);
        let query = Query {
            sdkappid: call.app,
            command: call.command,
            client_ip: call.origin.client_ip,
            platform: call.origin.platform,
            signed: token.map(|token| (token.expose(), now_s)),
        };
        let uri = Uri::try_from(query.append_to(&endpoint.path_and_query)).expect("the configured URL was checked");
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.reserve(HEADERS_MAX);
        headers.insert(header::HOST, endpoint.host_header.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("Unsaid/", env!("CARGO_PKG_VERSION"))));
        headers.insert(names::ID, visible(call.id.clone()));
        if !endpoint.webhook_secrets.is_empty() {
            let sign = |secret: &webhook::WebhookSecret| secret.sign(&call.id, now_s, &call.body);
            let signatures: Vec<_> = endpoint.webhook_secrets.iter().map(sign).collect();
            headers.insert(names::TIMESTAMP, now_s.into());
            headers.insert(names::SIGNATURE, visible(signatures.join(" ")));
        }
        if let Some(name) = call.origin.request.name() {
            headers.insert(names::REQUEST, visible(name));
        }
        if let Some(lane) = &call.lane {
            self.say_lane(headers, lane);
        }
        request
    }

    fn say_lane(&self, headers: &mut HeaderMap, at: &InLane) {
        let lane = format!("{}.{}", self.epoch, utf8_percent_encode(&at.lane.0, LANE));
        headers.insert(names::LANE, visible(lane));
        headers.insert(names::NUMBER, at.number.into());
        headers.insert(names::PREVIOUS, at.previous.into());
        if let Some(replay) = at.replay {
            headers.insert(names::REPLAY, replay.into());
        }
    }
}

fn visible(text: String) -> HeaderValue {
    text.try_into().expect("it is visible ASCII")
}

/// Whether a receiver that answers so may have found the signature wrong. The answer to a question is an answer, even if
/// it is a refusal.
fn looks_rejected(outcome: &Outcome, command: CallbackCommand) -> bool {
    match outcome {
        Outcome::Unavailable(Unavailable::Status { status, .. }) => [401, 403].contains(status),
        Outcome::Refused(Refused::ErrorCode(_)) => !command.is_waited_for(),
        Outcome::Refused(Refused::Status(_)) | Outcome::Unavailable(_) | Outcome::Delivered => false,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is used as a function from one error to another")]
fn lost(error: hyper::Error) -> Unavailable {
    if error.is_parse_too_large() {
        return Unavailable::AnswerTooLarge;
    }
    if error.is_parse() {
        return Unavailable::NotHttp(error.to_string());
    }
    alert(&error).map_or_else(|| Unavailable::ConnectionLost(error.to_string()), Unavailable::TlsFailed)
}

/// How long the receiver asks to be left alone. A date is read by the receiver's own clock, if it tells what that shows.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let after = text(header::RETRY_AFTER)?;
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now.0).ok()?);
    let theirs = text(header::DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    let until = httpdate::parse_http_date(after).ok()?;
    Some(until.duration_since(theirs.unwrap_or(now)).unwrap_or_default())
}

/// By the date of an answer, which is known to the second.
pub(super) fn clock_ahead_s(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let date = headers.get(header::DATE)?.to_str().ok()?;
    let theirs = httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(i64::try_from(theirs.as_secs()).ok()? - now.0.div_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c6_retry_after_is_seconds_or_a_date() {
        // 2026-11-22 00:00:00 UTC.
        let now = Timestamp(1_795_305_600_000);
        let asked = |fields: &[(&'static str, &str)]| {
            let field = |(name, value): &(&'static str, &str)| {
                (header::HeaderName::from_static(name), HeaderValue::from_str(value).expect("visible"))
            };
            retry_after(&fields.iter().map(field).collect(), now).map(|pause| pause.as_secs())
        };
        let later = ("retry-after", "Sun, 22 Nov 2026 00:01:30 GMT");
        for (fields, expected) in [
            (&[][..], None),
            (&[("retry-after", "90")], Some(90)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-1")], None),
            (&[later], Some(90)),
            (&[("retry-after", "Sat, 21 Nov 2026 00:00:00 GMT")], Some(0)),
            // Its clock is an hour ahead, and so is what it asks for.
            (&[("retry-after", "Sun, 22 Nov 2026 01:00:05 GMT"), ("date", "Sun, 22 Nov 2026 01:00:00 GMT")], Some(5)),
        ] {
            assert_eq!(asked(fields), expected, "{fields:?}");
        }
    }
}
