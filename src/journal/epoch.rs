//! The epochs of a journal: an epoch tells its places from those of other journals, and from places that were lost.

/// Tells the cursors of one generation of a journal from those of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(pub u32);

impl Epoch {
    /// A new epoch, for a journal that is opened.
    pub fn mint() -> Self {
        let (hi, lo) = uuid::Uuid::new_v4().as_u64_pair();
        Self(u32::try_from((hi ^ lo) & u64::from(u32::MAX)).unwrap_or(0))
    }
}
