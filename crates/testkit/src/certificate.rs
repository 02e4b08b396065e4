//! A certificate authority made on the spot, and server certificates of it: good ones, and ones with a flaw.
//!
//! Keys live in memory and end with the test.

use std::{net::IpAddr, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// Someone whom clients can be told to trust.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a server shows to its clients, and the key that goes with it.
#[derive(Clone)]
pub struct Identity {
    pub cert_pem: String,
    pub key_pem: String,
}

/// What can be wrong with the certificate of a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// Valid until the end of 2001.
    Expired,
    /// Issued for `elsewhere.example` alone.
    OtherName,
    /// By itself and not by the authority.
    SelfSigned,
}

impl Flaw {
    pub const ALL: [Self; 3] = [Self::Expired, Self::OtherName, Self::SelfSigned];
}

impl Authority {
    #[expect(clippy::new_without_default, reason = "each call makes another key")]
    pub fn new() -> Self {
        let mut params = named("Unsaid test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("these parameters are valid");
        Self { issuer }
    }

    /// Its own certificate: what clients have to trust.
    pub fn ca_pem(&self) -> String {
        self.issuer.pem()
    }

    /// A good certificate for a server under these names and addresses.
    pub fn issue(&self, names: &[&str], addresses: &[IpAddr]) -> Identity {
        self.sign(&server(names, addresses))
    }

    /// A certificate that a careful client refuses.
    pub fn issue_flawed(&self, flaw: Flaw, names: &[&str], addresses: &[IpAddr]) -> Identity {
        match flaw {
            Flaw::Expired => {
                let mut params = server(names, addresses);
                params.not_before = date_time_ymd(2001, 1, 1);
                params.not_after = date_time_ymd(2001, 12, 31);
                self.sign(&params)
            }
            Flaw::OtherName => self.sign(&server(&["elsewhere.example"], &[])),
            Flaw::SelfSigned => {
                let key = key();
                let certificate = server(names, addresses).self_signed(&key).expect("these parameters are valid");
                Identity { cert_pem: certificate.pem(), key_pem: key.serialize_pem() }
            }
        }
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("these parameters are valid");
        Identity { cert_pem: certificate.pem(), key_pem: key.serialize_pem() }
    }
}

impl Identity {
    /// For a TLS server that shows this identity and speaks HTTP/1.1.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(self.cert_pem.as_bytes())
            .collect::<Result<_, _>>()
            .expect("cert_pem holds PEM certificates");
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).expect("key_pem holds a PEM private key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider supports TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("the key belongs to the certificate");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

fn server(names: &[&str], addresses: &[IpAddr]) -> CertificateParams {
    let mut params = named("Unsaid test server");
    let names = names.iter().map(|name| SanType::DnsName((*name).try_into().expect("a DNS name is ASCII")));
    params.subject_alt_names = names.chain(addresses.iter().copied().map(SanType::IpAddress)).collect();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key of the default kind can be made")
}
