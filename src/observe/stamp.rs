//! The stamp of a message: the moment from which its way to the socket is measured, and by which distribution.

use std::time::Instant;

use crate::event::Priority;

/// The measure that a message counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// An update of the live stream, by its priority: from the acceptance of its event.
    Update(Priority),
    /// A greeting: from the request that it answers.
    Connect,
}

/// A message's moment and measure. Writers hand it to [`super::Sockets::written`] when the bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The moment from which the way is measured.
    pub since: Instant,
    /// The measure that the message counts for.
    pub measure: Measure,
}

impl Stamp {
    /// The stamp of a live update whose first event was accepted then.
    pub fn update(accepted: Instant, priority: Priority) -> Self {
        Self {
            since: accepted,
            measure: Measure::Update(priority),
        }
    }

    /// The stamp of a greeting that answers a request of that moment.
    pub fn greeting(requested: Instant) -> Self {
        Self {
            since: requested,
            measure: Measure::Connect,
        }
    }
}
