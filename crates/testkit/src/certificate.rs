//! A certificate authority made on the spot, and server certificates of it: good ones, and ones with a flaw.
//!
//! Keys live in memory and end with the test.

use std::{net::IpAddr, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
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
    /// Valid from 2090 on.
    NotYetValid,
    /// Issued for `elsewhere.example` alone.
    OtherName,
    /// By itself and not by the authority.
    SelfSigned,
}

impl Flaw {
    pub const ALL: [Self; 4] = [Self::Expired, Self::NotYetValid, Self::OtherName, Self::SelfSigned];
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
            Flaw::NotYetValid => {
                let mut params = server(names, addresses);
                params.not_before = date_time_ymd(2090, 1, 1);
                params.not_after = date_time_ymd(2091, 1, 1);
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

    /// A certificate for a client of that name.
    pub fn issue_client(&self, name: &str) -> Identity {
        let mut params = named(name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        self.sign(&params)
    }

    /// A server's certificate by an authority of this authority: the PEM of that intermediate one, the server with its
    /// whole chain, and the server that sends its own certificate alone.
    pub fn issue_by_intermediate(&self, names: &[&str], addresses: &[IpAddr]) -> (String, Identity, Identity) {
        let mut params = named("Unsaid intermediate authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let between = CertifiedIssuer::signed_by(params, key(), &self.issuer).expect("these parameters are valid");
        let key = key();
        let certificate = server(names, addresses).signed_by(&key, &between).expect("these parameters are valid");
        let (cert_pem, key_pem) = (certificate.pem(), key.serialize_pem());
        let whole = Identity { cert_pem: format!("{cert_pem}{}", between.pem()), key_pem: key_pem.clone() };
        (between.pem(), whole, Identity { cert_pem, key_pem })
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("these parameters are valid");
        Identity { cert_pem: certificate.pem(), key_pem: key.serialize_pem() }
    }
}

impl Identity {
    /// For a TLS server that shows this identity and speaks HTTP/1.1. With `client_ca_pem` it takes only clients with a
    /// certificate of that authority.
    pub fn server_config(&self, client_ca_pem: Option<&str>) -> Arc<ServerConfig> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(self.cert_pem.as_bytes())
            .collect::<Result<_, _>>()
            .expect("cert_pem holds PEM certificates");
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).expect("key_pem holds a PEM private key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider supports TLS 1.2 and 1.3");
        let builder = match client_ca_pem {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                let ca = CertificateDer::from_pem_slice(pem.as_bytes()).expect("client_ca_pem holds a PEM certificate");
                roots.add(ca).expect("it is an authority");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().expect("there is a root"))
            }
        };
        let mut config = builder.with_single_cert(chain, key).expect("the key belongs to the certificate");
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
