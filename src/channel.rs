//! The channels on which updates reach a client: the Socket.IO namespace, and Seneca's subscriptions within it.

use strum::{EnumString, IntoStaticStr};

/// The Socket.IO namespace on which an update is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumString, IntoStaticStr)]
pub enum Namespace {
    /// `/`: the contract's updates.
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
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Root, Self::Conversations, Self::Admin];

    /// The path on the wire.
    pub fn path(self) -> &'static str {
        self.into()
    }

    /// The one at a path; the root's may be left out.
    pub fn at(path: &str) -> Option<Self> {
        path.parse().ok()
    }
}

/// One of Seneca's subscriptions: updates that only its pages know go to those who asked for them.
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

/// Which topics somebody listens to now: what nobody listens to is not even planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Listening(u8);

impl Listening {
    /// Nobody listens to any topic.
    pub const NONE: Self = Self(0);
    /// Every topic is listened to.
    pub const ALL: Self = Self(u8::MAX);

    /// As a number, for where it must be written down.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// What [`Listening::bits`] stands for.
    pub fn of_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The same with `topic` listened to.
    #[must_use]
    pub fn with(self, topic: Topic) -> Self {
        Self(self.0 | 1 << topic as u8)
    }

    /// The same without `topic`.
    #[must_use]
    pub fn without(self, topic: Topic) -> Self {
        Self(self.0 & !(1 << topic as u8))
    }

    /// Whether somebody listens to `topic`.
    pub fn to(self, topic: Topic) -> bool {
        self.0 & (1 << topic as u8) != 0
    }
}
