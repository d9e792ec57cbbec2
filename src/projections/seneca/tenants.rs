//! Namesakes on the dashboard: what a producer whose token names projects says of a thing of another project is said of another thing.
//!
//! The dashboard keeps things by the ids that Seneca's pages know. The first thing of an id has it; a namesake of a limited producer, or
//! beside one, has its project in its name, as in a snapshot of the state. An id that may be read as such a name has it, too, when a
//! limited producer says it: else that one could have the name of another's namesake.

use std::{borrow::Cow, sync::Arc};

use super::accounts::Project;
use crate::{event::Event, projections::qualified::escaped};

/// The producers who spoke of a thing.
#[derive(Debug, Clone)]
pub(super) struct Speakers {
    /// Its project, as far as it is known.
    pub(super) project: Project,
    /// All of them are limited to projects.
    confined: bool,
}

impl Speakers {
    /// The first of a thing.
    pub(super) fn of(event: &Event) -> Self {
        Self {
            project: event.project_id.clone(),
            confined: event.settled.confined,
        }
    }

    /// The same of a thing of this project.
    pub(super) fn in_project(self, project: Option<&Arc<str>>) -> Self {
        Self {
            project: project.cloned(),
            ..self
        }
    }

    /// One more.
    pub(super) fn hear(&mut self, event: &Event) {
        self.confined &= event.settled.confined;
    }

    /// Whether an event that names the same id is of another thing.
    pub(super) fn is_other(&self, event: &Event) -> bool {
        let is_same = self.project.is_some() && self.project == event.project_id;
        !is_same && (self.confined || event.settled.confined)
    }
}

/// The id by which the thing of this event is kept, where `known` is the one that has `id`.
pub(super) fn key<'i>(id: &'i str, known: Option<&Speakers>, event: &Event) -> Cow<'i, str> {
    let reads_as_name = event.settled.confined && id.contains('/');
    if !reads_as_name && !known.is_some_and(|known| known.is_other(event)) {
        return Cow::Borrowed(id);
    }
    let project = event.project_id.as_deref().unwrap_or_default();
    Cow::Owned(format!("{}/{}", escaped(project), escaped(id)))
}
