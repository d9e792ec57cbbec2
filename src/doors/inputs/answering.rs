//! The questions that are being answered: one answer at a time for each.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::projections::state::Question;

/// A question: its project, and its id.
type Asked = (Option<Arc<str>>, String);

/// The questions that are being answered at this moment. Held for a look, never across an await.
#[derive(Debug, Default)]
pub(super) struct Answering(Mutex<HashSet<Asked>>);

/// One of these, until it is dropped.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    answering: &'a Answering,
    asked: Asked,
}

impl Answering {
    /// A claim on a question; none while somebody else has it.
    pub(super) fn claim(&self, question: &Question) -> Option<Claim<'_>> {
        let asked = (question.project.clone(), question.id.clone());
        let is_free = self.lock().insert(asked.clone());
        // A claim that is made frees the question when it is dropped.
        is_free.then(|| Claim {
            answering: self,
            asked,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.answering.lock().remove(&self.asked);
    }
}
