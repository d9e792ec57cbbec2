//! The questions that are being answered: one answer at a time for each.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The questions that are being answered at this moment. Held for a look, never across an await.
#[derive(Debug, Default)]
pub(super) struct Answering(Mutex<HashSet<String>>);

/// One of these, until it is dropped.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    answering: &'a Answering,
    request: String,
}

impl Answering {
    /// A claim on a question; none while somebody else has it.
    pub(super) fn claim(&self, request: &str) -> Option<Claim<'_>> {
        self.lock().insert(request.to_owned()).then(|| Claim {
            answering: self,
            request: request.to_owned(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.answering.lock().remove(&self.request);
    }
}
