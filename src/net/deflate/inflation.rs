//! The compressed messages of one client, within the bounds on what they may become.

use std::sync::Arc;

use thiserror::Error;

use super::{
    codec::{Broken, inflate},
    limits::CompressionLimits,
};
use crate::observe::CompressionMetrics;

/// A compressed message that ends its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InflationError {
    /// It becomes more bytes than a message may have.
    #[error("a message was longer than [server] max_http_buffer_size")]
    TooLarge,
    /// The client's messages together become more than `max_unpack_ratio` times their bytes.
    #[error("compressed messages became more than [server] max_unpack_ratio times their bytes")]
    Ratio,
    /// It is no deflated message.
    #[error("a compressed message can't be inflated")]
    Malformed,
    /// Another message begins before it has ended.
    #[error("a message began within another one")]
    Interrupted,
}

/// Inflates the messages of one client.
#[derive(Debug)]
pub struct Inflation {
    max_message: usize,
    max_ratio: usize,
    metrics: Arc<CompressionMetrics>,
    /// Bytes that the next message may become: each byte that comes adds `max_unpack_ratio`, up to the size of one message.
    credit: usize,
}

impl Inflation {
    /// The first message may be as long as any.
    pub(super) fn new(limits: &CompressionLimits, metrics: Arc<CompressionMetrics>) -> Self {
        Self {
            max_message: limits.max_message,
            max_ratio: limits.max_ratio,
            metrics,
            credit: limits.max_message,
        }
    }

    /// A message, inflated.
    ///
    /// # Errors
    /// It is none, or is too much.
    pub fn inflate(&mut self, message: &[u8]) -> Result<Vec<u8>, InflationError> {
        let earned = message.len().saturating_mul(self.max_ratio);
        let credit = self.credit.saturating_add(earned).min(self.max_message);
        let inflated = inflate(message, credit).map_err(|broken| match broken {
            Broken::TooLarge if credit < self.max_message => InflationError::Ratio,
            Broken::TooLarge => InflationError::TooLarge,
            Broken::Malformed => InflationError::Malformed,
        })?;
        self.credit = credit - inflated.len();
        self.metrics.inflated(message.len(), inflated.len());
        Ok(inflated)
    }
}
