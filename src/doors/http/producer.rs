//! The producer behind a request.

use std::sync::Arc;

use super::caller::Caller;
use crate::intake::{self, Producer};

/// The producer as the intake knows it.
pub(super) fn producer<'c>(caller: &'c Caller, verified: &'c Arc<str>) -> Producer<'c> {
    Producer {
        name: caller.who.source().unwrap_or("http"),
        door: "http",
        permissions: &caller.who.permissions,
        within: None,
        verified,
        trace: caller.trace.as_ref(),
        // Ordered by address, not by connection: a client posts over several connections, and its events stay in order.
        flow: intake::flow(&caller.who, caller.address),
        connection: None,
    }
}
