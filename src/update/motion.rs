//! Finer words for movement than the eight animations: a front-end that does not know them shows the animation.

use strum::IntoStaticStr;

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
    /// An agent raises its hand.
    Ask,
    /// An agent waits for its model.
    Think,
    /// A task begins once more.
    Retry,
    /// An agent puts down what it made.
    Drop,
}

impl Motion {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
