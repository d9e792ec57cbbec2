//! Requests as an attacker writes them, byte for byte, and a good client beside.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use crate::{Client, PATIENCE};

/// The answer of a server.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The code of an error body.
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// A header's value, in lower case.
    pub fn header(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines
            .into_iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    }
}

/// Connects from one of this machine's many addresses: the server sees it as the client's.
pub async fn from(source: &str, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("socket");
    socket
        .bind(SocketAddr::new(source.parse().expect("address"), 0))
        .expect("binds");
    socket.connect(address).await.expect("connects")
}

/// Sends and reads one answer; `None` when the server closed without one.
pub async fn exchange(stream: &mut TcpStream, request: &str) -> Option<Answer> {
    stream.write_all(request.as_bytes()).await.ok();
    answer(stream).await
}

/// Reads one answer.
pub async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> Option<Answer> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        more(stream, &mut bytes).await?;
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut answer = Answer {
        status,
        head,
        body: String::new(),
    };
    let length = answer.header("content-length").and_then(|l| l.parse().ok());
    while bytes.len() < head_end + length.unwrap_or(0) {
        more(stream, &mut bytes).await?;
    }
    answer.body = String::from_utf8_lossy(&bytes[head_end..]).into_owned();
    Some(answer)
}

async fn more(stream: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> Option<()> {
    let read = tokio::time::timeout(PATIENCE, stream.read_buf(bytes)).await;
    (read.expect("an answer in time").ok()? > 0).then_some(())
}

/// One request on a connection of its own.
pub async fn once(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    exchange(&mut stream, request).await.expect("an answer")
}

/// Asks a server that has no room for the connection; the status of its answer, which comes before any request.
pub async fn turned_away(address: SocketAddr) -> u16 {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    answer(&mut stream).await.expect("an answer").status
}

/// A `GET` with more header lines, each ended with a line break.
pub fn get(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
}

/// A `POST` of text.
pub fn post(path: &str, media: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The lines of a WebSocket's handshake.
pub const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/// The path at which a WebSocket begins.
pub const SOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
/// The path at which polling begins.
pub const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// Opens a polling session; its id.
pub async fn open(address: SocketAddr, version: u8) -> String {
    let path = format!("/socket.io/?EIO={version}&transport=polling");
    let opened = once(address, &get(&path, "")).await;
    sid(&opened).unwrap_or_else(|| panic!("no session: {opened:?}"))
}

/// The id of the session that an answer opens.
pub fn sid(opened: &Answer) -> Option<String> {
    let (_, rest) = opened.body.split_once("\"sid\":\"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// Waits until the server has closed; what it still sent is thrown away. How long that took.
pub async fn closed(stream: &mut TcpStream) -> Duration {
    let started = Instant::now();
    let mut rest = [0; 1_024];
    loop {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut rest)).await;
        match read.expect("the server closes") {
            Ok(0) | Err(_) => return started.elapsed(),
            Ok(_) => {}
        }
    }
}

/// A client that behaves, connected before the attack and asking all the while.
#[derive(Debug)]
pub struct Good {
    stop: oneshot::Sender<()>,
    asking: JoinHandle<(u32, Duration)>,
}

impl Good {
    /// Connects it, and has it ask.
    pub async fn beside(address: SocketAddr) -> Self {
        let (mut client, _) = Client::connect(address, json!({})).await;
        let (stop, mut stopped) = oneshot::channel();
        let asking = tokio::spawn(async move {
            let (mut asked, mut worst) = (0, Duration::ZERO);
            // At least once, however soon it is asked for the outcome.
            loop {
                let at = Instant::now();
                client.call("ping", json!({})).await;
                worst = worst.max(at.elapsed());
                asked += 1;
                if !matches!(stopped.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            client.close().await;
            (asked, worst)
        });
        Self { stop, asking }
    }

    /// It was served all the while, never later than a debug build on a busy machine may be: what it is to notice is a
    /// server that has no time for it as long as the attack goes on.
    pub async fn was_served(self) {
        const LATE: Duration = Duration::from_secs(15);
        self.stop.send(()).expect("it is still there");
        let (asked, worst) = self.asking.await.expect("it was served");
        assert!(
            asked > 0 && worst < LATE,
            "{asked} answers, {worst:?} at the worst"
        );
    }
}
