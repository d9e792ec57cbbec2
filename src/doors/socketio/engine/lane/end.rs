//! The end of a connection: the engine closes its stream, or the lane is killed; and the bytes that are still written
//! then.

use std::{
    future::poll_fn,
    sync::atomic::Ordering,
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    super::{close_reason::CloseReason, frame::Frame, gate::Gate},
    express::{ExpressLane, State, Way},
};
use crate::{
    channel::Namespace,
    delivery::{Tag, WireMessage},
    error::Error,
};

/// The interval at which it is checked whether the client has everything.
const DRAIN_CHECK_INTERVAL: Duration = Duration::from_millis(5);

impl ExpressLane {
    /// Notes that the engine is done with its stream.
    pub(in crate::doors::socketio) fn close(&self) {
        self.lock().closing = true;
        self.writer.notify_one();
    }

    pub(in crate::doors::socketio::engine) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Ends the connection now. Waiting messages are dropped; the engine notices by its stream.
    pub fn kill(&self, why: CloseReason) {
        self.kill_locked(&mut self.lock(), why);
    }

    /// The reason why the lane was killed, if it was.
    pub fn killed(&self) -> Option<CloseReason> {
        CloseReason::from_repr(self.killed.load(Ordering::Acquire))
    }

    /// Waits until the lane is killed; for the one task that reads from the client.
    pub(in crate::doors::socketio) async fn over(&self) {
        poll_fn(|cx| {
            self.reader.register(cx.waker());
            match self.killed() {
                Some(_) => Poll::Ready(()),
                None => Poll::Pending,
            }
        })
        .await;
    }

    pub(super) fn kill_locked(&self, state: &mut State, why: CloseReason) {
        if self
            .killed
            .compare_exchange(0, why as u8, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            return;
        }
        self.metrics.killed(why.reason());
        state.queue.clear();
        if let Some(words) = why.words() {
            state.say_last(&words);
        }
        if let Some(word) = why.last_word() {
            state
                .queue
                .push(WireMessage::aside(Bytes::from_static(word)));
        }
        for (_, gate) in state.gates.iter_mut() {
            if let (Gate::Open { engine, .. }, Way::Engine) = (&*gate, &state.way) {
                engine.close();
            }
            *gate = Gate::Shut;
        }
        state.closing = true;
        self.writer.notify_one();
        self.reader.wake();
        // The client may never be introduced now.
        if let Some(waker) = state.holds_answer.take() {
            waker.wake();
        }
    }

    /// Waits until the client has surely received everything that it was sent on a namespace, for at most so long. It is asked by
    /// a ping, so its session must be none of the engine's.
    pub(in crate::doors::socketio) async fn received(&self, namespace: Namespace, most: Duration) {
        let until = Instant::now() + most;
        while !self.has_all(namespace) && self.killed().is_none() && Instant::now() < until {
            // The answer to an earlier ping says nothing of what was written after it.
            if !self.is_pinged() {
                self.engine_bytes(super::sending::HEARTBEATS[0]);
                self.pinged();
            }
            tokio::time::sleep(DRAIN_CHECK_INTERVAL).await;
        }
    }

    /// Waits until the client has everything that is queued, for at most so long.
    pub async fn drained(&self, most: Duration) {
        let until = Instant::now() + most;
        while self.owes() && self.killed().is_none() && Instant::now() < until {
            tokio::time::sleep(DRAIN_CHECK_INTERVAL).await;
        }
    }

    fn owes(&self) -> bool {
        let state = self.lock();
        state.bytes > 0 || state.exempt > 0 || state.in_engine > 0
    }
}

impl State {
    /// Says why the connection ends: as an event on a namespace that the client is on, else as a CONNECT_ERROR.
    fn say_last(&mut self, words: &Error) {
        let frame = match self.first_on() {
            Some(namespace) => {
                let body = serde_json::Value::Object(words.to_event(None)).to_string();
                Frame::event(namespace, "error", &body, Tag::Aside)
            }
            None => Frame::connect_error(
                Namespace::Root,
                &serde_json::json!({ "message": words.to_string() }).to_string(),
            ),
        };
        if matches!(self.way, Way::Express) {
            self.queue.push(frame.message().clone());
        }
    }
}
