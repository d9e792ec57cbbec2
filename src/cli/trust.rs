//! The certificates that the commands trust, and the sentences about failures of TLS.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};

use super::plain::plain;

/// Trusts the certificates of a file and no others.
///
/// # Errors
/// The file can't be read, or holds no certificate.
pub(super) fn only(file: &Path) -> Result<ClientConfig, String> {
    let name = plain(&file.to_string_lossy(), 200);
    let unreadable = |error: rustls::pki_types::pem::Error| format!("--ca {name}: {error}");
    let given: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if given.is_empty() {
        return Err(format!("--ca {name}: no certificate in PEM form"));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(given.iter().cloned());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let issuers = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .map_err(|error| format!("--ca {name}: {error}"))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("can't speak TLS: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Given { given, issuers }))
        .with_no_client_auth();
    Ok(config)
}

/// Trusts a server that shows one of the given certificates, or one that is signed with them.
///
/// `openssl req -x509` makes a certificate that is a CA's and a server's in one. The rules of the web forbid a server
/// to show such a certificate; here somebody has named this very one.
#[derive(Debug)]
struct Given {
    given: Vec<CertificateDer<'static>>,
    issuers: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Given {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.given.iter().any(|given| given == shown) {
            verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.issuers
            .verify_server_cert(shown, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.issuers.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.issuers.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.issuers.supported_verify_schemes()
    }
}

/// Words in errors of the TLS library, and sentences for people.
const REASONS: [(&str, &str); 8] = [
    (
        "CaUsedAsEndEntity",
        "its certificate is one of a CA, which no server may show: name it with --ca FILE, or make one with openssl's -addext basicConstraints=CA:FALSE",
    ),
    (
        "UnknownIssuer",
        "its certificate is signed by nobody that this machine trusts: name the issuer's certificate with --ca FILE or SSL_CERT_FILE",
    ),
    (
        "not valid for name",
        "its certificate is for another name than the one in the URL",
    ),
    (
        "NotValidForName",
        "its certificate is for another name than the one in the URL",
    ),
    ("certificate expired", "its certificate has expired"),
    ("Expired", "its certificate has expired"),
    (
        "InvalidContentType",
        "it doesn't speak TLS; try http:// instead of https://",
    ),
    (
        "invalid HTTP version",
        "it speaks TLS, or no HTTP at all; try https:// instead of http://",
    ),
];

/// Whether this is one of the sentences of [`reason`].
pub(super) fn is_reason(said: &str) -> bool {
    REASONS.iter().any(|(_, words)| said == *words)
}

/// The failure of an encrypted connection in a sentence; `None` if the error is about something else.
pub(super) fn reason(error: &str) -> Option<String> {
    let (_, words) = REASONS.iter().find(|(word, _)| error.contains(word))?;
    Some((*words).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_translated() {
        for said in [
            "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
            "invalid peer certificate: UnknownIssuer",
            "received corrupt message of type InvalidContentType",
            "invalid HTTP version parsed",
        ] {
            let words = reason(said).expect(said);
            assert!(is_reason(&words) && !words.contains("Other"), "{words}");
        }
        assert_eq!(reason("connection reset by peer"), None);
    }
}
