//! Where a connection comes from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::request::Parts;
use ipnet::IpNet;

/// The other end of a connection; an extension of each request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    pub transport: Transport,
}

/// How what is said reaches this server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    Plain,
    Tls,
}

/// The caller's address (rule R7): that of the connection, or the forwarded one where that is a trusted proxy's.
pub fn client_ip(head: &Parts, trusted_proxies: &[IpNet]) -> IpAddr {
    let peer = head.extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address.ip());
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
        let ip = hop.parse().or_else(|_| hop.parse().map(|address: SocketAddr| address.ip()));
        let Ok(ip) = ip else {
            break;
        };
        client = ip.to_canonical();
        if !trusted(client) {
            break;
        }
    }
    client
}

/// How the caller's words travel: over the connection itself, or as a trusted proxy says that they reached it.
pub fn transport(head: &Parts, trusted_proxies: &[IpNet]) -> Transport {
    let Some(peer) = head.extensions.get::<Peer>() else {
        return Transport::Plain;
    };
    let ip = peer.address.ip().to_canonical();
    let is_trusted = trusted_proxies.iter().any(|network| network.contains(&ip));
    let forwarded = head.headers.get("x-forwarded-proto").filter(|_| is_trusted);
    if forwarded.is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https")) {
        return Transport::Tls;
    }
    peer.transport
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
        head.extensions.insert(Peer { address: peer.parse().expect("valid"), transport: Transport::Plain });
        client_ip(&head, &["10.0.0.0/8".parse().expect("valid")]).to_string()
    }

    #[test]
    fn tls_before_a_proxy_is_believed_only_from_a_trusted_one() {
        let of = |peer: &str, by: Transport, scheme: Option<&str>| {
            let request = axum::http::Request::builder().uri("/");
            let request =
                scheme.into_iter().fold(request, |request, scheme| request.header("x-forwarded-proto", scheme));
            let (mut head, ()) = request.body(()).expect("valid").into_parts();
            head.extensions.insert(Peer { address: peer.parse().expect("valid"), transport: by });
            transport(&head, &["10.0.0.0/8".parse().expect("valid")])
        };
        let (plain, tls) = (Transport::Plain, Transport::Tls);
        assert_eq!(of("10.0.0.1:1", plain, None), plain);
        assert_eq!(of("10.0.0.1:1", plain, Some("https")), tls);
        assert_eq!(of("10.0.0.1:1", plain, Some("http")), plain);
        assert_eq!(of("203.0.113.9:1", plain, Some("https")), plain);
        assert_eq!(of("203.0.113.9:1", tls, Some("http")), tls);
    }

    #[test]
    fn r7_a_forwarded_address_is_believed_only_from_a_trusted_proxy() {
        assert_eq!(ip("203.0.113.9:1", &["198.51.100.7"]), "203.0.113.9");
        assert_eq!(ip("10.0.0.1:1", &[]), "10.0.0.1");
        assert_eq!(ip("10.0.0.1:1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(ip("10.0.0.1:1", &["6.6.6.6, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(ip("10.0.0.1:1", &["6.6.6.6", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(ip("10.0.0.1:1", &["198.51.100.7, nonsense"]), "10.0.0.1");
        assert_eq!(ip("10.0.0.1:1", &["198.51.100.7:5678"]), "198.51.100.7");
        assert_eq!(ip("[::ffff:203.0.113.9]:1", &[]), "203.0.113.9");
    }
}
