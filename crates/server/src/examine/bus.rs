//! The bus: whether NATS can be reached, and who can read along.

use super::Findings;
use crate::{
    bus::{BusSettings, Reached, reach},
    config::Config,
};

/// As it is written.
pub(super) fn settings(config: &Config, findings: &mut Findings) {
    for server in config.bus.iter().flat_map(|bus| &bus.servers) {
        if server.may_tell_in_clear() {
            findings.warning(
                "bus",
                format!("{server}: unless NATS asks for TLS, the password crosses the network in clear"),
                "write tls:// if NATS has a certificate",
            );
        } else {
            findings.ok("bus", format!("servers that share the store talk over {server}"));
        }
    }
}

/// As it is.
pub(super) async fn servers(bus: &BusSettings, findings: &mut Findings) {
    for server in &bus.servers {
        match reach(bus, server).await {
            Ok(Reached { version, with_tls }) => {
                let how = if with_tls { "over TLS" } else { "in clear" };
                findings
                    .ok("bus", format!("{server} is NATS {version}, and lets this server in; it is talked to {how}"));
            }
            Err(problem) => {
                let next = "check the address in bus, and that NATS runs and lets this user in; until then the servers ask the \
                            store every second";
                findings.problem("bus", format!("{server}: {problem}"), next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};
    use crate::config::Sources;

    #[test]
    fn a_password_that_may_cross_a_network_in_clear_is_named_and_not_shown() {
        for (url, expected) in [
            ("nats://me:s3cret@10.0.0.5", State::Warning),
            ("nats://s3cret@nats.example", State::Warning),
            ("nats://me:s3cret@127.0.0.1", State::Ok),
            ("nats://me:s3cret@[::1]", State::Ok),
            ("nats://me:s3cret@localhost", State::Ok),
            ("tls://me:s3cret@10.0.0.5", State::Ok),
            ("nats://10.0.0.5", State::Ok),
        ] {
            let set = vec!["store=postgres://db/unsaid".to_owned(), format!("bus={url}")];
            let config = Config::load(&Sources { set, ..Sources::default() }).expect("a configuration");
            let mut findings = Findings::default();
            settings(&config, &mut findings);
            assert!(
                findings.0[0].state == expected && !findings.0[0].says.contains("s3cret"),
                "{}",
                findings.0[0].says
            );
        }
    }
}
