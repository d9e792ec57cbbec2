//! A producer's WebSocket by hand: packets are encoded beforehand, written many at a time, and answers are only counted.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
};

const TEXT: u8 = 0x81;
/// Room for the answers that come in at once.
const READ: usize = 256 * 1_024;

/// Packets in one piece of memory, each a frame.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    /// The end of each.
    ends: Vec<usize>,
}

impl Frames {
    /// Adds a text frame. Clients mask theirs, and a mask of zeros leaves the text as it is.
    pub(crate) fn push(&mut self, text: &str) {
        self.bytes.push(TEXT);
        match text.len() {
            short @ 0..126 => self.bytes.push(0x80 | short as u8),
            long @ 126..65_536 => {
                self.bytes.push(0x80 | 126);
                self.bytes.extend_from_slice(&(long as u16).to_be_bytes());
            }
            longer => {
                self.bytes.push(0x80 | 127);
                self.bytes.extend_from_slice(&(longer as u64).to_be_bytes());
            }
        }
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of these packets.
    pub(crate) fn part(&self, from: usize, to: usize) -> &[u8] {
        let begin = from.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[begin..self.ends[to - 1]]
    }
}

/// A connected producer.
#[derive(Debug)]
pub(crate) struct Producer {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The first byte in the buffer that was not looked at, and the end of those that came.
    at: (usize, usize),
}

impl Producer {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        write!(
            stream,
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        if !head.starts_with(b"HTTP/1.1 101") {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                String::from_utf8_lossy(&head),
            ));
        }
        let mut producer = Self {
            stream,
            buffer: vec![0; READ],
            at: (0, 0),
        };
        let mut hello = Frames::default();
        // Only what it is told about its own events comes back.
        hello.push(r#"40{"role":"producer","filters":{"types":["none"]}}"#);
        producer.write(&hello.bytes)?;
        let mut greeted = false;
        while !greeted {
            producer
                .read(|packet| greeted |= packet.starts_with(b"42[\"connection_established"))?;
        }
        Ok(producer)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Waits for packets, and hands on each that is whole by then; pings are answered.
    pub(crate) fn read(&mut self, mut packet: impl FnMut(&[u8])) -> io::Result<()> {
        if self.at.1 == self.buffer.len() {
            self.buffer.copy_within(self.at.0.., 0);
            self.at = (0, self.at.1 - self.at.0);
        }
        match self.stream.read(&mut self.buffer[self.at.1..])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => self.at.1 += read,
        }
        let mut pings = 0;
        while let Some((payload_at, end)) =
            stoa::net::frame::first_frame(&self.buffer[self.at.0..self.at.1])
            && self.at.0 + end <= self.at.1
        {
            let payload = &self.buffer[self.at.0 + payload_at..self.at.0 + end];
            match payload {
                b"2" => pings += 1,
                payload => packet(payload),
            }
            self.at.0 += end;
        }
        if self.at.0 == self.at.1 {
            self.at = (0, 0);
        }
        for _ in 0..pings {
            self.write(&[TEXT, 0x81, 0, 0, 0, 0, b'3'])?;
        }
        Ok(())
    }
}
