//! The kinds of updates: their names, namespaces and animations.

use std::sync::Arc;

use serde_json::Value;

use super::{
    animation::Animation, input::input_status, level::notification_level, motion::Motion,
    rule_update::RuleUpdate, status::status_of, tool::tool_status,
};
use crate::{channel::Namespace, emission::Emission, event::Event, update::seneca::SenecaKind};

/// The kind of an update, which decides its body.
#[derive(Debug, Clone)]
pub enum UpdateKind {
    /// `agent_status_change`.
    AgentStatusChange,
    /// `agent_update`.
    Agent,
    /// `project_update`.
    Project,
    /// `task_assignment`.
    TaskAssignment,
    /// `progress_update`.
    Progress,
    /// `task_update`.
    Task,
    /// `decision_event`.
    Decision,
    /// `health_update`.
    Health,
    /// `system_notification`.
    Notification,
    /// `execution_update`.
    Execution,
    /// `node_update`.
    Node,
    /// `ingest_update`.
    Ingest,
    /// `agent_run_update`.
    AgentRun,
    /// `message_appended`.
    Message,
    /// `tool_update`.
    Tool,
    /// `agent_handoff`.
    Handoff,
    /// `input_update`.
    Input,
    /// `llm_update`.
    Model,
    /// `usage_update`.
    Usage,
    /// `check_update`.
    Check,
    /// `artifact_update`.
    Artifact,
    /// `plan_update`.
    Plan,
    /// `visual_update`.
    Visual,
    /// `generic_update`.
    Generic,
    /// An update that a rule of the configuration makes.
    Rule(RuleUpdate),
    /// The emission of an application.
    Emission(Arc<Emission>),
    /// An update that only Seneca's pages know.
    Seneca(SenecaKind),
}

/// Updates that Marcus' own pages put into HTML and that only a rule makes here.
const PAGE_UPDATES: [&str; 4] = [
    "decision_tree_ready",
    "flow_visualization_ready",
    "knowledge_graph_ready",
    "pipeline_event",
];

/// The kinds whose names no configuration decides.
const BUILT_IN: [UpdateKind; 30] = [
    UpdateKind::AgentStatusChange,
    UpdateKind::Agent,
    UpdateKind::Project,
    UpdateKind::TaskAssignment,
    UpdateKind::Progress,
    UpdateKind::Task,
    UpdateKind::Decision,
    UpdateKind::Health,
    UpdateKind::Notification,
    UpdateKind::Execution,
    UpdateKind::Node,
    UpdateKind::Ingest,
    UpdateKind::AgentRun,
    UpdateKind::Message,
    UpdateKind::Tool,
    UpdateKind::Handoff,
    UpdateKind::Input,
    UpdateKind::Model,
    UpdateKind::Usage,
    UpdateKind::Check,
    UpdateKind::Artifact,
    UpdateKind::Plan,
    UpdateKind::Visual,
    UpdateKind::Generic,
    UpdateKind::Seneca(SenecaKind::ConversationEvent),
    UpdateKind::Seneca(SenecaKind::AssignmentEvent),
    UpdateKind::Seneca(SenecaKind::BlockerEvent),
    UpdateKind::Seneca(SenecaKind::WorkerRegistration),
    UpdateKind::Seneca(SenecaKind::Conversation),
    UpdateKind::Seneca(SenecaKind::MarcusThinking),
];

/// Whether a built-in update has this name.
pub fn is_update_name(event: &str) -> bool {
    BUILT_IN.iter().any(|kind| kind.name() == event) || PAGE_UPDATES.contains(&event)
}

impl UpdateKind {
    /// Whether only Seneca's and Marcus' own pages know it.
    pub fn is_for_pages(&self) -> bool {
        matches!(self, Self::Seneca(_))
            || !matches!(self, Self::Emission(_)) && PAGE_UPDATES.contains(&self.name())
    }

    /// The Socket.IO event's name.
    pub fn name(&self) -> &str {
        match self {
            Self::AgentStatusChange => "agent_status_change",
            Self::Agent => "agent_update",
            Self::Project => "project_update",
            Self::TaskAssignment => "task_assignment",
            Self::Progress => "progress_update",
            Self::Task => "task_update",
            Self::Decision => "decision_event",
            Self::Health => "health_update",
            Self::Notification => "system_notification",
            Self::Execution => "execution_update",
            Self::Node => "node_update",
            Self::Ingest => "ingest_update",
            Self::AgentRun => "agent_run_update",
            Self::Message => "message_appended",
            Self::Tool => "tool_update",
            Self::Handoff => "agent_handoff",
            Self::Input => "input_update",
            Self::Model => "llm_update",
            Self::Usage => "usage_update",
            Self::Check => "check_update",
            Self::Artifact => "artifact_update",
            Self::Plan => "plan_update",
            Self::Visual => "visual_update",
            Self::Generic => "generic_update",
            Self::Rule(rule) => rule.name(),
            Self::Emission(emission) => &emission.event,
            Self::Seneca(kind) => kind.name(),
        }
    }

    /// Its name [folded](crate::event::folded), as filters compare it: each subscription needs it, and none has to fold
    /// it.
    pub fn folded(&self) -> &str {
        match self {
            Self::AgentStatusChange => "agent.status.change",
            Self::Agent => "agent.update",
            Self::Project => "project.update",
            Self::TaskAssignment => "task.assignment",
            Self::Progress => "progress.update",
            Self::Task => "task.update",
            Self::Decision => "decision.event",
            Self::Health => "health.update",
            Self::Notification => "system.notification",
            Self::Execution => "execution.update",
            Self::Node => "node.update",
            Self::Ingest => "ingest.update",
            Self::AgentRun => "agent.run.update",
            Self::Message => "message.appended",
            Self::Tool => "tool.update",
            Self::Handoff => "agent.handoff",
            Self::Input => "input.update",
            Self::Model => "llm.update",
            Self::Usage => "usage.update",
            Self::Check => "check.update",
            Self::Artifact => "artifact.update",
            Self::Plan => "plan.update",
            Self::Visual => "visual.update",
            Self::Generic => "generic.update",
            Self::Rule(rule) => rule.folded(),
            // Filters look at the name itself.
            Self::Emission(_) => "emission",
            Self::Seneca(kind) => kind.folded(),
        }
    }

    /// The namespace that it is sent on.
    pub fn namespace(&self) -> Namespace {
        match self {
            Self::Seneca(kind) => kind.namespace(),
            Self::Emission(emission) => emission.namespace,
            _ => Namespace::Root,
        }
    }

    /// Whether nothing of Stoa's own stands in it: neither its name nor its place in the stream.
    pub fn is_bare(&self) -> bool {
        matches!(self, Self::Rule(rule) if !rule.has_envelope())
    }

    /// Whether a front-end has to lay its graph out anew.
    pub fn changes_layout(&self, event: &Event) -> bool {
        matches!(self, Self::Visual) && event.name.canonical() == "visual.layout.update"
    }

    /// The animation that shows it.
    pub fn animation(&self, event: &Event) -> Animation {
        let change = event.name.change_type();
        let text = |key: &str| event.data.get(key).and_then(Value::as_str);
        match self {
            Self::AgentStatusChange => activity(text("new_status").or(text("status"))),
            Self::Agent if event.name.canonical() == "agent.status.changed" => {
                activity(text("new_status").or(text("status")))
            }
            Self::Agent if change == "registered" => Animation::Pulse,
            Self::Agent => Animation::Fade,
            Self::Project if change == "completed" => Animation::Celebrate,
            Self::AgentRun if change != "paused" => Animation::Progress,
            Self::Project | Self::Progress | Self::Ingest => Animation::Progress,
            // A thought goes nowhere.
            Self::Message if event.name.canonical() == "pm.thinking" => Animation::Pulse,
            Self::Message if matches!(change, "started" | "completed") => Animation::None,
            Self::TaskAssignment | Self::Message | Self::Handoff => Animation::Flow,
            Self::Artifact if change == "deleted" => Animation::Fade,
            Self::Artifact => Animation::Celebrate,
            Self::Tool => match change {
                "started" => Animation::Pulse,
                "progress" => Animation::None,
                "failed" => Animation::Flash,
                _ => Animation::Fade,
            },
            Self::Input => match change {
                "requested" => Animation::Alert,
                "received" => Animation::Pulse,
                _ => Animation::Fade,
            },
            Self::Task => match change {
                "completed" if event.data.get("success") == Some(&Value::Bool(false)) => {
                    Animation::Flash
                }
                "completed" => Animation::Celebrate,
                "blocked" | "reported" | "report" | "retried" => Animation::Flash,
                _ => Animation::None,
            },
            Self::Model if change == "failed" => Animation::Flash,
            Self::Check if change == "triggered" => Animation::Flash,
            Self::Decision | Self::Visual => Animation::Pulse,
            Self::Health if text("severity") == Some("critical") => Animation::Alert,
            Self::Notification if notification_level(event) == "error" => Animation::Alert,
            Self::Notification if notification_level(event) == "critical" => Animation::Alert,
            Self::AgentRun => Animation::Alert,
            Self::Execution => match change {
                "paused" => Animation::Alert,
                "completed" => Animation::Celebrate,
                "failed" | "cancelled" => Animation::Flash,
                _ => Animation::Progress,
            },
            Self::Node => match change {
                "started" => Animation::Pulse,
                "completed" => Animation::Fade,
                "failed" => Animation::Flash,
                _ => node_state(event),
            },
            Self::Rule(rule) => rule.animation(),
            Self::Health
            | Self::Notification
            | Self::Model
            | Self::Usage
            | Self::Check
            | Self::Plan
            | Self::Generic
            | Self::Emission(_)
            | Self::Seneca(_) => Animation::None,
        }
    }

    /// The finer movement that shows it; none for most.
    pub fn motion(&self, event: &Event) -> Option<Motion> {
        match self {
            Self::Tool => match tool_status(&event.name) {
                Some("running") if event.name.change_type() == "started" => Some(Motion::Reach),
                Some("running") | None => None,
                Some(_) => Some(Motion::Back),
            },
            Self::Handoff => Some(Motion::Pass),
            Self::Input if input_status(&event.name) == Some("open") => Some(Motion::Ask),
            Self::Model if event.name.change_type() == "started" => Some(Motion::Think),
            Self::Artifact if event.name.change_type() != "deleted" => Some(Motion::Drop),
            Self::Task if event.name.canonical() == "task.retried" => Some(Motion::Retry),
            _ => None,
        }
    }

    /// The intensity of its animation, where that does not follow the priority: many artifacts may come.
    pub fn intensity(&self) -> Option<f64> {
        matches!(self, Self::Artifact).then_some(0.3)
    }
}

fn activity(status: Option<&str>) -> Animation {
    if status == Some("active") {
        Animation::Pulse
    } else {
        Animation::Fade
    }
}

/// The animation of a node's state: that of the event that says the same.
fn node_state(event: &Event) -> Animation {
    match status_of(event, &["nodeState", "node"]).as_deref() {
        Some("running" | "started" | "active") => Animation::Pulse,
        Some("failed" | "error") => Animation::Flash,
        _ => Animation::Fade,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::folded;

    #[test]
    fn names_are_folded_as_filters_fold_them() {
        for kind in BUILT_IN {
            assert_eq!(kind.folded(), folded(kind.name()));
        }
    }
}
