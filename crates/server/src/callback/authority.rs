//! Trust in an app's own certificate authority, also where the receiver's certificate is that authority itself.
//!
//! The usual way to make a certificate by hand gives one that signs itself and is marked as an authority. A strict
//! verifier refuses it as a server's certificate, although it is exactly the one that the app has named.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use crate::certificate;

/// Verifies against the certificates that an app gave.
#[derive(Debug)]
pub(super) struct OwnAuthority {
    given: Vec<CertificateDer<'static>>,
    strict: Arc<WebPkiServerVerifier>,
}

impl OwnAuthority {
    /// Reads the certificates of a PEM text; at least one.
    pub(super) fn parse(pem: &str, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let given = certificate::authorities(pem)?;
        let roots = Arc::new(certificate::roots(&given)?);
        let strict = WebPkiServerVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(|error| format!("cannot be used: {error}"))?;
        Ok(Self { given, strict })
    }
}

impl ServerCertVerifier for OwnAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let strict = self.strict.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match strict {
            // The dates are checked before this is found, and the key is proven by the handshake's signature.
            Err(error) if is_authority_as_server(&error) && self.given.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}

fn is_authority_as_server(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) = error else {
        return false;
    };
    matches!(inner.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}
