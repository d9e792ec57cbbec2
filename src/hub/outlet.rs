//! The doors out, as the hub sees them, and an update on its way to them.

use std::{cell::OnceCell, fmt};

use crate::{net::Frame, update::Namespace};

/// One observer's way out. None of the methods waits.
pub trait Outlet: fmt::Debug + Send + Sync + 'static {
    /// Queues an update; it is on its way after the next [`Outlet::flush`]. False when the observer owes all that it
    /// may now: what comes next is not to be sent before it has room.
    fn send(&self, update: &Outgoing) -> bool;
    /// Queues what may be larger than an observer is usually allowed to owe (a snapshot).
    fn send_exempt(&self, update: &Outgoing);
    /// Lets what was queued go.
    fn flush(&self);
    /// Whether it took enough of what it owed that more may come.
    fn has_room(&self) -> bool;
}

/// An update, written once. Each wire shape is made when the first outlet asks for it, and shared by all.
#[derive(Debug)]
pub struct Outgoing {
    /// On which namespace.
    pub namespace: Namespace,
    /// The Socket.IO event's name.
    pub name: Box<str>,
    /// The one argument, as JSON.
    pub json: String,
    /// As a WebSocket frame.
    frame: OnceCell<Frame>,
}

impl Outgoing {
    /// An update that is ready to go.
    pub fn new(namespace: Namespace, name: impl Into<Box<str>>, json: String) -> Self {
        Self {
            namespace,
            name: name.into(),
            json,
            frame: OnceCell::new(),
        }
    }

    /// As a WebSocket frame.
    pub fn frame(&self) -> &Frame {
        self.frame
            .get_or_init(|| Frame::event(self.namespace, &self.name, &self.json))
    }
}
