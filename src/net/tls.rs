//! Encryption: the certificate in force, and how a new one takes its place.
//!
//! The files are read again at an interval, and at a SIGHUP. A good pair is served to new connections from then on. A
//! bad one is logged once, and the old one stays.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    time_provider::TimeProvider,
};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::timestamp::Timestamp;

/// The library's own clock panics while the system's clock is before 1970.
#[derive(Debug)]
struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let since = u64::try_from(Timestamp::now().as_micros()).unwrap_or(0);
        Some(UnixTime::since_unix_epoch(Duration::from_micros(since)))
    }
}

/// The reason why a certificate can't be served.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file is absent or can't be read.
    #[error("{file}: can't be read: {error}; see [tls] {key}")]
    Unreadable {
        /// The file as configured.
        file: String,
        /// The key that names it.
        key: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// A file holds something else.
    #[error("{file}: no {wanted} in PEM form; see [tls] {key}")]
    Empty {
        /// The file as configured.
        file: String,
        /// The key that names it.
        key: &'static str,
        /// The content that it should have.
        wanted: &'static str,
    },
    /// The two files don't match, or are of a kind that isn't supported.
    #[error("{cert} and {key} can't be used together: {error}; see [tls] cert_file and key_file")]
    Pair {
        /// The certificate's file.
        cert: String,
        /// The key's file.
        key: String,
        /// The library's error.
        error: rustls::Error,
    },
}

/// The certificate in force, with its key.
pub struct Certificates {
    /// The certificate's file.
    cert_file: PathBuf,
    /// The key's file.
    key_file: PathBuf,
    /// The pair in force. Read at each handshake, written at a reload.
    current: RwLock<Arc<CertifiedKey>>,
    /// The content of the files when it was last good, so that the same content isn't tried twice.
    seen: Mutex<Pair>,
    provider: Arc<CryptoProvider>,
}

/// The content of both files.
#[derive(PartialEq)]
struct Pair {
    /// The chain, in PEM.
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl fmt::Debug for Certificates {
    /// The key must not be printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("cert_file", &self.cert_file)
            .finish_non_exhaustive()
    }
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// The files are absent, or hold no pair.
    pub fn load(cert_file: &Path, key_file: &Path) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pair = Pair::read(cert_file, key_file)?;
        let current = pair.certified(cert_file, key_file, &provider)?;
        Ok(Arc::new(Self {
            cert_file: cert_file.to_owned(),
            key_file: key_file.to_owned(),
            current: RwLock::new(Arc::new(current)),
            seen: Mutex::new(pair),
            provider,
        }))
    }

    /// Reads the files again, and says whether there is a new pair, which is served from now on.
    ///
    /// # Errors
    /// The new content can't be served; the old pair stays.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let pair = Pair::read(&self.cert_file, &self.key_file)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == pair {
            return Ok(false);
        }
        let certified = pair.certified(&self.cert_file, &self.key_file, &self.provider);
        let certified = Arc::new(certified?);
        *seen = pair;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = certified;
        Ok(true)
    }

    /// The acceptor that does the handshakes.
    ///
    /// # Errors
    /// The library refuses its own defaults.
    pub(super) fn acceptor(self: Arc<Self>) -> Result<TlsAcceptor, rustls::Error> {
        let clock = Arc::new(Clock);
        let mut config = ServerConfig::builder_with_details(self.provider.clone(), clock)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(current.clone())
    }
}

impl Pair {
    fn read(cert_file: &Path, key_file: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path, key| {
            std::fs::read(path).map_err(|error| TlsError::Unreadable {
                file: path.display().to_string(),
                key,
                error,
            })
        };
        Ok(Self {
            cert: read(cert_file, "cert_file")?,
            key: read(key_file, "key_file")?,
        })
    }

    fn certified(
        &self,
        cert_file: &Path,
        key_file: &Path,
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, TlsError> {
        let name = |path: &Path| path.display().to_string();
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.cert)
            .filter_map(Result::ok)
            .collect();
        if chain.is_empty() {
            return Err(TlsError::Empty {
                file: name(cert_file),
                key: "cert_file",
                wanted: "certificate",
            });
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| TlsError::Empty {
            file: name(key_file),
            key: "key_file",
            wanted: "private key",
        })?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| TlsError::Pair {
            cert: name(cert_file),
            key: name(key_file),
            error,
        })
    }
}

/// Bytes in encrypted records that the socket has not taken.
const RECORDS: usize = 16 * 1024;

/// The handshake of one connection.
pub(super) async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let mut stream = acceptor.accept(stream).await?;
    // Bytes in records can't be overtaken, like those in the kernel, so they are kept few.
    stream.get_mut().1.set_buffer_limit(Some(RECORDS));
    Ok(stream)
}
