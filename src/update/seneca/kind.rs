//! Seneca's own updates that an event gives, and their bodies.

use serde_json::{Value, json};
use smallvec::SmallVec;
use strum::IntoStaticStr;

use super::{conversation::ConversationEvent, read};
use crate::{
    channel::{Listening, Namespace, Topic},
    event::{Event, Object},
};

/// An update that only Seneca's pages know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum SenecaKind {
    /// `conversation_event` on `/`: every line of the conversation.
    ConversationEvent,
    /// `assignment_event` on `/`: the same line once more, if it is an assignment.
    AssignmentEvent,
    /// `blocker_event` on `/`: the same line once more, if it reports a blocker.
    BlockerEvent,
    /// `worker_registration` on `/`.
    WorkerRegistration,
    /// `conversation` on `/conversations`.
    Conversation,
    /// `marcus_thinking` on `/conversations`.
    MarcusThinking,
}

/// The source of an update's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeField {
    /// The Socket.IO event's name, as everywhere.
    EventName,
    /// The body's own one, or no `type` at all if it has none: the `/conversations` page hides a line whose `type` it
    /// does not filter by.
    Own,
}

/// The updates that `event` gives for the topics that clients listen to now.
pub fn plan(event: &Event, listening: Listening) -> SmallVec<[SenecaKind; 4]> {
    let mut out = SmallVec::new();
    let (log, page) = (
        listening.to(Topic::Conversations),
        listening.to(Topic::ConversationPage),
    );
    if !log && !page {
        return out;
    }
    let line = ConversationEvent::of(event);
    if log {
        if let Some(line) = &line {
            out.push(SenecaKind::ConversationEvent);
            match line.event_type {
                "task_assignment" => out.push(SenecaKind::AssignmentEvent),
                "blocker_report" => out.push(SenecaKind::BlockerEvent),
                _ => {}
            }
        }
        let registers = matches!(
            event.name.canonical(),
            "worker.registration" | "agent.registered"
        );
        if registers && read::agent(event).is_some() {
            out.push(SenecaKind::WorkerRegistration);
        }
    }
    if page && let Some(line) = &line {
        out.push(SenecaKind::Conversation);
        if line.event_type == "pm_thinking" {
            out.push(SenecaKind::MarcusThinking);
        }
    }
    out
}

impl SenecaKind {
    /// The Socket.IO event.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The same as filters compare it: with dots between its words.
    pub fn folded(self) -> &'static str {
        match self {
            Self::ConversationEvent => "conversation.event",
            Self::AssignmentEvent => "assignment.event",
            Self::BlockerEvent => "blocker.event",
            Self::WorkerRegistration => "worker.registration",
            Self::Conversation => "conversation",
            Self::MarcusThinking => "marcus.thinking",
        }
    }

    /// The namespace that it is sent on.
    pub fn namespace(self) -> Namespace {
        match self {
            Self::Conversation | Self::MarcusThinking => Namespace::Conversations,
            _ => Namespace::Root,
        }
    }

    /// The topic whose subscribers get it.
    pub fn topic(self) -> Topic {
        match self {
            Self::Conversation | Self::MarcusThinking => Topic::ConversationPage,
            _ => Topic::Conversations,
        }
    }

    /// The source of its `type`.
    pub fn wants_type(self) -> TypeField {
        match self {
            Self::Conversation => TypeField::Own,
            _ => TypeField::EventName,
        }
    }

    /// Its own fields, without those that every update is stamped with (`id`, `timestamp`, `cursor`, …).
    pub fn body(self, event: &Event) -> Object {
        let line = || ConversationEvent::of(event);
        match self {
            Self::ConversationEvent | Self::AssignmentEvent | Self::BlockerEvent => {
                line().map(|line| line.fields()).unwrap_or_default()
            }
            Self::Conversation => line().map(|line| line.page_fields()).unwrap_or_default(),
            Self::MarcusThinking => {
                let thought = line().map(|line| line.message()).unwrap_or_default();
                Object::from_iter([("thought".to_owned(), Value::from(thought))])
            }
            Self::WorkerRegistration => registration(event),
        }
    }
}

/// The Vue page reads camel case, everybody else the names as Marcus writes them.
fn registration(event: &Event) -> Object {
    let id = read::agent(event).unwrap_or_default();
    let name = read::first_text(&event.data, &["name", "agent_name", "agentName"]).unwrap_or(id);
    let mut out = Object::new();
    for key in ["workerId", "worker_id", "agent_id"] {
        out.insert(key.into(), id.into());
    }
    out.insert("name".into(), name.into());
    out.insert(
        "role".into(),
        read::value_or(&event.data, "role", json!("")),
    );
    out.insert(
        "skills".into(),
        read::value_or(&event.data, "skills", json!([])),
    );
    out.insert("data".into(), event.data.clone().into());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Dialect;
    use crate::update::seneca::testing::event;

    fn names(event: &Event, listening: Listening) -> Vec<&'static str> {
        plan(event, listening).iter().map(|k| k.name()).collect()
    }

    #[test]
    fn nobody_listening_plans_nothing_and_each_topic_only_its_own() {
        let thought = event(
            Dialect::Conversation,
            "pm_thinking",
            json!({"thought": "Hm"}),
        );
        let both = Listening::NONE
            .with(Topic::Conversations)
            .with(Topic::ConversationPage);
        assert!(names(&thought, Listening::NONE).is_empty());
        assert!(names(&thought, Listening::NONE.with(Topic::Health)).is_empty());
        assert_eq!(
            names(&thought, Listening::NONE.with(Topic::Conversations)),
            ["conversation_event"]
        );
        assert_eq!(
            names(&thought, both),
            ["conversation_event", "conversation", "marcus_thinking"]
        );
        assert_eq!(SenecaKind::MarcusThinking.body(&thought)["thought"], "Hm");
    }

    #[test]
    fn assignments_and_blockers_are_said_twice() {
        let log = Listening::NONE.with(Topic::Conversations);
        for dialect in [
            Dialect::Conversation,
            Dialect::RealtimeLog,
            Dialect::Canonical,
        ] {
            let assigned = event(dialect, "task_assignment", json!({"agent_id": "agent_1"}));
            assert_eq!(
                names(&assigned, log),
                ["conversation_event", "assignment_event"]
            );
        }
        let blocked = event(Dialect::Conversation, "blocker_reported", json!({}));
        assert_eq!(
            names(&blocked, log),
            ["conversation_event", "blocker_event"]
        );
    }

    #[test]
    fn a_dropped_line_gives_nothing() {
        let other = event(Dialect::Conversation, "MCP tool failure", json!({}));
        assert!(plan(&other, Listening::ALL).is_empty());
    }

    #[test]
    fn registrations_speak_both_spellings() {
        let bus = event(
            Dialect::Canonical,
            "agent_registered",
            json!({"agent_id": "agent_1", "agent_name": "One", "role": "Dev", "skills": ["rust"]}),
        );
        assert!(plan(&bus, Listening::ALL).contains(&SenecaKind::WorkerRegistration));
        let body = SenecaKind::WorkerRegistration.body(&bus);
        assert_eq!(body["workerId"], "agent_1");
        assert_eq!(body["agent_id"], "agent_1");
        assert_eq!(body["name"], "One");
        assert_eq!(body["skills"], json!(["rust"]));
    }

    #[test]
    fn the_page_gets_a_type_only_for_what_it_filters_by() {
        let body =
            |name, data| SenecaKind::Conversation.body(&event(Dialect::Conversation, name, data));
        assert_eq!(body("blocker_reported", json!({}))["type"], "blocker");
        assert_eq!(
            body("worker_communication", json!({}))["type"],
            "worker_message"
        );
        assert!(!body("progress_update", json!({})).contains_key("type"));
        let decision = body(
            "pm_decision",
            json!({"decision": "Go", "confidence_score": 0.8, "alternatives_considered": [{"task": "T", "score": 0.5}]}),
        );
        assert_eq!(decision["type"], "pm_decision");
        assert_eq!(decision["metadata"]["confidence_score"], 0.8);
        assert_eq!(decision["metadata"]["alternatives"][0]["name"], "T");
        assert_eq!(SenecaKind::Conversation.wants_type(), TypeField::Own);
    }
}
