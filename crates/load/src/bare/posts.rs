//! Bare POSTs: what the server's client stack can send to the receiver, if there is nothing else to do.
//!
//! As the server does, a process of its own sends them, which is this program again: hyper over rustls with the settings of
//! `crates/server/src/callback/connect.rs`, and each connection sends the next when the last one is answered.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use clap::Args;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::TlsConnector;

use crate::{clock, setup::Setup};

/// Where no callback goes.
pub(crate) const PATH: &str = "/bare";

/// What stands in the query of a callback, in as many bytes.
const QUERY: &str = "?SdkAppid=1400000001&CallbackCommand=C2C.CallbackAfterMsgWithDraw&contenttype=json&ClientIP=127.0.0.1\
                     &OptPlatform=RESTAPI&RequestTime=1764000000\
                     &Sign=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const SECONDS: f64 = 3.0;

const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The hidden subcommand.
#[derive(Clone, Debug, Args)]
pub(crate) struct PostFlags {
    /// The receiver's port on this machine.
    #[arg(long)]
    port: u16,
    #[arg(long)]
    ca_file: PathBuf,
    #[arg(long)]
    connections: u32,
    #[arg(long)]
    body_bytes: usize,
}

/// How many a second this machine can do, with bodies of the size that the callbacks had.
pub(crate) async fn measure(setup: &Setup, connections: u32) -> anyhow::Result<f64> {
    let mut command = Command::new(std::env::current_exe().context("this program's own path is not known")?);
    command
        .arg("post")
        .args(["--port", &setup.receiver.address().port().to_string()])
        .args(["--connections", &connections.to_string()])
        .args(["--body-bytes", &setup.inbox.body_bytes().to_string()])
        .arg("--ca-file")
        .arg(setup.authority_file())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = tokio::task::spawn_blocking(move || command.output()).await.context("a thread")?;
    let output = output.context("this program cannot be started again")?;
    ensure!(output.status.success(), "the process that posts ended with {}", output.status);
    let text = String::from_utf8(output.stdout).context("what it printed")?;
    text.trim().parse().with_context(|| format!("it printed {text:?}, which is no rate"))
}

/// In the process that posts: prints the rate.
pub(crate) fn post(flags: &PostFlags) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let rate = runtime.block_on(post_all(flags))?;
    println!("{rate}");
    Ok(())
}

async fn post_all(flags: &PostFlags) -> anyhow::Result<f64> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, flags.port));
    let connector = trusting(&flags.ca_file)?;
    let mut senders = Vec::new();
    for _ in 0..flags.connections {
        senders.push(connect(address, &connector).await.with_context(|| format!("no connection to {address}"))?);
    }
    let body = Bytes::from(vec![b'x'; flags.body_bytes]);
    let began = clock::now();
    let until = began + Duration::from_secs_f64(SECONDS);
    let mut posting: JoinSet<_> =
        senders.into_iter().map(|sender| post_until(sender, address, body.clone(), until)).collect();
    let mut posts = 0;
    while let Some(posted) = posting.join_next().await {
        posts += posted.context("a task broke")??;
    }
    Ok(posts as f64 / (clock::now() - began).as_secs_f64())
}

async fn post_until(
    mut sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
    body: Bytes,
    until: Instant,
) -> anyhow::Result<u64> {
    let mut posts = 0;
    while clock::now() < until {
        sender.ready().await?;
        read(sender.send_request(request(address, body.clone())).await?).await?;
        posts += 1;
    }
    Ok(posts)
}

fn request(address: SocketAddr, body: Bytes) -> Request<Full<Bytes>> {
    Request::post(format!("{PATH}{QUERY}"))
        .header(header::HOST, format!("localhost:{}", address.port()))
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(header::USER_AGENT, concat!("Unsaid/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", "evt_0123456789abcdefghjkmnpqrs")
        .header("unsaid-request", "0123456789abcdefghjkmnpqrs")
        .header("unsaid-lane", "0123456789abcdef.user1234")
        .header("unsaid-number", 12)
        .header("unsaid-previous", 11)
        .body(Full::new(body))
        .expect("all of it is visible ASCII")
}

async fn read(response: Response<Incoming>) -> anyhow::Result<()> {
    if !response.status().is_success() {
        bail!("the receiver answered {}", response.status());
    }
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    #[expect(clippy::disallowed_methods, reason = "it is read up to a bound, and the receiver is the tool's own")]
    let read = body.collect().await;
    read.map(drop).map_err(|error| anyhow::anyhow!(error))
}

async fn connect(address: SocketAddr, connector: &TlsConnector) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    #[expect(clippy::disallowed_methods, reason = "it dials the receiver that the tool has started")]
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").context("a host name")?;
    let stream = connector.connect(name, stream).await?;
    let mut builder = http1::Builder::new();
    let (sender, connection) =
        builder.max_buf_size(16 * 1024).title_case_headers(true).handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // How it ended is seen by whoever waits for an answer over it.
        let _ = connection.await;
    });
    Ok(sender)
}

fn trusting(ca_file: &Path) -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(ca_file).with_context(|| format!("{} cannot be read", ca_file.display()))?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.context("the receiver's authority")?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
