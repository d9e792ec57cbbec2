//! The channels on which updates reach a client: the Socket.IO namespace, and Seneca's subscriptions within it.

use strum::{EnumString, IntoStaticStr};

/// The Socket.IO namespace on which an update is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumString, IntoStaticStr)]
pub enum Namespace {
    /// `/`: the updates of the protocol.
    #[strum(to_string = "/", serialize = "")]
    Root,
    /// `/conversations`: Seneca's conversation page.
    #[strum(serialize = "/conversations")]
    Conversations,
    /// `/admin`: operators.
    #[strum(serialize = "/admin")]
    Admin,
}

impl Namespace {
    /// All namespaces.
    pub const ALL: [Self; 3] = [Self::Root, Self::Conversations, Self::Admin];

    /// The path on the wire.
    pub fn path(self) -> &'static str {
        self.into()
    }

    /// The namespace at a path; the root's may be left out.
    pub fn at(path: &str) -> Option<Self> {
        path.parse().ok()
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
