//! Things of projects, and the work of agents that somebody may have given them.

use std::sync::Arc;

/// A thing of a project.
pub(super) type Thing = (Arc<str>, Arc<str>);

/// The work of an agent, which somebody may have given it.
#[derive(Debug, Clone)]
pub(super) struct Handed {
    pub(super) start: u64,
    pub(super) project: Arc<str>,
    pub(super) source: Arc<str>,
    pub(super) agent: Arc<str>,
    pub(super) task: Option<Arc<str>>,
}
