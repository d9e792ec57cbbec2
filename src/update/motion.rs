//! Finer words for movement than the eight animations: a front-end that does not know them shows the animation.

use strum::IntoStaticStr;

use super::{kind::UpdateKind, tool::tool_status};
use crate::event::Event;

/// The movement that `hint.motion` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Motion {
    /// An agent reaches for a tool.
    Reach,
    /// The tool's answer comes back.
    Back,
    /// Work passes from one agent to another.
    Pass,
}

impl Motion {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl UpdateKind {
    /// The finer movement that shows it; none for most.
    pub fn motion(&self, event: &Event) -> Option<Motion> {
        match self {
            Self::Tool => match tool_status(&event.name) {
                Some("running") if event.name.change_type() == "started" => Some(Motion::Reach),
                Some("running") | None => None,
                Some(_) => Some(Motion::Back),
            },
            Self::Handoff => Some(Motion::Pass),
            _ => None,
        }
    }
}
