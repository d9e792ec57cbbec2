//! The epoch of a journal: what tells its places from those of another.

/// Tells the cursors of one journal from those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(pub u32);

impl Epoch {
    /// A new one, for a new journal.
    pub fn mint() -> Self {
        let (hi, lo) = uuid::Uuid::new_v4().as_u64_pair();
        Self(u32::try_from((hi ^ lo) & u64::from(u32::MAX)).unwrap_or(0))
    }
}
