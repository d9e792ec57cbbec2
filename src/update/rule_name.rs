//! The name of a rule's updates: one for all, or a template that each event fills.

use std::sync::Arc;

use super::{
    rule_error::{RuleError, wrong},
    template::Template,
};
use crate::{
    config::RuleConfig,
    emission::{MAX_EVENT_NAME, RESERVED_EVENT_NAMES, is_event_name},
    event::{Event, folded},
};

/// The name of one update, and its folded form, as filters compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UpdateName {
    pub(super) name: Arc<str>,
    pub(super) folded: Arc<str>,
}

impl UpdateName {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            folded: folded(name).into(),
        }
    }
}

/// The names that a rule gives.
#[derive(Debug)]
pub(super) enum RuleName {
    /// The same for all.
    One(UpdateName),
    /// The name that an event makes of the template.
    Each(Template),
}

impl RuleName {
    /// Reads `emit`.
    pub(super) fn compile(config: &RuleConfig) -> Result<Self, RuleError> {
        let emit = &config.emit;
        let template = Template::parse(emit).map_err(|message| wrong(config, "emit", message))?;
        if template.has_whole_object() {
            let message = format!("{emit:?} has a whole object: name one of its fields");
            return Err(wrong(config, "emit", message));
        }
        if template.has_places() {
            return Ok(Self::Each(template));
        }
        if !is_event_name(emit) {
            let message = format!(
                "{emit:?} can't be an event's name: 1 to {MAX_EVENT_NAME} characters without line breaks and the like, and not one of {}",
                RESERVED_EVENT_NAMES.join(", ")
            );
            return Err(wrong(config, "emit", message));
        }
        Ok(Self::One(UpdateName::new(emit)))
    }

    /// The name of the update of an event; none where what the event fills in makes no name.
    pub(super) fn of(&self, event: &Event) -> Option<UpdateName> {
        match self {
            Self::One(name) => Some(name.clone()),
            Self::Each(template) => {
                let name = template.text(event, &event.data);
                is_event_name(&name).then(|| UpdateName::new(&name))
            }
        }
    }

    /// Whether events make the name.
    pub(super) fn varies(&self) -> bool {
        matches!(self, Self::Each(_))
    }
}
