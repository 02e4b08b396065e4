//! Where a database is, and how its server is spoken to: the value of the setting `store`. It holds a password, so it is never
//! shown as it was written.

use std::{fmt, net::IpAddr, str::FromStr};

use tokio_postgres::{
    Config,
    config::{Host, TargetSessionAttrs},
};

use crate::{apps::Secret, limits};

/// `postgres://user:password@host:port/database`, with options behind a question mark.
#[derive(Clone)]
pub struct PostgresAddress {
    config: Config,
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
}

impl FromStr for PostgresAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or(AddressError::Form)?;
        let mut config: Config =
            text.parse().map_err(|_| if rest.contains('?') { AddressError::Option } else { AddressError::Form })?;
        let is_name = |host: &Host| match host {
            Host::Tcp(name) => {
                name.parse::<IpAddr>().is_ok() || (!name.is_empty() && !name.contains(['@', '/', ':', ' ']))
            }
            Host::Unix(_) => true,
        };
        let hosts = config.get_hosts();
        if hosts.is_empty() || !hosts.iter().all(is_name) {
            return Err(AddressError::Form);
        }
        // Of several, the one that can be written to.
        if hosts.len() > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if config.get_application_name().is_none() {
            config.application_name("unsaid");
        }
        config
            .connect_timeout(limits::POSTGRES_CONNECT_TIMEOUT)
            .keepalives(true)
            .keepalives_idle(limits::POSTGRES_SILENCE_MAX)
            .tcp_user_timeout(limits::POSTGRES_SILENCE_MAX);
        Ok(Self { config, written: Secret::new(text) })
    }
}

impl PostgresAddress {
    pub(super) fn config(&self) -> &Config {
        &self.config
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
