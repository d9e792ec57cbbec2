//! Runs that fail, or that wait for a person, as producers say so.

use std::sync::Arc;

use serde_json::Value;

use super::{
    alert::{Alert, Severity, Subject},
    board::Key,
};
use crate::{
    access::authz::Audience,
    event::{Event, Object, ThingKind},
    update::run_status,
};

/// Characters of a producer's text that an alert quotes.
const MAX_TEXT: usize = 256;

/// The words with which frameworks say that a run failed.
const FAILED: [&str; 7] = [
    "failed",
    "failure",
    "error",
    "errored",
    "timed_out",
    "timeout",
    "crashed",
];

/// The words with which frameworks say that a run goes on only once a person has answered or allowed something.
const WAITING: [&str; 21] = [
    "paused",
    "waiting",
    "waiting_for_human",
    "waiting_for_input",
    "waiting_for_user",
    "waiting_for_approval",
    "awaiting_human",
    "awaiting_input",
    "awaiting_approval",
    "human_input_required",
    "input_required",
    "requires_input",
    "requires_action",
    "requires_approval",
    "needs_input",
    "needs_approval",
    "pending_approval",
    "action_required",
    "auth_required",
    "interrupted",
    "suspended",
];

/// The news of a run in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Failed,
    Waits,
    GoesOn,
}

/// The change of a run that an event tells.
#[derive(Debug)]
pub(super) struct RunChange {
    /// The run.
    pub(super) key: Key,
    /// The key that the run had before this event said which project it is of.
    pub(super) before: Option<Key>,
    /// The alert; none if the run goes on or is over.
    pub(super) alert: Option<Alert>,
    /// Those who may see the event.
    pub(super) audience: Arc<Audience>,
    /// The producer of the event: its verified identity, or without one the source that it names.
    pub(super) producer: Arc<str>,
}

impl RunChange {
    /// Reads an event; none if it changes no run's status.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let (kind, id, word) = read(event)?;
        let home: Option<Arc<str>> = event.home(kind).map(Into::into);
        let before = home
            .as_ref()
            .filter(|_| event.settled.adopts(kind))
            .map(|_| Key::Run(kind, None, id.into()));
        let audience = Arc::new(Audience::of(event, |_| true));
        Some(Self {
            key: Key::Run(kind, home, id.into()),
            before,
            alert: alert(event, (kind, id), word, &audience),
            audience,
            producer: match &*event.settled.producer {
                "" => format!("source:{}", event.source).into(),
                _ => event.settled.producer.clone(),
            },
        })
    }
}

/// The run that an event is about, and what it says of it.
fn read(event: &Event) -> Option<(ThingKind, &str, Word)> {
    let mut segments = event.name.canonical().split('.');
    let family = segments.next().unwrap_or_default();
    let part = segments.next().unwrap_or_default();
    let (kind, id) = match (family, part) {
        ("agent", "run") | ("run", _) => (ThingKind::Run, event.run_id()?),
        // A node or a step that waits for its turn waits for no person.
        ("workflow", "node") => return None,
        ("workflow" | "execution", _) => (ThingKind::Execution, event.execution_id()?),
        ("ingest", _) => (ThingKind::Job, event.job_id()?),
        ("input", asked) => {
            let (kind, id) = asker(event)?;
            let is_asked = matches!(asked, "requested" | "required");
            let word = if is_asked { Word::Waits } else { Word::GoesOn };
            return Some((kind, id, word));
        }
        _ => return None,
    };
    let stated = run_status(&event.name, &event.data);
    let said = stated.as_deref().unwrap_or(event.name.change_type());
    let said = said.to_ascii_lowercase().replace(['-', ' ', '.'], "_");
    let last = event.name.canonical().rsplit('.').next();
    let named = |words: &[&str]| {
        // A name of several words is folded to segments: `run.waiting_for_human` ends with `human`.
        let folded = event.name.canonical().replace('.', "_");
        words.contains(&said.as_str())
            || words
                .iter()
                .any(|word| word.contains('_') && folded.ends_with(word))
    };
    if named(&FAILED) {
        Some((kind, id, Word::Failed))
    } else if named(&WAITING) {
        Some((kind, id, Word::Waits))
    } else if stated.is_some() || last == Some("resumed") {
        Some((kind, id, Word::GoesOn))
    } else {
        None
    }
}

/// The thing that asks a person: the run, or else the task or the agent.
fn asker(event: &Event) -> Option<(ThingKind, &str)> {
    let run = [
        (ThingKind::Execution, event.execution_id()),
        (ThingKind::Run, event.run_id()),
        (ThingKind::Job, event.job_id()),
        (ThingKind::Task, event.task_id()),
        (ThingKind::Agent, event.agent_id()),
    ];
    run.into_iter().find_map(|(kind, id)| Some((kind, id?)))
}

fn alert(
    event: &Event,
    (kind, id): (ThingKind, &str),
    word: Word,
    audience: &Arc<Audience>,
) -> Option<Alert> {
    let name = format!("{kind} {id}");
    let why = reason(&event.data).map_or(String::new(), |why| format!(": {why}"));
    let (code, severity, message, action) = match word {
        Word::GoesOn => return None,
        Word::Failed => (
            "run_failed",
            Severity::Error,
            format!("{name} failed{why}"),
            format!(
                "see what it did before, at GET /api/v1/events of this {kind}, mend it and start it again"
            ),
        ),
        Word::Waits => (
            "run_waiting",
            Severity::Warning,
            format!("{name} waits for a person{why}"),
            "answer what it asks, or let it go on".to_owned(),
        ),
    };
    Some(Alert {
        code,
        severity,
        subject: Subject {
            kind: kind.as_str(),
            id: id.into(),
        },
        message,
        action,
        value: None,
        limit: None,
        audience: Some(audience.clone()),
    })
}

/// The reason that the event gives, cut off if it is long.
fn reason(data: &Object) -> Option<String> {
    const KEYS: [&str; 6] = [
        "errorMessage",
        "error_message",
        "error",
        "question",
        "message",
        "reason",
    ];
    let outer = ["run", "job", "execution"].into_iter();
    let inner = outer.filter_map(|key| data.get(key).and_then(Value::as_object));
    let mut places = std::iter::once(data).chain(inner);
    let text = places.find_map(|place| KEYS.iter().find_map(|key| place.get(*key)?.as_str()))?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.chars().take(MAX_TEXT).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        event::{ParseContext, parse},
        timestamp::Timestamp,
    };

    fn change(value: Value) -> Option<(Key, Option<&'static str>, String)> {
        let context = ParseContext {
            now: Timestamp::now(),
            producer: "test",
            max_depth: 32,
        };
        let event = parse(value, &context).unwrap();
        let change = RunChange::of(&event)?;
        let said = change.alert.as_ref();
        let message = said.map_or(String::new(), |alert| alert.message.clone());
        Some((change.key, said.map(|alert| alert.code), message))
    }

    #[test]
    fn the_words_of_frameworks_are_understood() {
        let run = |status: &str| json!({ "type": "agent.run.status_changed", "data": { "run_id": "r", "status": status } });
        for (event, code) in [
            (
                json!({ "type": "workflow.run.failed", "data": { "execution_id": "e" } }),
                Some("run_failed"),
            ),
            (
                json!({ "type": "agent.run.failed", "run": { "id": "r", "status": "failed" }, "errorMessage": "no key" }),
                Some("run_failed"),
            ),
            (
                json!({ "type": "ingest.job.failed", "job": { "id": "j" } }),
                Some("run_failed"),
            ),
            (
                json!({ "type": "workflow.run.paused", "data": { "execution_id": "e" } }),
                Some("run_waiting"),
            ),
            (
                json!({ "type": "workflow.run.waiting_for_human", "data": { "execution_id": "e" } }),
                Some("run_waiting"),
            ),
            (
                json!({ "type": "execution_update", "data": { "execution_id": "e", "status": "waiting_for_approval" } }),
                Some("run_waiting"),
            ),
            (run("input-required"), Some("run_waiting")),
            (run("requires_action"), Some("run_waiting")),
            (run("Interrupted"), Some("run_waiting")),
            (run("error"), Some("run_failed")),
            (run("running"), None),
            (
                json!({ "type": "agent.run.completed", "data": { "run_id": "r" } }),
                None,
            ),
            (
                json!({ "type": "workflow.run.resumed", "data": { "execution_id": "e" } }),
                None,
            ),
            (
                json!({ "type": "input.requested", "data": { "run_id": "r", "request_id": "q", "message": "Publish?" } }),
                Some("run_waiting"),
            ),
            (
                json!({ "type": "input.requested", "data": { "agent_id": "a", "request_id": "q" } }),
                Some("run_waiting"),
            ),
            (
                json!({ "type": "input.received", "data": { "run_id": "r", "request_id": "q" } }),
                None,
            ),
        ] {
            let said = change(event.clone()).unwrap_or_else(|| panic!("{event} changes no run"));
            assert_eq!(said.1, code, "{event}");
        }
    }

    #[test]
    fn other_events_change_no_run() {
        for event in [
            json!({ "type": "task.failed", "data": { "task_id": "t" } }),
            json!({ "type": "workflow.node.state.updated", "data": { "execution_id": "e", "node_id": "n", "status": "waiting" } }),
            json!({ "type": "agent.step.failed", "data": { "run_id": "r" } }),
            json!({ "type": "agent.run.failed", "data": {} }),
            json!({ "type": "agent.run.heartbeat", "data": { "run_id": "r" } }),
        ] {
            assert!(change(event.clone()).is_none(), "{event}");
        }
    }

    #[test]
    fn the_reason_is_quoted_and_cut_off() {
        let long = "x".repeat(10_000);
        let event = json!({ "type": "agent.run.failed", "data": { "run_id": "r", "error": long } });
        let (key, _, message) = change(event).unwrap();
        assert_eq!(key, Key::Run(ThingKind::Run, None, "r".into()));
        assert!(message.starts_with("run r failed: xxx") && message.len() < 300);
        let event =
            json!({ "type": "input.requested", "data": { "run_id": "r", "message": "Publish?" } });
        assert_eq!(
            change(event).unwrap().2,
            "run r waits for a person: Publish?"
        );
    }
}
