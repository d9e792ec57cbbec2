//! The filter of one client of `/conversations`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ConversationEvent;
use crate::event::Object;

/// Kinds that are kept for a client: the page has four, and no client may make the server keep many.
const MAX_TYPES: usize = 64;
/// Bytes of a kind or an agent that are kept: no name is longer.
const MAX_NAME: usize = 256;
/// About how many bytes of memory a kind holds beside its name.
const ENTRY: usize = 32;

/// A subscription's filter. The default admits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConversationFilter {
    /// The agent whose lines are shown, as speaker or listener; the page's "all agents" is the empty string.
    agent: Option<Box<str>>,
    /// The kinds switched off or on by name; a kind that is not named is shown.
    types: BTreeMap<Box<str>, bool>,
}

impl ConversationFilter {
    /// Reads `subscribe`'s argument (`{filters: {agentId, types, timeRange}}`, or the filters themselves). Fields that
    /// are not understood filter nothing. `timeRange` is the page's own matter: a live line is always recent.
    pub fn parse(argument: &Value) -> Self {
        let filters = argument.get("filters").unwrap_or(argument);
        let agent = ["agentId", "agent_id"]
            .iter()
            .find_map(|key| filters.get(key)?.as_str())
            .filter(|id| (1..=MAX_NAME).contains(&id.len()))
            .map(Into::into);
        let types = filters
            .get("types")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Object::iter)
            .filter(|(kind, _)| kind.len() <= MAX_NAME)
            .filter_map(|(kind, shown)| Some((kind.as_str().into(), shown.as_bool()?)))
            .take(MAX_TYPES)
            .collect();
        Self { agent, types }
    }

    /// About how many bytes of memory it holds beside itself.
    pub fn held(&self) -> usize {
        let types = self.types.keys().map(|kind| kind.len() + ENTRY);
        self.agent.as_deref().map_or(0, str::len) + types.sum::<usize>()
    }

    /// Whether the client wants this line.
    pub fn admits(&self, line: &ConversationEvent<'_>) -> bool {
        let about = |agent: &str| line.source == agent || line.target == agent;
        self.agent.as_deref().is_none_or(about)
            && self.types.get(line.filter_key()).copied().unwrap_or(true)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::Dialect;
    use crate::update::seneca::{conversation_fields, testing::event};

    fn admits(filter: &Value, name: &str, data: Value) -> bool {
        let event = event(Dialect::Conversation, name, data);
        conversation_fields(&event).is_some_and(|l| ConversationFilter::parse(filter).admits(&l))
    }

    #[test]
    fn the_agent_may_speak_or_be_spoken_to() {
        let said = json!({"worker_id": "agent_1", "conversation_type": "worker_to_pm"});
        let told = json!({"worker_id": "agent_1", "conversation_type": "pm_to_worker"});
        for agent in ["agent_1", ""] {
            let filter = json!({"filters": {"agentId": agent}});
            assert!(admits(&filter, "worker_communication", said.clone()));
            assert!(admits(&filter, "worker_communication", told.clone()));
        }
        let other = json!({"filters": {"agentId": "agent_2"}});
        assert!(!admits(&other, "worker_communication", said));
    }

    #[test]
    fn a_kind_switched_off_is_hidden_and_one_not_named_is_shown() {
        let filter =
            json!({"filters": {"types": {"blocker": false, "pm_thinking": true}, "timeRange": 60}});
        assert!(!admits(&filter, "blocker_reported", json!({})));
        assert!(admits(&filter, "pm_thinking", json!({})));
        assert!(admits(&filter, "pm_decision", json!({})));
    }

    #[test]
    fn nonsense_filters_nothing() {
        for odd in [
            json!(null),
            json!([1]),
            json!({"filters": 3}),
            json!({"types": {"pm_decision": "no"}}),
        ] {
            assert!(admits(&odd, "pm_decision", json!({})));
        }
    }
}
