//! The settings of compression.

/// The settings and bounds of compression.
#[derive(Debug, Clone, Copy)]
pub struct CompressionLimits {
    /// Bytes of a message from which on it is compressed.
    pub min_bytes: usize,
    /// The effort, from 1 (fast) to 9 (small).
    pub level: u32,
    /// Bytes that a message of a client may become.
    pub max_message: usize,
    /// Bytes that one byte of a client may become, beyond one message.
    pub max_ratio: usize,
}
