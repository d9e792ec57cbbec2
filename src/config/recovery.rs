//! `[recovery]`: the recovery of connections that stock Socket.IO clients do by themselves.

use serde::{Deserialize, Serialize};

use super::numbers::{Count, Seconds};

/// `[recovery]`: sessions that clients come back to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recovery {
    /// The clients whose events carry their place as a last argument.
    pub offsets: Offsets,
    /// Seconds for which a lost connection's session can be recovered.
    pub max_age: Seconds<120_000, 1_000, 86_400_000>,
    /// Bytes of memory that sessions may hold, of connections that are lost and of live ones that ask for offsets.
    pub max_bytes: Count<{ 32 << 20 }, 65_536, { 1 << 36 }>,
    /// Bytes of the sessions of one identity, or of one address where clients have none.
    pub max_holder_bytes: Count<{ 8 << 20 }, 65_536, { 1 << 36 }>,
    /// Bytes of one session; a longer one is not kept.
    pub max_session_bytes: Count<65_536, 1_024, { 1 << 20 }>,
    /// Sessions of other nodes that are asked for at a time, where nodes share a journal.
    pub max_claims: Count<16, 1, 1_024>,
    /// Seconds within which another node's session is had, or its client connects anew.
    pub claim_within: Seconds<2_000, 100, 60_000>,
}

/// The clients whose events carry their place in the stream as a last argument.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Offsets {
    /// Clients that ask for it.
    #[default]
    Asked,
    /// Clients that ask, and all pages in browsers.
    Browsers,
    /// None, and nothing is recovered.
    Off,
}
