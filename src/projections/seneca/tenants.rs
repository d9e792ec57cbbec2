//! Namesakes on the dashboard: if a producer whose token names projects speaks of an id of another project, it speaks
//! of another thing.
//!
//! The dashboard keeps things by the ids that Seneca's pages know. The first thing of an id has the id as its name. A
//! namesake of a limited producer, or beside one, has its project in its name, as in a snapshot of the state. So has an
//! id that reads as such a name, when a limited producer says it: otherwise that producer could take the name of
//! another's namesake.

use std::{borrow::Cow, sync::Arc};

use super::accounts::Project;
use crate::{event::Event, projections::qualified::escaped};

/// The producers that spoke of a thing.
#[derive(Debug, Clone)]
pub(super) struct Speakers {
    /// Its project, as far as an event said it.
    pub(super) project: Project,
    /// Whether all of them are limited to projects.
    confined: bool,
}

impl Speakers {
    /// The producer of a thing's first event.
    pub(super) fn of(event: &Event) -> Self {
        Self {
            project: event.project_id.clone(),
            confined: event.settled.confined,
        }
    }

    /// The same for a thing of this project.
    pub(super) fn in_project(self, project: Option<&Arc<str>>) -> Self {
        Self {
            project: project.cloned(),
            ..self
        }
    }

    /// Adds the producer of an event.
    pub(super) fn hear(&mut self, event: &Event) {
        self.confined &= event.settled.confined;
    }

    /// Whether an event that names the same id speaks of another thing.
    pub(super) fn is_other(&self, event: &Event) -> bool {
        let is_same = self.project.is_some() && self.project == event.project_id;
        !is_same && (self.confined || event.settled.confined)
    }
}

/// The id by which the thing of this event is kept; `known` are the speakers of the thing that has `id`.
pub(super) fn key<'i>(id: &'i str, known: Option<&Speakers>, event: &Event) -> Cow<'i, str> {
    let reads_as_name = event.settled.confined && id.contains('/');
    if !reads_as_name && !known.is_some_and(|known| known.is_other(event)) {
        return Cow::Borrowed(id);
    }
    let project = event.project_id.as_deref().unwrap_or_default();
    Cow::Owned(format!("{}/{}", escaped(project), escaped(id)))
}
