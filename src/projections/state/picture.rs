//! The state at one place of the stream.

use super::{age::Age, store::Store};

/// The state at one place of the stream: it stays as it is while the state goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub(super) store: Store,
    pub(super) events: u64,
    pub(super) decisions: u64,
    pub(super) evicted: u64,
    /// The state's clock, which gives the order of changes after a restart.
    pub(super) clock: u64,
    /// The amount that the state replaced since.
    pub(super) age: Age,
}

impl Picture {
    /// Whether it holds more than a quarter of the state's bound beside the state: it is time to let it go.
    pub fn is_outdated(&self) -> bool {
        self.age.is_over()
    }

    /// The number of entities.
    pub fn entities(&self) -> usize {
        self.store.len()
    }
}
