//! What can be said of a configuration as it is written: whether it can work, and what is better done otherwise.

use std::{
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::Findings;
use crate::{
    apps::App,
    bus::BusSettings,
    certificate::Validity,
    clock::Timestamp,
    config::{Config, ConfigError, Sources, StoreSettings, TlsFiles},
    listener::Certificate,
};

/// What stops the start.
pub(super) fn problems(problems: &[ConfigError], findings: &mut Findings) {
    for problem in problems {
        findings.problem("configuration", problem.to_string(), "");
    }
    if problems.is_empty() {
        findings.ok("configuration", "it can be read, and all of it is known");
    }
}

/// A file with secrets is for the server alone.
pub(super) fn file(sources: &Sources, config: &Config, findings: &mut Findings) {
    let Some(path) = &sources.file else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let of_store = match &config.store {
        StoreSettings::Embedded => None,
        StoreSettings::Postgres(address) => address.secret(),
    };
    let of_bus = config.bus.iter().flat_map(BusSettings::secrets);
    let secrets = config.apps.iter().flat_map(secrets).chain(&config.operator.token).chain(of_store).chain(of_bus);
    if secrets.into_iter().any(|secret| text.contains(secret.expose())) {
        private(path, "configuration", findings);
    }
}

fn secrets(app: &App) -> impl Iterator<Item = &crate::apps::Secret> {
    let endpoint = app.callback.endpoint.as_ref();
    let of_endpoint =
        endpoint.map(|endpoint| [&endpoint.token, &endpoint.webhook_secret]).into_iter().flatten().flatten();
    app.keys.iter().map(|key| &key.secret).chain(of_endpoint)
}

fn private(path: &Path, about: &str, findings: &mut Findings) {
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o007 != 0 {
        let path = path.display();
        findings.warning(
            about,
            format!("{path} holds a secret, and everybody can read it"),
            format!("chmod 600 {path}"),
        );
    }
}

/// Where everything is stored.
pub(super) fn store(config: &Config, findings: &mut Findings) {
    findings.ok("store", format!("{}; data_dir is {}", config.store, config.data_dir.display()));
}

/// What is served where.
pub(super) fn listeners(config: &Config, findings: &mut Findings) {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    findings.ok("listen", format!("REST, sessions and the chat page at {scheme}://{}", config.listen));
    if config.tls.is_none() && !config.listen.ip().is_loopback() {
        findings.warning(
            "listen",
            "UserSigs and messages cross the network in clear",
            "set [tls], or let only a proxy that has TLS reach this address",
        );
    }
    if let Some(plain) = config.listen_plain {
        findings.ok("listen_plain", format!("the same at http://{plain}"));
    }
    match operator(config) {
        Some(address) => {
            let what = "operator API, /metrics, /healthz and /readyz";
            findings.ok("operator", format!("{what} at {scheme}://{address}"));
        }
        None => findings.warning(
            "operator",
            "there is no operator API and no /metrics: listen is no loopback address, and operator.listen is not set",
            "set operator.listen, to a loopback address or with [tls]",
        ),
    }
}

/// Where the operator's routes are.
pub(super) fn operator(config: &Config) -> Option<SocketAddr> {
    config.operator.listen.or_else(|| Some(config.listen).filter(|address| address.ip().is_loopback()))
}

/// The server's own certificate and its key.
pub(super) fn tls(config: &Config, now: Timestamp, findings: &mut Findings) {
    let Some(files) = &config.tls else {
        return;
    };
    if let Err(error) = Certificate::read(files) {
        findings.problem(
            "tls",
            format!("{error:#}"),
            "give the certificate with its chain, and the key that it was made with",
        );
        return;
    }
    let TlsFiles { cert, key } = files;
    match std::fs::read(cert).ok().and_then(|pem| Validity::of_pem(&pem)) {
        Some(validity) => findings.certificate("tls", validity, now),
        None => findings.warning("tls", format!("{} has no dates that can be read", cert.display()), ""),
    }
    private(key, "tls", findings);
}

/// What apps are allowed that is for development.
pub(super) fn rules(config: &Config, findings: &mut Findings) {
    if config.callback.allow_http {
        findings.warning(
            "callback",
            "allow_http is set: an endpoint without TLS gets what messages say in clear",
            "leave it out, unless this server is for development",
        );
    }
    let networks: Vec<_> = config.callback.allow_networks.iter().map(ToString::to_string).collect();
    if !networks.is_empty() {
        findings.ok("callback", format!("endpoints may be in {}", networks.join(", ")));
    }
}

/// An app that is declared.
pub(super) fn app(app: &App, now: Timestamp, findings: &mut Findings) {
    let about = format!("app {}", app.sdkappid);
    let Some(endpoint) = &app.callback.endpoint else {
        findings.warning(
            &about,
            "nobody hears of its recalls: callback.url is not set",
            "set it, and callback.commands",
        );
        return;
    };
    if app.callback.commands.is_empty() {
        let says = format!("nothing is sent to {}: callback.commands is empty", endpoint.url);
        findings.warning(&about, says, "list the callbacks that it shall get");
    } else {
        let commands: Vec<_> = app.callback.commands.iter().map(|command| command.as_str()).collect();
        findings.ok(&about, format!("{} to {}", commands.join(", "), endpoint.url));
    }
    if endpoint.token.is_none() && endpoint.webhook_secret.is_none() && endpoint.client_certificate.is_none() {
        findings.warning(
            &about,
            "its receiver cannot tell our callbacks from those of a stranger",
            "set callback.token or callback.webhook_secret",
        );
    }
    let pem = |setting: &str, pem: &str, findings: &mut Findings| {
        if let Some(validity) = Validity::of_pem(pem.as_bytes()) {
            findings.certificate(&format!("{about}, {setting}"), validity, now);
        }
    };
    if let Some(ca_pem) = &endpoint.ca_pem {
        pem("callback.ca_file", ca_pem, findings);
    }
    if let Some(certificate) = &endpoint.client_certificate {
        pem("callback.client_cert_file", &certificate.chain_pem, findings);
    }
}

/// A folder that exists: the one that is meant, or the nearest above it.
pub(super) fn existing(folder: &Path) -> PathBuf {
    let named = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new(""));
    if named.as_os_str().is_empty() { PathBuf::from(".") } else { named.to_owned() }
}
