//! One client on one namespace, from CONNECT to its end.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use socketioxide::socket::Sid;

use super::{actions::Performer, context::DoorContext, inbox::Inbox};
use crate::{
    access::{
        Identity,
        authz::{Connection, DisconnectReason, Meter, Origin, SessionGuard},
    },
    channel::Namespace,
    delivery::Tag,
    doors::socketio::engine::{CloseReason, ExpressLane, Frame, SessionId},
    error::Error,
    event::Object,
    hub::{MemberId, Membership},
    net::Live,
};

/// A connected client.
#[derive(Debug)]
pub(super) struct Client {
    /// Its public id. The transport's id is a credential and is never shown to others.
    pub(super) id: Arc<str>,
    /// The transport's id, to find the socket again.
    pub(super) sid: Sid,
    /// Its namespace.
    pub(super) namespace: Namespace,
    /// The client as actions know it; holds its identity, too.
    pub(super) performer: Arc<Performer>,
    /// The address that it comes from.
    pub(super) address: IpAddr,
    /// What it may still send.
    meter: Meter,
    /// Its address may connect the more often, the more of its sessions live: each polls.
    _at: Live,
    /// Its place among the sessions.
    session: Mutex<Option<SessionGuard>>,
    /// The way to it.
    pub(super) lane: Arc<ExpressLane>,
    /// What it sent.
    pub(super) inbox: Inbox,
    /// Its place in the hub, from its introduction to its end.
    membership: Mutex<Option<Membership>>,
    /// Its stay on the lane, from the connect handler on.
    stay: OnceLock<SessionId>,
    /// Its connection is counted.
    counted: AtomicBool,
    /// It disconnected.
    pub(super) gone: AtomicBool,
    /// The server ended it: it is told why, and nothing else any more.
    pub(super) ended: Arc<AtomicBool>,
    /// What handlers need.
    pub(super) context: Arc<DoorContext>,
}

/// How long an ended client has to take the reason.
const LAST_WORD: Duration = Duration::from_secs(1);

impl Client {
    pub(super) fn new(
        (sid, address): (Sid, IpAddr),
        namespace: Namespace,
        who: Identity,
        lane: Arc<ExpressLane>,
        context: Arc<DoorContext>,
    ) -> Arc<Self> {
        let meter = context.authenticator.meter(&who, address);
        let id: Arc<str> = crate::event::mint_id().to_string().into();
        let client = Self {
            id: id.clone(),
            sid,
            namespace,
            performer: Performer::new(id, namespace, who, lane.clone()),
            address,
            meter,
            _at: context.options.quota.live(address),
            session: Mutex::new(None),
            lane,
            inbox: Inbox::default(),
            membership: Mutex::new(None),
            stay: OnceLock::new(),
            counted: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            ended: Arc::default(),
            context,
        };
        client.inbox.hold();
        Arc::new(client)
    }

    /// Its identity now.
    pub(super) fn who(&self) -> Arc<Identity> {
        self.performer.who()
    }

    /// Takes its place among the sessions.
    ///
    /// # Errors
    /// It is kept out.
    pub(super) fn begin(self: &Arc<Self>) -> Result<(), Error> {
        let origin = Origin {
            client_id: self.id.clone(),
            transport: "socketio",
            namespace: self.namespace.path(),
            address: self.address,
        };
        let session = self
            .context
            .authenticator
            .begin(&origin, &self.who(), self)?;
        *lock(&self.session) = Some(session);
        Ok(())
    }

    /// It is somebody else from now on, or the same for longer.
    pub(super) fn renew(self: &Arc<Self>, who: Identity) {
        self.context.authenticator.sessions().renew(&self.id, &who);
        self.performer.renew(who);
        self.context.actions.listed(&self.performer);
    }

    /// Whether it may send one more message, which `joins` a room or doesn't.
    ///
    /// # Errors
    /// `rate_limited`, `banned`.
    pub(super) fn spend(&self, joins: bool) -> Result<(), Error> {
        self.context
            .authenticator
            .message(&self.meter, &self.who(), self.address, joins)
    }

    /// Its frames may go from now on.
    pub(super) fn stays(&self, stay: SessionId) {
        self.stay.set(stay).ok();
        // It may have gone just now, without a stay to end.
        if self.gone.load(Ordering::Acquire) {
            self.lane.disconnect(self.namespace, stay);
        }
    }

    /// Its connection counts from now on; false when it is over already.
    pub(super) fn count(&self) -> bool {
        self.counted.store(true, Ordering::Release);
        self.context.metrics.connected(self.namespace);
        !self.gone.load(Ordering::Acquire)
    }

    /// It disconnected: it leaves its rooms at once, even if much of what it sent is still to be handled.
    pub(super) fn disconnected(&self, reason: String) {
        self.gone.store(true, Ordering::Release);
        if let Some(stay) = self.stay.get() {
            self.lane.disconnect(self.namespace, *stay);
        }
        self.place().take();
        lock(&self.session).take();
        self.context.actions.left(&self.id);
        if self.counted.load(Ordering::Acquire) {
            self.context.metrics.disconnected(self.namespace, reason);
        }
    }

    /// Its place in the hub; none before it is introduced and after it is gone.
    pub(super) fn member(&self) -> Option<MemberId> {
        self.place().as_ref().map(Membership::id)
    }

    /// Its place in the hub, while it is looked at.
    pub(super) fn place(&self) -> MutexGuard<'_, Option<Membership>> {
        lock(&self.membership)
    }

    /// Answers an event, unless the session was ended while that was handled.
    pub(super) fn acknowledge(&self, ack: u128, json: &str) {
        if self.ended.load(Ordering::Acquire) {
            return;
        }
        self.lane.answer(&Frame::ack(self.namespace, ack, json));
        self.lane.flush();
    }

    /// Sends it an event of its own, ahead of updates that the hub still gathers.
    pub(super) fn emit(&self, name: &str, body: Object) {
        let json = serde_json::Value::Object(body).to_string();
        let frame = Frame::event(self.namespace, name, &json, Tag::Aside);
        self.lane.send(&frame);
        self.lane.flush();
    }
}

impl Connection for Client {
    /// It leaves its rooms at once; the reason is the last thing that it hears.
    fn end(&self, why: DisconnectReason) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        self.place().take();
        self.emit("error", why.refusal().to_event(None));
        if !why.may_return() {
            // Clients come back by themselves after a lost connection, but not after this.
            self.lane.send(&Frame::disconnect(self.namespace));
        }
        self.lane.flush();
        let lane = self.lane.clone();
        let kill = match why {
            DisconnectReason::Expired => CloseReason::Expired,
            DisconnectReason::Revoked => CloseReason::Revoked,
            DisconnectReason::Banned => CloseReason::Banned,
            DisconnectReason::Disconnected => CloseReason::Disconnected,
        };
        tokio::spawn(async move {
            lane.drained(LAST_WORD).await;
            lane.kill(kill);
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
