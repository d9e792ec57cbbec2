//! The event of an emission that is kept.

use std::sync::Arc;

use super::{Dialect, Event, EventName, Ids, Object, Settled, content, mint_id};
use crate::{emission::Emission, timestamp::Timestamp};

/// The canonical name of all these events: no table, rule or fold knows it.
const CANONICAL: &str = "emission";

impl Event {
    /// The event of an emission. It has the emission's name and id, and names no thing.
    pub fn emitted(mut emission: Emission, source: &str) -> Self {
        let id = emission.id.take();
        Self {
            id: id.unwrap_or_else(|| mint_id().to_string()).into(),
            name: EventName::with_canonical(&emission.event, CANONICAL),
            timestamp: Timestamp::now(),
            source: source.into(),
            project_id: None,
            priority: None,
            data: Object::new(),
            metadata: Object::new(),
            dialect: Dialect::Emission,
            ids: Ids::default(),
            content: content::hash_of_emission(&emission),
            settled: Settled::default(),
            emission: Some(Arc::new(emission)),
        }
    }
}
