//! The agents of the stream, and whether they are present.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    limits::{self, ENTRY},
    tenants::{self, Speakers},
};
use crate::{
    event::Event,
    projections::fair,
    update::seneca::{ConversationEvent, read},
};

/// Agents that are kept, as far as they fit into their bytes. Beyond it an eighth is evicted at once: agents of the
/// projects that have most, of these first those that were silent for longest.
const MAX_AGENTS: usize = 1_000;

/// The agents by id.
#[derive(Debug)]
pub(super) struct Workers {
    /// Sorted, so that the page's list keeps its order.
    known: BTreeMap<Box<str>, Worker>,
    /// A clock of events: it shows which agent was silent for longest.
    tick: u64,
    /// About how many bytes they hold.
    pub(super) bytes: usize,
    max: usize,
    /// The number of evicted agents.
    pub(super) forgotten: u64,
}

#[derive(Debug)]
struct Worker {
    /// The name it registered with.
    name: Option<Box<str>>,
    /// Whether it counts as active: an event named it, and it did not leave.
    present: bool,
    /// The last event that named it, by [`Workers::tick`].
    heard: u64,
    /// The project of the first event that named it.
    of: Speakers,
}

impl Worker {
    fn held(&self, id: &str) -> usize {
        let name = self.name.as_ref().map_or(0, |name| name.len());
        ENTRY + id.len() + name + self.of.project.as_ref().map_or(0, |project| project.len())
    }
}

impl Workers {
    /// No agents; they never hold more than so many bytes.
    pub(super) fn new(max: usize) -> Self {
        Self {
            known: BTreeMap::new(),
            tick: 0,
            bytes: 0,
            max,
            forgotten: 0,
        }
    }

    /// Notes the agents that `event` names: its subject, its speaker and its listener.
    pub(super) fn observe(&mut self, event: &Event, line: Option<&ConversationEvent<'_>>) {
        self.tick += 1;
        if let Some(line) = line {
            [line.source, line.target]
                .into_iter()
                .filter(|id| looks_like_agent(id))
                .for_each(|id| self.note(id, None, None, event));
        }
        if let Some(id) = read::agent(event) {
            self.note(id, registered_name(event), presence(event), event);
        }
    }

    /// The number of active agents.
    pub(super) fn active(&self) -> usize {
        self.known.values().filter(|worker| worker.present).count()
    }

    /// The number of agents that the stream has shown.
    pub(super) fn seen(&self) -> usize {
        self.known.len()
    }

    /// `[{id, name}]`.
    pub(super) fn list(&self) -> Value {
        self.known
            .iter()
            .map(|(id, worker)| {
                let name = worker
                    .name
                    .as_deref()
                    .map_or_else(|| title_case(id), str::to_owned);
                json!({"id": id, "name": name})
            })
            .collect()
    }

    fn note(&mut self, id: &str, name: Option<&str>, present: Option<bool>, event: &Event) {
        if !limits::fits(id) {
            return;
        }
        let id = &*tenants::key(id, self.known.get(id).map(|worker| &worker.of), event);
        if !self.known.contains_key(id) {
            if self.known.len() >= MAX_AGENTS {
                self.make_room();
            }
            let fresh = Worker {
                name: None,
                present: true,
                heard: 0,
                of: Speakers::of(event),
            };
            self.bytes += fresh.held(id);
            self.known.insert(id.into(), fresh);
        }
        if let Some(worker) = self.known.get_mut(id) {
            worker.heard = self.tick;
            worker.of.hear(event);
            if let Some(present) = present {
                worker.present = present;
            }
            if let Some(name) = name {
                self.bytes -= worker.held(id);
                worker.name = Some(limits::name(name).into());
                self.bytes += worker.held(id);
            }
        }
        if self.bytes > self.max {
            self.make_room();
        }
    }

    fn make_room(&mut self) {
        let by_count = self.known.len() >= MAX_AGENTS;
        let target = match by_count {
            true => MAX_AGENTS - MAX_AGENTS / 8,
            false => self.max - self.max / 8,
        };
        let mut known: Vec<_> = self.known.iter().collect();
        known.sort_unstable_by_key(|(_, worker)| worker.heard);
        let weigh = |(id, worker): (_, &Worker)| if by_count { 1 } else { worker.held(id) };
        let ranked = known
            .into_iter()
            .map(|(id, worker)| (&worker.of.project, weigh((id, worker)), id));
        let going: Vec<_> = fair::leaving(ranked.collect(), target)
            .into_iter()
            .cloned()
            .collect();
        for id in going {
            if let Some(gone) = self.known.remove(&id) {
                self.bytes -= gone.held(&id);
                self.forgotten += 1;
            }
        }
    }
}

/// Whether an id looks like an agent's, by Seneca's own rule.
fn looks_like_agent(id: &str) -> bool {
    id.starts_with("agent") || id.starts_with("worker_")
}

fn registered_name(event: &Event) -> Option<&str> {
    match event.name.canonical() {
        "worker.registration" | "agent.registered" => {
            read::first_text(&event.data, &["name", "agent_name", "agentName"])
        }
        _ => None,
    }
}

/// Whether the event says that the agent came or went.
fn presence(event: &Event) -> Option<bool> {
    let gone = |status: &str| {
        matches!(
            status,
            "offline" | "disconnected" | "terminated" | "stopped"
        )
    };
    match event.name.canonical() {
        "worker.registration" | "agent.registered" => Some(true),
        "agent.unregistered" | "agent.deregistered" | "agent.disconnected" => Some(false),
        _ if event.name.family() == "agent" => {
            read::first_text(&event.data, &["new_status", "status"]).map(|status| !gone(status))
        }
        _ => None,
    }
}

/// `agent_backend_1` → `Agent Backend 1`.
fn title_case(id: &str) -> String {
    id.split(['_', '-', ' '])
        .filter(|word| !word.is_empty())
        .map(|word| {
            let mut chars = word.chars();
            chars.next().map_or_else(String::new, |first| {
                first.to_uppercase().chain(chars).collect()
            })
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Dialect;
    use crate::update::seneca::testing::event;

    fn note(workers: &mut Workers, name: &str, data: Value) {
        let event = event(Dialect::Canonical, name, data);
        workers.observe(&event, ConversationEvent::of(&event).as_ref());
    }

    #[test]
    fn an_agent_is_named_and_leaves() {
        let mut workers = Workers::new(1 << 20);
        note(
            &mut workers,
            "task_progress",
            json!({"source": "agent_test_1"}),
        );
        assert_eq!(
            workers.list(),
            json!([{"id": "agent_test_1", "name": "Agent Test 1"}])
        );
        note(
            &mut workers,
            "agent_registered",
            json!({"agent_id": "agent_test_1", "agent_name": "Tess"}),
        );
        assert_eq!(workers.list()[0]["name"], "Tess");
        note(
            &mut workers,
            "agent_status_changed",
            json!({"agent_id": "agent_test_1", "new_status": "offline"}),
        );
        assert_eq!((workers.active(), workers.seen()), (0, 1));
    }

    #[test]
    fn the_list_is_bounded_and_forgets_the_silent() {
        let mut workers = Workers::new(1 << 20);
        for n in 0..MAX_AGENTS + 50 {
            note(
                &mut workers,
                "agent_registered",
                json!({"agent_id": format!("agent_{n}")}),
            );
        }
        assert!(workers.seen() <= MAX_AGENTS);
        assert!(!workers.known.contains_key("agent_0"));
        assert!(workers.known.contains_key("agent_1049"));
    }
}
