//! The parts of the server that an admin's acts work on.

use std::sync::Arc;

use crate::{access::Authenticator, breaker::Breakers, drain::Drain};

/// The parts of the server that an admin's acts work on.
#[derive(Debug, Clone, Copy)]
pub struct Controls<'a> {
    /// Connections, bans and revocations.
    pub authenticator: &'a Arc<Authenticator>,
    /// The circuit breakers around outside parts.
    pub breakers: &'a Breakers,
    /// Sends clients elsewhere.
    pub drain: &'a Arc<Drain>,
}
