//! The refusal of events that give way under load.

use std::{sync::Arc, time::Duration};

use crate::{
    error::Error,
    event::Event,
    pace::degradation::{Degradation, Step},
    update::Table,
};

/// The time after which a producer may publish an event again that was refused for its low priority.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Decides which events are refused under load.
#[derive(Debug)]
pub struct Refusing {
    /// The step of degradation now.
    pub degradation: Arc<Degradation>,
    /// Tells the priority of an event.
    pub table: Arc<Table>,
}

impl Refusing {
    /// Checks that an event is not one that gives way now.
    ///
    /// # Errors
    /// `overloaded`.
    pub(super) fn check(&self, event: &Event) -> Result<(), Error> {
        if self.degradation.step() < Step::LowRefused || !self.table.is_refusable(event) {
            return Ok(());
        }
        Err(Error::new(
            "overloaded",
            format!(
                "the load is too high for events of low priority; publish this one again in {} seconds",
                RETRY_AFTER.as_secs()
            ),
        )
        .after(RETRY_AFTER))
    }
}

#[cfg(test)]
impl Default for Refusing {
    fn default() -> Self {
        Self {
            degradation: Arc::default(),
            table: Arc::new(Table::new(crate::update::TransformOptions::default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{event::ParseContext, timestamp::Timestamp};

    fn code(refusing: &Refusing, value: Value) -> Option<&'static str> {
        let context = ParseContext {
            now: Timestamp::now(),
            producer: "test",
            max_depth: 32,
        };
        let event = crate::event::parse(value, &context).expect("an event");
        refusing.check(&event).err().map(|refusal| refusal.code)
    }

    #[test]
    fn only_what_may_be_lost_is_refused_and_only_at_the_last_step() {
        let refusing = Refusing::default();
        let low = |kind: &str| json!({ "type": kind, "priority": "low", "data": { "task_id": "t", "agent_id": "a" } });
        for step in [Step::Normal, Step::LargerBatches, Step::LowCoalesced] {
            refusing.degradation.set(step);
            assert_eq!(code(&refusing, low("custom.thing")), None);
        }
        refusing.degradation.set(Step::LowRefused);
        for kind in ["custom.thing", "task.progress", "agent.moved"] {
            assert_eq!(code(&refusing, low(kind)), Some("overloaded"), "{kind}");
            for priority in ["normal", "high", "critical"] {
                let mut event = low(kind);
                event["priority"] = priority.into();
                assert_eq!(code(&refusing, event), None, "{kind} {priority}");
            }
        }
        // None of these may be lost, however a producer ranks it.
        for kind in [
            "task.assigned",
            "task.completed",
            "task.created",
            "decision.made",
            "workflow.run.failed",
            "agent.message.appended",
            "system.health.changed",
            "error",
        ] {
            assert_eq!(code(&refusing, low(kind)), None, "{kind}");
        }
    }
}
