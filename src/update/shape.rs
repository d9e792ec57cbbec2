//! The two shapes in which observers take updates.

use strum::{EnumString, IntoStaticStr};

use crate::error::Error;

/// The shape in which an observer takes its updates.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum UpdateShape {
    /// Every fact under each of the names that front-ends read it by.
    #[default]
    Full,
    /// Every fact once.
    Lean,
}

impl UpdateShape {
    /// Reads a name; `key` is what a refusal calls it.
    ///
    /// # Errors
    /// `bad_request`: there is no such shape.
    pub fn read(name: &str, key: &str) -> Result<Self, Error> {
        let unknown = |_| Error::bad_request(format!("{key} must be full or lean"));
        name.parse().map_err(unknown)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The shapes in which the observers of one update take it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shapes {
    full: bool,
    lean: bool,
}

impl Shapes {
    /// The shape of everybody who asked for no other.
    pub const FULL: Self = Self {
        full: true,
        lean: false,
    };

    /// The shapes of these observers; it asks no more of them once both are wanted.
    pub fn of(observers: impl IntoIterator<Item = UpdateShape>) -> Self {
        let mut shapes = Self::default();
        for shape in observers {
            match shape {
                UpdateShape::Full => shapes.full = true,
                UpdateShape::Lean => shapes.lean = true,
            }
            if shapes.full && shapes.lean {
                break;
            }
        }
        shapes
    }

    /// The shape that is written first: the only one where the other is not wanted.
    pub(crate) fn first(self) -> UpdateShape {
        match self.lean && !self.full {
            true => UpdateShape::Lean,
            false => UpdateShape::Full,
        }
    }

    /// Whether the lean shape is written beside the full one.
    pub(crate) fn are_both(self) -> bool {
        self.full && self.lean
    }
}
