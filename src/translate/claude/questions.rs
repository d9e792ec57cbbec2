//! Questions to people, and their answers.

use uuid::Uuid;

use super::{hook::Hook, session::Session};
use crate::translate::Told;

impl Session {
    /// Asks a person, unless the agent's last question is still open.
    pub(super) fn ask(
        &mut self,
        hook: &Hook,
        actor: &str,
        (kind, message): (&str, String),
        to: &mut Vec<Told>,
    ) {
        let Some(agent) = self.agents.get_mut(actor) else {
            return;
        };
        if agent.asked.is_some() {
            return;
        }
        let request = format!("{}:{}", agent.id, Uuid::now_v7().simple());
        agent.asked = Some(request.clone());
        let event = self
            .about("input.requested", actor)
            .with("request_id", request)
            .with("kind", kind)
            .with("message", message)
            .with_some("tool_call_id", hook.name_of("tool_use_id"))
            .with_some("tool_name", hook.name_of("tool_name"));
        to.push(event);
        self.status(actor, "waiting", to);
    }

    /// Notes that the agent's question was answered, if it has one.
    pub(super) fn answered(&mut self, actor: &str, outcome: &str, to: &mut Vec<Told>) {
        let agent = self.agents.get_mut(actor);
        let Some(request) = agent.and_then(|agent| agent.asked.take()) else {
            return;
        };
        let event = self.about("input.received", actor);
        to.push(event.with("request_id", request).with("outcome", outcome));
        self.status(actor, "working", to);
    }

    pub(super) fn notified(&mut self, hook: &Hook, actor: &str, to: &mut Vec<Told>) {
        let message = self.message(hook);
        match hook.text("notification_type") {
            Some("permission_prompt") => self.ask(hook, actor, ("confirmation", message), to),
            Some("elicitation_dialog") => self.ask(hook, actor, ("input_required", message), to),
            Some("idle_prompt") => self.status(actor, "idle", to),
            _ => to.push(self.about("agent.notified", actor).with("message", message)),
        }
    }
}
