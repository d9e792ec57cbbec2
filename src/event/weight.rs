//! How much something is as JSON, without writing it anywhere.

use std::io::{Result, Write};

use serde::Serialize;

use super::Event;

/// Counts what is written to it.
#[derive(Debug, Default)]
struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The length of a value's text.
pub fn json_len(value: &impl Serialize) -> usize {
    let mut count = Count::default();
    serde_json::to_writer(&mut count, value).ok();
    count.0
}

impl Event {
    /// About how long its text is: what can be long of it is its data.
    pub fn weight(&self) -> usize {
        const REST: usize = 256;
        json_len(&self.data) + json_len(&self.metadata) + REST
    }
}
