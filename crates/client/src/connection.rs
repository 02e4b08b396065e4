//! One connection to the server: dialled, made secure, and used for one request after the other.

use std::{io, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use crate::ClientError;

/// The longest answer that is read, in bytes.
pub(crate) const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Bytes both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The server to dial, and how to know it.
pub(crate) struct Target {
    host: String,
    port: u16,
    /// For the `Host` header.
    pub(crate) authority: HeaderValue,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Target {
    /// Reads `http://host:port` or `https://host:port`, or the same with `ws` and `wss`. Trusts `ca_pem` alone if it is given, else the system's roots.
    pub(crate) fn new(base: &str, ca_pem: Option<&[u8]>) -> Result<Self, ClientError> {
        let wrong = || ClientError::Base { base: base.to_owned() };
        let uri: Uri = base.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let (tls, default_port) = match uri.scheme_str() {
            Some("http" | "ws") => (None, 80),
            Some("https" | "wss") => {
                let name = ServerName::try_from(host.clone()).map_err(|_| wrong())?;
                (Some((TlsConnector::from(trusting(ca_pem)?), name)), 443)
            }
            _ => return Err(wrong()),
        };
        let port = authority.port_u16().unwrap_or(default_port);
        let authority = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?;
        Ok(Self { host, port, authority, tls })
    }

    pub(crate) async fn connect(&self) -> Result<Connection, ClientError> {
        Connection::over(self.stream().await?).await
    }

    /// Dialled, and secure where that is wanted.
    pub(crate) async fn stream(&self) -> Result<Box<dyn Stream>, ClientError> {
        let address = || format!("{}:{}", self.host, self.port);
        let stream = self.dial().await.map_err(|source| ClientError::Connect { address: address(), source })?;
        let Some((connector, name)) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let secured = connector.connect(name.clone(), stream).await;
        Ok(Box::new(secured.map_err(|source| ClientError::Tls { address: address(), source })?))
    }

    #[allow(clippy::disallowed_methods, reason = "a client dials the one server that it was given")]
    async fn dial(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

fn trusting(ca_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, ClientError> {
    let mut roots = RootCertStore::empty();
    if let Some(ca_pem) = ca_pem {
        for certificate in CertificateDer::pem_slice_iter(ca_pem) {
            let certificate = certificate.map_err(|error| ClientError::Roots { reason: error.to_string() })?;
            roots.add(certificate).map_err(|error| ClientError::Roots { reason: error.to_string() })?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        let whence = if ca_pem.is_some() { "ca_pem" } else { "the system's store" };
        return Err(ClientError::Roots { reason: format!("{whence} holds none") });
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// An open connection. It closes when dropped, whatever it was doing.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Moves the bytes.
    task: JoinHandle<()>,
}

/// Why there is no response.
pub(crate) enum SendError {
    /// Not a byte of the request was written: it can be sent over another connection.
    NotSent(Box<Request<Full<Bytes>>>, ClientError),
    /// The server may have read it.
    Failed(ClientError),
}

impl Connection {
    async fn over(stream: Box<dyn Stream>) -> Result<Self, ClientError> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(ClientError::Broken)?;
        let task = tokio::spawn(async move {
            // Whoever waits for a response is told of the error as well.
            let _ = connection.await;
        });
        Ok(Self { sender, task })
    }

    /// Waits until it can take the next request; false if the server has closed it.
    pub(crate) async fn is_ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, SendError> {
        self.sender.try_send_request(request).await.map_err(|mut error| match error.take_message() {
            Some(request) => SendError::NotSent(Box::new(request), ClientError::Broken(error.into_error())),
            None => SendError::Failed(ClientError::Broken(error.into_error())),
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[allow(clippy::disallowed_methods, reason = "the body is wrapped in Limited")]
pub(crate) async fn read(body: Incoming) -> Result<Bytes, ClientError> {
    let error = match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
        Ok(body) => return Ok(body.to_bytes()),
        Err(error) => error,
    };
    Err(match error.downcast::<hyper::Error>() {
        Ok(error) => ClientError::Broken(*error),
        Err(other) => {
            assert!(other.is::<LengthLimitError>(), "Limited adds no other error than its own: {other}");
            ClientError::TooLarge { bytes_max: ANSWER_BYTES_MAX }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_scheme_host_and_port() {
        for (base, host, port) in [
            ("http://127.0.0.1:8080", "127.0.0.1", 8080),
            ("http://localhost/", "localhost", 80),
            ("http://[::1]:8080", "::1", 8080),
        ] {
            let target = Target::new(base, None).expect(base);
            assert_eq!((target.host.as_str(), target.port), (host, port));
        }
        for base in ["", "localhost", "localhost:80", "ftp://localhost", "http://localhost/v4", "http://a@localhost"] {
            assert!(matches!(Target::new(base, None), Err(ClientError::Base { .. })), "{base:?}");
        }
    }

    #[test]
    fn a_ca_that_is_none_is_refused() {
        for ca_pem in ["", "not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let result = Target::new("https://localhost", Some(ca_pem.as_bytes()));
            assert!(matches!(result, Err(ClientError::Roots { .. })), "{ca_pem:?}");
        }
    }
}
