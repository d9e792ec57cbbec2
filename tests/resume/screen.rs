//! A screen, as far as the tests look at it.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

/// The screen that updates lead to, and whether any came twice.
#[derive(Default)]
pub(super) struct Screen {
    pub(super) cursor: String,
    pub(super) ids: HashSet<(String, String)>,
    pub(super) progress: BTreeMap<String, u64>,
    pub(super) text: String,
    pub(super) decisions: Vec<u64>,
    /// The number of events that each of the two updates of a status change has told of.
    pub(super) statuses: BTreeMap<String, u64>,
}

impl Screen {
    pub(super) fn apply(&mut self, name: &str, update: &Value) {
        if let Some(cursor) = update["cursor"].as_str() {
            self.cursor = cursor.to_owned();
        }
        let id = update["id"].as_str().unwrap_or_default().to_owned();
        match name {
            "progress_update" => {
                let task = update["task_id"].as_str().expect("task").to_owned();
                let progress = update["progress"].as_u64().expect("progress");
                let before = self.progress.insert(task, progress);
                assert!(
                    before.is_none_or(|b| b <= progress),
                    "an older value came later"
                );
            }
            "message_appended" => self.text += update["data"]["content"].as_str().expect("text"),
            "decision_event" => self
                .decisions
                .push(update["data"]["n"].as_u64().expect("n")),
            "agent_status_change" | "agent_update" => {
                *self.statuses.entry(name.to_owned()).or_default() +=
                    update["coalesced"].as_u64().unwrap_or(1);
            }
            _ => return,
        }
        let fresh = self.ids.insert((name.to_owned(), id));
        assert!(fresh, "{name} came twice: {update}");
    }
}
