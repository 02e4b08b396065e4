//! Answers: always HTTP 200, always the three fields of the envelope (rest 1.2).

use axum::{
    body::Body,
    http::{HeaderValue, Response, header},
};
use bytes::Bytes;
use serde::Serialize;
use unsaid_protocol::{
    ErrorCode, error,
    rest::{ActionStatus, Displayed, Envelope, Nothing},
};

use super::request::RestOfBody;
use crate::chat::{ChatError, Refusal};

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
        Self::of(ActionStatus::Ok, rest)
    }

    /// The same, where a part of what was asked for could not be done.
    pub(super) fn partly<T: Serialize>(rest: T) -> Self {
        Self::of(ActionStatus::SomeError, rest)
    }

    fn of<T: Serialize>(status: ActionStatus, rest: T) -> Self {
        Self(json(&Envelope { status, info: "", code: ErrorCode(0), rest }))
    }
}

/// The family of a command; each has its own codes for the same failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Service {
    Account,
    Openim,
    RecentContact,
    Sns,
    Other,
}

impl Service {
    pub(super) fn named(service: &str) -> Self {
        match service {
            "im_open_login_svc" => Self::Account,
            "openim" => Self::Openim,
            "recentcontact" => Self::RecentContact,
            "sns" => Self::Sns,
            _ => Self::Other,
        }
    }

    /// The body is no JSON object (rest 1.6, step 14).
    pub(super) fn not_json(self) -> ErrorCode {
        match self {
            Self::Account => error::ACCOUNT_PARAMETER,
            Self::Openim => error::BODY_NOT_JSON,
            Self::RecentContact | Self::Sns | Self::Other => error::HTTP_BODY_NOT_JSON,
        }
    }

    /// The code that an outcome is answered with.
    pub(super) fn code(self, outcome: &Result<Answer, ChatError>) -> ErrorCode {
        match outcome {
            Ok(_) => ErrorCode(0),
            Err(ChatError::Refused(refusal)) => refusal.code,
            Err(ChatError::Failed(_)) => self.internal(),
        }
    }

    fn internal(self) -> ErrorCode {
        match self {
            Self::Account => error::ACCOUNT_INTERNAL,
            Self::RecentContact => error::CONTACT_INTERNAL,
            Self::Sns => error::SNS_INTERNAL,
            Self::Openim | Self::Other => error::INTERNAL,
        }
    }

    /// Whether its answers have `ErrorDisplay` (rest 1.2).
    fn displays_errors(self) -> bool {
        matches!(self, Self::RecentContact | Self::Sns)
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
        Err(ChatError::Refused(refusal)) => failure(service, refusal.code, &refusal.info),
        Err(ChatError::Failed(fault)) => failure(service, service.internal(), &fault.to_string()),
    };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if rest_of_body == RestOfBody::Unread {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A refusal by no service.
pub(super) fn refusal(refusal: &Refusal) -> Response<Body> {
    response(Service::Other, Err(refusal.clone().into()), RestOfBody::Nothing)
}

fn failure(service: Service, code: ErrorCode, info: &str) -> Bytes {
    let status = ActionStatus::Fail;
    if service.displays_errors() {
        return json(&Envelope { status, info, code, rest: Displayed::new(Nothing {}) });
    }
    json(&Envelope { status, info, code, rest: Nothing {} })
}

fn json<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("strings and numbers serialize").into()
}
