//! The parts of reading that all connections share.

use std::{sync::Mutex, time::Duration};

use crate::cli::plain::plain;

/// The reason for every way in which a server ends a connection.
pub(super) const CLOSED: &str = "the server closed the connection";

/// The buffer of each thread, as long as nobody sends a larger frame.
pub(super) const BUFFER_BYTES: usize = 256 * 1024;

/// The state that all clients of a thread share.
#[derive(Debug)]
pub(super) struct Shared<T> {
    pub(super) buffer: Vec<u8>,
    pub(super) tally: T,
}

impl<T> Shared<T> {
    pub(super) fn new(tally: T) -> Mutex<Self> {
        Mutex::new(Self {
            buffer: vec![0; BUFFER_BYTES],
            tally,
        })
    }
}

/// Takes what one client reads.
pub(super) trait Receive<T> {
    /// Something was read; its packets follow.
    fn begin(&mut self) {}
    /// A packet of Socket.IO.
    fn packet(&mut self, tally: &mut T, packet: &[u8]);
    /// All packets that were read were taken.
    fn end(&mut self) {}
}

/// The times of opening a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) tcp: Duration,
    /// TLS, the WebSocket's upgrade, and Engine.IO's opening.
    pub(super) handshake: Duration,
    /// Socket.IO's connect.
    pub(super) connect: Duration,
}

/// A refusal in the words of the server.
pub(super) fn refusal(reason: &[u8]) -> String {
    let text = String::from_utf8_lossy(reason);
    let parsed: Option<serde_json::Value> = text
        .find('{')
        .and_then(|at| serde_json::from_str(&text[at..]).ok());
    let message = parsed.as_ref().and_then(|body| body["message"].as_str());
    format!(
        "the server refuses the client: {}",
        plain(message.unwrap_or(&text), 300)
    )
}
