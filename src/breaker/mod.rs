//! Circuit breakers: one for each outside part that the server calls.
//!
//! ```text
//!          failures in a row             open_for is over
//!  closed ───────────────────▶ open ──────────────────────▶ half-open
//!    ▲                          ▲                           │      │
//!    │                          └─────── a probe fails ─────┘      │
//!    └────────────────────────── a probe succeeds ─────────────────┘
//! ```
//!
//! While a breaker is open, calls of its part are refused at once: they would only wait for what can't be had, and keep a
//! part from recovering. A half-open breaker lets a few probes through. A breaker knows nothing of what it guards.

mod metrics;
mod part;
mod registry;
#[cfg(test)]
mod tests;

pub use part::{Breaker, BreakerLimits, BreakerSnapshot, BreakerState, Permit, Refused};
pub use registry::Breakers;
