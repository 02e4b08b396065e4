//! An endpoint, ready to be tried: parsed, checked, with its TLS settings and its idle connections.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use http::{HeaderValue, Uri};
use ipnet::IpNet;
use rustls::pki_types::ServerName;
use tokio::time::Instant;

use super::{
    address,
    connect::{Connector, Sender, Target, Tls},
};
use crate::{
    apps::{App, AppError, EndpointSettings},
    limits,
};

/// What the operator allows of endpoints.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EndpointRules {
    pub allow_http: bool,
    pub allow_networks: Vec<IpNet>,
}

/// What knows whether an endpoint can be used.
#[derive(Clone, Debug)]
pub struct EndpointCheck {
    connector: Arc<Connector>,
    rules: EndpointRules,
}

impl EndpointCheck {
    pub fn new(connector: Arc<Connector>, rules: EndpointRules) -> Self {
        Self { connector, rules }
    }

    /// Refuses an app whose settings cannot work, with the reason.
    pub fn check(&self, app: &App) -> Result<(), AppError> {
        app.check()?;
        let Some(settings) = &app.callback.endpoint else {
            return Ok(());
        };
        let uri =
            check_url(&settings.url, &self.rules).map_err(|problem| AppError { setting: "callback.url", problem })?;
        target(&uri, settings, &self.connector).map(drop)
    }
}

/// An endpoint of an app. It is made anew when the app's settings change.
pub(super) struct Endpoint {
    /// The settings it was made from.
    pub(super) app: Arc<App>,
    pub(super) target: Target,
    /// What follows the host in the configured URL.
    pub(super) path_and_query: String,
    pub(super) host_header: HeaderValue,
    /// Connections that wait for the next attempt, the latest last; at most as many as there are attempts at once.
    idle: Mutex<Vec<Idle>>,
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

/// Checks a callback URL as far as that is possible without asking the network.
fn check_url(url: &str, rules: &EndpointRules) -> Result<Uri, String> {
    if url.len() > limits::URL_BYTES_MAX {
        return Err(format!("is longer than {} bytes", limits::URL_BYTES_MAX));
    }
    if url.contains('#') {
        return Err("has a fragment (#...), which is never sent: leave it out".to_owned());
    }
    let uri: Uri = url.parse().map_err(|error| format!("{url:?} is not a URL: {error}"))?;
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if rules.allow_http => {}
        Some("http") => return Err("is plain http: use https, or set callback.allow_http".to_owned()),
        _ => return Err(format!("{url:?} must begin with https:// or http://")),
    }
    let authority = uri.authority().ok_or_else(|| format!("{url:?} names no host"))?;
    if authority.as_str().contains('@') {
        return Err("carries a user name or password: use callback.token instead".to_owned());
    }
    if authority.host().is_empty() || authority.port().is_some_and(|port| port.as_u16() == 0) {
        return Err(format!("{url:?} names no host and port that can be reached"));
    }
    if let Some(literal) = address::literal(authority.host()) {
        address::check(literal, &rules.allow_networks).map_err(|forbidden| forbidden.to_string())?;
    }
    Ok(uri)
}

fn target(uri: &Uri, settings: &EndpointSettings, connector: &Connector) -> Result<Target, AppError> {
    let problem = |setting| move |problem: String| AppError { setting, problem };
    let host = uri.host().unwrap_or_default();
    let https = uri.scheme_str() == Some("https");
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let tls = if https {
        let connector = connector.tls(settings.ca_pem.as_deref()).map_err(problem("callback.ca_file"))?;
        let name = ServerName::try_from(name)
            .map_err(|_| AppError { setting: "callback.url", problem: format!("{host:?} is no host name") })?;
        Some(Tls { connector, name })
    } else {
        None
    };
    let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
    Ok(Target { host: host.to_owned(), port, tls })
}

impl Endpoint {
    /// The endpoint of an app that was checked when it was saved.
    pub(super) fn new(app: Arc<App>, connector: &Connector) -> Result<Self, String> {
        let settings = app.callback.endpoint.as_ref().ok_or("callback.url is not set")?;
        let uri: Uri = settings.url.parse().map_err(|error| format!("callback.url: {error}"))?;
        let target = target(&uri, settings, connector).map_err(|error| error.to_string())?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let host_header = HeaderValue::from_str(authority).map_err(|error| format!("callback.url: {error}"))?;
        let path_and_query = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { app, target, path_and_query, host_header, idle: Mutex::default() })
    }

    /// A connection that was used before and still seems good.
    pub(super) fn take_idle(&self, now: Instant) -> Option<Sender> {
        let mut idle = self.idle.lock().expect("nothing panics while it holds them");
        while let Some(Idle { sender, since }) = idle.pop() {
            if now.duration_since(since) > limits::ENDPOINT_IDLE {
                // The others wait even longer.
                idle.clear();
            } else if sender.is_ready() {
                return Some(sender);
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to the end.
    pub(super) fn keep(&self, sender: Sender, now: Instant) {
        let mut idle = self.idle.lock().expect("nothing panics while it holds them");
        if idle.len() < limits::APP_ATTEMPTS_MAX && !sender.is_closed() {
            idle.push(Idle { sender, since: now });
        }
    }
}

#[cfg(test)]
mod tests {
    use unsaid_protocol::SdkAppId;

    use super::*;
    use crate::{
        apps::{CallbackSettings, Origin, Secret},
        clock::Clock,
    };

    fn setting(url: &str, ca_pem: Option<&str>, rules: &EndpointRules) -> Result<(), &'static str> {
        let endpoint = EndpointSettings { url: url.to_owned(), token: None, ca_pem: ca_pem.map(str::to_owned) };
        let app = App {
            callback: CallbackSettings { endpoint: Some(endpoint), ..CallbackSettings::default() },
            ..App::new(SdkAppId(1), Secret::new("0123456789abcdef"), Origin::Runtime)
        };
        let connector = Arc::new(Connector::new(rules.allow_networks.clone(), Clock::system()));
        EndpointCheck::new(connector, rules.clone()).check(&app).map_err(|error| error.setting)
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
