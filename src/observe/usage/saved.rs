//! The counts as they are saved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    counts::Counts,
    hours::Hours,
    picture::Picture,
    sessions::{Came, SessionTotals},
    top::Watch,
};

/// The version of the form.
const VERSION: u32 = 1;

/// The counts that outlive the server: no names but those of event types and rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    version: u32,
    /// Microseconds since 1970.
    pub(super) kept_since: i64,
    pub(super) came: Hours<Came>,
    pub(super) totals: SessionTotals,
    pub(super) counted: Hours<Counts>,
    pub(super) sum: Counts,
    pub(super) features: BTreeMap<String, u64>,
    pub(super) types: Vec<(String, Watch)>,
    pub(super) rooms: Vec<(String, Watch)>,
}

impl Saved {
    /// The counts of a picture.
    pub fn of(picture: &Picture) -> Self {
        let owned = |names: &[(std::sync::Arc<str>, Watch)]| {
            let names = names.iter();
            names
                .map(|(name, watch)| (name.to_string(), *watch))
                .collect()
        };
        Self {
            version: VERSION,
            kept_since: picture.kept_since.as_micros(),
            came: picture.came.clone(),
            totals: picture.totals.clone(),
            counted: picture.counted.clone(),
            sum: picture.sum,
            features: picture.features.clone(),
            types: owned(&picture.types),
            rooms: owned(&picture.rooms),
        }
    }

    /// Reads the text that [`Saved::write`] made; `None` for any other.
    pub fn read(text: &str) -> Option<Self> {
        let saved: Self = serde_json::from_str(text).ok()?;
        (saved.version == VERSION).then_some(saved)
    }

    /// The text, of at most so many bytes: the names that are watched least are left out. Also says how many were.
    pub fn write(mut self, max_bytes: usize) -> (String, usize) {
        let all = self.types.len() + self.rooms.len();
        loop {
            let text = serde_json::to_string(&self).unwrap_or_default();
            let left_out = all - self.types.len() - self.rooms.len();
            if text.len() <= max_bytes || (self.types.is_empty() && self.rooms.is_empty()) {
                return (text, left_out);
            }
            self.types.truncate(self.types.len() / 2);
            self.rooms.truncate(self.rooms.len() / 2);
        }
    }
}
