//! The story holds together, whatever the seed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;

use super::{Team, team};

/// The first `count` events with the seconds at which they come.
fn story(seed: u64, count: usize) -> Vec<(f64, Value)> {
    let mut team = team(seed, 1.0);
    let mut at = Duration::ZERO;
    let mut next = |team: &mut Team| {
        let (wait, event) = team.next_event();
        at += wait;
        (at.as_secs_f64(), event)
    };
    (0..count).map(|_| next(&mut team)).collect()
}

#[test]
fn projects_have_names_that_can_be_written() {
    let story = story(7, 4_000);
    let created = story
        .iter()
        .filter(|(_, event)| event["event_type"] == "project_created");
    let ids: Vec<&str> = created
        .map(|(_, event)| text(event, "project_id"))
        .collect();
    assert_eq!(ids[0], "checkout-service");
    assert!(ids.contains(&"checkout-service-2"), "{ids:?}");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

fn text<'e>(event: &'e Value, key: &str) -> &'e str {
    event["data"][key].as_str().unwrap_or_default()
}

/// The checks' knowledge of a task.
#[derive(Default)]
struct Seen {
    dependencies: Vec<String>,
    agent: String,
    started: bool,
    progress: u64,
    blocked: bool,
    done: bool,
}

/// The checks' knowledge of the whole story.
#[derive(Default)]
struct Witness {
    tasks: BTreeMap<String, Seen>,
    busy: BTreeMap<String, String>,
    status: BTreeMap<String, String>,
    projects: Vec<String>,
    kinds: BTreeMap<String, usize>,
    open: BTreeSet<String>,
}

/// The call or the question that an event begins or ends.
fn call(event: &Value) -> String {
    let ids = ["tool_call_id", "call_id", "request_id"].map(|key| text(event, key));
    ids.concat()
}

impl Witness {
    fn sees(&mut self, event: &Value) {
        let name = event["event_type"].as_str().unwrap();
        *self.kinds.entry(name.to_owned()).or_default() += 1;
        let (agent, id) = (text(event, "agent_id"), text(event, "task_id"));
        match name {
            "agent_registered" => {
                self.status.insert(agent.into(), "idle".into());
            }
            "agent_status_changed" => {
                let before = self
                    .status
                    .insert(agent.into(), text(event, "new_status").into());
                assert_eq!(
                    before.as_deref(),
                    Some(text(event, "old_status")),
                    "{event}"
                );
                let busy = self.busy.contains_key(agent);
                assert_eq!(text(event, "new_status") != "idle", busy, "{event}");
            }
            "project_created" => {
                assert!(self.tasks.values().all(|task| task.done));
                self.projects.push(text(event, "project_name").into());
            }
            "agent.handoff" => {
                let (from, to) = (text(event, "from_agent_id"), text(event, "to_agent_id"));
                assert!(from != to && self.status.contains_key(to), "{event}");
            }
            "project_completed" => assert!(self.tasks.values().all(|task| task.done)),
            "task_created" => {
                let before = event["data"]["dependencies"].as_array().unwrap();
                let before = before.iter().map(|id| id.as_str().unwrap().to_owned());
                let seen = Seen {
                    dependencies: before.collect(),
                    ..Seen::default()
                };
                assert!(self.tasks.insert(id.into(), seen).is_none());
            }
            _ if !id.is_empty() => self.sees_work(name, event, agent, id),
            _ => {}
        }
    }

    fn sees_work(&mut self, name: &str, event: &Value, agent: &str, id: &str) {
        if name == "task_assigned" {
            let before = &self.tasks[id].dependencies;
            assert!(before.iter().all(|id| self.tasks[id].done), "{event}");
            assert!(
                self.busy.insert(agent.into(), id.into()).is_none(),
                "{event}"
            );
        }
        assert_eq!(
            self.busy.get(agent).map(String::as_str),
            Some(id),
            "{event}"
        );
        let task = self.tasks.get_mut(id).unwrap();
        assert!(!task.done, "{event}");
        match name {
            "task_assigned" => {
                assert!(task.agent.is_empty(), "{event}");
                task.agent = agent.into();
            }
            "task_started" => {
                assert!(task.agent == agent && !task.started, "{event}");
                task.started = true;
            }
            "task_progress" => {
                let progress = event["data"]["progress"].as_u64().unwrap();
                assert!(task.started && !task.blocked, "{event}");
                assert!(progress > task.progress && progress < 100, "{event}");
                task.progress = progress;
            }
            "task_blocked" => {
                assert!(task.started && !task.blocked, "{event}");
                task.blocked = true;
            }
            "blocker_resolved" => {
                assert!(task.blocked, "{event}");
                task.blocked = false;
            }
            "task_completed" => {
                assert!(task.progress > 0 && !task.blocked, "{event}");
                task.done = true;
                self.busy.remove(agent);
            }
            "decision_logged" => assert!(task.started && !text(event, "what").is_empty()),
            "tool.started" | "llm.started" | "input.requested" => {
                assert!(task.started && !task.blocked, "{event}");
                assert!(self.open.insert(call(event)), "{event}");
            }
            "tool.completed" | "llm.completed" | "input.received" => {
                assert!(self.open.remove(&call(event)), "{event}");
            }
            other => panic!("unknown: {other}"),
        }
    }
}

#[test]
fn the_story_holds_together() {
    for seed in [0, 1, 7, u64::MAX] {
        let mut witness = Witness::default();
        for (_, event) in story(seed, 5_000) {
            witness.sees(&event);
        }
        let projects: BTreeSet<_> = witness.projects.iter().collect();
        assert_eq!(projects.len(), 4, "{projects:?}");
        for kind in [
            "task_blocked",
            "blocker_resolved",
            "decision_logged",
            "project_progress_updated",
            "project_completed",
            "system.health.changed",
            "agent.message.appended",
            "workflow.run.started",
            "workflow.run.updated",
            "workflow.run.completed",
            "workflow.run.failed",
            "workflow.node.started",
            "workflow.node.completed",
            "workflow.node.failed",
            "tool.completed",
            "llm.completed",
            "input.received",
            "agent.handoff",
        ] {
            assert!(
                witness.kinds.contains_key(kind),
                "seed {seed} has no {kind}"
            );
        }
        println!("{:?}", witness.kinds);
    }
}

#[test]
fn the_pace_is_two_to_six_per_second() {
    for seed in 0..8 {
        let story = story(seed, 5_000);
        let rate = 5_000.0 / story.last().unwrap().0;
        println!("seed {seed}: {rate:.2}/s");
        assert!((2.0..=6.0).contains(&rate), "seed {seed}: {rate}/s");
        let early = story.iter().filter(|(at, _)| *at <= 3.0).count();
        assert!(early >= 10, "seed {seed}: {early} in the first 3 s");
        let quiet = story
            .windows(2)
            .map(|pair| pair[1].0 - pair[0].0)
            .fold(0.0, f64::max);
        // As long as a person may take to answer.
        assert!(quiet < 13.5, "seed {seed}: quiet for {quiet} s");
    }
}

/// The data with ids named in the order in which they appear, so that stories can be compared.
fn without_ids(value: &mut Value, key: &str, known: &mut BTreeMap<String, usize>) {
    match value {
        Value::Object(fields) => fields
            .iter_mut()
            .for_each(|(key, value)| without_ids(value, key, known)),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| without_ids(item, key, known)),
        Value::String(id)
            if key.ends_with("_id") || key == "dependencies" || key == "current_task" =>
        {
            let next = known.len();
            *value = (*known.entry(std::mem::take(id)).or_insert(next)).into();
        }
        _ => {}
    }
}

#[test]
fn a_seed_tells_one_story() {
    let told = |seed| {
        let mut known = BTreeMap::new();
        let mut story = story(seed, 2_000);
        for (_, event) in &mut story {
            event.as_object_mut().unwrap().remove("timestamp");
            event.as_object_mut().unwrap().remove("event_id");
            without_ids(event, "", &mut known);
        }
        story
    };
    assert_eq!(told(42), told(42));
    assert_ne!(told(42), told(43));
}

#[test]
fn ids_are_never_seen_again() {
    let mut ids = BTreeSet::new();
    for (_, event) in story(5, 1_000).into_iter().chain(story(5, 1_000)) {
        assert!(ids.insert(event["event_id"].as_str().unwrap().to_owned()));
    }
}

#[test]
fn speed_divides_the_delays() {
    let total = |speed| {
        let mut team = team(3, speed);
        (0..500)
            .map(|_| team.next_event().0.as_secs_f64())
            .sum::<f64>()
    };
    let normal = total(1.0);
    assert!((normal / total(4.0) - 4.0).abs() < 0.01);
    for odd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!((total(odd) - normal).abs() < 0.01, "{odd}");
    }
    assert!(total(f64::MIN_POSITIVE) > normal);
}

#[test]
fn streamed_words_join_to_sentences() {
    let mut messages: BTreeMap<String, String> = BTreeMap::new();
    let story = story(9, 1_000);
    for (_, event) in &story {
        if event["event_type"] == "agent.message.appended" {
            messages
                .entry(text(event, "message_id").into())
                .or_default()
                .push_str(text(event, "content"));
        }
    }
    let whole = messages
        .values()
        .filter(|m| m.ends_with('.') && !m.contains("  "))
        .count();
    // Only messages that are being written at the end may be unfinished, one for each agent.
    assert!(whole + 6 >= messages.len() && messages.len() > 20);
}
