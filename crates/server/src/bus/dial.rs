//! Dialling NATS: a connection, TLS where it is asked for or wanted, and who we are.
//!
//! The addresses are the operator's, not those of an app, so they are dialled as they stand.

use std::{sync::Arc, time::Duration};

use bytes::BytesMut;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    settings::{BusSettings, NatsServer, Tls},
    wire::{self, Heard, NotNats, Words},
};
use crate::{certificate, limits};

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection over which NATS listens to us.
pub(super) struct Connection {
    pub(super) reader: ReadHalf<Box<dyn Stream>>,
    pub(super) writer: WriteHalf<Box<dyn Stream>>,
    pub(super) words: Words,
    /// How much one message may carry.
    pub(super) payload_bytes_max: usize,
    /// What was found at the other end.
    reached: Reached,
}

/// A NATS that lets us in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reached {
    pub(crate) version: String,
    pub(crate) with_tls: bool,
}

/// Whether one of the servers that are set lets us in; else why not.
pub(crate) async fn reach(settings: &BusSettings, server: &NatsServer) -> Result<Reached, String> {
    let dialler = Dialler::new(settings).map_err(|error| error.to_string())?;
    dialler.dial(server).await.map(|connection| connection.reached).map_err(|problem| problem.to_string())
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    NotNats(#[from] NotNats),
    #[error("it closed the connection")]
    Closed,
    #[error("NATS says: {0}")]
    Said(String),
    #[error("it has no TLS, and tls:// says nothing without it; give NATS a certificate, or write nats://")]
    NoTls,
    #[error("its certificate was not accepted: {0}; set bus_ca_file to the authority that it is of")]
    Tls(std::io::Error),
    #[error("it did not answer within {} s", .0.as_secs())]
    Silent(Duration),
}

/// Makes connections.
pub(super) struct Dialler {
    tls: TlsConnector,
}

impl Dialler {
    /// Trusts the system's roots, or those that the settings name.
    pub(super) fn new(settings: &BusSettings) -> anyhow::Result<Self> {
        let roots = match &settings.ca_pem {
            Some(pem) => read_roots(pem).map_err(|problem| anyhow::anyhow!("bus_ca_file {problem}"))?,
            None => {
                // Where there are none, and TLS is used, the connection says so.
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                roots
            }
        };
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Connects and says who we are. What is secret is not said before there is TLS, where there has to be.
    pub(super) async fn dial(&self, server: &NatsServer) -> Result<Connection, Problem> {
        let dialled = tokio::time::timeout(limits::BUS_CONNECT_TIMEOUT, self.connect(server)).await;
        dialled.unwrap_or(Err(Problem::Silent(limits::BUS_CONNECT_TIMEOUT)))
    }

    async fn connect(&self, server: &NatsServer) -> Result<Connection, Problem> {
        #[expect(clippy::disallowed_methods, reason = "the operator named this server; it is no endpoint of an app")]
        let mut stream = TcpStream::connect((server.host.as_str(), server.port)).await?;
        stream.set_nodelay(true)?;
        let mut words = Words::default();
        let info = loop {
            let heard = next(&mut stream, &mut words).await?;
            if let Heard::Info(info) = heard {
                break info;
            }
            refused(heard)?;
        };
        let has_tls = info.tls_required || info.tls_available;
        if server.tls == Tls::Always && !has_tls {
            return Err(Problem::NoTls);
        }
        let with_tls = info.tls_required || server.tls == Tls::Always;
        let mut stream: Box<dyn Stream> = if with_tls {
            // Whatever was said in clear behind it was not said by whom the certificate names.
            words = Words::default();
            let name = ServerName::try_from(server.host.clone())
                .map_err(|error| Problem::Tls(std::io::Error::other(error)))?;
            Box::new(self.tls.connect(name, stream).await.map_err(Problem::Tls)?)
        } else {
            Box::new(stream)
        };
        let mut out = BytesMut::new();
        wire::connect(&mut out, server.credentials.as_ref(), with_tls);
        wire::ping(&mut out);
        stream.write_all_buf(&mut out).await?;
        stream.flush().await?;
        loop {
            let heard = next(&mut stream, &mut words).await?;
            if let Heard::Pong = heard {
                break;
            }
            refused(heard)?;
        }
        let (reader, writer) = tokio::io::split(stream);
        let payload_bytes_max = info.max_payload.min(limits::BUS_FRAME_BYTES_MAX);
        let reached = Reached { version: info.version, with_tls };
        Ok(Connection { reader, writer, words, payload_bytes_max, reached })
    }
}

/// Whether a PEM text holds what NATS's certificate can be held against.
pub(crate) fn check_authority(pem: &str) -> Result<(), String> {
    read_roots(pem).map(drop)
}

fn read_roots(pem: &str) -> Result<RootCertStore, String> {
    certificate::roots(&certificate::authorities(pem)?)
}

async fn next(stream: &mut (impl AsyncRead + Unpin), words: &mut Words) -> Result<Heard, Problem> {
    loop {
        if let Some(heard) = words.next()? {
            return Ok(heard);
        }
        if stream.read_buf(&mut words.buffer).await? == 0 {
            return Err(Problem::Closed);
        }
    }
}

/// Before it has agreed, NATS says nothing that matters but what is wrong.
fn refused(heard: Heard) -> Result<(), Problem> {
    match heard {
        Heard::Problem(problem) => Err(Problem::Said(problem)),
        Heard::Info(_) | Heard::Message(_) | Heard::TooLong | Heard::Ping | Heard::Pong => Ok(()),
    }
}
