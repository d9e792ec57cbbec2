//! The configuration of the journal's file.

use std::{path::PathBuf, sync::Arc};

use crate::{breaker::Breaker, journal::Retention};

/// The moment at which an append is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Once the operating system has it: the end of the process loses nothing.
    Process,
    /// Once the disk has it: the end of the power loses nothing.
    Disk,
}

impl Durability {
    /// The same in SQLite's word.
    pub(super) fn synchronous(self) -> &'static str {
        match self {
            Self::Process => "normal",
            Self::Disk => "full",
        }
    }
}

/// The configuration of the journal's file.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The path; its folder is made when it isn't there.
    pub path: PathBuf,
    /// The moment at which an append is answered.
    pub durability: Durability,
    /// The bounds on what is kept.
    pub retention: Retention,
    /// The bytes that are held in memory.
    pub held: HeldBytes,
    /// Guards the file: while nothing can be written, appends are refused at once.
    pub breaker: Arc<Breaker>,
}

/// Bytes of memory that a journal in a file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldBytes {
    /// The newest events.
    pub tail: usize,
    /// Events that wait to be written.
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
