//! The door at `/socket.io/`: its state and its limits.

use std::sync::Arc;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{Request, StatusCode, Uri};
use socketioxide::socket::Sid;

use super::pending::Pending;
use crate::{
    doors::socketio::DoorContext,
    error::Error,
    net::{BodyLimits, ClientAddress, QuotaLimits, Slot},
};

/// Limits on everything that comes through the door.
#[derive(Debug, Clone)]
pub struct DoorLimits {
    /// Limits on sessions that have joined no namespace yet.
    pub pending: QuotaLimits,
    /// Limits on a polling client's body.
    pub body: BodyLimits,
    /// The most packets in such a body.
    pub max_packets: usize,
}

/// The state of the door.
#[derive(Debug, Clone)]
pub struct Door {
    pub(in crate::doors::socketio) context: Arc<DoorContext>,
    /// Sessions that have joined no namespace yet.
    pub(in crate::doors::socketio) pending: Arc<Pending>,
    pub(in crate::doors::socketio) limits: Arc<DoorLimits>,
}

impl Door {
    /// The door to the engine.
    pub fn new(context: Arc<DoorContext>, limits: DoorLimits) -> Self {
        let lifetime = context.options.connect_timeout;
        Self {
            context,
            pending: Pending::new(limits.pending.clone(), lifetime),
            limits: Arc::new(limits),
        }
    }

    /// See [`DoorContext::shutdown`].
    pub async fn shutdown(&self) {
        self.context.shutdown().await;
    }

    /// Refuses a new session while the node is drained, so that a proxy gives it to the next node.
    fn is_taking(&self) -> Result<(), Refused> {
        self.context
            .options
            .drain
            .admit("socketio")
            .map_err(|refusal| self.refuse("session", refusal.status(), "draining", &refusal))
    }

    /// Refuses a request for a session that is not here while the node is drained: a proxy has sent it on since, and the next
    /// node knows it. Otherwise the client is told that its session is unknown.
    pub(super) fn check_known(&self, sid: Sid) -> Result<(), Refused> {
        let is_on = self.context.options.drain.is_on();
        if is_on && self.context.lanes.find(sid).is_none() {
            return self.is_taking();
        }
        Ok(())
    }

    /// Refuses a request, and counts it.
    pub(in crate::doors::socketio) fn refuse(
        &self,
        at: &'static str,
        status: StatusCode,
        reason: &'static str,
        refusal: &Error,
    ) -> Refused {
        self.context.metrics.refused(at, reason);
        let mut response = refusal.clone().into_response();
        *response.status_mut() = status;
        Box::new(response)
    }
}

/// The answer to a request that is refused.
pub(in crate::doors::socketio) type Refused = Box<Response>;

/// Takes a slot for a new session.
pub(in crate::doors::socketio) fn begin(
    door: &Door,
    request: &Request<Body>,
) -> Result<Slot, Refused> {
    door.is_taking()?;
    let client = request.extensions().get::<ClientAddress>();
    door.pending
        .begin(client.map(|client| client.0))
        .map_err(|(reason, refusal)| {
            door.context.metrics.usage.turned_away();
            door.refuse("session", refusal.status(), reason, &refusal)
        })
}

/// The first value of a key in a query, as the engine reads it.
pub(in crate::doors::socketio) fn query<'u>(uri: &'u Uri, key: &str) -> Option<&'u str> {
    let pairs = uri
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs
        .into_iter()
        .find(|(k, _)| *k == key)
        .map(|(_, value)| value)
}

/// The session that a request belongs to.
pub(in crate::doors::socketio) fn session(uri: &Uri) -> Option<Sid> {
    query(uri, "sid").and_then(|sid| sid.parse().ok())
}
