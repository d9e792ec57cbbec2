//! The tasks in a snapshot: the newest value of each fact up to its place.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{events::Claims, truth::Truth};

type Facts = BTreeMap<(String, String), u64>;

/// Checks a snapshot after the event `to` against the events.
pub(super) fn check(
    truth: &Truth,
    claims: Claims,
    to: u64,
    tasks: &[Value],
    counts: &Value,
) -> Result<(), String> {
    if claims == Claims::All && counts["events"] != to - truth.forgotten {
        return Err(format!(
            "the state is of {} events and its place is behind e{to}",
            counts["events"]
        ));
    }
    let mut said = Facts::new();
    for event in truth
        .events
        .iter()
        .filter(|event| event.n > truth.forgotten && event.n <= to && event.is_for(claims))
    {
        let named = event.task().filter(|_| event.name() != "custom.thing");
        if let Some(task) = named {
            let task = format!("{}/{task}", event.project().unwrap_or_default());
            said.insert((task, format!("f{}", event.said.fact)), event.n);
        }
    }
    let mut shown = Facts::new();
    for task in tasks {
        let name = |key: &str| task[key].as_str().unwrap_or_default();
        let id = format!("{}/{}", name("project_id"), name("task_id"));
        for fact in ["f0", "f1", "f2"] {
            if let Some(n) = task[fact].as_u64() {
                shown.insert((id.clone(), fact.into()), n);
            }
        }
    }
    if said != shown {
        return Err(format!(
            "the state of tasks behind e{to} is {shown:?}; said was {said:?}"
        ));
    }
    Ok(())
}
