//! The link's threads, and the notice of their end.

use std::{
    io,
    sync::Arc,
    thread::{Builder, JoinHandle},
};

use super::shared::Shared;

/// Notices the end of a thread, also by a panic: a node that hears nobody must not go on as if all were well.
struct ThreadEnd(Arc<Shared>);

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        self.0.ended.send_replace(true);
    }
}

/// Starts a thread of the link.
pub(super) fn start(
    shared: &Arc<Shared>,
    name: &str,
    work: fn(&Arc<Shared>),
) -> io::Result<JoinHandle<()>> {
    let (shared, end) = (shared.clone(), ThreadEnd(shared.clone()));
    Builder::new().name(name.into()).spawn(move || {
        let _end = end;
        work(&shared);
    })
}
