//! Which addresses a callback may go to: rule C7.
//!
//! An endpoint is chosen by an app, and must not become a way into the operator's network. Some ranges are never
//! allowed, whatever the operator says; loopback and private networks only where the operator allows them; everything
//! that is routed on the Internet always.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;

/// Why an address is not dialled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forbidden {
    pub address: IpAddr,
    pub kind: Kind,
}

/// What kind of address it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Never allowed: this network, link-local, multicast, metadata services of clouds.
    Never,
    /// Allowed only where the operator lists its network.
    Internal,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        match self.kind {
            Kind::Never => write!(f, "callbacks never go to {address} (link-local, metadata or multicast)"),
            Kind::Internal => write!(
                f,
                "{address} is an internal address: the operator has to list its network in callback.allow_networks"
            ),
        }
    }
}

/// Whether `address` may be dialled.
pub fn check(address: IpAddr, allow_networks: &[IpNet]) -> Result<(), Forbidden> {
    let forbidden = |kind| Err(Forbidden { address, kind });
    let (inner, hidden) = (embedded(address), hidden(address));
    if is_never(address) || inner.is_some_and(is_never) || hidden.is_some_and(is_never) {
        return forbidden(Kind::Never);
    }
    let judged = inner.unwrap_or(address);
    let listed = allow_networks.iter().any(|network| network.contains(&address) || network.contains(&judged));
    let internal = is_internal(judged) || is_internal(address) || hidden.is_some_and(is_internal);
    if listed || !internal { Ok(()) } else { forbidden(Kind::Internal) }
}

/// The address that the host of a URL is, if it is one and no name.
pub fn literal(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host).parse().ok()
}

/// The IPv4 address that an IPv6 one stands for: mapped, compatible, NAT64, 6to4.
fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    let segments = address.segments();
    let pair = |at: usize| {
        let [a, b] = segments[at].to_be_bytes();
        let [c, d] = segments[at + 1].to_be_bytes();
        Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
    };
    match segments {
        [0, 0, 0, 0, 0, 0xffff, ..] => pair(6),
        [0, 0, 0, 0, 0xffff, 0, ..] => pair(6),
        [0, 0, 0, 0, 0, 0, high, low] if (high, low) != (0, 0) && (high, low) != (0, 1) => pair(6),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => pair(6),
        [0x2002, ..] => pair(1),
        _ => None,
    }
}

/// An IPv4 address that some routers would send it on to: local NAT64, ISATAP, Teredo. It makes an address worse, never
/// better.
fn hidden(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    let v4 = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high, low].map(u16::to_be_bytes);
        Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
    };
    match address.segments() {
        [0x64, 0xff9b, 1, _, _, _, high, low] => v4(high, low),
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => v4(high, low),
        // Teredo has the client's address with every bit turned.
        [0x2001, 0, _, _, _, _, high, low] => v4(!high, !low),
        _ => None,
    }
}

/// What answers with the secrets of a machine in a cloud, beyond link-local addresses.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

fn is_never(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.octets()[0] == 0
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || METADATA_V4.contains(&v4)
        }
        IpAddr::V6(v6) => {
            v6.is_unspecified() || v6.is_unicast_link_local() || v6.is_multicast() || METADATA_V6.contains(&v6)
        }
    }
}

fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_loopback()
                || v4.is_private()
                || v4.is_documentation()
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (b == 18 || b == 19))
                || (a == 192 && b == 0 && c == 0)
                || (a == 192 && b == 88 && c == 99)
        }
        // Only 2000::/3 is routed; inside it, Teredo and documentation are not.
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            let embeds_v4 = embedded(address).is_some();
            !embeds_v4
                && (first & 0xe000 != 0x2000
                    || (first == 0x2001 && second < 0x200)
                    || (first == 0x2001 && second == 0xdb8)
                    || (first == 0x3fff && second < 0x1000))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judge(address: &str, allow: &[&str]) -> Result<(), Kind> {
        let networks: Vec<IpNet> = allow.iter().map(|network| network.parse().expect("valid")).collect();
        check(address.parse().expect("valid"), &networks).map_err(|forbidden| forbidden.kind)
    }

    const EVERYTHING: [&str; 2] = ["0.0.0.0/0", "::/0"];

    #[test]
    fn c7_some_addresses_are_never_dialled() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "ff02::1",
            "::ffff:169.254.169.254",
            "::ffff:0:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "64:ff9b:1::169.254.169.254",
            "2606:4700::5efe:169.254.169.254",
            "2606:4700::200:5efe:169.254.169.254",
            "2001:0:1:1:0:0:5601:5601",
        ] {
            assert_eq!(judge(address, &[]), Err(Kind::Never), "{address}");
            assert_eq!(judge(address, &EVERYTHING), Err(Kind::Never), "{address}");
        }
    }

    #[test]
    fn c7_internal_addresses_are_dialled_only_where_they_are_listed() {
        for (address, network) in [
            ("127.0.0.1", "127.0.0.0/8"),
            ("::1", "::1/128"),
            ("10.1.2.3", "10.0.0.0/8"),
            ("172.16.0.1", "172.16.0.0/12"),
            ("192.168.1.1", "192.168.0.0/16"),
            ("100.64.0.1", "100.64.0.0/10"),
            ("198.18.0.1", "198.18.0.0/15"),
            ("240.0.0.1", "240.0.0.0/4"),
            ("fc00::1", "fc00::/7"),
            ("fec0::1", "fec0::/10"),
            ("2001:db8::1", "2001:db8::/32"),
            ("::ffff:10.1.2.3", "10.0.0.0/8"),
            ("64:ff9b::10.1.2.3", "10.0.0.0/8"),
            ("2002:a01:203::1", "10.0.0.0/8"),
            ("fd00::5efe:8.8.8.8", "fc00::/7"),
            ("2606:4700::5efe:10.1.2.3", "2606:4700::/32"),
            ("2001:0:1:1:0:0:f7f7:f7f7", "2001::/32"),
            ("64:ff9b:1::8.8.8.8", "64:ff9b:1::/48"),
        ] {
            assert_eq!(judge(address, &[]), Err(Kind::Internal), "{address}");
            assert_eq!(judge(address, &["203.0.113.0/24"]), Err(Kind::Internal), "{address}");
            assert_eq!(judge(address, &[network]), Ok(()), "{address}");
        }
    }

    #[test]
    fn c7_the_internet_is_allowed() {
        for address in ["8.8.8.8", "1.1.1.1", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"] {
            assert_eq!(judge(address, &[]), Ok(()), "{address}");
        }
    }

    proptest! {
        #[test]
        fn c7_an_ipv4_address_is_judged_alike_in_every_disguise(octets: [u8; 4]) {
            let v4 = Ipv4Addr::from(octets);
            let [a, b, c, d] = octets;
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            let plain = check(IpAddr::V4(v4), &[]).map_err(|forbidden| forbidden.kind);
            for disguise in [
                v4.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ] {
                prop_assert_eq!(check(IpAddr::V6(disguise), &[]).map_err(|forbidden| forbidden.kind), plain);
            }
        }

        #[test]
        fn c7_what_is_never_dialled_stays_so_whatever_is_allowed(bits: u128) {
            let address = IpAddr::V6(Ipv6Addr::from(bits));
            let everything: Vec<IpNet> = EVERYTHING.iter().map(|network| network.parse().expect("valid")).collect();
            if check(address, &[]).is_err_and(|forbidden| forbidden.kind == Kind::Never) {
                prop_assert!(check(address, &everything).is_err());
            }
        }
    }

    #[test]
    fn hosts_that_are_addresses_are_recognised() {
        assert_eq!(literal("[::1]"), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!(literal("127.0.0.1"), Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert_eq!(literal("app.example"), None);
    }
}
