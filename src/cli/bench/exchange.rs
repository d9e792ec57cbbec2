//! Requests of HTTP, one after the other, on a connection that is kept as long as the server keeps it.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;

use super::{http, target::Target, wire::Wire};
use crate::cli::{output, plain::plain};

pub(super) struct Exchange {
    target: Target,
    nth: usize,
    /// Lines for every head.
    headers: String,
    wire: Option<Wire>,
    rest: Vec<u8>,
    /// The time that the last connection took to open.
    pub(super) tcp: Duration,
}

impl Exchange {
    /// For the client of this number; `headers` are whole lines.
    pub(super) fn new(target: &Target, nth: usize, headers: String) -> Self {
        Self {
            target: target.clone(),
            nth,
            headers,
            wire: None,
            rest: Vec::new(),
            tcp: Duration::ZERO,
        }
    }

    /// Sends a request; the status and the body of its answer.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<(u16, Vec<u8>), String> {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{}",
            self.target.host, self.headers
        )
        .into_bytes();
        if method == "POST" {
            request.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => self.connect().await?,
        };
        let said = |error: std::io::Error| output::io_reason(&error);
        wire.write_all(&request).await.map_err(said)?;
        wire.flush().await.map_err(said)?;
        let head = http::head(&mut wire, &mut self.rest).await?;
        let body = http::body(&mut wire, &mut self.rest, &head).await?;
        if !head.closes {
            self.wire = Some(wire);
        }
        Ok((head.status, body))
    }

    /// The same, where only 200 is an answer.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn good(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, String> {
        let (status, body) = self.send(method, path, body).await?;
        if status == 200 {
            return Ok(body);
        }
        let said = plain(&String::from_utf8_lossy(&body), 200);
        Err(format!("the server answered {status} to {method}: {said}"))
    }

    async fn connect(&mut self) -> Result<Wire, String> {
        self.rest.clear();
        let begun = Instant::now();
        let stream = self.target.tcp(self.nth).await?;
        self.tcp = begun.elapsed();
        self.target.encrypt(stream).await
    }
}
