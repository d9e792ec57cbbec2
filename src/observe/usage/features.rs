//! The features that clients use, by name. The names are fixed, so no client can make the list longer.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

/// The names, in alphabetical order: what clients send, and the doors by which they come. Others count as `other`.
const NAMES: [&str; 41] = [
    "admin",
    "agent_action",
    "agent_update",
    "authenticate",
    "door.guide",
    "door.pipeline",
    "door.socketio",
    "door.sse",
    "door.streams",
    "door.visualization",
    "emit",
    "emit_to",
    "get_analytics",
    "get_breakers",
    "get_connections",
    "get_health",
    "get_history",
    "get_input",
    "get_metrics",
    "get_queues",
    "get_rooms",
    "get_state",
    "get_stats",
    "join",
    "join_room",
    "leave",
    "leave_room",
    "other",
    "ping",
    "presence",
    "publish",
    "resume",
    "subscribe",
    "subscribe_conversations",
    "subscribe_flow",
    "subscribe_health_updates",
    "subscribe_metrics",
    "subscribe_pipeline_flow",
    "unsubscribe",
    "unsubscribe_flow",
    "update",
];

/// A count for each name.
#[derive(Debug)]
pub(super) struct Features([AtomicU64; NAMES.len()]);

impl Default for Features {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Features {
    /// A feature was used so many times.
    pub(super) fn count(&self, name: &str, times: u64) {
        let found = NAMES.binary_search(&name).or(NAMES.binary_search(&"other"));
        if let Some(count) = found.ok().and_then(|at| self.0.get(at)) {
            count.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// A client came by a door.
    pub(super) fn count_door(&self, door: &str) {
        let is_it = |name: &&&str| name.strip_prefix("door.") == Some(door);
        self.count(NAMES.iter().find(is_it).unwrap_or(&"other"), 1);
    }

    /// The features that were used.
    pub(super) fn list(&self) -> BTreeMap<String, u64> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        let used = NAMES.iter().zip(counts).filter(|(_, count)| *count > 0);
        used.map(|(name, count)| ((*name).to_owned(), count))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_others_count_as_other() {
        assert!(NAMES.is_sorted());
        let features = Features::default();
        for name in NAMES {
            features.count(name, 1);
        }
        features.count("rm -rf", 4);
        features.count_door("window");
        features.count_door("sse");
        let list = features.list();
        assert_eq!(list.len(), NAMES.len());
        for (name, count) in list {
            let expected = match &*name {
                "other" => 6,
                "door.sse" => 2,
                _ => 1,
            };
            assert_eq!(count, expected, "{name}");
        }
    }
}
