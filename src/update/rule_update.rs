//! An update that a rule makes, with the name that its event gave it.

use std::sync::Arc;

use super::{animation::Animation, rule_name::UpdateName, rules::Rule, writer::Writer};
use crate::event::{Event, Object};

/// The kind of an update that a rule makes.
#[derive(Debug, Clone)]
pub struct RuleUpdate {
    rule: Arc<Rule>,
    name: UpdateName,
}

impl RuleUpdate {
    pub(super) fn new(rule: Arc<Rule>, name: UpdateName) -> Self {
        Self { rule, name }
    }

    pub(super) fn name(&self) -> &str {
        &self.name.name
    }

    pub(super) fn folded(&self) -> &str {
        &self.name.folded
    }

    pub(super) fn animation(&self) -> Animation {
        self.rule.animation
    }

    pub(super) fn has_envelope(&self) -> bool {
        self.rule.body.has_envelope()
    }

    /// Writes its fields into an update that is begun.
    pub(super) fn write(&self, event: &Event, data: &Object, out: &mut Writer) {
        self.rule.body.write(event, data, out);
    }

    /// The whole update, where nothing of Stoa's own stands in it.
    pub(super) fn alone(&self, event: &Event, data: &Object) -> String {
        self.rule.body.alone(event, data)
    }
}
