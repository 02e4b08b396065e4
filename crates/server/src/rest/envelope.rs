//! Answers: always HTTP 200, always the three fields of the envelope (rest 1.2).

use axum::{
    body::Body,
    http::{HeaderValue, Response, header},
};
use bytes::Bytes;
use serde::Serialize;
use unsaid_protocol::{
    ErrorCode, error,
    rest::{ActionStatus, Envelope, Nothing},
};

use super::request::RestOfBody;
use crate::chat::ChatError;

/// A success, as the bytes that are sent.
#[derive(Debug)]
pub(super) struct Answer(Bytes);

impl Answer {
    /// Nothing beyond the envelope.
    pub(super) fn ok() -> Self {
        Self(Bytes::from_static(br#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#))
    }

    /// The envelope and what is special to the command.
    pub(super) fn with<T: Serialize>(rest: T) -> Self {
        Self(json(&Envelope { status: ActionStatus::Ok, info: "", code: ErrorCode(0), rest }))
    }
}

/// The family of a command; each has its own codes for the same failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Service {
    Account,
    Openim,
}

impl Service {
    pub(super) fn named(service: &str) -> Self {
        if service == "im_open_login_svc" { Self::Account } else { Self::Openim }
    }

    /// The body is no JSON object (rest 1.6, step 14).
    pub(super) fn not_json(self) -> ErrorCode {
        match self {
            Self::Account => error::ACCOUNT_PARAMETER,
            Self::Openim => error::BODY_NOT_JSON,
        }
    }

    fn internal(self) -> ErrorCode {
        match self {
            Self::Account => error::ACCOUNT_INTERNAL,
            Self::Openim => error::INTERNAL,
        }
    }
}

/// Where a part of the request's body was left unread, the connection cannot be used any more.
pub(super) fn response(
    service: Service,
    outcome: Result<Answer, ChatError>,
    rest_of_body: RestOfBody,
) -> Response<Body> {
    let body = match outcome {
        Ok(Answer(body)) => body,
        Err(ChatError::Refused(refusal)) => failure(refusal.code, &refusal.info),
        Err(ChatError::Failed(fault)) => failure(service.internal(), &fault.to_string()),
    };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if rest_of_body == RestOfBody::Unread {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn failure(code: ErrorCode, info: &str) -> Bytes {
    json(&Envelope { status: ActionStatus::Fail, info, code, rest: Nothing {} })
}

fn json<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("strings and numbers serialize").into()
}
