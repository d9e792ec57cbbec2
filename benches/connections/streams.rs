//! A client that connects in one of the ways and then only stays: every bit of its protocol is written here.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_rustls::TlsConnector;

/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The ways of connecting.
#[derive(Clone)]
pub(crate) struct Ways {
    pub(crate) address: SocketAddr,
    /// Set for an encrypted server.
    encryption: Option<TlsConnector>,
}

/// Connections from one address, below the number of ports that Linux gives to clients.
const PER_SOURCE: usize = 25_000;

/// The address that a client comes from. Each load has addresses of its own, as many as its clients need: the ports of
/// one before it stay in use for a minute.
pub(crate) fn source(nth: usize) -> IpAddr {
    let process = std::process::id();
    let part = |number: u32| u8::try_from(1 + number % 250).expect("it is below 251");
    let of_load = u32::try_from(nth / PER_SOURCE).expect("few are enough");
    Ipv4Addr::new(127, part(process / 250), part(process), part(of_load)).into()
}

impl Ways {
    pub(crate) fn new(address: SocketAddr, certificate: Option<Vec<u8>>) -> Self {
        let encryption = certificate.map(|certificate| {
            let mut roots = RootCertStore::empty();
            roots
                .add(CertificateDer::from(certificate))
                .expect("a certificate");
            let config =
                ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                    .with_safe_default_protocol_versions()
                    .expect("versions")
                    .with_root_certificates(roots)
                    .with_no_client_auth();
            TlsConnector::from(Arc::new(config))
        });
        Self {
            address,
            encryption,
        }
    }

    /// Connects the `nth` client in a way, and returns when the server has let it in.
    pub(crate) async fn connect(&self, kind: &str, nth: usize) -> io::Result<Box<dyn Stream>> {
        match kind {
            "tls" => self.socket_io(nth).await,
            "polling" => {
                let (mut stream, path) = self.polling(nth).await?;
                self.get(&mut stream, &path, "").await?;
                Ok(stream)
            }
            "upgraded" => self.upgraded(nth).await,
            "sse" => {
                let mut stream = self.stream(nth).await?;
                self.get(&mut stream, "/api/v1/stream", "").await?;
                until(&mut stream, "connection_established").await?;
                Ok(stream)
            }
            "guide" => {
                let mut stream = self.stream(nth).await?;
                self.get(&mut stream, "/api/v1/ws", UPGRADE).await?;
                until(&mut stream, "\"connected\"").await?;
                Ok(stream)
            }
            other => panic!("no client connects by {other:?}"),
        }
    }

    async fn stream(&self, nth: usize) -> io::Result<Box<dyn Stream>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((source(nth), 0).into())?;
        let stream: TcpStream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.encryption {
            None => Box::new(stream),
            Some(encryption) => {
                let name = ServerName::try_from("localhost").expect("a name");
                Box::new(encryption.connect(name, stream).await?)
            }
        })
    }

    async fn socket_io(&self, nth: usize) -> io::Result<Box<dyn Stream>> {
        let mut stream = self.stream(nth).await?;
        let path = "/socket.io/?EIO=4&transport=websocket";
        self.get(&mut stream, path, UPGRADE).await?;
        until(&mut stream, "0{").await?;
        // A text frame with a mask of zeros.
        stream.write_all(b"\x81\x82\0\0\0\x0040").await?;
        stream.flush().await?;
        until(&mut stream, "connection_established").await?;
        Ok(stream)
    }

    /// A session that polls, with its path; its one connection is to wait in a poll.
    async fn polling(&self, nth: usize) -> io::Result<(Box<dyn Stream>, String)> {
        let mut stream = self.stream(nth).await?;
        let path = "/socket.io/?EIO=4&transport=polling";
        self.get(&mut stream, path, "").await?;
        let opened = answer(&mut stream).await?;
        let sid = opened.split_once("\"sid\":\"");
        let sid = sid.and_then(|(_, rest)| rest.split_once('"'));
        let (sid, _) = sid.ok_or(io::ErrorKind::InvalidData)?;
        let path = format!("{path}&sid={sid}");
        let host = self.address;
        let post = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\n40");
        stream.write_all(post.as_bytes()).await?;
        answer(&mut stream).await?;
        let mut is_greeted = false;
        while !is_greeted {
            self.get(&mut stream, &path, "").await?;
            is_greeted = answer(&mut stream)
                .await?
                .contains("connection_established");
        }
        Ok((stream, path))
    }

    /// A session that polled and has become a WebSocket, as the JavaScript client makes it by default.
    async fn upgraded(&self, nth: usize) -> io::Result<Box<dyn Stream>> {
        let (_polled, path) = self.polling(nth).await?;
        let mut stream = self.stream(nth).await?;
        let path = path.replace("transport=polling", "transport=websocket");
        self.get(&mut stream, &path, UPGRADE).await?;
        until(&mut stream, "\r\n\r\n").await?;
        stream.write_all(b"\x81\x86\0\0\0\x002probe").await?;
        until(&mut stream, "3probe").await?;
        stream.write_all(b"\x81\x81\0\0\0\x005").await?;
        stream.flush().await?;
        Ok(stream)
    }

    async fn get(&self, stream: &mut Box<dyn Stream>, path: &str, headers: &str) -> io::Result<()> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await
    }
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Reads until this has come, and returns all that came.
async fn until(stream: &mut Box<dyn Stream>, wanted: &str) -> io::Result<String> {
    let mut came = Vec::new();
    loop {
        if stream.read_buf(&mut came).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&came);
        if text.contains(wanted) {
            return Ok(text.into_owned());
        }
    }
}

/// Reads an answer whose length is in its head.
async fn answer(stream: &mut Box<dyn Stream>) -> io::Result<String> {
    let mut came = until(stream, "\r\n\r\n").await?;
    let (head, body) = came.split_once("\r\n\r\n").unwrap_or_default();
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map_or(0, |(_, length)| length.parse().unwrap_or(0));
    let mut rest = vec![0; length.saturating_sub(body.len())];
    stream.read_exact(&mut rest).await?;
    came.push_str(&String::from_utf8_lossy(&rest));
    Ok(came)
}
