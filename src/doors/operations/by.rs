//! The one who wants operations done, as far as emissions depend on that.

use std::{hash::Hash, sync::Arc};

use crate::{
    access::{Identity, authz::Permissions},
    intake::{self, Producer},
    journal::FlowId,
};

/// The one who wants operations done.
#[derive(Debug)]
pub(crate) struct By {
    name: Arc<str>,
    door: &'static str,
    permissions: Permissions,
    verified: Arc<str>,
    flow: FlowId,
    /// The namespace that its clients have to be on; none for any.
    namespace: Option<Arc<str>>,
    /// Whether the one may read and replace session data, by which the service knows its users.
    pub(super) may_see_sessions: bool,
}

impl By {
    /// The application's service, which may emit to all rooms. What it says about one client, or at one place, has an
    /// order.
    pub(crate) fn service(place: impl Hash) -> Self {
        Self {
            name: "backend".into(),
            door: "backend",
            permissions: Permissions::everything(),
            verified: "backend".into(),
            flow: intake::flow(&Identity::default(), place),
            namespace: None,
            may_see_sessions: true,
        }
    }

    /// A client over HTTP, by its own rights.
    pub(crate) fn client(who: &Identity, place: impl Hash) -> Self {
        Self {
            name: who.source().unwrap_or("http").into(),
            door: "http",
            permissions: who.permissions.clone(),
            verified: who.verified(),
            flow: intake::flow(who, place),
            namespace: None,
            may_see_sessions: who.role.may_administer(),
        }
    }

    /// The one who wants something on another node, which has looked at the rights.
    pub(super) fn on_other_node(may_see_sessions: bool) -> Self {
        Self {
            may_see_sessions,
            ..Self::service("cluster")
        }
    }

    /// Messages of the bus, which are about clients on one namespace.
    pub(super) fn bus(flow: FlowId, namespace: &str) -> Self {
        Self {
            flow,
            namespace: Some(namespace.into()),
            ..Self::service("bus")
        }
    }

    pub(super) fn namespace(&self) -> Option<&Arc<str>> {
        self.namespace.as_ref()
    }

    /// This one, where producers take turns.
    pub(super) fn flow(&self) -> FlowId {
        self.flow
    }

    pub(super) fn producer(&self) -> Producer<'_> {
        Producer {
            name: &self.name,
            door: self.door,
            permissions: &self.permissions,
            within: None,
            verified: &self.verified,
            trace: None,
            flow: self.flow,
            connection: None,
        }
    }
}
