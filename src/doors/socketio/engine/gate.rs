//! One namespace's gate onto the lane: shut, held until the engine's earlier packets are out, or open.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, LazyLock},
};

use super::frame::Frame;
use crate::{channel::Namespace, delivery::Tag};

/// The engine's side of a session, as a lane needs it.
pub trait Engine: fmt::Debug + Send + Sync + 'static {
    /// Sends a packet through the engine. `false` when its queue is full or the session is gone.
    fn send(&self, frame: &Frame) -> bool;
    /// Ends the session. Only polling needs this: a WebSocket ends when the lane is killed.
    fn close(&self);
}

/// The engine of sessions that have none: their gates are opened at once, so nothing is ever sent through it.
#[derive(Debug)]
pub struct NoEngine;

impl NoEngine {
    /// The one that all sessions share.
    pub fn shared() -> Arc<dyn Engine> {
        static SHARED: LazyLock<Arc<NoEngine>> = LazyLock::new(|| Arc::new(NoEngine));
        SHARED.clone()
    }
}

impl Engine for NoEngine {
    fn send(&self, _: &Frame) -> bool {
        true
    }

    fn close(&self) {}
}

/// The event that marks a namespace's place in the engine's queue. No client event can have this name: it begins with NUL.
const MARK: &str = "\u{0}lane";

#[derive(Debug)]
pub(super) enum Gate {
    /// The namespace is not connected.
    Shut,
    /// The namespace is connected, but its mark has not come out of the engine's queue (or, while that is full, not
    /// gone in).
    Held {
        engine: Arc<dyn Engine>,
        frames: VecDeque<Frame>,
        marked: bool,
    },
    /// Frames go out. Those that find no room in the engine's queue wait in `overflow`.
    Open {
        engine: Arc<dyn Engine>,
        overflow: VecDeque<Frame>,
    },
}

impl Gate {
    /// Packets that wait for room in the engine's queue.
    pub(super) fn waiting(&self) -> usize {
        match self {
            Self::Open { overflow, .. } => overflow.len(),
            Self::Shut | Self::Held { .. } => 0,
        }
    }

    /// Whether any packet waits for room in the engine's queue.
    pub(super) fn waits_for_engine(&self) -> bool {
        match self {
            Self::Shut => false,
            Self::Held { marked, .. } => !marked,
            Self::Open { overflow, .. } => !overflow.is_empty(),
        }
    }
}

/// Holds a namespace's frames until its mark is out.
pub(super) fn hold(engine: Arc<dyn Engine>, frames: VecDeque<Frame>, namespace: Namespace) -> Gate {
    let marked = engine.send(&mark(namespace));
    Gate::Held {
        engine,
        frames,
        marked,
    }
}

/// The mark of a namespace.
pub(super) fn mark(namespace: Namespace) -> Frame {
    Frame::event(namespace, MARK, "0", Tag::Aside)
}
