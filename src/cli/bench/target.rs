//! The server under load: its address, and how a client gets there.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use reqwest::Url;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use tokio::{
    net::{TcpSocket, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    arguments::{Common, Transport},
    limits::PER_ADDRESS,
    wire::Wire,
};
use crate::cli::{output, trust, url};

/// The time that each step of opening a connection may take.
pub(super) const OPENING: Duration = Duration::from_secs(30);

/// The server.
#[derive(Clone)]
pub(super) struct Target {
    url: Url,
    address: SocketAddr,
    /// For the `Host` header.
    pub(super) host: String,
    /// The path of Socket.IO, with a slash at both ends.
    pub(super) path: String,
    pub(super) namespace: String,
    pub(super) transport: Transport,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Target {
    /// Finds the server's address, and reads the certificates to trust.
    pub(super) async fn new(common: &Common) -> Result<Self, String> {
        let server = &common.url;
        let shown = url::shown(server).to_owned();
        let name = server.host_str().unwrap_or_default();
        let port = server.port_or_known_default().unwrap_or(80);
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let address = lookup_host((bare, port))
            .await
            .map_err(|error| format!("can't find {shown}: {error}"))?
            // Most servers listen at the older kind of address, where a name stands for both.
            .min_by_key(SocketAddr::is_ipv6)
            .ok_or_else(|| format!("can't find {shown}: the name has no address"))?;
        let tls = match server.scheme() {
            "https" => {
                let name = ServerName::try_from(bare.to_owned())
                    .map_err(|error| format!("{shown}: {error}"))?;
                Some((
                    TlsConnector::from(Arc::new(trusted(common.ca.as_deref())?)),
                    name,
                ))
            }
            _ => None,
        };
        let below = url::below(server, common.path.trim_matches('/'));
        Ok(Self {
            host: server
                .port()
                .map_or_else(|| name.to_owned(), |port| format!("{name}:{port}")),
            path: format!("{}/", below.path().trim_end_matches('/')),
            namespace: common.namespace.clone(),
            transport: common.transport,
            url: server.clone(),
            address,
            tls,
        })
    }

    /// The server's name for people.
    pub(super) fn shown(&self) -> &str {
        url::shown(&self.url)
    }

    /// A path below the server's own.
    pub(super) fn below(&self, path: &str) -> String {
        url::below(&self.url, path).path().to_owned()
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Whether clients may come from many addresses: those of 127.0.0.0/8 are all this machine's.
    pub(super) fn has_many_sources(&self) -> bool {
        cfg!(target_os = "linux") && self.is_loopback() && self.address.is_ipv4()
    }

    pub(super) fn files_per_client(&self) -> u64 {
        match self.transport {
            Transport::Websocket => 1,
            // One for the request that waits, one for what the client says.
            Transport::Polling => 2,
        }
    }

    /// Opens the TCP connection of the client with this number.
    pub(super) async fn tcp(&self, nth: usize) -> Result<tokio::net::TcpStream, String> {
        let said = |error: std::io::Error| {
            let shown = self.shown();
            format!("can't reach {shown}: {}", output::io_reason(&error))
        };
        let socket = if self.address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }
        .map_err(said)?;
        if let Some(source) = self.source(nth) {
            socket.bind(SocketAddr::new(source, 0)).map_err(said)?;
        }
        let stream = timeout(OPENING, socket.connect(self.address))
            .await
            .map_err(|_| format!("can't reach {}: no answer in time", self.shown()))?
            .map_err(said)?;
        stream.set_nodelay(true).map_err(said)?;
        Ok(stream)
    }

    /// Encrypts a connection, where the server does so.
    pub(super) async fn encrypt(&self, stream: tokio::net::TcpStream) -> Result<Wire, String> {
        let Some((connector, name)) = &self.tls else {
            return Ok(Wire::Plain(stream));
        };
        let encrypted = timeout(OPENING, connector.connect(name.clone(), stream))
            .await
            .map_err(|_| format!("{}: no TLS in time", self.shown()))?
            .map_err(|error| format!("{}: {}", self.shown(), output::io_reason(&error)))?;
        Ok(Wire::Tls(Box::new(encrypted)))
    }

    /// The address that the client with this number comes from; `None` is the usual one.
    fn source(&self, nth: usize) -> Option<IpAddr> {
        let nth = u32::try_from(nth / PER_ADDRESS).ok()?;
        if nth == 0 || !self.has_many_sources() {
            return None;
        }
        let first = u32::from(Ipv4Addr::new(127, 1, 0, 0));
        Some(Ipv4Addr::from(first + nth).into())
    }
}

/// The certificates of a file, or those that the system trusts.
fn trusted(ca: Option<&Path>) -> Result<ClientConfig, String> {
    if let Some(ca) = ca {
        return trust::only(ca);
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("can't speak TLS: {error}"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Only Linux takes all of 127.0.0.0/8 as its own.
    #[tokio::test]
    async fn each_address_has_so_many_clients() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let target = Target {
            url: url::parse(&address.to_string()).expect("an address"),
            address,
            host: address.to_string(),
            path: "/socket.io/".into(),
            namespace: "/".into(),
            transport: Transport::Websocket,
            tls: None,
        };
        if !target.has_many_sources() {
            return;
        }
        for (nth, from) in [
            (0, "127.0.0.1"),
            (PER_ADDRESS - 1, "127.0.0.1"),
            (PER_ADDRESS, "127.1.0.1"),
            (PER_ADDRESS * 9, "127.1.0.9"),
        ] {
            let stream = target.tcp(nth).await.expect("a connection");
            let (_, peer) = listener.accept().await.expect("a connection");
            assert_eq!(peer.ip().to_string(), from, "client {nth}");
            drop(stream);
        }
    }
}
