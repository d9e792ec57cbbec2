//! The parts of the server that messages of the bus go to.

use std::sync::Arc;

use crate::{
    access::authz::Permissions, doors::operations::Operations, emitter::Emitter, intake::Intake,
};

/// The parts of the server that messages go to.
#[derive(Debug, Clone)]
pub struct BusTargets {
    /// Takes emissions.
    pub emitter: Emitter,
    /// Takes events of agents.
    pub intake: Arc<Intake>,
    /// The permissions of the bus.
    pub permissions: Permissions,
    /// Carries out operations on clients and rooms.
    pub(crate) operations: Arc<Operations>,
}
