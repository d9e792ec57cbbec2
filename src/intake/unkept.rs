//! Events that the journal has not kept yet.

use crate::backlog::Backlog;

/// Events that the journal has not kept yet: if it doesn't keep them, producers that wait for the hub are told that
/// there are fewer.
#[derive(Debug)]
pub(super) struct Unkept<'b>(Option<&'b Backlog>);

impl<'b> Unkept<'b> {
    pub(super) fn new(backlog: &'b Backlog) -> Self {
        Self(Some(backlog))
    }

    /// Notes that the journal has kept all of them.
    pub(super) fn all_kept(&mut self) {
        self.0 = None;
    }
}

impl Drop for Unkept<'_> {
    fn drop(&mut self) {
        if let Some(backlog) = self.0 {
            backlog.lost();
        }
    }
}
