//! Accepting connections: TLS, a bound on their number, a time for the header, and a stop that finishes what was
//! accepted.

mod certificate;
mod patience;
mod peer;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Response};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;

use self::patience::Patience;
pub use self::{
    certificate::Certificate,
    peer::{Peer, Transport, client_ip, transport},
};
use crate::live::Live;

/// A connection's share of the bound on connections; an extension of each request, for who takes the connection over.
#[derive(Clone, Debug)]
pub struct Permit(#[expect(dead_code, reason = "it is held, not looked at")] Arc<OwnedSemaphorePermit>);

/// The bounds of a listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenerLimits {
    /// Connections at once; who comes then waits in the backlog of the system.
    pub connections_max: usize,
    /// How long a connection may take to send a request's header, and to stand idle between two requests.
    pub header_timeout: Duration,
    pub tls_timeout: Duration,
    /// How long the other end may leave an answer unread.
    pub write_timeout: Duration,
    /// How long what was accepted may take when the server stops.
    pub stop_grace: Duration,
}

/// A socket that listens.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Live<Certificate>>,
    limits: ListenerLimits,
}

/// How much of a request's header is read, in bytes.
const HEADER_BYTES_MAX: usize = 32 * 1024;

/// How often a port that another process still holds is tried again; a server that was just killed lets go of it.
const BIND_TRIES: u32 = 30;
const BIND_PAUSE: Duration = Duration::from_millis(100);

/// How long to wait when the system has no file descriptors or memory left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Listener {
    pub async fn bind(address: SocketAddr, tls: Option<Live<Certificate>>, limits: ListenerLimits) -> io::Result<Self> {
        for _ in 0..BIND_TRIES {
            match TcpListener::bind(address).await {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => tokio::time::sleep(BIND_PAUSE).await,
                bound => return bound.map(|tcp| Self { tcp, tls, limits }),
            }
        }
        TcpListener::bind(address).await.map(|tcp| Self { tcp, tls, limits })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until `stop`; then finishes the requests that are under way.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let permits = Arc::new(Semaphore::new(self.limits.connections_max));
        let tasks = TaskTracker::new();
        let cut = CancellationToken::new();
        let mut warned = None;
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.accept(&permits) => accepted,
            };
            let (stream, peer, permit) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // While descriptors are short this comes again and again.
                    if warned.as_ref() != Some(&error.kind()) {
                        tracing::warn!(%error, "a connection could not be accepted; it is tried again");
                        warned = Some(error.kind());
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let tls = self.tls.as_ref().map(|certificate| certificate.now().acceptor());
            let (router, stop, limits) = (router.clone(), stop.clone(), self.limits);
            let (cut, permit) = (cut.clone(), Permit(Arc::new(permit)));
            tasks.spawn(async move {
                tokio::select! {
                    () = connection(stream, (peer, permit), tls, router, stop, limits) => {}
                    () = cut.cancelled() => {}
                }
            });
        }
        drop(self.tcp);
        tasks.close();
        if tokio::time::timeout(self.limits.stop_grace, tasks.wait()).await.is_err() {
            tracing::warn!(connections = tasks.len(), "the time to finish is over; what is still open is cut");
            cut.cancel();
            tasks.wait().await;
        }
    }

    async fn accept(&self, permits: &Arc<Semaphore>) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let permit = Arc::clone(permits).acquire_owned().await.expect("it is never closed");
        let (stream, peer) = self.tcp.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, peer, permit))
    }
}

async fn connection(
    stream: TcpStream,
    from: (SocketAddr, Permit),
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: CancellationToken,
    limits: ListenerLimits,
) {
    let (address, permit) = from;
    match tls {
        None => http(stream, (Peer { address, transport: Transport::Plain }, permit), router, stop, limits).await,
        Some(tls) => match tokio::time::timeout(limits.tls_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                http(stream, (Peer { address, transport: Transport::Tls }, permit), router, stop, limits).await;
            }
            Ok(Err(error)) => tracing::debug!(peer = %address, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(peer = %address, "a TLS handshake took too long"),
        },
    }
}

async fn http<S>(
    stream: S,
    (peer, permit): (Peer, Permit),
    router: Router,
    stop: CancellationToken,
    limits: ListenerLimits,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(permit.clone());
        answer(router.clone(), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(HEADER_BYTES_MAX)
        .half_close(true)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(Patience::new(stream, limits.write_timeout)), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.address, %error, "a connection ended early");
    }
}

async fn answer(mut router: Router, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    router.call(request).await
}
