//! The doors out, as the hub sees them, and an update on its way to them.

use std::{cell::OnceCell, fmt};

use bytes::Bytes;

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
    /// Where to go on after it, for shapes that write it outside of the JSON; none on what has no place of its own.
    cursor: Option<Box<str>>,
    /// As a WebSocket frame.
    frame: OnceCell<Frame>,
    /// As a server-sent event.
    server_sent: OnceCell<Bytes>,
}

impl Outgoing {
    /// An update that is ready to go.
    pub fn new(namespace: Namespace, name: impl Into<Box<str>>, json: String) -> Self {
        Self {
            namespace,
            name: name.into(),
            json,
            cursor: None,
            frame: OnceCell::new(),
            server_sent: OnceCell::new(),
        }
    }

    /// The same, with the place after it.
    #[must_use]
    pub fn at(mut self, cursor: &str) -> Self {
        self.cursor = Some(cursor.into());
        self
    }

    /// As a server-sent event. JSON has no line breaks of its own, so one `data` line holds it.
    pub fn server_sent(&self) -> Bytes {
        let write = || {
            let id = self.cursor.as_deref();
            let id = id.map_or(String::new(), |cursor| format!("id: {cursor}\n"));
            format!("event: {}\n{id}data: {}\n\n", self.name, self.json).into()
        };
        self.server_sent.get_or_init(write).clone()
    }

    /// The place after it.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// As a WebSocket frame.
    pub fn frame(&self) -> &Frame {
        self.frame
            .get_or_init(|| Frame::event(self.namespace, &self.name, &self.json))
    }
}
