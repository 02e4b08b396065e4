//! Where NATS is, and how the connection is made. What is secret in it is never shown.

use std::{fmt, str::FromStr};

use percent_encoding::percent_decode_str;

use crate::{apps::Secret, limits};

/// How the bus is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BusSettings {
    /// Tried one after the other.
    pub servers: Vec<NatsServer>,
    /// The authority that NATS's certificate is of, in PEM; the system's roots if not set.
    pub ca_pem: Option<String>,
}

/// One server of NATS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NatsServer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) credentials: Option<Credentials>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tls {
    /// `tls://`: nothing is said without it.
    Always,
    /// `nats://`: where the server asks for it.
    IfAsked,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Credentials {
    Token(Secret),
    User { name: String, password: Secret },
}

const PORT: u16 = 4222;

const EXPECTED: &str =
    "must be like nats://10.0.0.5:4222 or tls://user:password@nats.example:4222, several with commas between";

impl BusSettings {
    /// What others must not read.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.servers.iter().filter_map(|server| match server.credentials.as_ref()? {
            Credentials::Token(secret) | Credentials::User { password: secret, .. } => Some(secret),
        })
    }
}

/// Reads addresses with commas between them. What is wrong is said without the text, which may hold a secret.
pub(crate) fn servers(text: &str) -> Result<Vec<NatsServer>, String> {
    let servers: Vec<NatsServer> = text.split(',').map(|one| one.trim().parse()).collect::<Result<_, String>>()?;
    match servers.len() {
        0..=limits::BUS_SERVERS_MAX => Ok(servers),
        count => Err(format!("names {count} servers; at most {}", limits::BUS_SERVERS_MAX)),
    }
}

impl FromStr for NatsServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || EXPECTED.to_owned();
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let tls = match scheme {
            "nats" => Tls::IfAsked,
            "tls" => Tls::Always,
            _ => return Err(wrong()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, address) = match rest.rsplit_once('@') {
            Some((credentials, address)) => (Some(Credentials::parse(credentials)?), address),
            None => (None, rest),
        };
        let (host, port) = split_port(address).ok_or_else(wrong)?;
        let port = port.map_or(Ok(PORT), |port| port.parse().map_err(|_| wrong()))?;
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || ".-_:".contains(letter);
        if host.is_empty() || port == 0 || !host.chars().all(is_letter) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port, tls, credentials })
    }
}

/// An address of IPv6 stands in brackets.
fn split_port(address: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = address.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match address.split_once(':') {
        Some((_, port)) if port.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
        None => Some((address, None)),
    }
}

impl Credentials {
    fn parse(text: &str) -> Result<Self, String> {
        let decode = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8();
            let decoded = decoded.ok().filter(|decoded| !decoded.is_empty());
            decoded
                .map(Into::<String>::into)
                .ok_or_else(|| "has a user, password or token that cannot be read".to_owned())
        };
        match text.split_once(':') {
            Some((name, password)) => Ok(Self::User { name: decode(name)?, password: Secret::new(decode(password)?) }),
            None => Ok(Self::Token(Secret::new(decode(text)?))),
        }
    }
}

/// Without what is secret.
impl fmt::Display for NatsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.tls {
            Tls::Always => "tls",
            Tls::IfAsked => "nats",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown_without_its_secret() {
        for (text, shown) in [
            ("nats://10.0.0.5", "nats://10.0.0.5:4222"),
            ("nats://10.0.0.5:4333/", "nats://10.0.0.5:4333"),
            ("nats://[::1]:4333", "nats://[::1]:4333"),
            ("tls://[fd00::5]", "tls://[fd00::5]:4222"),
            ("tls://unsaid:s3cr3t@nats.example", "tls://nats.example:4222"),
            ("tls://s3cr3t@nats.example:1", "tls://nats.example:1"),
            ("nats://un%3Asaid:s3%40cr3t@h:1", "nats://h:1"),
        ] {
            let server: NatsServer = text.parse().expect(text);
            assert_eq!(server.to_string(), shown);
            assert!(!format!("{server:?}").contains("cr3t"), "{server:?}");
        }
        let server: NatsServer = "nats://un%3Asaid:s3%40cr3t@h:1".parse().expect("valid");
        let expected = Credentials::User { name: "un:said".to_owned(), password: Secret::new("s3@cr3t") };
        assert_eq!(server.credentials, Some(expected));
        assert_eq!(servers("nats://a, tls://b:1").expect("valid").len(), 2);
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_secret() {
        let many = vec!["nats://a"; limits::BUS_SERVERS_MAX + 1].join(",");
        for text in [
            "",
            "nats",
            "10.0.0.5:4222",
            "http://10.0.0.5",
            "nats://",
            "nats://:4222",
            "nats://a:b",
            "nats://a:0",
            "nats://a:70000",
            "nats://::1",
            "nats://[::1",
            "nats://[::1]x",
            "nats://a/b",
            "nats://a?x=1",
            "nats://a,",
            "nats://s3cr3t:@h",
            "nats://s3cr3t%ff@h",
            "nats://:s3cr3t@h",
            "nats://s3cr3t@h h",
            &many,
        ] {
            let problem = servers(text).expect_err(text);
            assert!(!problem.contains("cr3t"), "{problem}");
        }
    }
}
