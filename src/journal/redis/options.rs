//! The configuration of a journal on Redis or Valkey.

use std::time::Duration;

use crate::journal::{HeldBytes, Retention};

/// The promise that an acknowledgement makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// The primary has the event: its end may lose it, if no node has read it.
    Primary,
    /// A replica has it as well.
    Replica,
    /// A replica has it, and the primary's disk: of the engine's append-only file.
    Disk,
}

/// The configuration of a journal on Redis or Valkey.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// The engine's address; with sentinels, its host is the name by which they know the primary. It may hold a password.
    pub url: String,
    /// The addresses of sentinels, which know the primary; empty for an engine that stays where it is.
    pub sentinels: Vec<String>,
    /// The deployment: all nodes of one name share a journal.
    pub deployment: String,
    /// The name of this node.
    pub node: String,
    /// The promise of an acknowledgement.
    pub acks: Acks,
    /// The time for a connection, and for each answer.
    pub timeout: Duration,
    /// The bounds on what is kept.
    pub retention: Retention,
    /// The time after which a session that no node writes is nobody's.
    pub sessions_age: Duration,
    /// The bytes that are held in memory.
    pub held: HeldBytes,
}
