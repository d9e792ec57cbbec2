//! A connection that its client gives up and makes again, with this node or another one: nothing of it is lost.

use std::sync::{Arc, Weak};

use super::connection::Connection;
use crate::observe::usage::Activity;

/// A connection that is to be moved. It is not kept alive by that.
#[derive(Debug, Clone)]
pub struct Movable {
    connection: Weak<dyn Connection>,
    activity: Arc<Activity>,
}

impl Movable {
    pub(super) fn new(connection: Weak<dyn Connection>, activity: Arc<Activity>) -> Self {
        Self {
            connection,
            activity,
        }
    }

    /// The transport of the connection, if others may share it.
    pub fn transport(&self) -> Option<usize> {
        self.connection.upgrade()?.transport()
    }

    /// The connection, whose end is no loss from now on; none if it is gone.
    pub fn begin(&self) -> Option<Arc<dyn Connection>> {
        let connection = self.connection.upgrade()?;
        self.activity.goodbye();
        Some(connection)
    }
}
