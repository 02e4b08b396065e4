//! Dialling an endpoint: the only place that does. It resolves, checks every address, dials what was checked, does TLS.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::{
    Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use super::{EndpointRules, Phase, TlsFailure, Unavailable, address, authority::OwnAuthority, phases::Stopwatch};
use crate::{
    apps::{AppError, ClientCertificate, EndpointSettings},
    live::Live,
};

/// Names that are resolved at once, over all apps: each takes a thread for as long as the DNS takes.
const RESOLVING_MAX: usize = 32;

/// The same for one endpoint.
pub(super) const ENDPOINT_RESOLVING_MAX: usize = 4;

/// How long one of several addresses may take before the next one is tried.
const ADDRESS_TIMEOUT: Duration = Duration::from_millis(700);

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 3;

/// A connection over which requests can be sent one after the other.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// Makes connections for all apps.
#[derive(Debug)]
pub struct Connector {
    rules: Live<EndpointRules>,
    provider: Arc<CryptoProvider>,
    system_roots: Arc<RootCertStore>,
    resolving: Arc<Semaphore>,
}

/// Where to dial, and what to expect there.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<Tls>,
    /// Turns for resolving the name, so that one whose DNS hangs does not take those of all apps.
    pub(super) resolving: Arc<Semaphore>,
}

/// A connection that was just made.
pub(super) struct Connected {
    pub(super) sender: Sender,
    /// Comes with the error that the connection ends with, if it is one.
    ended: JoinHandle<Option<hyper::Error>>,
    /// Where it was dialled.
    pub(super) address: SocketAddr,
    /// What the receiver showed, as it came; nothing without TLS.
    pub(super) certificate: Option<CertificateDer<'static>>,
}

/// How the server has to prove who it is.
pub(super) struct Tls {
    pub(super) connector: TlsConnector,
    pub(super) name: ServerName<'static>,
}

impl Connected {
    /// Sends the first request over it.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, hyper::Error> {
        let error = match self.sender.send_request(request).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        // Where the receiver ended the connection before it took the request, only the connection knows why.
        if error.is_canceled() && self.sender.is_closed() {
            return Err((&mut self.ended).await.ok().flatten().unwrap_or(error));
        }
        Err(error)
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.name.fmt(f)
    }
}

impl Connector {
    /// Reads the system's roots once.
    pub fn new(rules: Live<EndpointRules>) -> Self {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            tracing::warn!("the system has no root certificates: only endpoints with their own ca_file can be reached");
        }
        Self {
            rules,
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            system_roots: Arc::new(roots),
            resolving: Arc::new(Semaphore::new(RESOLVING_MAX)),
        }
    }

    /// What the operator allows of endpoints.
    pub(super) fn rules(&self) -> Arc<EndpointRules> {
        self.rules.now()
    }

    /// The TLS settings of an endpoint: the system's roots, or the app's own.
    pub(super) fn tls(&self, settings: &EndpointSettings) -> Result<TlsConnector, AppError> {
        let config = tls_config(settings, &self.provider, &self.system_roots)?;
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// Makes a connection. The caller bounds the time; `watch` tells it what was under way.
    pub(super) async fn connect(&self, target: &Target, watch: &mut Stopwatch) -> Result<Connected, Unavailable> {
        watch.enter(Phase::Resolve);
        let addresses = self.resolve(target).await?;
        watch.enter(Phase::Connect);
        let (stream, address) = dial(&addresses).await?;
        let Some(tls) = &target.tls else {
            let (sender, ended) = handshake(stream).await?;
            return Ok(Connected { sender, ended, address, certificate: None });
        };
        watch.enter(Phase::Tls);
        let stream = tls.connector.connect(tls.name.clone(), stream).await;
        let stream = stream.map_err(|error| Unavailable::TlsFailed(tls_failure(&error)))?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(|chain| Some(chain.first()?.clone().into_owned()));
        let (sender, ended) = handshake(stream).await?;
        Ok(Connected { sender, ended, address, certificate })
    }

    /// The addresses of the target that may be dialled; what is forbidden is dropped.
    async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, Unavailable> {
        let found: Vec<IpAddr> = if let Some(literal) = address::literal(&target.host) {
            vec![literal]
        } else {
            let turn =
                async |turns: &Arc<Semaphore>| Arc::clone(turns).acquire_owned().await.expect("it is never closed");
            let turns = [turn(&target.resolving).await, turn(&self.resolving).await];
            lookup(target.host.clone(), turns).await?
        };
        let (rules, mut forbidden) = (self.rules.now(), None);
        let mut allowed = Vec::new();
        for ip in found {
            match address::check(ip, &rules.allow_networks) {
                Ok(()) => allowed.push(SocketAddr::new(ip, target.port)),
                Err(why) => forbidden = Some(why),
            }
        }
        // As many as can be tried within an attempt's time.
        allowed.truncate(ADDRESSES_MAX);
        match (allowed.is_empty(), forbidden) {
            (false, _) => Ok(allowed),
            (true, Some(why)) => Err(Unavailable::AddressForbidden(why)),
            (true, None) => Err(Unavailable::NameNotResolved("it has no address".to_owned())),
        }
    }
}

/// What an endpoint trusts, and what it shows.
pub(super) fn tls_config(
    settings: &EndpointSettings,
    provider: &Arc<CryptoProvider>,
    system_roots: &Arc<RootCertStore>,
) -> Result<ClientConfig, AppError> {
    let wrong = |setting, problem| AppError { setting, problem };
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("callback.url", error.to_string()))?;
    let builder = match &settings.ca_pem {
        None => builder.with_root_certificates(Arc::clone(system_roots)),
        Some(pem) => {
            let own = OwnAuthority::parse(pem, Arc::clone(provider));
            let own = own.map_err(|problem| wrong("callback.ca_file", problem))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(own))
        }
    };
    let mut config = match &settings.client_certificate {
        None => builder.with_no_client_auth(),
        Some(ClientCertificate { chain_pem, key_pem }) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect();
            let chain = chain.ok().filter(|chain| !chain.is_empty());
            let chain = chain
                .ok_or_else(|| wrong("callback.client_cert_file", "holds no certificate in PEM form".to_owned()))?;
            let key = PrivateKeyDer::from_pem_slice(key_pem.expose().as_bytes())
                .map_err(|_| wrong("callback.client_key_file", "holds no private key in PEM form".to_owned()))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                let problem = format!("does not fit to callback.client_cert_file, or cannot be used: {error}");
                wrong("callback.client_key_file", problem)
            })?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The system resolves on a thread that cannot be called back, so the turns are kept until it has ended, even if nobody
/// waits for it any more.
async fn lookup(host: String, turns: [OwnedSemaphorePermit; 2]) -> Result<Vec<IpAddr>, Unavailable> {
    let found = tokio::spawn(async move {
        let _turns = turns;
        let found = tokio::net::lookup_host((host, 0)).await?;
        std::io::Result::Ok(found.map(|address| address.ip()).collect())
    });
    let found = found.await.map_err(std::io::Error::other).flatten();
    found.map_err(|error| Unavailable::NameNotResolved(error.to_string()))
}

/// Tries one address after the other; all but the last one get a part of the time.
async fn dial(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), Unavailable> {
    let (last, others) = addresses.split_last().expect("an endpoint without an address was refused before");
    for address in others {
        if let Ok(Ok(stream)) = tokio::time::timeout(ADDRESS_TIMEOUT, dial_one(*address)).await {
            return Ok((stream, *address));
        }
    }
    Ok((dial_one(*last).await?, *last))
}

async fn dial_one(address: SocketAddr) -> Result<TcpStream, Unavailable> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that dials, and the address was checked")]
    let stream = TcpStream::connect(address).await.map_err(|error| {
        if error.kind() == std::io::ErrorKind::ConnectionRefused {
            Unavailable::ConnectionRefused
        } else {
            Unavailable::ConnectionFailed(error.to_string())
        }
    })?;
    stream.set_nodelay(true).map_err(|error| Unavailable::ConnectionFailed(error.to_string()))?;
    Ok(stream)
}

/// The connection's task ends with the connection: when its sender is dropped, or the receiver closes it.
async fn handshake<S>(stream: S) -> Result<(Sender, JoinHandle<Option<hyper::Error>>), Unavailable>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let lost = |error: hyper::Error| Unavailable::ConnectionLost(error.to_string());
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(16 * 1024)
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(lost)?;
    let ended = tokio::spawn(async move { connection.await.err() });
    Ok((sender, ended))
}

/// What a person can do about a failed handshake.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library has many errors, and may get more")]
fn tls_failure(error: &std::io::Error) -> TlsFailure {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        let why = format!("the connection ended during the handshake ({error}); check that the port speaks TLS");
        return TlsFailure { why, setting: Some("callback.url") };
    };
    use rustls::{AlertDescription as Alert, CertificateError as Certificate};
    let (advice, setting) = match tls {
        rustls::Error::InvalidCertificate(Certificate::UnknownIssuer) => (
            "no trusted authority has signed the certificate: set callback.ca_file to that authority, and check that the \
             receiver sends its intermediate certificates (one may stand in callback.ca_file instead)",
            Some("callback.ca_file"),
        ),
        rustls::Error::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            ("the certificate has expired: renew it", None)
        }
        rustls::Error::InvalidCertificate(Certificate::NotValidYet | Certificate::NotValidYetContext { .. }) => {
            ("the certificate is not valid yet: check the clocks of both machines", None)
        }
        rustls::Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => ("the certificate is for another name than the host of callback.url", Some("callback.url")),
        rustls::Error::AlertReceived(Alert::CertificateRequired) => (
            "the receiver asks for a client certificate: set callback.client_cert_file and callback.client_key_file",
            Some("callback.client_cert_file"),
        ),
        rustls::Error::AlertReceived(
            Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::UnsupportedCertificate
            | Alert::DecryptError,
        ) => (
            "the receiver does not accept the client certificate: check callback.client_cert_file, and which authority \
             the receiver trusts",
            Some("callback.client_cert_file"),
        ),
        rustls::Error::AlertReceived(Alert::ProtocolVersion | Alert::HandshakeFailure)
        | rustls::Error::PeerIncompatible(_) => {
            ("the receiver speaks no TLS 1.2 or 1.3 with a modern cipher: update it", None)
        }
        rustls::Error::InvalidMessage(_) => {
            ("what answers there does not speak TLS: check the port", Some("callback.url"))
        }
        _ => ("see the receiver's log", None),
    };
    TlsFailure { why: format!("{tls}; {advice}"), setting }
}

/// With TLS 1.3 a receiver that does not accept the client's certificate says so only after the handshake.
pub(super) fn alert(error: &hyper::Error) -> Option<TlsFailure> {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
        {
            return Some(tls_failure(io));
        }
        source = inner.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use unsaid_protocol::SdkAppId;
    use unsaid_testkit::{Authority, Receiver, ReceiverConfig};

    use super::*;
    use crate::{
        apps::{App, CallbackSettings, Origin, Secret},
        callback::endpoint::Endpoint,
        clock::Clock,
    };

    /// The connection may be over before the request is handed to it.
    #[tokio::test]
    async fn c7_a_receiver_that_asks_for_a_certificate_is_told_of_however_soon_it_says_so() {
        let (authority, clients) = (Authority::new(), Authority::new());
        let identity = authority.issue(&[], &["127.0.0.1".parse().expect("an address")]);
        let client_ca_pem = Some(clients.ca_pem());
        let config = ReceiverConfig { identity: Some(identity), client_ca_pem, ..ReceiverConfig::default() };
        let receiver = Receiver::start(config).await.expect("a free port");
        let settings = EndpointSettings {
            ca_pem: Some(authority.ca_pem()),
            ..EndpointSettings::new(format!("https://{}/", receiver.address()))
        };
        let app = App {
            callback: CallbackSettings { endpoint: Some(settings), ..CallbackSettings::default() },
            ..App::new(SdkAppId(1), Secret::new("0123456789abcdef"), Origin::Runtime)
        };
        let allow_networks = vec!["127.0.0.0/8".parse().expect("a network")];
        let connector = Connector::new(Live::new(EndpointRules { allow_http: false, allow_networks }));
        let endpoint = Endpoint::new(Arc::new(app), &connector).expect("it can be dialled");
        let mut watch = Stopwatch::start(&Clock::system());
        let connected = connector.connect(&endpoint.target, &mut watch).await;
        let mut connected = connected.unwrap_or_else(|why| panic!("the handshake itself succeeds: {why}"));
        while !connected.sender.is_closed() {
            tokio::task::yield_now().await;
        }
        let error = connected.send(Request::new(Full::default())).await.expect_err("it is closed");
        let why = alert(&error).expect("the receiver has said why").why;
        assert!(why.contains("asks for a client certificate"), "{why}");
    }
}
