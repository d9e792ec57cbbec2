//! A WebSocket whose every bit is the attacker's to choose, and the good client beside it.
use std::{io, net::SocketAddr};

use serde_json::{Value, json};
use stoa::net::deflate::inflate;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{Client, PATIENCE, until};

/// The opcodes of data.
pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const PING: u8 = 0x9;
/// The bit of a message's last frame.
pub const FINAL: u8 = 0x80;
/// The first reserved bit, which says "compressed" where that was agreed on.
pub const RSV1: u8 = 0x40;

/// The header of a client's frame; its mask is zeros, which leaves the payload as it is.
pub fn header(first: u8, len: u64) -> Vec<u8> {
    let mut out = vec![first];
    match len {
        0..126 => out.push(0x80 | u8::try_from(len).expect("short")),
        126..65_536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&u16::try_from(len).expect("medium").to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out
}

/// A whole frame.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = header(first, payload.len() as u64);
    out.extend_from_slice(payload);
    out
}

/// A text message in one frame.
pub fn text(payload: &str) -> Vec<u8> {
    frame(FINAL | TEXT, payload.as_bytes())
}

/// A text message, deflated, in one frame.
pub fn compressed(payload: &[u8]) -> Vec<u8> {
    frame(FINAL | RSV1 | TEXT, &deflated(payload))
}

/// A message, deflated.
pub fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut compress = flate2::Compress::new(flate2::Compression::best(), false);
    let mut out = Vec::with_capacity(payload.len() + 64);
    compress
        .compress_vec(payload, &mut out, flate2::FlushCompress::Sync)
        .expect("deflates");
    out.truncate(out.len() - 4);
    out
}

/// The header that offers compression.
pub const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

/// The end of a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// With a close frame of this code, or of none.
    Closed(Option<u16>),
    /// Without a word.
    Cut,
}

/// An attacker's connection.
#[derive(Debug)]
pub struct Raw {
    /// The connection itself.
    pub stream: TcpStream,
    /// Bytes that came and are not looked at yet.
    buffer: Vec<u8>,
    /// Texts that came compressed.
    pub compressed: usize,
}

impl Raw {
    /// Opens a WebSocket and takes the engine's open packet.
    pub async fn open(address: SocketAddr) -> Self {
        let (raw, _) = Self::open_with(address, "").await;
        raw
    }

    /// The same with further headers, each with its line end; and the answer's head.
    pub async fn open_with(address: SocketAddr, headers: &str) -> (Self, String) {
        let (mut raw, head) = Self::upgrade(address, "EIO=4&transport=websocket", headers).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        let open = raw.text().await.expect("the open packet");
        assert!(open.starts_with('0'), "{open}");
        (raw, head)
    }

    /// The same, and joins `/`.
    pub async fn join(address: SocketAddr) -> Self {
        let mut raw = Self::open(address).await;
        raw.connect().await;
        raw
    }

    /// The same with compression, which the server must agree on.
    pub async fn join_compressed(address: SocketAddr) -> Self {
        let (mut raw, head) = Self::open_with(address, DEFLATE).await;
        assert!(head.contains("permessage-deflate"), "{head}");
        raw.connect().await;
        raw
    }

    async fn connect(&mut self) {
        self.send(&text("40")).await.expect("sends");
        self.wait_for("42[\"connection_established\"").await;
    }

    /// Sends a handshake with further headers (each with its line end); the answer's head.
    pub async fn upgrade(address: SocketAddr, query: &str, headers: &str) -> (Self, String) {
        Self::upgrade_at(address, &format!("/socket.io/?{query}"), headers).await
    }

    /// The same at another path.
    pub async fn upgrade_at(address: SocketAddr, path: &str, headers: &str) -> (Self, String) {
        let stream = TcpStream::connect(address).await.expect("connects");
        let mut raw = Self {
            stream,
            buffer: Vec::new(),
            compressed: 0,
        };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        raw.send(request.as_bytes()).await.expect("sends");
        loop {
            if let Some(at) = raw.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                let rest = raw.buffer.split_off(at + 4);
                let head = std::mem::replace(&mut raw.buffer, rest);
                return (raw, String::from_utf8(head).expect("text"));
            }
            assert!(raw.fill().await, "an answer to the handshake");
        }
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes))
            .await
            .unwrap_or_else(|_| panic!("the server takes nothing for {PATIENCE:?}"))
    }

    /// Sends for as long as it is taken, while nobody reads the answers: an attacker doesn't mind.
    pub async fn push(&mut self, bytes: &[u8]) {
        let (mut reader, mut writer) = self.stream.split();
        let mut scratch = vec![0; 64 * 1024];
        let mut heard = Vec::new();
        let mut writing = std::pin::pin!(writer.write_all(bytes));
        let pushed = async {
            loop {
                tokio::select! {
                    _ = &mut writing => return,
                    read = reader.read(&mut scratch) => match read {
                        Ok(0) | Err(_) => return,
                        Ok(n) => heard.extend_from_slice(&scratch[..n]),
                    },
                }
            }
        };
        timeout(PATIENCE, pushed).await.expect("taken or refused");
        self.buffer.extend(heard);
    }

    /// Forgets what came and wasn't looked at, for those who never will.
    pub fn forget(&mut self) {
        self.buffer.clear();
    }

    async fn fill(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        let read = read.unwrap_or_else(|_| panic!("nothing came for {PATIENCE:?}"));
        read.is_ok_and(|n| n > 0)
    }

    /// The next frame's first byte and payload; `None` when the connection is over.
    pub async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((payload_at, end)) = stoa::net::frame::first_frame(&self.buffer)
                && end <= self.buffer.len()
            {
                let rest = self.buffer.split_off(end);
                let frame = std::mem::replace(&mut self.buffer, rest);
                return Some((frame[0], frame[payload_at..].to_vec()));
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// The next text; `None` when the connection is over.
    pub async fn text(&mut self) -> Option<String> {
        loop {
            match self.frame().await? {
                (0x81, payload) => return Some(String::from_utf8(payload).expect("UTF-8")),
                (0xc1, payload) => {
                    self.compressed += 1;
                    let text = inflate(&payload, usize::MAX).expect("a deflated message");
                    return Some(String::from_utf8(text).expect("UTF-8"));
                }
                (0x88, _) => return None,
                _ => {}
            }
        }
    }

    /// Reads until a text begins like that; the engine's pings are answered meanwhile.
    pub async fn wait_for(&mut self, start: &str) -> String {
        loop {
            let came = self.text().await;
            let came = came.unwrap_or_else(|| panic!("closed before {start}"));
            if came.starts_with(start) {
                return came;
            }
            if came == "2" {
                self.send(&text("3")).await.ok();
            }
        }
    }

    /// Reads until the engine's next ping, which is left to be answered.
    pub async fn wait_for_ping(&mut self) {
        while self.text().await.expect("it stays connected") != "2" {}
    }

    /// Reads to the end.
    pub async fn end(&mut self) -> End {
        self.end_answering(false).await
    }

    /// Reads to the end; answers the engine's pings if told so, so that it is no heartbeat that ends it.
    pub async fn end_answering(&mut self, pings: bool) -> End {
        loop {
            match self.frame().await {
                Some((0x88, payload)) => {
                    let code = payload.first_chunk::<2>();
                    return End::Closed(code.map(|code| u16::from_be_bytes(*code)));
                }
                Some((0x81, payload)) if pings && payload == b"2" => {
                    self.send(&text("3")).await.ok();
                }
                Some(_) => {}
                None => return End::Cut,
            }
        }
    }
}

/// Shows that somebody who did nothing wrong is served: joins, asks, and gets an update.
pub async fn assert_served(address: SocketAddr) {
    let serving = async {
        let (mut good, _) = Client::connect(address, json!({ "role": "producer" })).await;
        let receipt = good
            .call(
                "publish",
                json!({ "type": "decision.logged", "data": { "what": "still here" } }),
            )
            .await;
        assert_eq!(receipt["accepted"], 1, "{receipt}");
        good.event_where("decision_event", |u| u["decision"] == "still here")
            .await;
        good.close().await;
    };
    timeout(PATIENCE, serving)
        .await
        .expect("a good client is served");
}

/// Waits until so many namespace connections are left.
pub async fn until_connections(address: SocketAddr, count: u64) {
    until(&format!("{count} connections"), async || {
        let (_, stats) = crate::get(address, "/api/v1/ws/stats").await;
        (stats["total_connections"] == count).then_some(())
    })
    .await;
}

/// One request on a connection of its own, whatever it holds; the status, the headers and the body.
pub async fn http(address: SocketAddr, head: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let request = format!(
        "{head}\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sends");
    // A client that is refused by its head may find the connection closed before all is sent.
    stream.write_all(body).await.ok();
    let mut answer = Vec::new();
    let reading = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    reading.expect("an answer in time").ok();
    let at = answer.windows(4).position(|w| w == b"\r\n\r\n");
    let body = answer.split_off(at.expect("a whole head") + 4);
    let head = String::from_utf8(answer).expect("text");
    let status = head.get(9..12).and_then(|s| s.parse().ok());
    (status.expect("a status"), head, body)
}

/// The last line of a body, as JSON.
pub fn body_json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or(Value::Null)
}
