//! Where a database is, and how its server is spoken to: the value of the setting `store`. It holds a password, so it is never
//! shown as it was written.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr};

use percent_encoding::percent_decode_str;
use tokio_postgres::{
    Config,
    config::{Host, SslMode, TargetSessionAttrs},
};

use super::tls::{Checked, Connector, TlsError};
use crate::{apps::Secret, limits};

/// `postgres://user:password@host:port/database`, with options behind a question mark.
#[derive(Clone)]
pub struct PostgresAddress {
    config: Config,
    checked: Checked,
    roots: Option<PathBuf>,
    written: Secret,
}

/// Why a text is no address. Nothing of the text is in it, for it may hold a password.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    #[error(
        "must be an address like postgres://user:password@host:5432/database; in user and password, write what is no letter \
         and no digit as % and its code: @ is %40, / is %2F, % is %25"
    )]
    Form,
    #[error("has an option behind the question mark that is not known, or that does not take this value")]
    Option,
    #[error("has an sslmode that is none of disable, prefer, require, verify-ca, verify-full")]
    SslMode,
    #[error(
        "has sslmode=prefer, which would send the password in clear to a server without TLS: write verify-full, or require, or \
         disable where the network is trusted"
    )]
    Clear,
}

impl FromStr for PostgresAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let Options { rest, mode, roots } = Options::of(text)?;
        let mut config: Config =
            rest.parse().map_err(|_| if rest.contains('?') { AddressError::Option } else { AddressError::Form })?;
        let hosts = config.get_hosts();
        if hosts.is_empty() || !hosts.iter().all(is_name) {
            return Err(AddressError::Form);
        }
        // Of several, the one that can be written to.
        if hosts.len() > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let checked = secure(&mut config, mode.as_deref(), roots.is_some())?;
        if config.get_application_name().is_none() {
            config.application_name("unsaid");
        }
        config
            .connect_timeout(limits::POSTGRES_CONNECT_TIMEOUT)
            .keepalives(true)
            .keepalives_idle(limits::POSTGRES_SILENCE_MAX)
            .tcp_user_timeout(limits::POSTGRES_SILENCE_MAX);
        Ok(Self { config, checked, roots, written: Secret::new(text) })
    }
}

fn is_name(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name.parse::<IpAddr>().is_ok() || (!name.is_empty() && !name.contains(['@', '/', ':', ' '])),
        Host::Unix(_) => true,
    }
}

/// What is asked of the server's certificate, and whether there has to be one. Without a word of it, what leaves this machine is
/// encrypted.
fn secure(config: &mut Config, mode: Option<&str>, has_roots: bool) -> Result<Checked, AddressError> {
    let is_here = |host: &Host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
        Host::Unix(_) => true,
    };
    let stays_here = config.get_hosts().iter().all(is_here) && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
    let is_socket = |host: &Host| matches!(host, Host::Unix(_));
    let (ssl_mode, checked) = match mode {
        // On a socket of this machine there is no TLS.
        _ if config.get_hosts().iter().all(is_socket) => (SslMode::Disable, Checked::Nothing),
        Some("disable") => (SslMode::Disable, Checked::Nothing),
        None | Some("prefer") if stays_here => (SslMode::Prefer, Checked::Nothing),
        Some("prefer") => return Err(AddressError::Clear),
        // Whoever names an authority wants it to be looked at.
        None | Some("require") if has_roots => (SslMode::Require, Checked::Authority),
        None | Some("require") => (SslMode::Require, Checked::Nothing),
        Some("verify-ca") => (SslMode::Require, Checked::Authority),
        Some("verify-full") => (SslMode::Require, Checked::AuthorityAndName),
        Some(_) => return Err(AddressError::SslMode),
    };
    config.ssl_mode(ssl_mode);
    Ok(checked)
}

/// The options that are read here, and the address without them.
struct Options {
    rest: String,
    mode: Option<String>,
    roots: Option<PathBuf>,
}

impl Options {
    fn of(text: &str) -> Result<Self, AddressError> {
        let scheme = ["postgres://", "postgresql://"].into_iter().find(|scheme| text.starts_with(scheme));
        let scheme = scheme.ok_or(AddressError::Form)?;
        let user_end = text[scheme.len()..].find('@').map_or(0, |at| at + scheme.len());
        let Some(at) = text[user_end..].find('?').map(|at| at + user_end) else {
            return Ok(Self { rest: text.to_owned(), mode: None, roots: None });
        };
        let (mut mode, mut roots, mut others) = (None, None, Vec::new());
        for option in text[at + 1..].split('&') {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = percent_decode_str(value).decode_utf8().map_err(|_| AddressError::Option)?.into_owned();
            match name {
                "sslmode" => mode = Some(value),
                "sslrootcert" => roots = Some(PathBuf::from(value)).filter(|path| path.as_os_str() != "system"),
                "" => {}
                _ => others.push(option),
            }
        }
        let query = if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) };
        Ok(Self { rest: format!("{}{query}", &text[..at]), mode, roots })
    }
}

impl PostgresAddress {
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// What connections need for TLS.
    pub(super) fn connector(&self) -> Result<Connector, TlsError> {
        Connector::new(self.checked, self.roots.as_ref())
    }

    /// As it was written, if that holds a password.
    pub(crate) fn secret(&self) -> Option<&Secret> {
        self.config.get_password().map(|_| &self.written)
    }
}

/// Where it is, for people.
impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = self.config.get_ports();
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or("of the user");
        write!(f, "PostgreSQL, database {database} at ")?;
        for (number, host) in self.config.get_hosts().iter().enumerate() {
            let port = ports.get(number).or(ports.last()).copied().unwrap_or(5432);
            let comma = if number > 0 { ", " } else { "" };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                Host::Unix(folder) => write!(f, "{comma}{}", folder.display())?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (text, expect) in [
            ("postgres://ann:s3cret@db.example/unsaid", "PostgreSQL, database unsaid at db.example:5432"),
            ("postgresql://ann:s3cret@[::1]:6000/unsaid", "PostgreSQL, database unsaid at ::1:6000"),
            ("postgres://ann@one:1,two:2", "PostgreSQL, database ann at one:1, two:2"),
            ("postgres://ann@%2Frun%2Fpg/unsaid", "PostgreSQL, database unsaid at /run/pg"),
        ] {
            let address: PostgresAddress = text.parse().expect(text);
            assert_eq!(address.to_string(), expect);
            assert!(!format!("{address:?}").contains("s3cret"));
        }
    }

    #[test]
    fn what_leaves_this_machine_is_encrypted_unless_that_is_given_up_in_words() {
        let check = |host: &str, options: &str, expect: Result<(SslMode, Checked), AddressError>| {
            let address = format!("postgres://ann:s3cret@{host}/unsaid{options}").parse::<PostgresAddress>();
            let found = address.map(|address| (address.config.get_ssl_mode(), address.checked));
            assert_eq!(found, expect, "{host} {options}");
        };
        check("%2Frun", "?sslmode=verify-full", Ok((SslMode::Disable, Checked::Nothing)));
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            check(host, "", Ok((SslMode::Prefer, Checked::Nothing)));
            check(host, "?sslmode=verify-full", Ok((SslMode::Require, Checked::AuthorityAndName)));
        }
        for host in ["db.example", "10.0.0.1", "localhost,db.example"] {
            check(host, "", Ok((SslMode::Require, Checked::Nothing)));
            check(host, "?sslrootcert=ca.pem", Ok((SslMode::Require, Checked::Authority)));
            check(host, "?sslmode=prefer", Err(AddressError::Clear));
            check(host, "?sslmode=require", Ok((SslMode::Require, Checked::Nothing)));
            check(host, "?sslmode=verify-ca", Ok((SslMode::Require, Checked::Authority)));
            check(host, "?connect_timeout=1&sslmode=verify-full", Ok((SslMode::Require, Checked::AuthorityAndName)));
            check(host, "?sslmode=disable", Ok((SslMode::Disable, Checked::Nothing)));
            check(host, "?sslmode=full", Err(AddressError::SslMode));
        }
        check("localhost", "?hostaddr=10.0.0.1", Ok((SslMode::Require, Checked::Nothing)));
        check("localhost", "?sslcert=x", Err(AddressError::Option));
    }

    #[test]
    fn what_is_no_address_is_said_without_showing_it() {
        for text in [
            "",
            "s3cret",
            "mysql://ann:s3cret@host/db",
            "postgres://",
            "postgres:///db",
            "postgres://ann:s3cret@host:port/db",
            "postgres://ann:wi@s3cret@host/db",
            "postgres://ann:s3cret@host/db?s3cret=1",
            "postgres://ann:s3cret@host/db?sslmode=s3cret",
            "host=localhost user=ann password=s3cret",
        ] {
            let error = text.parse::<PostgresAddress>().expect_err(text).to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
