//! Reading a request: its query, its body up to a bound, and where it came from.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr},
};

use axum::{
    body::Body,
    http::{header, request::Parts},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use unsaid_protocol::error;

use super::RestSettings;
use crate::{
    chat::{ChatError, Refusal},
    listener::Peer,
};

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
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| {
                Refusal::new(error::HTTP_PARSE, format!("{name} in the query is not percent-encoded UTF-8"))
            })?;
            field.get_or_insert(value);
        }
        Ok(found)
    }
}

/// The whole body, or a refusal where it is longer than the bound or takes too long.
pub(super) async fn read(settings: &RestSettings, head: &Parts, body: Body) -> Result<Bytes, ChatError> {
    let bytes_max = settings.request_bytes_max;
    let too_long = || {
        let info = format!("the request's body is longer than {bytes_max} bytes");
        ChatError::Refused(Refusal::new(error::TOO_LONG, info))
    };
    let announced = head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > bytes_max) {
        return Err(too_long());
    }
    if head.headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        let info = "the body is compressed: send it as plain JSON, without Content-Encoding";
        return Err(ChatError::Refused(Refusal::new(error::REQUEST_FORMAT, info)));
    }
    #[expect(clippy::disallowed_methods, reason = "it is read up to a bound, within a time")]
    let whole = Limited::new(body, bytes_max).collect();
    match tokio::time::timeout(settings.body_timeout, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long()),
        Ok(Err(error)) => {
            let info = format!("the request's body could not be read: {error}");
            Err(ChatError::Refused(Refusal::new(error::HTTP_PARSE, info)))
        }
        Err(_) => {
            let info = format!("the request's body took longer than {} s", settings.body_timeout.as_secs());
            Err(ChatError::Refused(Refusal::new(error::REQUEST_FORMAT, info)))
        }
    }
}

/// The caller's address (rule R7): that of the connection, or the forwarded one where that is a trusted proxy's.
pub(super) fn client_ip(head: &Parts, trusted_proxies: &[IpNet]) -> IpAddr {
    let peer = head.extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(peer)| peer.ip());
    let peer = peer.to_canonical();
    let trusted = |ip: IpAddr| trusted_proxies.iter().any(|network| network.contains(&ip));
    if !trusted(peer) {
        return peer;
    }
    let forwarded = head.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut client = peer;
    for hop in hops.iter().rev() {
        // What stands before something unreadable, nobody trusted has written.
        let Ok(ip) = hop.parse::<IpAddr>() else {
            break;
        };
        client = ip.to_canonical();
        if !trusted(client) {
            break;
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(peer: &str, forwarded: &[&str]) -> String {
        let mut request = axum::http::Request::builder().uri("/");
        for value in forwarded {
            request = request.header("x-forwarded-for", *value);
        }
        let (mut head, ()) = request.body(()).expect("valid").into_parts();
        head.extensions.insert(Peer(peer.parse().expect("valid")));
        client_ip(&head, &["10.0.0.0/8".parse().expect("valid")]).to_string()
    }

    #[test]
    fn r7_a_forwarded_address_is_believed_only_from_a_trusted_proxy() {
        assert_eq!(ip("203.0.113.9:1", &["198.51.100.7"]), "203.0.113.9");
        assert_eq!(ip("10.0.0.1:1", &[]), "10.0.0.1");
        assert_eq!(ip("10.0.0.1:1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(ip("10.0.0.1:1", &["6.6.6.6, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(ip("10.0.0.1:1", &["6.6.6.6", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(ip("10.0.0.1:1", &["198.51.100.7, nonsense"]), "10.0.0.1");
        assert_eq!(ip("[::ffff:203.0.113.9]:1", &[]), "203.0.113.9");
    }

    #[test]
    fn a_plus_in_the_query_stays_a_plus() {
        let query = Query::parse("usersig=a+b%2Ac*d&sdkappid=1&sdkappid=2&x").expect("readable");
        assert_eq!(query.usersig.as_deref(), Some("a+b*c*d"));
        assert_eq!(query.sdkappid.as_deref(), Some("1"));
        assert_eq!(Query::parse("identifier=%ff").expect_err("not UTF-8").code, error::HTTP_PARSE);
    }
}
