//! The answers to connections that are turned away.

use std::io::{self, Read, Write};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use tokio::net::TcpStream;

use super::quota::QuotaExceeded;
use crate::error::Error;

impl QuotaExceeded {
    /// The counter's label: the key of the limit that is exhausted.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Total => "max_connections",
            Self::Address => "max_connections_per_address",
            Self::Rate => "connections_per_second_per_address",
        }
    }

    /// The refusal that the client gets.
    pub(super) fn refusal(self) -> Error {
        match self {
            Self::Total => Error::new(
                "overloaded",
                "the server has as many connections as it may; try again later",
            ),
            Self::Address => Error::new(
                "rate_limited",
                "your address has as many connections as it may; close one first",
            ),
            Self::Rate => Error::new(
                "rate_limited",
                "your address connects too often; wait a second",
            ),
        }
    }
}

impl IntoResponse for QuotaExceeded {
    fn into_response(self) -> Response {
        let mut response = self.refusal().into_response();
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
        response
    }
}

/// Tells a client why it is turned away, if that can be done without waiting, and closes.
pub(super) fn turn_away(stream: &TcpStream, exceeded: QuotaExceeded) -> io::Result<()> {
    let refusal = exceeded.refusal();
    let status = refusal.status();
    let body = serde_json::json!({ "error": refusal }).to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // Written past tokio, which doesn't know yet whether so new a socket is writable.
    let mut socket = &*socket2::SockRef::from(stream);
    socket.write_all(answer.as_bytes())?;
    socket.shutdown(std::net::Shutdown::Write)?;
    // An unread request would turn the close into a reset, which overtakes the answer.
    socket.read(&mut [0; 4_096]).map(drop)
}
