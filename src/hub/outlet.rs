//! The doors out, as the hub sees them, and an update on its way to them.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use crate::{
    channel::Namespace,
    config::Recipients,
    doors::socketio::engine::{Frame, Parcel, Tag, Taken},
    event::Event,
    update::{self, Planned, Stamp, made_harmless},
};

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
    /// How many bytes wait for it.
    fn waiting(&self) -> usize;
    /// Takes back the updates that it has not begun to get, as far as a place is known from which they can come again and
    /// `keeps` says that they will. None when nothing was taken back.
    fn take_back(&self, keeps: &dyn Fn(&str) -> bool) -> Option<Taken>;
    /// What it may see changes now: what was sent before would not come again as it was, and is not to be taken back.
    fn settle(&self);
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
    cursor: Option<Arc<str>>,
    /// What it is to a queue that could be taken back.
    role: Role,
    /// The same with harmless texts, for pages that put them into HTML; none where that is no different.
    harmless: OnceLock<Option<Box<Outgoing>>>,
    /// As a WebSocket frame.
    frame: OnceLock<Frame>,
    /// As a server-sent event.
    server_sent: OnceLock<Arc<Parcel>>,
}

/// What an update is to a queue that could be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Said to one observer at one place of the stream.
    Told,
    /// Of the stream, with the place after it.
    Update,
    /// What the stream adds up to; a newer one says it anew.
    Aggregate,
}

impl Outgoing {
    /// An update that is ready to go.
    pub fn new(namespace: Namespace, name: impl Into<Box<str>>, json: String) -> Self {
        Self {
            namespace,
            name: name.into(),
            json,
            cursor: None,
            role: Role::Told,
            harmless: OnceLock::new(),
            frame: OnceLock::new(),
            server_sent: OnceLock::new(),
        }
    }

    /// An update of the stream, rendered. One that only the pages know has harmless texts, unless nobody's are to be.
    pub(super) fn of_plan(
        planned: &Planned,
        event: &Event,
        stamp: &Stamp<'_>,
        sanitize: Recipients,
    ) -> Self {
        let kind = &planned.kind;
        let mut json = update::render(planned, event, stamp);
        if sanitize != Recipients::Nobody && kind.is_for_pages() {
            json = update::harmless(json);
        }
        Self::new(kind.namespace(), kind.name(), json)
            .at(stamp.cursor)
            .of_stream()
    }

    /// The same, with the place after it.
    #[must_use]
    pub fn at(mut self, cursor: &str) -> Self {
        self.cursor = Some(cursor.into());
        self
    }

    /// The same as an update of the stream: it can be made again, and so be taken back.
    #[must_use]
    pub fn of_stream(mut self) -> Self {
        self.role = Role::Update;
        self
    }

    /// The same as what the stream adds up to.
    #[must_use]
    pub fn aggregate(mut self) -> Self {
        self.role = Role::Aggregate;
        self
    }

    /// The same with harmless texts, made when the first page asks for it and shared by all of them.
    pub(super) fn harmless(&self) -> &Self {
        let make = || {
            let json = made_harmless(&self.json)?;
            let mut same = Self::new(self.namespace, self.name.clone(), json);
            same.cursor.clone_from(&self.cursor);
            same.role = self.role;
            Some(Box::new(same))
        };
        self.harmless.get_or_init(make).as_deref().unwrap_or(self)
    }

    /// What a queue has to know of it.
    fn tag(&self) -> Tag {
        match (self.role, &self.cursor) {
            (Role::Update, Some(cursor)) => Tag::Update(cursor.clone()),
            (Role::Aggregate, _) => Tag::Aggregate,
            _ => Tag::Told,
        }
    }

    /// As a server-sent event. JSON has no line breaks of its own, so one `data` line holds it.
    pub fn server_sent(&self) -> &Arc<Parcel> {
        let write = || {
            let id = self.cursor.as_deref();
            let id = id.map_or(String::new(), |cursor| format!("id: {cursor}\n"));
            let text = format!("event: {}\n{id}data: {}\n\n", self.name, self.json);
            Parcel::new(self.namespace, self.tag(), text.into())
        };
        self.server_sent.get_or_init(write)
    }

    /// The place after it.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// As a WebSocket frame.
    pub fn frame(&self) -> &Frame {
        self.frame
            .get_or_init(|| Frame::event(self.namespace, &self.name, &self.json, self.tag()))
    }
}
