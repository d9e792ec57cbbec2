//! A connection by WebSocket, whose frames are read by hand.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Instant,
};

use data_encoding::BASE64;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::timeout,
};

use super::{
    frames, http,
    packet::namespace_prefix,
    reading::{BUFFER_BYTES, CLOSED, Receive, Shared, Times, refusal},
    target::{OPENING, Target},
    wire::Wire,
};
use crate::cli::{output, plain::plain};

#[derive(Debug)]
pub(super) struct Socket {
    wire: Wire,
    /// The begin of a frame whose rest has not come.
    rest: Vec<u8>,
    /// Whether whole frames may be in there, which came while the connection opened.
    has_early: bool,
    /// The fragments of a message that has not ended.
    message: Option<Vec<u8>>,
    /// Frames to be written.
    out: Vec<u8>,
    /// The bytes of them that are written.
    written: usize,
}

impl Socket {
    /// Opens a connection to the server's namespace, as the client of this number.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn open(
        target: &Target,
        nth: usize,
        auth: &str,
    ) -> Result<(Self, Times), String> {
        let begun = Instant::now();
        let stream = target.tcp(nth).await?;
        let tcp = begun.elapsed();
        let mut wire = target.encrypt(stream).await?;
        let rest = timeout(OPENING, upgrade(&mut wire, target))
            .await
            .map_err(|_| format!("{} did not answer in time", target.shown()))??;
        let mut client = Self {
            wire,
            rest,
            has_early: true,
            message: None,
            out: Vec::new(),
            written: 0,
        };
        let mut opening = Opening::default();
        let namespace = namespace_prefix(&target.namespace);
        let in_time = timeout(OPENING, async {
            while !opening.is_open {
                client.step(&mut opening).await?;
            }
            let handshake = begun.elapsed() - tcp;
            client.queue(format!("0{namespace}{auth}").as_bytes());
            while !opening.is_connected {
                client.step(&mut opening).await?;
                if let Some(reason) = opening.refused.take() {
                    return Err(reason);
                }
            }
            Ok(handshake)
        });
        let handshake = in_time
            .await
            .map_err(|_| format!("{} did not answer in time", target.shown()))??;
        let connect = begun.elapsed() - tcp - handshake;
        let times = Times {
            tcp,
            handshake,
            connect,
        };
        Ok((client, times))
    }

    /// Appends a packet of Socket.IO to what is written with the next [`turn`](Self::turn).
    pub(super) fn queue(&mut self, packet: &[u8]) {
        let mut whole = Vec::with_capacity(packet.len() + 1);
        whole.push(b'4');
        whole.extend_from_slice(packet);
        frames::write(&mut self.out, frames::TEXT, &whole);
    }

    /// The bytes that wait to be written.
    pub(super) fn unwritten(&self) -> usize {
        self.out.len() - self.written
    }

    /// Whether something waits to be written.
    pub(super) fn has_unwritten(&self) -> bool {
        !self.out.is_empty()
    }

    /// Writes and reads, until something was read or all is written. It may be broken off at any time.
    ///
    /// # Errors
    /// In words: the connection is over.
    pub(super) async fn turn<T>(
        &mut self,
        shared: &Mutex<Shared<T>>,
        receive: &mut impl Receive<T>,
    ) -> Result<(), String> {
        std::future::poll_fn(|cx| {
            if self.has_unwritten()
                && let Poll::Ready(done) = self.poll_write(cx)
            {
                return Poll::Ready(done);
            }
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let Shared { buffer, tally } = &mut *shared;
            self.poll_read(cx, buffer, |packet: Option<&[u8]>| match packet {
                None => receive.begin(),
                Some(packet) => receive.packet(tally, packet),
            })
            .map_ok(|()| receive.end())
        })
        .await
    }

    /// Reads a little while the connection opens, so that nothing is taken that belongs to the reader.
    async fn step(&mut self, opening: &mut Opening) -> Result<(), String> {
        while self.has_unwritten() {
            std::future::poll_fn(|cx| self.poll_write(cx)).await?;
        }
        while let Some(frame) = frames::first(&self.rest)? {
            let length = frame.length;
            opening.take(frame.kind, frame.payload)?;
            if frame.payload.starts_with(b"2") {
                frames::write(&mut self.out, frames::TEXT, b"3");
            }
            self.rest.drain(..length);
            if opening.is_open {
                return Ok(());
            }
        }
        http::more(&mut self.wire, &mut self.rest).await
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        while self.written < self.out.len() {
            let rest = &self.out[self.written..];
            let wrote = ready!(Pin::new(&mut self.wire).poll_write(cx, rest)).map_err(lost)?;
            if wrote == 0 {
                return Poll::Ready(Err(CLOSED.into()));
            }
            self.written += wrote;
        }
        self.out.clear();
        self.written = 0;
        Pin::new(&mut self.wire).poll_flush(cx).map_err(lost)
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
        mut take: impl FnMut(Option<&[u8]>),
    ) -> Poll<Result<(), String>> {
        let before = self.rest.len();
        if before + BUFFER_BYTES / 2 > buffer.len() {
            buffer.resize(before + BUFFER_BYTES, 0);
        }
        let mut read = 0;
        if !std::mem::take(&mut self.has_early) {
            let mut space = ReadBuf::new(&mut buffer[before..]);
            ready!(Pin::new(&mut self.wire).poll_read(cx, &mut space)).map_err(lost)?;
            read = space.filled().len();
            if read == 0 {
                return Poll::Ready(Err(CLOSED.into()));
            }
        }
        buffer[..before].copy_from_slice(&self.rest);
        take(None);
        let mut bytes = &buffer[..before + read];
        while let Some(frame) = frames::first(bytes)? {
            if frame.kind == frames::TEXT && frame.ends {
                message(frame.payload, &mut self.out, &mut take)?;
            } else {
                self.odd(&frame, &mut take)?;
            }
            bytes = &bytes[frame.length..];
        }
        self.rest.clear();
        self.rest.extend_from_slice(bytes);
        Poll::Ready(Ok(()))
    }

    /// Takes a frame that is no whole message of text.
    #[cold]
    fn odd(
        &mut self,
        frame: &frames::Frame<'_>,
        take: &mut impl FnMut(Option<&[u8]>),
    ) -> Result<(), String> {
        match frame.kind {
            frames::TEXT => self.message = Some(frame.payload.to_vec()),
            frames::CONTINUATION => {
                if let Some(parts) = &mut self.message {
                    parts.extend_from_slice(frame.payload);
                    if frame.ends {
                        let whole = self.message.take().unwrap_or_default();
                        message(&whole, &mut self.out, take)?;
                    }
                }
            }
            frames::PING => frames::write(&mut self.out, frames::PONG, frame.payload),
            frames::CLOSE => return Err(closed(frame.payload)),
            // Attachments: their event is text, and is counted.
            _ => {}
        }
        Ok(())
    }
}

/// Takes a packet of Engine.IO.
fn message(
    text: &[u8],
    out: &mut Vec<u8>,
    take: &mut impl FnMut(Option<&[u8]>),
) -> Result<(), String> {
    match text.split_first() {
        Some((b'4', packet)) => take(Some(packet)),
        Some((b'2', what)) => {
            let pong = [b"3", what].concat();
            frames::write(out, frames::TEXT, &pong);
        }
        Some((b'1', _)) => return Err(CLOSED.into()),
        _ => {}
    }
    Ok(())
}

/// The end that a close frame names.
fn closed(payload: &[u8]) -> String {
    match payload.split_first_chunk::<2>() {
        Some((code, reason)) => format!(
            "{CLOSED}: {} {}",
            u16::from_be_bytes(*code),
            plain(&String::from_utf8_lossy(reason), 100)
        ),
        None => CLOSED.into(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn lost(error: std::io::Error) -> String {
    output::io_reason(&error)
}

/// The state of a connection that opens.
#[derive(Debug, Default)]
struct Opening {
    is_open: bool,
    is_connected: bool,
    refused: Option<String>,
}

impl Opening {
    fn take(&mut self, kind: u8, payload: &[u8]) -> Result<(), String> {
        match (kind, payload) {
            (frames::CLOSE, reason) => return Err(closed(reason)),
            (frames::TEXT, [b'0', ..]) => self.is_open = true,
            (frames::TEXT, [b'4', b'0', ..]) => self.is_connected = true,
            (frames::TEXT, [b'4', b'4', reason @ ..]) => {
                self.refused = Some(refusal(reason));
            }
            (frames::TEXT, [b'1', ..] | [b'4', b'1', ..]) => return Err(CLOSED.into()),
            _ => {}
        }
        Ok(())
    }
}

/// Makes a WebSocket of a connection; what comes after the answer is given back.
async fn upgrade(wire: &mut Wire, target: &Target) -> Result<Vec<u8>, String> {
    let request = format!(
        "GET {}?EIO=4&transport=websocket HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\nUser-Agent: stoa-bench/{}\r\n\r\n",
        target.path,
        target.host,
        BASE64.encode(uuid::Uuid::new_v4().as_bytes()),
        env!("CARGO_PKG_VERSION"),
    );
    wire.write_all(request.as_bytes()).await.map_err(lost)?;
    wire.flush().await.map_err(lost)?;
    let mut rest = Vec::new();
    let head = http::head(wire, &mut rest).await?;
    if head.status != 101 {
        return Err(format!(
            "{}{} answered {} instead of opening a WebSocket; is Socket.IO at that path (--path)?",
            target.shown(),
            target.path,
            head.status
        ));
    }
    Ok(rest)
}
