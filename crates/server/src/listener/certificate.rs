//! The certificate that a listener shows, and its private key.

use std::sync::Arc;

use anyhow::Context;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// As it was read from its files.
#[derive(Clone, Debug)]
pub struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    config: Arc<ServerConfig>,
}

impl Certificate {
    pub fn read(files: &TlsFiles) -> anyhow::Result<Self> {
        let cert = &files.cert;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(cert)
            .with_context(|| format!("tls.cert_file {} cannot be read", cert.display()))?
            .collect();
        let chain = chain.with_context(|| format!("tls.cert_file {} is not PEM", cert.display()))?;
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .with_context(|| format!("tls.key_file {} holds no private key in PEM", files.key.display()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key)
            .context("tls.cert_file and tls.key_file do not fit together")?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { chain, config: Arc::new(config) })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

/// The same to whoever is shown it.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.chain == other.chain
    }
}
