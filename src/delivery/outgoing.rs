//! An update on its way to observers.

use std::{
    num::NonZeroU64,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use serde_json::Value;
use smallvec::SmallVec;
use tracing::Span;

use crate::{
    channel::Namespace,
    config::Recipients,
    delivery::{BatchOrder, Tag, Trail, WireMessage},
    emission::Emission,
    event::{Event, Priority},
    observe::Stamp,
    update::{self, Envelope, Planned, UpdateKind, UpdateShape, made_harmless},
};

/// An update, written once. Each wire shape is made when the first outlet asks for it, and shared by all.
#[derive(Debug)]
pub struct Outgoing {
    /// The namespace that it is sent on.
    pub namespace: Namespace,
    /// The Socket.IO event's name.
    pub name: Box<str>,
    /// The one argument, as JSON; the arguments of an emission.
    pub json: String,
    /// The emission that it is, if it is one: doors send it as it is.
    emission: Option<Arc<Emission>>,
    /// Whether the JSON says neither its name nor its place in the stream: it is an application's own.
    is_bare: bool,
    /// The cursor after it, for shapes that write it outside of the JSON; none for a message that has no cursor.
    cursor: Option<Arc<str>>,
    /// The cursor at which an emission is sent that has none of its own: live clients have everything up to there.
    offset: Option<Arc<str>>,
    /// The canonical type of the event that it tells of; none for a message that tells of none, or in words of a rule.
    event_type: Option<Arc<str>>,
    role: Role,
    /// The span of its delivery and the stamp of its way to the sockets.
    trail: Trail,
    /// The connection by which all of its events came, if it is not to be sent them.
    sender: Option<NonZeroU64>,
    /// The facts by which a batch orders it.
    order: Option<BatchOrder>,
    /// The same in the lean shape, if some observers take that and others the full one.
    lean: Option<Box<Outgoing>>,
    /// The same with texts that are harmless in HTML; none where they are no different.
    harmless: OnceLock<Option<Box<Outgoing>>>,
    /// The bytes of each wire shape.
    shapes: [OnceLock<Arc<WireMessage>>; Shape::COUNT],
}

/// The wire shapes that an update may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A Socket.IO packet in a WebSocket frame.
    SocketIo,
    /// The same for a client of Engine.IO 3, where attachments have another form.
    FirstSocketIo,
    /// The same with the cursor as a last argument more, for a client that asks for it.
    Offset,
    /// A server-sent event.
    ServerSent,
    /// The JSON as it is.
    Text,
    /// An event of a project's stream, as JSON.
    Stream,
    /// The same as a server-sent event.
    ServerSentStream,
    /// The update pipeline's JSON.
    Pipeline,
    /// A `VisualUpdate` of the workflow visualization.
    Visualization,
}

impl Shape {
    pub(super) const COUNT: usize = 9;
}

/// The form of an update that one observer is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Form {
    /// The shape that it asked for.
    pub shape: UpdateShape,
    /// Whether its texts are harmless in HTML.
    pub harmless: bool,
}

impl Form {
    /// The number of forms.
    pub(super) const COUNT: usize = 4;

    /// The form as an index.
    pub(super) fn number(self) -> usize {
        2 * usize::from(self.shape == UpdateShape::Lean) + usize::from(self.harmless)
    }
}

/// The role of an update in a queue from which updates can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A message to one observer at one place of the stream.
    Told,
    /// An update of the stream, with the cursor after it.
    Update,
    /// An aggregate of the stream; a newer one replaces it.
    Aggregate,
}

impl Outgoing {
    /// An update that is ready to go.
    pub fn new(namespace: Namespace, name: impl Into<Box<str>>, json: String) -> Self {
        Self {
            namespace,
            name: name.into(),
            json,
            emission: None,
            is_bare: false,
            cursor: None,
            offset: None,
            event_type: None,
            role: Role::Told,
            trail: Trail::default(),
            sender: None,
            order: None,
            lean: None,
            harmless: OnceLock::new(),
            shapes: Default::default(),
        }
    }

    /// An emission at its place of the stream.
    pub fn of_emission(emission: &Arc<Emission>) -> Self {
        let (namespace, name) = (emission.namespace, emission.event.as_str());
        Self {
            emission: Some(emission.clone()),
            ..Self::new(namespace, name, emission.args.clone())
        }
    }

    /// The same as it is sent to live clients at this cursor.
    #[must_use]
    pub(crate) fn passing(mut self, cursor: Option<Arc<str>>) -> Self {
        self.offset = cursor;
        self
    }

    /// The cursor after which a client has nothing, once it has this.
    pub(crate) fn offset(&self) -> Option<&str> {
        self.cursor().or(self.offset.as_deref())
    }

    /// The emission that it is, if it is one.
    pub fn emission(&self) -> Option<&Emission> {
        self.emission.as_deref()
    }

    /// An update of the stream, rendered in one shape.
    pub(crate) fn of_plan(
        planned: &Planned,
        event: &Event,
        envelope: &Envelope<'_>,
        shape: UpdateShape,
        sanitize: Recipients,
    ) -> Self {
        let kind = &planned.kind;
        if let UpdateKind::Emission(emission) = kind {
            return Self::of_emission(emission).at(envelope.cursor).of_stream();
        }
        let json = rendered(planned, event, envelope, shape, sanitize);
        let mut update = Self::new(kind.namespace(), kind.name(), json)
            .at(envelope.cursor)
            .of_stream();
        update.is_bare = kind.is_bare();
        if !matches!(kind, UpdateKind::Rule(_)) {
            update.event_type = Some(event.name.shared_canonical());
        }
        update
    }

    /// The same with its lean shape beside the full one, for observers of both. It comes last: the lean one has all that
    /// is known of it by then.
    #[must_use]
    pub(crate) fn with_lean(
        mut self,
        planned: &Planned,
        event: &Event,
        envelope: &Envelope<'_>,
        sanitize: Recipients,
    ) -> Self {
        if self.emission.is_some() {
            return self;
        }
        let json = rendered(planned, event, envelope, UpdateShape::Lean, sanitize);
        self.lean = Some(Box::new(self.same(json)));
        self
    }

    /// The same, with the cursor after it.
    #[must_use]
    pub fn at(mut self, cursor: &str) -> Self {
        self.cursor = Some(cursor.into());
        self
    }

    /// The same as part of a delivery that is traced.
    #[must_use]
    pub fn traced(mut self, delivery: Span) -> Self {
        self.trail.delivery = Some(delivery);
        self
    }

    /// The same as an update of the stream: the journal can make it again, so it can be taken back.
    #[must_use]
    pub fn of_stream(mut self) -> Self {
        self.role = Role::Update;
        self
    }

    /// The same with the connection by which all of its events came.
    #[must_use]
    pub(crate) fn sent_by(mut self, connection: Option<NonZeroU64>) -> Self {
        self.sender = connection;
        self
    }

    /// The same with the facts by which a batch orders it.
    #[must_use]
    pub(crate) fn in_order(mut self, priority: Priority, entities: SmallVec<[u64; 4]>) -> Self {
        self.order = Some(BatchOrder { priority, entities });
        self
    }

    /// Whether all of its events came by this connection.
    pub(crate) fn is_sent_by(&self, connection: NonZeroU64) -> bool {
        self.sender == Some(connection)
    }

    /// The same as an aggregate of the stream.
    #[must_use]
    pub fn aggregate(mut self) -> Self {
        self.role = Role::Aggregate;
        self
    }

    /// The same with a stamp: its way to the sockets is measured.
    #[must_use]
    pub fn stamped(mut self, stamp: Option<Stamp>) -> Self {
        self.trail.stamp = stamp;
        self
    }

    /// The moment from which its way to the sockets is measured.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        self.trail.stamp
    }

    /// The same in the form that an observer is sent.
    pub(crate) fn form(&self, form: Form) -> &Self {
        let update = match form.shape {
            UpdateShape::Full => self,
            // The lean shape is all there is where nobody takes the full one; and a notice has one shape.
            UpdateShape::Lean => self.lean.as_deref().unwrap_or(self),
        };
        match form.harmless && self.emission.is_none() {
            false => update,
            true => update.harmless(),
        }
    }

    /// The same with harmless texts, made when the first page asks for it and shared by all of them.
    fn harmless(&self) -> &Self {
        let make = || Some(Box::new(self.same(made_harmless(&self.json)?)));
        self.harmless.get_or_init(make).as_deref().unwrap_or(self)
    }

    /// The same with another text.
    fn same(&self, json: String) -> Self {
        let mut same = Self::new(self.namespace, self.name.clone(), json);
        same.is_bare = self.is_bare;
        same.cursor.clone_from(&self.cursor);
        same.event_type.clone_from(&self.event_type);
        same.role = self.role;
        same.trail = self.trail.clone();
        same.sender = self.sender;
        same.order.clone_from(&self.order);
        same
    }

    /// The tag that a queue needs of it.
    fn tag(&self) -> Tag {
        match (self.role, &self.cursor) {
            (Role::Update, Some(cursor)) => Tag::Update(cursor.clone()),
            (Role::Aggregate, _) => Tag::Aggregate,
            _ => Tag::Told,
        }
    }

    /// Its bytes in a wire shape: `write` makes them when the first queue asks for them, and all queues share them.
    pub fn shape(&self, shape: Shape, write: impl FnOnce() -> Bytes) -> &Arc<WireMessage> {
        let made = || {
            let trail = self.trail.clone();
            let (tag, order) = (self.tag(), self.order.clone());
            WireMessage::in_order(self.namespace, tag, write(), trail, order)
        };
        self.shapes[shape as usize].get_or_init(made)
    }

    /// The canonical type of the event that it tells of.
    pub fn event_type(&self) -> Option<&str> {
        self.event_type.as_deref()
    }

    /// Whether its JSON is an application's own, without its name and its place in the stream.
    pub(crate) fn is_bare(&self) -> bool {
        self.is_bare
    }

    /// The JSON for clients that are told names only in it: one that is bare is `payload` beside them.
    pub(crate) fn named_json(&self) -> String {
        if !self.is_bare {
            return self.json.clone();
        }
        let name = Value::from(&*self.name);
        let cursor = self.cursor().map_or(Value::Null, Value::from);
        let payload = &self.json;
        format!("{{\"type\":{name},\"cursor\":{cursor},\"payload\":{payload}}}")
    }

    /// The cursor after it.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }
}

/// The JSON of an update in a shape. One that only pages know has harmless texts, unless the configuration wants none.
fn rendered(
    planned: &Planned,
    event: &Event,
    envelope: &Envelope<'_>,
    shape: UpdateShape,
    sanitize: Recipients,
) -> String {
    let json = update::render(planned, event, envelope, shape);
    if sanitize != Recipients::Nobody && planned.kind.is_for_pages() {
        update::harmless(json)
    } else {
        json
    }
}
