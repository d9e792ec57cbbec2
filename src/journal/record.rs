//! A kept event, and its place in the order.

use std::{sync::Arc, time::Instant};

use super::flow::PublishedBy;
use crate::event::Event;

/// The place of an event in the journal: 1 for the first, without holes. 0 is "before everything".
pub type Seq = u64;

/// One kept event.
#[derive(Debug)]
pub struct Record {
    /// Its place in the order.
    pub seq: Seq,
    /// The event; shared with those that keep it longer (history lines).
    pub event: Arc<Event>,
    /// The bytes of its text, for the bounds of what is sent.
    pub weight: usize,
    /// About how many bytes of memory it holds, for the bounds of what is held: it may be a hundred times its text.
    pub held: usize,
    /// The time of acceptance, for the delivery budgets; not kept over a restart.
    pub accepted: Instant,
    /// The sender, as far as it is known.
    pub by: PublishedBy,
}
