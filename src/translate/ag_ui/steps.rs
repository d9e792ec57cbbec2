//! Steps of a run, activities, and the producer's own words.

use serde_json::json;

use super::state::AgUi;
use crate::{
    error::Error,
    event::Object,
    translate::{
        fields::{as_type, field, id, text},
        output::Output,
    },
};

impl AgUi {
    /// A step: a node of the run.
    pub(super) fn step(
        &mut self,
        kind: &str,
        message: &Object,
        out: &mut Output<'_>,
    ) -> Result<(), Error> {
        let name = id(message, "stepName")?;
        let by = self.by(message);
        let told = match kind {
            "STEP_STARTED" => "workflow.node.started",
            _ => "workflow.node.completed",
        };
        let node = json!({
            "node_id": name, "node_name": name, "agent_id": by.agent, "run_id": by.run,
        });
        out.tell(told, node);
        Ok(())
    }

    pub(super) fn activity(&mut self, message: &Object, out: &mut Output<'_>) -> Result<(), Error> {
        let activity = json!({
            "activity_id": text(message, "messageId"),
            "activity_type": text(message, "activityType"),
            "content": field(message, "content"), "patch": field(message, "patch"),
            "replace": field(message, "replace"),
        });
        out.tell_of(&self.by(message), "agent.activity", activity);
        Ok(())
    }

    /// The producer's own word: an event of its name.
    pub(super) fn custom(&mut self, message: &Object, out: &mut Output<'_>) -> Result<(), Error> {
        let name = id(message, "name")?;
        let custom = json!({ "name": name, "value": field(message, "value") });
        let kind = format!("custom.{}", as_type(name));
        out.tell_of(&self.by(message), &kind, custom);
        Ok(())
    }
}
