//! An endpoint, ready to be tried: parsed, checked, with its TLS settings and its idle connections.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{HeaderValue, Uri};
use ipnet::IpNet;
use rustls::{RootCertStore, pki_types::ServerName};
use tokio::{sync::Semaphore, time::Instant};
use unsaid_protocol::{callback, webhook::WebhookSecret};

use super::{
    address,
    connect::{self, Connector, Sender, Target, Tls},
};
use crate::{
    apps::{App, AppError, EndpointSettings, Secret},
    limits,
};

/// What the operator allows of endpoints.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EndpointRules {
    pub allow_http: bool,
    pub allow_networks: Vec<IpNet>,
}

/// An endpoint of an app. It is made anew when the app's settings change.
pub(super) struct Endpoint {
    /// The settings it was made from.
    pub(super) app: Arc<App>,
    pub(super) target: Target,
    /// What follows the host in the configured URL.
    pub(super) path_and_query: String,
    pub(super) host_header: HeaderValue,
    /// Each signs every attempt.
    pub(super) webhook_secrets: Vec<WebhookSecret>,
    /// Turns for asking about messages.
    pub(super) questions: Semaphore,
    /// Which of the tokens was accepted last.
    token: AtomicUsize,
    /// Connections that wait for the next attempt, the latest last; at most as many as there are attempts at once.
    idle: Mutex<VecDeque<Idle>>,
}

struct Idle {
    sender: Sender,
    since: Instant,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)
    }
}

impl EndpointRules {
    /// Refuses an app whose settings cannot work, with the reason.
    pub fn check(&self, app: &App) -> Result<(), AppError> {
        app.check()?;
        let Some(settings) = &app.callback.endpoint else {
            return Ok(());
        };
        let uri = check_url(&settings.url, self).map_err(|problem| AppError { setting: "callback.url", problem })?;
        if uri.scheme_str() == Some("https") {
            server_name(&uri)?;
        }
        let (provider, roots) = (Arc::new(rustls::crypto::aws_lc_rs::default_provider()), RootCertStore::empty());
        connect::tls_config(settings, &provider, &Arc::new(roots))?;
        Ok(())
    }
}

/// Checks a callback URL as far as that is possible without asking the network.
fn check_url(url: &str, rules: &EndpointRules) -> Result<Uri, String> {
    if url.len() > limits::URL_BYTES_MAX {
        return Err(format!("is longer than {} bytes", limits::URL_BYTES_MAX));
    }
    if url.contains('#') {
        return Err("has a fragment (#...), which is never sent: leave it out".to_owned());
    }
    let uri: Uri = url.parse().map_err(|error| format!("is not a URL: {error}"))?;
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if rules.allow_http => {}
        Some("http") => return Err("is plain http: use https, or set callback.allow_http".to_owned()),
        _ => return Err("must begin with https:// or http://".to_owned()),
    }
    let authority = uri.authority().ok_or("names no host")?;
    if authority.as_str().contains('@') {
        return Err("carries a user name or password: use callback.token instead".to_owned());
    }
    if authority.host().is_empty() || authority.port().is_some_and(|port| port.as_u16() == 0) {
        return Err("names no host and port that can be reached".to_owned());
    }
    let query = uri.query().unwrap_or_default();
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    if let Some(name) = names.into_iter().find(|name| callback::QUERY_NAMES.contains(name)) {
        return Err(format!("has the parameter {name} in its query, which every callback adds: leave it out"));
    }
    if let Some(literal) = address::literal(authority.host()) {
        address::check(literal, &rules.allow_networks).map_err(|forbidden| forbidden.to_string())?;
    }
    Ok(uri)
}

fn target(uri: &Uri, settings: &EndpointSettings, connector: &Connector) -> Result<Target, AppError> {
    let https = uri.scheme_str() == Some("https");
    let tls = if https { Some(Tls { connector: connector.tls(settings)?, name: server_name(uri)? }) } else { None };
    let host = uri.host().unwrap_or_default().to_owned();
    let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
    Ok(Target { host, port, tls, resolving: Arc::new(Semaphore::new(connect::ENDPOINT_RESOLVING_MAX)) })
}

/// The name that the receiver's certificate has to be for.
fn server_name(uri: &Uri) -> Result<ServerName<'static>, AppError> {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let problem = format!("{host:?} is no host name");
    ServerName::try_from(host).map_err(|_| AppError { setting: "callback.url", problem })
}

impl Endpoint {
    /// The endpoint of an app that was checked when it was saved.
    pub(super) fn new(app: Arc<App>, connector: &Connector) -> Result<Self, String> {
        let settings = app.callback.endpoint.as_ref().ok_or("callback.url is not set")?;
        // What the operator allows may have changed since the app was saved.
        let uri = check_url(&settings.url, &connector.rules()).map_err(|problem| format!("callback.url {problem}"))?;
        let target = target(&uri, settings, connector).map_err(|error| error.to_string())?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let host_header = HeaderValue::from_str(authority).map_err(|error| format!("callback.url: {error}"))?;
        let path_and_query = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let secrets = [&settings.webhook_secret, &settings.previous_webhook_secret].into_iter().flatten();
        let webhook_secrets: Result<_, _> = secrets.map(|secret| WebhookSecret::parse(secret.expose())).collect();
        let webhook_secrets = webhook_secrets.map_err(|error| format!("callback.webhook_secret {error}"))?;
        Ok(Self {
            app,
            target,
            path_and_query,
            host_header,
            webhook_secrets,
            questions: Semaphore::new(limits::APP_QUESTIONS_MAX),
            token: AtomicUsize::new(0),
            idle: Mutex::default(),
        })
    }

    /// The token that was accepted last, and after it the other one, while a token is being replaced.
    pub(super) fn tokens(&self) -> Vec<(usize, &Secret)> {
        let tokens = self.app.callback.endpoint.as_ref().map(EndpointSettings::tokens).unwrap_or_default();
        let mut tokens: Vec<_> = tokens.into_iter().enumerate().collect();
        if tokens.len() == 2 {
            tokens.rotate_left(self.token.load(Ordering::Relaxed));
        }
        tokens
    }

    pub(super) fn token_accepted(&self, index: usize) {
        self.token.store(index, Ordering::Relaxed);
    }

    /// A connection that was used before and still seems good.
    pub(super) fn take_idle(&self, now: Instant) -> Option<Sender> {
        let mut idle = self.idle();
        drop_expired(&mut idle, now);
        while let Some(Idle { sender, .. }) = idle.pop_back() {
            if sender.is_ready() {
                return Some(sender);
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to the end.
    pub(super) fn keep(&self, sender: Sender, now: Instant) {
        let mut idle = self.idle();
        drop_expired(&mut idle, now);
        if idle.len() < limits::APP_ATTEMPTS_MAX && !sender.is_closed() {
            idle.push_back(Idle { sender, since: now });
        }
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().expect("nothing panics while it holds them")
    }
}

/// The first ones wait longest, since the latest is taken again first.
fn drop_expired(idle: &mut VecDeque<Idle>, now: Instant) {
    while idle.front().is_some_and(|idle| now.duration_since(idle.since) > limits::ENDPOINT_IDLE) {
        idle.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use unsaid_protocol::SdkAppId;

    use super::*;
    use crate::apps::{CallbackSettings, Origin, Secret};

    fn setting(url: &str, ca_pem: Option<&str>, rules: &EndpointRules) -> Result<(), &'static str> {
        let endpoint = EndpointSettings { ca_pem: ca_pem.map(str::to_owned), ..EndpointSettings::new(url) };
        let app = App {
            callback: CallbackSettings { endpoint: Some(endpoint), ..CallbackSettings::default() },
            ..App::new(SdkAppId(1), Secret::new("0123456789abcdef"), Origin::Runtime)
        };
        rules.check(&app).map_err(|error| error.setting)
    }

    #[test]
    fn c7_urls_that_cannot_work_are_refused_when_they_are_set() {
        let closed = EndpointRules::default();
        let networks = ["127.0.0.0/8", "169.254.0.0/16"].map(|network| network.parse().expect("valid"));
        let open = EndpointRules { allow_http: true, allow_networks: networks.to_vec() };
        assert_eq!(setting("https://app.example/im?tenant=7", None, &closed), Ok(()));
        assert_eq!(setting("http://127.0.0.1:9000/", None, &open), Ok(()));
        for url in ["http://app.example/", "https://127.0.0.1/", "https://10.0.0.1/", "https://[::1]/"] {
            assert_eq!(setting(url, None, &closed), Err("callback.url"), "{url}");
        }
        for url in [
            "",
            "app.example",
            "ftp://app.example/",
            "https://",
            "https://user:pass@app.example/",
            "https://app.example:0/",
            "https://app.example/#top",
            "http://169.254.169.254/latest",
            "http://[::ffff:169.254.169.254]/",
        ] {
            assert_eq!(setting(url, None, &open), Err("callback.url"), "{url}");
        }
    }

    #[test]
    fn c7_an_authority_that_is_none_is_refused_when_it_is_set() {
        let rules = EndpointRules::default();
        assert_eq!(setting("https://app.example/", Some("nothing"), &rules), Err("callback.ca_file"));
    }
}
