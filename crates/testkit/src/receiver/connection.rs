//! Accepting connections and answering what comes over them.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    answer::{Closed, respond, without_body},
    arrival::Arrival,
};

/// The longest body that is read, in bytes: far more than any callback has.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How long a client may take for its TLS handshake.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// After an error of accepting: if the process is out of file descriptors, trying on at once would only burn time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

pub(super) async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}; is another receiver still there?"))
    })
}

/// Serves until `stop`, then ends every connection. With `connections_max` of them open, others wait to be accepted.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < shared.connections_max => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                shared.connections.fetch_add(1, Ordering::Relaxed);
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// One connection to its end. What goes wrong on it is for the other side to notice.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Some(tls) = shared.tls.clone() else {
        return serve_http(stream, &shared).await;
    };
    if let Ok(Ok(stream)) = timeout(HANDSHAKE_TIME_MAX, TlsAcceptor::from(tls).accept(stream)).await {
        serve_http(stream, &shared).await;
    }
}

async fn serve_http<S>(stream: S, shared: &Shared)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let service = service_fn(|request| answer(shared, request));
    // An error is a client that went away, or the script that closes.
    let _ = http1::Builder::new().keep_alive(true).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let Ok(body) = read(body).await else {
        return Ok(without_body(413));
    };
    let number = shared.arrived.fetch_add(1, Ordering::Relaxed) + 1;
    let arrival = Arc::new(Arrival::new(number, head, body, shared.verifier.as_ref()));
    if let Some(sink) = &shared.sink {
        sink(&arrival);
    }
    let answer = shared.stage.answer_to(&arrival);
    if let Some(record) = &shared.record {
        record.push(arrival);
    }
    respond(answer).await
}

#[allow(clippy::disallowed_methods, reason = "the body is wrapped in Limited")]
async fn read(body: Incoming) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Limited::new(body, BODY_BYTES_MAX).collect().await?.to_bytes())
}
