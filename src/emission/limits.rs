//! The limits on emissions.

/// The limits on one emission.
#[derive(Debug, Clone, Copy)]
pub struct EmissionLimits {
    /// Bytes of its name, its arguments and its attachments, as they are sent.
    pub max_bytes: usize,
    /// Nesting of its arguments.
    pub max_depth: usize,
    /// Rooms that it may name, those that are left out among them.
    pub max_rooms: usize,
    /// Attachments.
    pub max_attachments: usize,
    /// Bytes of its id.
    pub max_id: usize,
}

/// Bytes of an emission's text that are neither its name nor its arguments or attachments.
const OTHER_BYTES: usize = 16 << 10;

impl EmissionLimits {
    /// The most bytes of its text: attachments are written in base64, and the rooms stand in it.
    pub fn max_text(&self) -> usize {
        self.max_bytes.saturating_mul(2).saturating_add(OTHER_BYTES)
    }
}

impl Default for EmissionLimits {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 20,
            max_depth: 32,
            max_rooms: 100,
            max_attachments: 10,
            max_id: 256,
        }
    }
}
