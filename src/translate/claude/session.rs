//! A session: its main agent, its subagents, what each is at.

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;

use super::hook::Hook;
use crate::{
    fnv::fnv,
    translate::{Told, Words, one_line, slug},
};

/// Subagents and teammates of one session that are remembered.
const MAX_AGENTS: usize = 256;
/// Characters of a session's id that stand in the ids of its agents and tasks; of a longer one it is a hash.
const OWN: usize = 64;
/// The key of the main agent.
const MAIN: &str = "";
/// The key of fields that say an answer.
const ALLOWED: &str = "allowed";

/// A session of Claude.
#[derive(Debug, Clone)]
pub struct Session {
    id: String,
    project: Arc<str>,
    source: Arc<str>,
    words: Words,
    is_open: bool,
    /// The agents that were told, by Claude's own ids for them; the main one has none.
    pub(super) agents: HashMap<String, Working>,
}

/// An agent of a session.
#[derive(Debug, Clone)]
pub(super) struct Working {
    pub(super) id: String,
    task: Option<String>,
    /// The question that a person has not answered.
    pub(super) asked: Option<String>,
    status: &'static str,
}

impl Session {
    /// A session whose first hook came, in this project or that of its folder.
    pub fn new(hook: &Hook, project: Option<&str>, words: Words) -> Self {
        let project = project.map(one_line).filter(|project| !project.is_empty());
        Self {
            id: hook.session().to_owned(),
            project: project.unwrap_or_else(|| hook.project()).into(),
            source: "claude".into(),
            words,
            is_open: false,
            agents: HashMap::new(),
        }
    }

    /// The events of a hook; none of one that says nothing of agents.
    pub fn take(&mut self, hook: &Hook) -> Vec<Told> {
        let mut told = Vec::new();
        let to = &mut told;
        self.begin(to);
        let actor = self.actor(hook, to);
        match hook.name() {
            "UserPromptSubmit" => self.prompted(hook, &actor, to),
            "PreToolUse" => {
                let event = self.tool("tool.started", hook, &actor);
                to.push(event.with_some("args", self.cut(hook, "tool_input")));
            }
            "PostToolUse" => {
                self.answered(&actor, ALLOWED, to);
                let event = self.tool("tool.completed", hook, &actor);
                to.push(event.with_some("result", self.cut(hook, "tool_response")));
            }
            "PostToolUseFailure" => {
                self.answered(&actor, ALLOWED, to);
                let name = match hook.is("is_interrupt") {
                    true => "tool.cancelled",
                    false => "tool.failed",
                };
                to.push(self.failed(self.tool(name, hook, &actor), hook));
            }
            "PermissionRequest" => {
                let tool = hook.name_of("tool_name").unwrap_or_else(|| "a tool".into());
                let how = hook.said("tool_input").unwrap_or_default();
                let how = self.words.line(&how).map(|how| format!(": {how}"));
                let message = format!("May I use {tool}{}?", how.unwrap_or_default());
                self.ask(hook, &actor, ("confirmation", message), to);
            }
            "PermissionDenied" => {
                self.answered(&actor, "denied", to);
                to.push(self.failed(self.tool("tool.failed", hook, &actor), hook));
            }
            "Elicitation" => self.ask(hook, &actor, ("input_required", self.message(hook)), to),
            "ElicitationResult" => {
                let action = hook.name_of("action").unwrap_or_else(|| "accept".into());
                self.answered(&actor, &action, to);
            }
            "Notification" => self.notified(hook, &actor, to),
            "SubagentStop" | "Stop" => {
                self.ended("task.completed", hook, &actor, to);
                self.status(&actor, "idle", to);
            }
            "StopFailure" => {
                self.ended("task.failed", hook, &actor, to);
                self.status(&actor, "idle", to);
            }
            "PreCompact" => to.push(self.compaction("memory.compaction.started", hook, &actor)),
            "PostCompact" => to.push(self.compaction("memory.compaction.completed", hook, &actor)),
            "TaskCreated" => self.listed("task.created", hook, to),
            "TaskCompleted" => self.listed("task.completed", hook, to),
            "TeammateIdle" => {
                if let Some(mate) = self.teammate(hook, to) {
                    self.status(&mate, "idle", to);
                }
            }
            "SessionEnd" => self.end(hook.name_of("reason"), to),
            // A session or a subagent that starts is told already; of other hooks nobody sees anything.
            _ => {}
        }
        told
    }

    fn event(&self, name: &'static str) -> Told {
        Told::new(name).of(&self.project, &self.source)
    }

    /// An event about an agent at its task.
    pub(super) fn about(&self, name: &'static str, actor: &str) -> Told {
        let agent = self.agents.get(actor);
        self.event(name)
            .with_some("agent_id", agent.map(|agent| agent.id.as_str()))
            .with_some("task_id", agent.and_then(|agent| agent.task.as_deref()))
            .with("run_id", self.id.as_str())
    }

    fn cut(&self, hook: &Hook, key: &str) -> Option<String> {
        self.words.cut(&hook.said(key)?)
    }

    fn failed(&self, event: Told, hook: &Hook) -> Told {
        let error = self.cut(hook, "error").or_else(|| self.cut(hook, "reason"));
        event.with("error", error.unwrap_or_else(|| "failed".into()))
    }

    pub(super) fn message(&self, hook: &Hook) -> String {
        let message = self.cut(hook, "message");
        message.unwrap_or_else(|| "An answer is needed".into())
    }

    /// The session in the ids of its agents and tasks.
    fn own(&self) -> String {
        match self.id.len() <= OWN {
            true => self.id.clone(),
            false => format!("{:016x}", fnv(self.id.bytes())),
        }
    }

    /// Tells the session and its main agent, unless they are told.
    fn begin(&mut self, to: &mut Vec<Told>) {
        if self.is_open {
            return;
        }
        self.is_open = true;
        let project = self
            .event("project.created")
            .id(format!(
                "claude:project:{}",
                slug(&self.project).chars().take(100).collect::<String>()
            ))
            .with("project_name", &*self.project);
        to.push(project);
        let run = self
            .event("workflow.run.started")
            .with("run_id", self.id.as_str())
            .with("session_id", self.id.as_str())
            .with("name", "Claude");
        to.push(run);
        self.arrive(MAIN, "Claude", to);
    }

    /// Tells an agent, unless it is told.
    fn arrive(&mut self, key: &str, name: &str, to: &mut Vec<Told>) {
        if self.agents.contains_key(key) || self.agents.len() >= MAX_AGENTS {
            return;
        }
        let main = format!("claude:{}", self.own());
        let id = match key {
            MAIN => main.clone(),
            key => format!("{main}:{}", slug(key)),
        };
        let agent = self
            .event("agent.registered")
            .with("agent_id", id.as_str())
            .with("agent_name", name)
            .with("kind", "agent")
            .with_some("parent_agent_id", (key != MAIN).then_some(main));
        to.push(agent);
        let working = Working {
            id,
            task: None,
            asked: None,
            status: "",
        };
        self.agents.insert(key.into(), working);
    }

    /// The agent that a hook is about; a subagent that is new got work from the main one.
    fn actor(&mut self, hook: &Hook, to: &mut Vec<Told>) -> String {
        let Some(key) = hook.name_of("agent_id") else {
            return MAIN.into();
        };
        let ends = hook.name() == "SubagentStop";
        let is_known = self.agents.contains_key(&key);
        let rests = self
            .agents
            .get(&key)
            .is_some_and(|agent| agent.task.is_none());
        let begins = hook.name() == "SubagentStart" && rests;
        if (!is_known || begins) && !ends {
            let name = hook.name_of("agent_type");
            let name = name.unwrap_or_else(|| "Subagent".into());
            self.arrive(&key, &name, to);
            if let Some(agent) = self.agents.get_mut(&key) {
                agent.task = Some(format!("{}:{}", agent.id, Uuid::now_v7().simple()));
            }
            let main = self.agents.get(MAIN).map(|main| main.id.clone());
            let id = self.agents.get(&key).map(|agent| agent.id.clone());
            if let (Some(main), Some(id)) = (main, id) {
                let handed = self
                    .about("agent.handoff", &key)
                    .with("agent_id", main.as_str())
                    .with("from_agent_id", main)
                    .with("to_agent_id", id)
                    .with("kind", "delegation");
                to.push(handed);
            }
            to.push(self.about("task.assigned", &key).with("task_name", name));
            self.status(&key, "working", to);
        }
        key
    }

    pub(super) fn status(&mut self, actor: &str, status: &'static str, to: &mut Vec<Told>) {
        let Some(agent) = self.agents.get_mut(actor) else {
            return;
        };
        if agent.status == status {
            return;
        }
        agent.status = status;
        let id = agent.id.clone();
        let event = self.event("agent.status.changed");
        to.push(event.with("agent_id", id).with("new_status", status));
    }

    fn prompted(&mut self, hook: &Hook, actor: &str, to: &mut Vec<Told>) {
        self.answered(actor, "continued", to);
        if self
            .agents
            .get(actor)
            .is_some_and(|agent| agent.task.is_some())
        {
            // A prompt that was interrupted has no other end.
            to.push(self.about("task.cancelled", actor));
        }
        if let Some(agent) = self.agents.get_mut(actor) {
            agent.task = Some(format!("{}:{}", agent.id, Uuid::now_v7().simple()));
        }
        let name = hook
            .text("prompt")
            .and_then(|prompt| self.words.line(prompt));
        let name = name.unwrap_or_else(|| "Prompt".into());
        to.push(self.about("task.assigned", actor).with("task_name", name));
        self.status(actor, "working", to);
    }

    fn tool(&self, name: &'static str, hook: &Hook, actor: &str) -> Told {
        let tool = hook.name_of("tool_name").unwrap_or_else(|| "tool".into());
        self.about(name, actor)
            .with_some("tool_call_id", hook.name_of("tool_use_id"))
            .with("tool_name", tool)
            .with_some("duration_ms", hook.number("duration_ms"))
    }

    /// Ends the agent's task, with its last words.
    fn ended(&mut self, name: &'static str, hook: &Hook, actor: &str, to: &mut Vec<Told>) {
        self.answered(actor, "continued", to);
        if let Some(content) = self.cut(hook, "last_assistant_message") {
            let message = Uuid::now_v7().simple().to_string();
            let said = |name: &'static str| {
                self.about(name, actor)
                    .with("message_id", message.as_str())
                    .with("role", "assistant")
                    .with("kind", "text")
            };
            to.push(said("agent.message.appended").with("content", content));
            to.push(said("agent.message.completed"));
        }
        if self
            .agents
            .get(actor)
            .is_some_and(|agent| agent.task.is_some())
        {
            let event = self.about(name, actor);
            to.push(match name {
                "task.failed" => self.failed(event, hook),
                _ => event,
            });
        }
        if let Some(agent) = self.agents.get_mut(actor) {
            agent.task = None;
        }
    }

    fn compaction(&self, name: &'static str, hook: &Hook, actor: &str) -> Told {
        let event = self.about(name, actor);
        event.with_some("trigger", hook.name_of("trigger"))
    }

    /// A teammate that a hook names.
    fn teammate(&mut self, hook: &Hook, to: &mut Vec<Told>) -> Option<String> {
        let name = hook.name_of("teammate_name")?;
        let key = format!("mate:{name}");
        self.arrive(&key, &name, to);
        Some(key)
    }

    /// A task of the list that a session keeps for itself.
    fn listed(&mut self, name: &'static str, hook: &Hook, to: &mut Vec<Told>) {
        let Some(task) = hook.name_of("task_id") else {
            return;
        };
        let mate = self.teammate(hook, to);
        let agent = mate.and_then(|mate| self.agents.get(&mate));
        let subject = hook.text("task_subject");
        let subject = subject.and_then(|subject| self.words.line(subject));
        let event = self
            .event(name)
            .with("task_id", format!("claude:{}:task:{task}", self.own()))
            .with_some("agent_id", agent.map(|agent| agent.id.clone()))
            .with("run_id", self.id.as_str())
            .with_some("task_name", subject);
        to.push(event);
    }

    /// Whether it was told and has not ended.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// The events by which a session ends of which nobody hears any more.
    pub fn leave(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        if self.is_open {
            self.end(Some("forgotten".into()), &mut told);
        }
        told
    }

    fn end(&mut self, reason: Option<String>, to: &mut Vec<Told>) {
        let mut actors: Vec<String> = self.agents.keys().cloned().collect();
        actors.sort();
        for actor in &actors {
            self.answered(actor, "expired", to);
            if self
                .agents
                .get(actor)
                .is_some_and(|agent| agent.task.is_some())
            {
                to.push(self.about("task.cancelled", actor));
            }
        }
        let run = self
            .event("workflow.run.completed")
            .with("run_id", self.id.as_str())
            .with_some("reason", reason);
        to.push(run);
        for actor in &actors {
            if let Some(agent) = self.agents.get(actor) {
                let id = agent.id.clone();
                to.push(self.event("agent.unregistered").with("agent_id", id));
            }
        }
        self.is_open = false;
        self.agents.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::json;

    use super::*;
    use crate::config::Content;

    /// The ids of the agents that a prompt and a subagent in this session tell.
    fn agents(session: &str) -> HashSet<String> {
        let hook = |name: &str, agent: Option<&str>| {
            let hook = json!({ "hook_event_name": name, "session_id": session, "agent_id": agent });
            Hook::read(hook.to_string().as_bytes()).expect("a hook")
        };
        let (prompt, begin) = (
            hook("UserPromptSubmit", None),
            hook("SubagentStart", Some("a")),
        );
        let mut session = Session::new(&prompt, None, Words(Content::None));
        let told = [prompt, begin].map(|hook| session.take(&hook));
        let events = told.into_iter().flatten().map(Told::into_json);
        let ids: HashSet<_> = events
            .filter(|event| event["type"] == "agent.registered")
            .filter_map(|event| Some(event["data"]["agent_id"].as_str()?.to_owned()))
            .collect();
        assert_eq!(ids.len(), 2);
        ids
    }

    /// Sessions are often named by one beginning, such as a date.
    #[test]
    fn sessions_that_begin_alike_share_no_agents() {
        let long = "x".repeat(150);
        for (one, other) in [
            ("20261128-a".to_owned(), "20261128-b".to_owned()),
            (format!("{long}a"), format!("{long}b")),
        ] {
            let (one, other) = (agents(&one), agents(&other));
            assert!(one.is_disjoint(&other), "{one:?} {other:?}");
            assert!(one.iter().all(|id| id.len() < 128));
        }
        assert!(agents("s1").contains("claude:s1:a"));
    }
}
