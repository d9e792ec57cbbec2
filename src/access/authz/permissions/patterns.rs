//! The patterns of rooms or projects that a token names.

use crate::{
    access::authz::room_name,
    pattern::{BadPattern, Patterns},
};

/// A list of patterns.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// Sorted, so that equal lists are equal.
    pub(super) written: Vec<String>,
    pub(super) set: Patterns,
}

impl Names {
    /// Patterns of rooms, which may be spelt in several ways.
    pub(super) fn of_rooms(mut written: Vec<String>) -> Result<Self, BadPattern> {
        for pattern in &mut written {
            *pattern = room_name::bare_pattern(pattern);
        }
        Self::new(written)
    }

    pub(super) fn new(mut written: Vec<String>) -> Result<Self, BadPattern> {
        written.sort_unstable();
        written.dedup();
        let set = Patterns::new(written.iter().map(String::as_str));
        let set = set.map_err(|(_, bad)| bad)?;
        Ok(Self { written, set })
    }

    /// The names, when each stands for itself; `None` when there is a wildcard among them.
    pub(super) fn plain(&self) -> Option<impl Iterator<Item = &str>> {
        (self.set.wild() == 0).then(|| self.set.plain())
    }
}
