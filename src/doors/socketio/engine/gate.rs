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
/// The body of a mark's packet.
const MARK_BODY: &[u8] = br#"["\u0000lane",0]"#;

#[derive(Debug, Default)]
pub(super) enum Gate {
    /// The namespace is not connected.
    #[default]
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

/// The namespace whose mark a packet is.
pub(super) fn marked_by(packet: &[u8]) -> Option<Namespace> {
    let place = packet.strip_prefix(b"42")?.strip_suffix(MARK_BODY)?;
    match place.strip_suffix(b",") {
        Some(path) => Namespace::at(std::str::from_utf8(path).ok()?),
        None => place.is_empty().then_some(Namespace::Root),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::frame::first_frame;

    #[test]
    fn a_mark_is_known_by_its_packet_and_nothing_else_is() {
        let chat = Namespace::declare("/gate.marks").expect("a path");
        for namespace in Namespace::OWN.into_iter().chain([chat]) {
            let frame = mark(namespace);
            let (at, _) = first_frame(frame.bytes()).expect("a frame");
            assert_eq!(marked_by(&frame.bytes()[at..]), Some(namespace));
        }
        for other in [
            "42[\"lane\",0]",
            "43[\"\\u0000lane\",0]",
            "42[1,[\"\\u0000lane\",0]]",
            "42/gate.marks[\"\\u0000lane\",0]",
        ] {
            assert_eq!(marked_by(other.as_bytes()), None, "{other}");
        }
    }
}
