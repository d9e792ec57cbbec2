//! The first things that a client of a door gets.

use std::{sync::Arc, time::Instant};

use serde_json::json;

use crate::{
    access::{
        Identity,
        authz::{Filter, unlisted_rooms},
    },
    channel::Namespace,
    delivery::Outgoing,
    doors::queue::{ObserverQueue, QueueOutlet, Wire},
    error::Error,
    event::Object,
    hub::{JoinReply, JoinRequest, Resumption, Subscription},
    update::UpdateShape,
};

/// Updates that these doors leave out: each has a sibling that says the same in the shape that they know, or is an
/// aggregate for Seneca's pages.
pub(super) const NOT_SENT: [&str; 5] = [
    "agent_status_change",
    "active_flows_update",
    "conversation_summary",
    "dashboard_update",
    "system_metrics",
];

/// The filter of a door that gets everything else of its rooms.
///
/// # Errors
/// Never: the names are well-formed.
pub(super) fn all_but_siblings() -> Result<Filter, Error> {
    Filter::parse(&json!({ "exclude": NOT_SENT }))
}

/// The filter of those among these updates that have names like one of `types`.
///
/// # Errors
/// A name is not well-formed.
pub(super) fn only(types: &[&str]) -> Result<Filter, Error> {
    Filter::parse(&json!({ "types": types, "exclude": NOT_SENT }))
}

/// The shape that a client asks for in its query.
///
/// # Errors
/// `bad_request`: there is no such shape.
pub(super) fn shape(asked: Option<&str>) -> Result<UpdateShape, Error> {
    asked.map_or(Ok(UpdateShape::Full), |name| {
        UpdateShape::read(name, "shape")
    })
}

/// The wishes of a client that connects, by what its door makes of its request.
#[derive(Debug)]
pub(super) struct Opening {
    /// The shape in which it is sent updates.
    pub(super) wire: &'static dyn Wire,
    /// The rooms that it is in from the beginning, already checked.
    pub(super) rooms: Vec<Arc<str>>,
    /// The updates of those rooms that it wants.
    pub(super) filter: Filter,
    /// The name and the fields of its greeting.
    pub(super) greeting: (&'static str, Object),
    /// Whether it is sent the state first.
    pub(super) snapshot: bool,
    /// Messages that tell the state of some things, with the cursor of that state: without a cursor of its own the
    /// client goes on from there.
    pub(super) state: Option<(Vec<Outgoing>, String)>,
    /// The cursor to go on from.
    pub(super) cursor: Option<String>,
    /// Whether it takes the updates of a flush in one message.
    pub(super) batch: bool,
    /// The shape in which the hub gives it updates, before its door writes them in its own words.
    pub(super) shape: UpdateShape,
}

impl Opening {
    /// The request and the reply that make the client a member.
    pub(super) fn into_join(
        self,
        requested: Instant,
        id: &Arc<str>,
        who: &Identity,
        queue: &Arc<ObserverQueue>,
    ) -> (JoinRequest, JoinReply) {
        let request = JoinRequest {
            outlet: Arc::new(QueueOutlet(queue.clone())),
            namespace: Namespace::Root,
            client_id: id.clone(),
            user: who.user.clone(),
            subscription: Subscription::Filter(self.filter),
            permissions: who.permissions.clone(),
            batch: self.batch,
            shape: self.shape,
            silent: false,
        };
        let given = self.cursor.filter(|cursor| !cursor.is_empty());
        let (state, resume) = match (given, self.state) {
            (Some(cursor), _) => (Vec::new(), Some(cursor.into())),
            (None, Some((state, cursor))) => (state, Some(Resumption::silently(cursor))),
            (None, None) => (Vec::new(), None),
        };
        let reply = JoinReply {
            rooms: self.rooms,
            placed: Vec::new(),
            own_rooms: unlisted_rooms(who).into_iter().collect(),
            greeting: Some(self.greeting),
            snapshot: self.snapshot,
            state,
            requested,
            resume,
        };
        (request, reply)
    }
}
