//! A Socket.IO observer that costs next to nothing: one TCP stream, WebSocket frames read where they lie.
//!
//! It knows just enough of the protocols to be a real client (upgrade, open, connect, heartbeat) and looks into no
//! packet it isn't asked to, so that a thousand of them fit beside the server they watch.
use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
};

use bytes::{Buf, BytesMut};
use stoa::net::deflate::inflate;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::raw::DEFLATE;

/// Room for what comes in at once; more is read in several goes.
const READ: usize = 64 * 1024;

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const COMPRESSED: u8 = 0xc1;

/// One connection to the namespace `/`.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    buffer: BytesMut,
    /// Messages that came compressed.
    pub compressed: u64,
    /// Bytes that came.
    pub bytes: u64,
}

/// The way in which a client connects.
#[derive(Debug, Clone, Copy, Default)]
pub struct Connecting {
    /// The size of the receive buffer, if it is to be small.
    pub receive: Option<u32>,
    /// Whether compression is offered, and must be agreed on.
    pub compressed: bool,
    /// The address that it comes from, if not any.
    pub source: Option<IpAddr>,
}

impl Socket {
    /// Connects with an `auth` object, and waits until the server has sent the event `greeting` if one is named.
    pub async fn connect(
        address: SocketAddr,
        auth: &str,
        greeting: Option<&str>,
    ) -> io::Result<Self> {
        Self::connect_as(Connecting::default(), address, auth, greeting).await
    }

    /// The same in this way.
    pub async fn connect_as(
        how: Connecting,
        address: SocketAddr,
        auth: &str,
        greeting: Option<&str>,
    ) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(receive) = how.receive {
            socket.set_recv_buffer_size(receive)?;
        }
        if let Some(source) = how.source {
            socket.bind((source, 0).into())?;
        }
        let stream = socket.connect(address).await?;
        Self::begin(stream, address, auth, greeting, how.compressed).await
    }

    /// The same with a small receive buffer, so that what isn't read stays with the server.
    pub async fn connect_small(address: SocketAddr, auth: &str, receive: u32) -> io::Result<Self> {
        let how = Connecting {
            receive: Some(receive),
            ..Connecting::default()
        };
        Self::connect_as(how, address, auth, None).await
    }

    async fn begin(
        stream: TcpStream,
        address: SocketAddr,
        auth: &str,
        greeting: Option<&str>,
        compressed: bool,
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let mut socket = Self {
            stream,
            buffer: BytesMut::with_capacity(READ),
            compressed: 0,
            bytes: 0,
        };
        socket.upgrade(address, compressed).await?;
        let open = socket.packet().await?;
        expect(&open, "0{")?;
        socket.send(&format!("40{auth}")).await?;
        expect(&socket.packet().await?, "40{")?;
        if let Some(greeting) = greeting {
            let packet = socket.packet().await?;
            expect(&packet, &format!("42[\"{greeting}\""))?;
        }
        Ok(socket)
    }

    async fn upgrade(&mut self, address: SocketAddr, compressed: bool) -> io::Result<()> {
        let offer = if compressed { DEFLATE } else { "" };
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
        );
        self.stream.write_all(request.as_bytes()).await?;
        loop {
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = self.buffer.split_to(end + 4);
                let agreed = head.windows(8).any(|w| w == b"-deflate");
                if compressed != agreed {
                    return Err(io::Error::new(ErrorKind::InvalidData, "compression"));
                }
                return expect(&head, "HTTP/1.1 101");
            }
            self.fill().await?;
        }
    }

    /// The next packet, pings answered; only for the hello, where each is looked at.
    async fn packet(&mut self) -> io::Result<Vec<u8>> {
        loop {
            while let Some((payload_at, end)) = frame(&self.buffer) {
                let whole = self.buffer.split_to(end);
                let packet = match whole[0] {
                    COMPRESSED => self.inflated(&whole[payload_at..])?,
                    _ => whole[payload_at..].to_vec(),
                };
                if packet == b"2" {
                    self.send("3").await?;
                } else {
                    return Ok(packet);
                }
            }
            self.fill().await?;
        }
    }

    /// Waits for packets and hands on every event among them, from its `[` on.
    ///
    /// # Errors
    /// If the connection ends, however it does.
    pub async fn read(&mut self, mut event: impl FnMut(&[u8])) -> io::Result<()> {
        // Some may have come together with the answer to CONNECT.
        while frame(&self.buffer).is_none() {
            self.fill().await?;
        }
        self.hand_on(&mut event).await
    }

    /// Waits for something to read, takes at most `most` bytes of it, and hands on the events that are whole by then.
    /// Returns the number of bytes that it took.
    ///
    /// # Errors
    /// As [`Socket::read`].
    pub async fn read_some(
        &mut self,
        most: usize,
        mut event: impl FnMut(&[u8]),
    ) -> io::Result<usize> {
        self.hand_on(&mut event).await?;
        let mut some = (&mut self.stream).take(most as u64);
        let took = some.read_buf(&mut self.buffer).await?;
        if took == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.hand_on(&mut event).await?;
        Ok(took)
    }

    /// Whether the other end has cut the connection, without reading from it.
    pub fn is_cut(&self) -> bool {
        !matches!(self.stream.take_error(), Ok(None))
    }

    async fn hand_on(&mut self, event: &mut impl FnMut(&[u8])) -> io::Result<()> {
        let (mut pings, mut compressed) = (0, 0);
        let mut done = 0;
        while let Some((payload_at, end)) = frame(&self.buffer[done..]) {
            let whole = &self.buffer[done..done + end];
            done += end;
            let inflated = match whole[0] {
                COMPRESSED => {
                    compressed += 1;
                    Some(inflated(&whole[payload_at..])?)
                }
                _ => None,
            };
            match inflated.as_deref().unwrap_or(&whole[payload_at..]) {
                [b'4', b'2', array @ ..] => event(array),
                b"2" => pings += 1,
                // An answer, which says no more than that what was asked for comes; a refusal is an error.
                [b'4', b'3', answer @ ..] if !is_refusal(answer) => {}
                _ if whole[0] == CLOSE => return Err(ErrorKind::ConnectionAborted.into()),
                other => {
                    let text = String::from_utf8_lossy(other).into_owned();
                    return Err(io::Error::new(ErrorKind::InvalidData, text));
                }
            }
        }
        self.buffer.advance(done);
        self.compressed += compressed;
        for _ in 0..pings {
            self.send("3").await?;
        }
        Ok(())
    }

    fn inflated(&mut self, payload: &[u8]) -> io::Result<Vec<u8>> {
        self.compressed += 1;
        inflated(payload)
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.buffer.reserve(READ / 2);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            read => {
                self.bytes += read as u64;
                Ok(())
            }
        }
    }

    /// Sends a short text frame; clients mask theirs, and a mask of zeros leaves the text as it is.
    /// Sends a packet.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn send(&mut self, text: &str) -> io::Result<()> {
        let mut out = vec![TEXT];
        match u8::try_from(text.len()) {
            Ok(short) if short < 126 => out.push(0x80 | short),
            _ => {
                let long = u16::try_from(text.len()).map_err(|_| ErrorKind::InvalidInput)?;
                out.push(0x80 | 126);
                out.extend_from_slice(&long.to_be_bytes());
            }
        }
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(text.as_bytes());
        self.stream.write_all(&out).await
    }
}

fn inflated(payload: &[u8]) -> io::Result<Vec<u8>> {
    let inflated = inflate(payload, usize::MAX);
    inflated.map_err(|_| io::Error::new(ErrorKind::InvalidData, "a deflated message"))
}

fn is_refusal(answer: &[u8]) -> bool {
    const ERROR: &[u8] = b"\"status\":\"error\"";
    answer.windows(ERROR.len()).any(|w| w == ERROR)
}

/// The places at which the first frame's payload begins and the frame ends; `None` until it is whole.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (payload_at, len) = match *bytes.get(1)? & 0x7f {
        126 => (
            4,
            u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into(),
        ),
        127 => {
            let len = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            (10, usize::try_from(len).ok()?)
        }
        short => (2, usize::from(short)),
    };
    let end = payload_at + len;
    (end <= bytes.len()).then_some((payload_at, end))
}

fn expect(packet: &[u8], start: &str) -> io::Result<()> {
    if packet.starts_with(start.as_bytes()) {
        return Ok(());
    }
    let got = String::from_utf8_lossy(&packet[..packet.len().min(200)]).into_owned();
    Err(io::Error::new(
        ErrorKind::InvalidData,
        format!("waited for {start}, got {got}"),
    ))
}
