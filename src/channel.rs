//! The channels on which updates reach a client: the Socket.IO namespace, and Seneca's subscriptions within it.

mod declared;
mod per_namespace;

pub use declared::{AppNamespace, MAX_DECLARED};
pub use per_namespace::PerNamespace;

use std::borrow::Cow;

/// The Socket.IO namespace on which an update is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Namespace {
    /// `/`: the updates of the protocol.
    Root,
    /// `/conversations`: Seneca's conversation page.
    Conversations,
    /// `/admin`: operators.
    Admin,
    /// One of an application's own, declared in the configuration: it carries what the application emits, and no update
    /// of the stream.
    App(AppNamespace),
}

/// The character that parts a namespace and a room in the key of a room on an application's namespace. No name holds it.
const SEPARATOR: char = '\u{1}';

impl Namespace {
    /// The server's own namespaces.
    pub const OWN: [Self; 3] = [Self::Root, Self::Conversations, Self::Admin];

    /// The path on the wire.
    pub fn path(self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Conversations => "/conversations",
            Self::Admin => "/admin",
            Self::App(app) => app.path(),
        }
    }

    /// The namespace at a path; the root's may be left out. An application's namespace is known from its declaration on,
    /// to every server of this process: a server lets clients only onto those that its own configuration declares.
    pub fn at(path: &str) -> Option<Self> {
        match path {
            "" | "/" => Some(Self::Root),
            "/conversations" => Some(Self::Conversations),
            "/admin" => Some(Self::Admin),
            _ => AppNamespace::at(path).map(Self::App),
        }
    }

    /// Declares an application's namespace. `None` for a path that can't be one, and beyond the number of names that
    /// one process may declare.
    pub fn declare(path: &str) -> Option<Self> {
        let is_free = !Self::OWN.iter().any(|own| own.path() == path);
        is_free
            .then(|| AppNamespace::declare(path))
            .flatten()
            .map(Self::App)
    }

    /// Whether the namespace is an application's own.
    pub fn is_app(self) -> bool {
        matches!(self, Self::App(_))
    }

    /// The name by which the hub knows a room of this namespace: the same name on two namespaces of an application is
    /// two rooms. The server's own namespaces share theirs.
    pub fn room_key(self, room: &str) -> Cow<'_, str> {
        match self {
            Self::App(app) => format!("{}{SEPARATOR}{room}", app.path()).into(),
            _ => room.into(),
        }
    }

    /// The namespace and the name of a room that [`Namespace::room_key`] made a key of; none for a namespace of the
    /// server's own, whose keys are the names.
    pub fn of_key(key: &str) -> (Option<Self>, &str) {
        match key.split_once(SEPARATOR) {
            Some((path, room)) => (Self::at(path), room),
            None => (None, key),
        }
    }
}

/// One of Seneca's subscriptions: updates that only its pages know go to subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// `subscribe_conversations` on `/`.
    Conversations,
    /// `subscribe_health_updates`.
    Health,
    /// `subscribe_pipeline_flow`.
    Pipeline,
    /// `subscribe_metrics`.
    Metrics,
    /// `subscribe` on `/conversations`.
    ConversationPage,
}

/// The topics that have subscribers now: updates of other topics are not even planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Listening(u8);

impl Listening {
    /// No topic has subscribers.
    pub const NONE: Self = Self(0);
    /// Every topic has subscribers.
    pub const ALL: Self = Self(u8::MAX);

    /// The topics as a number, to be stored.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The topics that [`Listening::bits`] gave as a number.
    pub fn of_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The same with `topic`.
    #[must_use]
    pub fn with(self, topic: Topic) -> Self {
        Self(self.0 | 1 << topic as u8)
    }

    /// The same without `topic`.
    #[must_use]
    pub fn without(self, topic: Topic) -> Self {
        Self(self.0 & !(1 << topic as u8))
    }

    /// Whether `topic` has subscribers.
    pub fn to(self, topic: Topic) -> bool {
        self.0 & (1 << topic as u8) != 0
    }
}
