//! The limits on emissions.

/// The limits on one emission.
#[derive(Debug, Clone, Copy)]
pub struct EmissionLimits {
    /// Bytes of it, as it is written and as it is sent.
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
