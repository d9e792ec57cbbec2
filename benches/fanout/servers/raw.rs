//! The bound: a server that knows just enough to send the same bytes to the same clients, on one thread.
//!
//! It makes a frame once and hands the bytes to each socket with one system call: of each frame by itself ([`Writes::Each`]),
//! or of all that waits for the socket ([`Writes::Coalesced`]). It has no rooms, queues, tasks or JSON.

use std::{
    io::{self, ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};
use serde_json::value::RawValue;
use slab::Slab;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{
    Started,
    frames::{self, Frame, Packet},
    log::Log,
};

const PING_EVERY: Duration = Duration::from_secs(25);
const READ: usize = 256 * 1024;
/// Bytes by which a client may be behind the others.
const BEHIND: u64 = 256 * 1024 * 1024;
const LISTENER: Token = Token(usize::MAX);

/// The most that one system call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    /// One frame.
    Each,
    /// All that waits for the socket.
    Coalesced,
}

struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    upgraded: bool,
    /// Its place in the log, since it is connected to the namespace.
    at: Option<u64>,
}

struct Server {
    writes: Writes,
    log: Log,
    clients: Slab<Client>,
    poll: Poll,
    buffer: Vec<u8>,
}

pub(crate) fn serve(writes: Writes, started: Started) {
    let mut listener = TcpListener::bind(started.address()).expect("it listens");
    let poll = Poll::new().expect("a poll");
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)
        .expect("it is registered");
    started.ready(listener.local_addr().expect("an address"));
    let mut server = Server {
        writes,
        log: Log::default(),
        clients: Slab::new(),
        poll,
        buffer: vec![0; READ],
    };
    server.run(&listener).expect("it goes on");
}

impl Server {
    fn run(&mut self, listener: &TcpListener) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut pinged = Instant::now();
        loop {
            let wait = PING_EVERY.saturating_sub(pinged.elapsed());
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            if pinged.elapsed() >= PING_EVERY {
                pinged = Instant::now();
                self.log.append(|out| frames::text(out, &[b"2"]));
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(listener)?,
                    Token(key) => {
                        let read = !event.is_readable() || self.read(key);
                        if !(read && self.write(key)) {
                            self.clients.try_remove(key);
                        }
                    }
                }
            }
            self.flush();
        }
    }

    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let entry = self.clients.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            let token = Token(entry.key());
            self.poll
                .registry()
                .register(&mut stream, token, interest)?;
            entry.insert(Client {
                stream,
                input: Vec::new(),
                upgraded: false,
                at: None,
            });
        }
    }

    /// Takes what a client sent; `false` when it is gone.
    fn read(&mut self, key: usize) -> bool {
        loop {
            let Some(client) = self.clients.get_mut(key) else {
                return true;
            };
            match client.stream.read(&mut self.buffer) {
                Ok(0) => return false,
                Ok(read) => client.input.extend_from_slice(&self.buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
            let before = self.log.end();
            if client.take(&mut self.log).is_err() {
                return false;
            }
            if self.writes == Writes::Each && self.log.end() > before {
                self.flush();
            }
        }
    }

    /// Gives everybody what they have not, and forgets what all of them have.
    fn flush(&mut self) {
        let mut everybody = self.log.end();
        let mut gone = Vec::new();
        for (key, client) in &mut self.clients {
            match client.give(&self.log, self.writes) {
                Ok(at) => everybody = everybody.min(at),
                Err(_) => gone.push(key),
            }
        }
        for key in gone {
            self.clients.remove(key);
        }
        self.log.forget(everybody);
    }

    fn write(&mut self, key: usize) -> bool {
        match self.clients.get_mut(key) {
            Some(client) => client.give(&self.log, self.writes).is_ok(),
            None => true,
        }
    }
}

impl Client {
    /// Handles the requests or frames that are whole.
    fn take(&mut self, log: &mut Log) -> io::Result<()> {
        let mut input = std::mem::take(&mut self.input);
        let mut done = 0;
        loop {
            let rest = &mut input[done..];
            let taken = match self.upgraded {
                true => self.frame(rest, log)?,
                false => self.request(rest, log)?,
            };
            if taken == 0 {
                break;
            }
            done += taken;
        }
        input.drain(..done);
        // An idle client keeps no buffer.
        if !input.is_empty() {
            self.input = input;
        }
        Ok(())
    }

    fn frame(&mut self, input: &mut [u8], log: &mut Log) -> io::Result<usize> {
        let Some(frame) = Frame::first(input) else {
            return Ok(0);
        };
        if frame.closes {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        match Packet::read(frame.payload(input)) {
            Packet::Connect => {
                self.answer(&[br#"40{"sid":"raw"}"#])?;
                self.at = Some(log.end());
            }
            Packet::Publish { data, number } => {
                log.append(|out| frames::text(out, &[b"42[\"update\",", data, b"]"]));
                if !number.is_empty() {
                    self.answer(&[b"43", number, b"[]"])?;
                }
            }
            Packet::Other => {}
        }
        Ok(frame.length())
    }

    /// An upgrade, or a list of updates.
    fn request(&mut self, input: &[u8], log: &mut Log) -> io::Result<usize> {
        let Some(end) = memchr::memmem::find(input, b"\r\n\r\n").map(|at| at + 4) else {
            return Ok(0);
        };
        let head = String::from_utf8_lossy(&input[..end]).into_owned();
        if let Some(key) = header(&head, "sec-websocket-key") {
            let accept = derive_accept_key(key.as_bytes());
            let mut answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
            ).into_bytes();
            let open: &[u8] = br#"0{"sid":"raw","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
            frames::text(&mut answer, &[open]);
            self.stream.write_all(&answer)?;
            self.upgraded = true;
            return Ok(end);
        }
        let length = header(&head, "content-length").and_then(|length| length.parse().ok());
        let body_end = end + length.unwrap_or(0);
        let Some(body) = input.get(end..body_end) else {
            return Ok(0);
        };
        let updates: Vec<&RawValue> = serde_json::from_slice(body)?;
        for update in updates {
            let update = update.get().as_bytes();
            log.append(|out| frames::text(out, &[b"42[\"task_update\",", update, b"]"]));
        }
        self.stream
            .write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}")?;
        Ok(body_end)
    }

    /// Sends a short packet to this client alone.
    fn answer(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let mut out = Vec::new();
        frames::text(&mut out, parts);
        self.stream.write_all(&out)
    }

    /// Writes what the socket takes, and says where the client is then.
    fn give(&mut self, log: &Log, writes: Writes) -> io::Result<u64> {
        let Some(at) = &mut self.at else {
            return Ok(log.end());
        };
        while *at < log.end() {
            let bytes = match writes {
                Writes::Each => log.frame(*at),
                Writes::Coalesced => log.rest(*at),
            };
            match self.stream.write(bytes) {
                Ok(written) => *at += written as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if log.end() - *at > BEHIND {
            return Err(ErrorKind::OutOfMemory.into());
        }
        Ok(*at)
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}
