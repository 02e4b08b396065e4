//! Why a call has no result, by what it means to the caller.

use std::{io, time::Duration};

use http::StatusCode;
use unsaid_protocol::ErrorCode;

use crate::session::Closed;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Found when the client is made.
    #[error("{base:?} is no address of a server: give http://host:port or https://host:port, without a path")]
    Base { base: String },
    /// Found when the client is made.
    #[error("no trusted certificates: {reason}; pass the certificate of the server's authority as ca_pem")]
    Roots { reason: String },
    #[error("the request cannot be written: {0}; check path and headers for characters that HTTP does not allow")]
    Request(#[source] http::Error),
    #[error("no connection to {address}: {source}; is the server started, and is the port right?")]
    Connect { address: String, source: io::Error },
    #[error("no TLS with {address}: {source}; does its certificate carry this name, and is ca_pem of its authority?")]
    Tls { address: String, source: io::Error },
    /// The server may have carried it out, so it is not repeated here.
    #[error("the connection broke before the answer was complete: {0}; ask the server whether the command was done")]
    Broken(#[source] hyper::Error),
    /// The server may have carried it out.
    #[error("no answer within {} ms; ask the server whether the command was done", after.as_millis())]
    TimedOut { after: Duration },
    #[error("the answer has more than {bytes_max} bytes; ask for less at once")]
    TooLarge { bytes_max: usize },
    #[error("the answer (HTTP status {status}) is not one of the REST API: {excerpt:?}; what listens at this address?")]
    NotEnvelope { status: StatusCode, excerpt: String },
    #[error(
        "the answer says OK but lacks {field}, or has it in another form: {answer}; is the server another version?"
    )]
    Incomplete { field: &'static str, answer: String },
    #[error("{address} does not become a WebSocket: {reason}; is it the address of a server's clients?")]
    NotGateway { address: String, reason: String },
    #[error("the session has ended: {closed}; connect again, with the cursor of the last push")]
    Ended { closed: Closed },
    #[error("{command} was refused with {code}: {info}")]
    Refused { command: String, code: ErrorCode, info: String },
}

impl ClientError {
    /// The `ErrorCode` of a refusal.
    pub fn code(&self) -> Option<ErrorCode> {
        if let Self::Refused { code, .. } = self { Some(*code) } else { None }
    }
}
