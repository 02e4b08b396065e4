//! Reading a request: its query, and its body up to a bound.

use std::{borrow::Cow, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, header, request::Parts},
};
use bytes::Bytes;
use http_body_util::BodyExt;
use percent_encoding::percent_decode_str;
use unsaid_protocol::error;

use super::RestSettings;
use crate::chat::{ChatError, Refusal};

/// The parameters of the query that matter, percent-decoded once; a plus stays a plus (rest 2.2).
#[derive(Debug, Default)]
pub(super) struct Query<'a> {
    pub(super) sdkappid: Option<Cow<'a, str>>,
    pub(super) identifier: Option<Cow<'a, str>>,
    pub(super) usersig: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    pub(super) fn parse(query: &'a str) -> Result<Self, Refusal> {
        let mut found = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let field = match name {
                "sdkappid" => &mut found.sdkappid,
                "identifier" => &mut found.identifier,
                "usersig" => &mut found.usersig,
                _ => continue,
            };
            // A UserSig is long, and made of characters that need no encoding.
            let decoded = if value.contains('%') { percent_decode_str(value).decode_utf8() } else { Ok(value.into()) };
            let decoded = decoded.map_err(|_| {
                Refusal::new(error::HTTP_PARSE, format!("{name} in the query is not percent-encoded UTF-8"))
            })?;
            field.get_or_insert(decoded);
        }
        Ok(found)
    }
}

/// A request's body, of which no more is kept than the bound.
pub(super) struct Upload {
    body: Body,
    ended: bool,
    /// Whoever sends more than the bound has to connect again.
    too_long: bool,
}

/// Whether anything of a request's body is still to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RestOfBody {
    Nothing,
    Unread,
}

/// How much of a body that nobody wants is read and thrown away, and for how long, so that its sender gets the answer
/// and can go on over the same connection.
const DRAIN_BYTES_MAX: usize = 1024 * 1024;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

impl Upload {
    pub(super) fn new(body: Body) -> Self {
        Self { body, ended: false, too_long: false }
    }

    /// The whole body, or a refusal where it is longer than the bound or takes too long.
    pub(super) async fn read(&mut self, settings: &RestSettings, head: &Parts) -> Result<Bytes, ChatError> {
        let refuse = |code, info: String| Err(ChatError::Refused(Refusal::new(code, info)));
        check_codings(&head.headers).map_err(ChatError::Refused)?;
        let bytes_max = settings.request_bytes_max;
        let announced = head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let whole = self.keep(bytes_max, announced.unwrap_or(0));
        match tokio::time::timeout(settings.body_timeout, whole).await {
            Ok(Ok(Some(body))) => Ok(body),
            Ok(Ok(None)) => {
                self.too_long = true;
                refuse(error::TOO_LONG, format!("the request's body is longer than {bytes_max} bytes"))
            }
            Ok(Err(error)) => refuse(error::HTTP_PARSE, format!("the request's body could not be read: {error}")),
            Err(_) => {
                let info = format!("the request's body took longer than {} s", settings.body_timeout.as_secs());
                refuse(error::REQUEST_FORMAT, info)
            }
        }
    }

    /// None if it is longer.
    async fn keep(&mut self, bytes_max: usize, announced: usize) -> Result<Option<Bytes>, axum::Error> {
        if announced > bytes_max {
            return Ok(None);
        }
        let mut whole = Vec::with_capacity(announced);
        while let Some(frame) = self.body.frame().await {
            let data = frame?.into_data().unwrap_or_default();
            if whole.len() + data.len() > bytes_max {
                return Ok(None);
            }
            whole.extend_from_slice(&data);
        }
        self.ended = true;
        Ok(Some(whole.into()))
    }

    /// Throws away what was not read, up to a bound.
    pub(super) async fn drain(mut self) -> RestOfBody {
        let rest = async {
            let mut bytes = 0;
            while bytes <= DRAIN_BYTES_MAX && !self.ended {
                match self.body.frame().await {
                    Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, Bytes::len),
                    Some(Err(_)) => return,
                    None => self.ended = true,
                }
            }
        };
        // Whether it came in time is seen by whether it ended.
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, rest).await;
        if self.ended && !self.too_long { RestOfBody::Nothing } else { RestOfBody::Unread }
    }
}

/// A body that is packed in any way is refused, with the name of what it is packed with.
fn check_codings(headers: &HeaderMap) -> Result<(), Refusal> {
    for (name, shown, plain) in [
        (header::CONTENT_ENCODING, "Content-Encoding", "identity"),
        (header::TRANSFER_ENCODING, "Transfer-Encoding", "chunked"),
    ] {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        let mut codings = values.iter().flat_map(|value| value.split(',')).map(str::trim);
        let packed = codings.find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(plain));
        if let Some(coding) = packed {
            let info = format!("the body comes with {shown} {coding}: send it as plain JSON, with {plain} or without");
            return Err(Refusal::new(error::REQUEST_FORMAT, info));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_in_the_query_stays_a_plus() {
        let query = Query::parse("usersig=a+b%2Ac*d&sdkappid=1&sdkappid=2&x").expect("readable");
        assert_eq!(query.usersig.as_deref(), Some("a+b*c*d"));
        assert_eq!(query.sdkappid.as_deref(), Some("1"));
        assert_eq!(Query::parse("identifier=%ff").expect_err("not UTF-8").code, error::HTTP_PARSE);
    }
}
