//! Degradation under load, step by step: larger batches, then low priority thinned by coalescing, then low priority
//! refused to producers. Each step is entered and left by itself.
//!
//! ```text
//!  samples of load ─▶ Controller ─▶ Change ─▶ hub: flush interval, windows
//!                                     └─────▶ Degradation ─▶ intake, figures, metrics
//! ```

mod controller;
mod shared;
mod step;
#[cfg(test)]
mod tests;

pub use controller::{Bounds, Change, Controller, Load, Tempo};
pub use shared::{Degradation, StepsTaken};
pub use step::Step;
