//! The stream that the engine gets instead of the client's socket.
//!
//! Writes never wait: the engine's bytes join the lane's queue, so the engine's writer can't hang on a client that
//! doesn't read, and its heartbeat keeps working. Reads fail once the lane is killed, which tells the engine.

use std::{
    io, iter,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    close_reason::CloseReason,
    counted::Counted,
    gate::marked_by,
    lane::ExpressLane,
    message::{FRAGMENT, Message},
    msgpack::Attached,
    probe::Probed,
    refusal::mended,
    screen::Speech,
    source::{Source, aborted},
    successor::Successor,
    writer::write_out,
};
use crate::net::{
    Socket,
    deflate::Compression,
    frame::{first_frame, text},
};

/// A WebSocket's byte stream as the engine sees it.
#[derive(Debug)]
pub struct Guard {
    /// The client's side; none once the session has gone on without the engine.
    source: Option<Source>,
    /// Bytes for the engine to read.
    ready: BytesMut,
    /// The most bytes in `ready` since it was a new buffer.
    most_ready: usize,
    /// The client's protocol and transport.
    speech: Speech,
    /// Whether the client has the answer to its upgrade's probe already.
    is_probed: bool,
    /// A packet of the engine whose attachments are still to come, for a client with the msgpack parser.
    attached: Attached,
    lane: Arc<ExpressLane>,
    /// Slots that the session holds while it lives.
    counted: Counted,
    /// Goes on with the session when the engine is not needed any more; none where only the engine knows its protocol.
    successor: Option<Box<dyn Successor>>,
}

impl Guard {
    /// Takes over an upgraded connection: starts its writer, and returns the engine's side.
    pub fn new(
        socket: Socket,
        early: Bytes,
        lane: Arc<ExpressLane>,
        speech: Speech,
        counted: Counted,
        compression: Option<Arc<Compression>>,
    ) -> Self {
        Self {
            source: Some(Source::begin(socket, early, &lane, compression)),
            ready: BytesMut::new(),
            most_ready: 0,
            speech,
            is_probed: false,
            attached: Attached::default(),
            lane,
            counted,
            successor: None,
        }
    }

    /// Takes over the stream of a session that polled until now, after its client has confirmed the upgrade. The engine
    /// is given the two packets of the upgrade, and its answer to the first is dropped, since the client has one.
    pub(super) fn upgraded(
        probed: Probed,
        lane: Arc<ExpressLane>,
        speech: Speech,
        counted: Counted,
        successor: Option<Box<dyn Successor>>,
    ) -> Self {
        tokio::spawn(write_out(lane.clone(), probed.write, probed.compression));
        let mut ready = BytesMut::new();
        for packet in ["2probe", "5"] {
            Message::text(packet).write(&mut ready);
        }
        Self {
            source: Some(Source::new(probed.early, probed.read, probed.incoming)),
            ready,
            most_ready: 0,
            speech,
            is_probed: true,
            attached: Attached::default(),
            lane,
            counted,
            successor,
        }
    }

    /// Whether the session has gone on without the engine.
    fn is_over(&self) -> bool {
        self.source.is_none()
    }

    /// Lets the session go on without the engine, if there is nothing of it left in the engine, which has read all that
    /// it was given.
    fn give_up(&mut self) -> bool {
        if self.successor.is_none() || !self.lane.is_done_with_engine() {
            return false;
        }
        let may = self.successor.as_mut().is_some_and(|s| s.take_clients());
        let successor = self.successor.take().filter(|_| may);
        let (Some(successor), Some(_)) = (successor, &self.source) else {
            return false;
        };
        if let Some(source) = self.source.take() {
            successor.go_on(source, std::mem::take(&mut self.counted));
        }
        true
    }

    /// Passes whole messages on, in the form that the engine can read.
    fn hand_on(&mut self) -> Result<(), CloseReason> {
        while let Some(source) = &mut self.source
            && let Some(message) = source.next_message()
        {
            if message.is_connect() {
                source.decided();
            }
            for passed in self.lane.screen(message, self.speech)? {
                self.lane.given_to_engine(&passed);
                passed.write(&mut self.ready);
            }
        }
        Ok(())
    }

    /// Reads from the client until there is something for the engine, or the client sends nothing more.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.ready.is_empty() {
            let Some(source) = &mut self.source else {
                return Poll::Ready(Ok(false));
            };
            if !ready!(source.poll_read(cx, &self.lane))? {
                return Poll::Ready(Ok(false));
            }
            if let Err(kill) = self.hand_on() {
                self.lane.kill(kill);
                return Poll::Ready(Err(aborted(kill)));
            }
        }
        Poll::Ready(Ok(true))
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_over() {
            return Poll::Ready(Ok(()));
        }
        // The waker is registered before the flags are read, so that a change in between is not missed.
        this.lane.reader.register(cx.waker());
        if let Some(kill) = this.lane.killed() {
            return Poll::Ready(Err(aborted(kill)));
        }
        if this.lane.take_pong() {
            Message::text("3").write(&mut this.ready);
        }
        if this.ready.is_empty() {
            if this.give_up() {
                return Poll::Ready(Ok(()));
            }
            if this.lane.reading_paused() {
                return Poll::Pending;
            }
            // Messages may have come with the packet that ended an upgrade's probe.
            if let Err(kill) = this.hand_on() {
                this.lane.kill(kill);
                return Poll::Ready(Err(aborted(kill)));
            }
        }
        if this.ready.is_empty() && !ready!(this.poll_more(cx))? {
            return Poll::Ready(Ok(()));
        }
        let n = this.ready.len().min(buf.remaining());
        this.most_ready = this.most_ready.max(this.ready.len());
        buf.put_slice(&this.ready.split_to(n));
        if this.ready.is_empty() && this.most_ready > FRAGMENT {
            // An empty rest would keep the whole buffer that it is a part of.
            (this.ready, this.most_ready) = (BytesMut::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_over() {
            return Poll::Ready(Ok(buf.len()));
        }
        if let Some(kill) = self.lane.killed() {
            return Poll::Ready(Err(aborted(kill)));
        }
        // The one thing that a write waits for: the engine itself does it next.
        ready!(self.lane.poll_introduced(cx, payloads(buf)));
        let this = &mut *self;
        if pass(
            &this.lane,
            this.speech,
            this.is_probed,
            &mut this.attached,
            buf,
        ) {
            this.counted.pending = None;
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lane.flush();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_over() {
            self.lane.close();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.is_over() {
            self.lane.close();
        }
    }
}

/// The payloads of whole frames.
fn payloads(mut buf: &[u8]) -> impl Iterator<Item = &[u8]> {
    iter::from_fn(move || {
        let (payload_at, end) = first_frame(buf).filter(|&(_, end)| end <= buf.len())?;
        let (frame, rest) = buf.split_at(end);
        buf = rest;
        Some(&frame[payload_at..])
    })
}

/// Passes the engine's bytes on, frame by frame, without its marks and its answer to an upgrade's probe. Returns
/// whether there was a mark, which means that the client is on a namespace. The engine always writes whole frames; if
/// that ever changes, the rest is passed on as it is.
fn pass(
    lane: &Arc<ExpressLane>,
    speech: Speech,
    is_probed: bool,
    attached: &mut Attached,
    mut buf: &[u8],
) -> bool {
    let mut joined = false;
    while let Some((payload_at, end)) = first_frame(buf).filter(|&(_, end)| end <= buf.len()) {
        let (frame, rest) = buf.split_at(end);
        buf = rest;
        let payload = &frame[payload_at..];
        if let Some(namespace) = marked_by(payload) {
            lane.marked(namespace);
            joined = true;
            continue;
        }
        if is_probed && payload == b"3probe" {
            lane.upgraded();
            continue;
        }
        lane.came_from_engine(payload);
        // Clients of Engine.IO 3 are told no id.
        if let Some(renamed) = lane.renamed(payload) {
            lane.engine_bytes(&text(&renamed));
            continue;
        }
        match mended(payload) {
            Some(packet) => lane.engine_bytes(&text(&packet)),
            // A packet is translated with its attachments.
            None if lane.speaks_msgpack() => {
                if let Some(frames) = attached.join(frame, payload) {
                    lane.engine_bytes(&frames);
                }
            }
            None => lane.engine_bytes(frame),
        }
        // Clients of Engine.IO 3 send pings themselves.
        if payload == b"2" && !speech.is_first_protocol {
            lane.pinged();
        }
    }
    if !buf.is_empty() {
        lane.engine_bytes(buf);
    }
    // The engine may not be needed any more.
    if is_probed {
        lane.reader.wake();
    }
    joined
}
