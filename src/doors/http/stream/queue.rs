//! The queue of one stream: messages that wait for the response's body, counted in bytes. The connection notices a
//! client that takes nothing: it sees each byte that is taken, and the body only whole messages.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;

use crate::{
    channel::Namespace,
    delivery::{Outbox, Outgoing, Reclaimed, Shape, WireMessage},
    hub::Outlet,
};

/// The queue that the hub fills and the response's body empties.
#[derive(Debug)]
pub(crate) struct StreamQueue {
    /// Never held across an await.
    state: Mutex<State>,
    body: AtomicWaker,
    /// The most bytes that may wait; beyond it the stream is parked.
    max_bytes: usize,
}

#[derive(Debug)]
struct State {
    queue: Outbox,
    /// Bytes that wait.
    bytes: usize,
    /// Whether the hub has let go of the stream, so that nothing is added to the queue.
    ended: bool,
}

impl StreamQueue {
    pub(crate) fn new(max_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                queue: Outbox::default(),
                bytes: 0,
                ended: false,
            }),
            body: AtomicWaker::new(),
            max_bytes,
        })
    }

    /// The next message; `None` at the end.
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        self.body.register(cx.waker());
        let mut state = self.lock();
        let piece = state.queue.pop().map(|piece| piece.message.bytes.clone());
        match piece {
            Some(piece) => {
                state.bytes -= piece.len();
                Poll::Ready(Some(piece))
            }
            None if state.ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// Ends the stream with this message: earlier ones that still wait are dropped, and nothing follows.
    pub(super) fn end_with(&self, last: &Outgoing) {
        let piece = server_sent(last).bytes.clone();
        let mut state = self.lock();
        if !state.ended {
            state.ended = true;
            state.bytes = piece.len();
            state.queue.clear();
            state.queue.push_first(piece);
        }
        drop(state);
        self.body.wake();
    }

    /// Whether a message with this text waits.
    #[cfg(test)]
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.lock().queue.holds(text)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An update as a server-sent event. JSON has no line breaks of its own, so one `data` line holds it.
fn server_sent(update: &Outgoing) -> &Arc<WireMessage> {
    update.shape(Shape::ServerSent, || {
        let id = update.cursor();
        let id = id.map_or(String::new(), |cursor| format!("id: {cursor}\n"));
        format!("event: {}\n{id}data: {}\n\n", update.name, update.json).into()
    })
}

/// The hub's end of a queue; the stream ends when it is dropped.
#[derive(Debug)]
pub(crate) struct StreamOutlet(pub(crate) Arc<StreamQueue>);

impl Outlet for StreamOutlet {
    fn send(&self, update: &Outgoing) -> bool {
        let message = server_sent(update).clone();
        let mut state = self.0.lock();
        if state.ended {
            return true;
        }
        state.bytes += message.bytes.len();
        state.queue.push(message);
        state.bytes <= self.0.max_bytes
    }

    fn send_exempt(&self, update: &Outgoing) {
        self.send(update);
    }

    fn flush(&self) {
        self.0.body.wake();
    }

    fn has_room(&self) -> bool {
        self.0.lock().bytes <= self.0.max_bytes / 2
    }

    fn waiting(&self) -> usize {
        self.0.lock().bytes
    }

    fn reclaim(&self, keeps: &dyn Fn(&str) -> bool) -> Option<Reclaimed> {
        let mut state = self.0.lock();
        let taken = state.queue.reclaim(Namespace::Root, keeps)?;
        state.bytes -= taken.bytes;
        Some(taken)
    }

    fn settle(&self) {
        self.0.lock().queue.settle(Namespace::Root);
    }
}

impl Drop for StreamOutlet {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.body.wake();
    }
}
