//! Updates in a row that go to the same observers.
//!
//! A queue is touched once for all of them: what a delivery costs is mostly the memory of the one observer that has to be
//! fetched, and it is fetched for a run of updates as for one.

use std::sync::{Arc, OnceLock};

use super::{Form, Outgoing, Shape, WireMessage};

/// Updates in a row.
#[derive(Debug, Default)]
pub struct UpdateRun {
    updates: Vec<Outgoing>,
    /// The bytes of their JSON.
    bytes: usize,
    /// All of them as one message, in each form and wire shape.
    joined: [[OnceLock<Arc<WireMessage>>; Shape::COUNT]; Form::COUNT],
}

/// The updates of a run in the form that an observer gets.
#[derive(Debug, Clone, Copy)]
pub struct Updates<'r> {
    run: &'r UpdateRun,
    form: Form,
    /// Whether the observer is live, so that it has everything up to the cursor at which emissions are sent.
    is_live: bool,
}

impl UpdateRun {
    /// Adds an update at the end; none is sent yet.
    pub fn push(&mut self, update: Outgoing) {
        self.bytes += update.json.len();
        self.updates.push(update);
        self.joined = Default::default();
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.updates.is_empty()
    }

    /// The bytes of their JSON.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The updates in the form that an observer is sent.
    pub fn of(&self, form: Form) -> Updates<'_> {
        Updates {
            run: self,
            form,
            is_live: true,
        }
    }

    /// The updates as they are.
    pub fn updates(&self) -> &[Outgoing] {
        &self.updates
    }

    /// Gives the updates away.
    pub fn into_updates(self) -> Vec<Outgoing> {
        self.updates
    }
}

impl<'r> Updates<'r> {
    /// The same for an observer that is behind: emissions tell it no place.
    #[must_use]
    pub fn behind(self) -> Self {
        Self {
            is_live: false,
            ..self
        }
    }

    /// Whether the observer is live.
    pub fn is_live(self) -> bool {
        self.is_live
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = &'r Outgoing> {
        let updates = self.run.updates.iter();
        updates.map(move |update| update.form(self.form))
    }

    /// The only one of them; none of several.
    pub fn single(self) -> Option<&'r Outgoing> {
        let mut all = self.iter();
        all.next().filter(|_| all.next().is_none())
    }

    /// All of them as one message in a wire shape: `message` gives each of them for the first observer, and all share it.
    pub fn joined(
        self,
        shape: Shape,
        message: fn(&Outgoing) -> &Arc<WireMessage>,
    ) -> &'r Arc<WireMessage> {
        let made = || {
            let parts: Vec<_> = self.iter().map(message).cloned().collect();
            WireMessage::joined(&parts)
        };
        self.run.joined[self.form.number()][shape as usize].get_or_init(made)
    }
}
