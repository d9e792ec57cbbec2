//! The bytes that the state replaced since a picture of it was made.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The bytes that the state replaced since a picture was made: the picture holds them beside the state.
#[derive(Debug, Clone)]
pub(super) struct Age {
    pub(super) replaced: Arc<AtomicU64>,
    pub(super) then: u64,
    /// The most that may be replaced.
    most: u64,
}

/// Pictures are equal whenever they were made.
impl PartialEq for Age {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Age {
    /// The age of a picture that is made now.
    pub(super) fn new(replaced: Arc<AtomicU64>, most: u64) -> Self {
        Self {
            then: replaced.load(Ordering::Relaxed),
            replaced,
            most,
        }
    }

    /// Whether more was replaced than a picture may hold.
    pub(super) fn is_over(&self) -> bool {
        let held = self.replaced.load(Ordering::Relaxed) - self.then;
        held > self.most
    }
}
