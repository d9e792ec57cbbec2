//! The steps of degradation.

use strum::{FromRepr, IntoStaticStr, VariantArray};

/// A step of degradation. Each has all that the steps before it have.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    IntoStaticStr,
    VariantArray,
    FromRepr,
)]
#[strum(serialize_all = "snake_case")]
#[repr(u8)]
pub enum Step {
    /// All is well.
    #[default]
    Normal,
    /// Updates are collected for longer, and written in fewer and larger pieces.
    LargerBatches,
    /// The windows of low priority are longer, so that more of its updates are coalesced.
    LowCoalesced,
    /// Events of low priority are refused to their producers.
    LowRefused,
}

impl Step {
    /// All steps, from the mildest on.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The name in figures, metrics and notices.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The next harder step, if there is one.
    pub(super) fn harder(self) -> Option<Self> {
        Self::from_repr(self as u8 + 1)
    }

    /// The next milder step, if there is one.
    pub(super) fn milder(self) -> Option<Self> {
        (self as u8).checked_sub(1).and_then(Self::from_repr)
    }
}
