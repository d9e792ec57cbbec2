//! What the configuration says of the file.

use std::path::PathBuf;

use crate::journal::Retention;

/// When an append is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When the operating system has it: the end of the process loses nothing.
    Process,
    /// When the disk has it: the end of the power loses nothing.
    Disk,
}

/// What the configuration says of the file.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The file; its folder is made when it isn't there.
    pub path: PathBuf,
    /// When an append is answered.
    pub durability: Durability,
    /// How much is kept.
    pub retention: Retention,
    /// How much is held in memory.
    pub held: HeldBytes,
}

/// Bytes of memory that a journal in a file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldBytes {
    /// Of the newest events.
    pub tail: usize,
    /// Of those that wait to be written.
    pub queue: usize,
}

impl Default for HeldBytes {
    fn default() -> Self {
        Self {
            tail: 16 << 20,
            queue: 32 << 20,
        }
    }
}
