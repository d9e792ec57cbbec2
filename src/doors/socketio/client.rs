//! One client on one namespace, from CONNECT to its end.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    context::DoorContext, hands::LaneHands, inbox::Inbox, outlet::LaneOutlet, served::Served,
    way_back::WayBack,
};
use crate::{
    access::{
        Identity,
        authz::{Meter, Origin, SessionGuard},
    },
    channel::Namespace,
    delivery::Tag,
    doors::{
        actions::Performer,
        backend::{Arguments, Presence, SessionData},
        socketio::engine::{ExpressLane, Frame, SessionId},
    },
    error::Error,
    event::Object,
    hub::{MemberId, Membership},
    net::Live,
    observe::CountedConnection,
    timestamp::Timestamp,
};

/// A connected client.
#[derive(Debug)]
pub(super) struct Client {
    /// The public id, which the client knows as `socket.id`. The transport's id is a credential and is never shown.
    pub(super) id: Arc<str>,
    /// The id that a client of Engine.IO 3 knows itself by: the transport's. Nobody else is told it.
    pub(super) former_id: Option<Arc<str>>,
    pub(super) namespace: Namespace,
    /// The client as actions know it; holds the client's identity.
    pub(super) performer: Arc<Performer>,
    /// The address that the client comes from.
    pub(super) address: IpAddr,
    /// The budget of messages.
    meter: Meter,
    /// A live session, which lets its address connect more often, since each session polls.
    _at: Live,
    /// The entry in the list of sessions, which ends with it.
    session: Mutex<Option<SessionGuard>>,
    pub(super) lane: Arc<ExpressLane>,
    /// The events that wait to be handled.
    pub(super) inbox: Inbox,
    /// The data that an application keeps with the client.
    pub(super) data: SessionData,
    /// The time at which it connected.
    pub(super) since: Timestamp,
    /// The client as the application's service knows it, from its connect call to its end.
    presence: Mutex<Option<Presence>>,
    /// The engine's part in its session.
    pub(super) served: Served,
    /// The membership in the hub, from the introduction to the end.
    membership: Mutex<Option<Membership>>,
    /// The stay on the lane, from the connect handler on.
    stay: OnceLock<SessionId>,
    /// Whether the connection counts in the metrics.
    counted: AtomicBool,
    /// The session's count, which all of its namespaces share.
    session_counted: Mutex<Option<Arc<CountedConnection>>>,
    /// Whether the client has disconnected.
    pub(super) gone: AtomicBool,
    /// Whether it is about to be told to connect again: what it sends now is not handled, and it sends it again.
    pub(super) is_moving: AtomicBool,
    /// The way back to its session, if it has one.
    pub(super) way_back: Option<Box<WayBack>>,
    /// Whether it logged in as Socket.IO's Admin UI.
    pub(super) is_ui: AtomicBool,
    /// The hub's way to it, which knows whether the server ended the session.
    pub(super) outlet: Arc<LaneOutlet>,
    pub(super) context: Arc<DoorContext>,
}

impl Client {
    pub(super) fn new(
        (former_id, address): (Option<Arc<str>>, IpAddr),
        (id, way_back): (Option<Arc<str>>, Option<Box<WayBack>>),
        namespace: Namespace,
        who: Identity,
        lane: Arc<ExpressLane>,
        context: Arc<DoorContext>,
    ) -> Arc<Self> {
        let meter = context.authenticator.meter(&who, address);
        let backend = context.backend(namespace);
        let waiting = backend.map(|backend| backend.waiting_bytes().clone());
        let id = id.unwrap_or_else(|| crate::event::mint_id().to_string().into());
        let client = Self {
            id: id.clone(),
            former_id,
            namespace,
            performer: Performer::new(id, namespace, who, Box::new(LaneHands(lane.clone()))),
            address,
            meter,
            _at: context.options.quota.live(address),
            session: Mutex::new(None),
            outlet: LaneOutlet::new(
                lane.clone(),
                namespace,
                way_back.as_ref().is_some_and(|way_back| way_back.is_kept),
            ),
            lane,
            inbox: Inbox::counted(waiting),
            data: SessionData::new(context.options.sessions.clone()),
            since: Timestamp::now(),
            presence: Mutex::default(),
            served: Served::default(),
            membership: Mutex::new(None),
            stay: OnceLock::new(),
            counted: AtomicBool::new(false),
            session_counted: Mutex::default(),
            gone: AtomicBool::new(false),
            is_moving: AtomicBool::new(false),
            way_back,
            is_ui: AtomicBool::new(false),
            context,
        };
        client.inbox.hold();
        Arc::new(client)
    }

    /// Whether the server ended the session: the client gets the reason, and nothing after it.
    pub(super) fn is_ended(&self) -> bool {
        self.outlet.is_ended()
    }

    /// Whether it has left, or was told to.
    pub(super) fn is_over(&self) -> bool {
        self.is_ended() || self.gone.load(Ordering::Acquire)
    }

    /// The client's identity now.
    pub(super) fn who(&self) -> Arc<Identity> {
        self.performer.who()
    }

    /// Adds the client to the list of sessions.
    ///
    /// # Errors
    /// The client was banned or revoked meanwhile.
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
        self.context.metrics.usage.came_by("socketio");
        *lock(&self.session) = Some(session);
        Ok(())
    }

    /// Gives the client a new identity, or the same for longer.
    pub(super) fn renew(self: &Arc<Self>, who: Identity) {
        self.context.authenticator.sessions().renew(&self.id, &who);
        if let Some(counted) = &*lock(&self.session_counted) {
            counted.set_role(who.role.as_str());
        }
        self.performer.renew(who);
        self.context.actions.listed(&self.performer);
    }

    /// Takes one message from the client's budget, which `joins` a room or doesn't.
    ///
    /// # Errors
    ///
    /// `rate_limited`, `banned`.
    pub(super) fn spend(&self, joins: bool) -> Result<(), Error> {
        self.context
            .authenticator
            .message(&self.meter, &self.who(), self.address, joins)
    }

    /// Notes a message that uses a feature.
    pub(super) fn used(&self, feature: &str) {
        if let Some(session) = &*lock(&self.session) {
            session.message(feature);
        }
    }

    /// Lets the client's frames go from now on.
    pub(super) fn stays(&self, stay: SessionId) {
        self.stay.set(stay).ok();
        // The client may have disconnected just now, before there was a stay to end.
        if self.gone.load(Ordering::Acquire) {
            self.lane.disconnect(self.namespace, stay);
        }
    }

    /// Counts the connection in the metrics; `false` when it is over already.
    pub(super) fn count(&self) -> bool {
        let role = self.who().role.as_str();
        *lock(&self.session_counted) = Some(self.lane.count(role));
        self.context.metrics.connected(self.namespace);
        self.context.metrics.attempts.succeed(1);
        self.counted.store(true, Ordering::SeqCst);
        // One of the two sides sees what the other has stored, so the connection is uncounted exactly once.
        let is_gone = self.gone.load(Ordering::SeqCst);
        if is_gone {
            self.uncount("ClientNSDisconnect".to_owned());
        }
        !is_gone
    }

    /// Ends the count of the connection.
    fn uncount(&self, reason: String) {
        if self.counted.swap(false, Ordering::SeqCst) {
            lock(&self.session_counted).take();
            self.context.metrics.disconnected(self.namespace, reason);
        }
    }

    /// Ends a client that disconnected: it leaves its rooms at once, even if many of its events still wait to be
    /// handled.
    /// `lost` says that nobody meant it to end, `departs` that its membership ends with its session.
    pub(super) fn disconnected(&self, reason: String, lost: bool, departs: bool) {
        self.context.options.operations.clients.left(&self.id);
        if let Some(stay) = self.stay.get() {
            self.lane.disconnect(self.namespace, *stay);
        }
        if !departs {
            self.place().take();
        }
        if let Some(session) = lock(&self.session).take()
            && (!lost || self.is_ended())
        {
            session.goodbye();
        }
        self.context.actions.left(&self.id);
        self.uncount(reason);
    }

    /// Notes that the application's service knows of the client.
    pub(super) fn is_known(&self, presence: Presence) {
        *lock(&self.presence) = Some(presence);
    }

    /// The client as the service knows it, to tell the service of its end.
    pub(super) fn take_presence(&self) -> Option<Presence> {
        lock(&self.presence).take()
    }

    /// The client's id in the hub; `None` before it is introduced and after it has left.
    pub(super) fn member(&self) -> Option<MemberId> {
        self.place().as_ref().map(Membership::id)
    }

    /// The client's membership in the hub, locked.
    pub(super) fn place(&self) -> MutexGuard<'_, Option<Membership>> {
        lock(&self.membership)
    }

    /// Queues the answer to an event, unless the session was ended meanwhile. The lane's writer is not woken.
    pub(super) fn acknowledge(&self, ack: u128, json: &str) {
        if self.is_ended() {
            return;
        }
        self.lane.answer(&Frame::ack(self.namespace, ack, json));
    }

    /// The same with any number of arguments, and bytes among them.
    pub(super) fn acknowledge_with(&self, ack: u128, arguments: &Arguments) {
        if self.is_ended() {
            return;
        }
        let is_first = self.lane.speaks_first_protocol();
        let frame = Frame::ack_with(self.namespace, ack, arguments, is_first);
        self.lane.answer(&frame);
    }

    /// Sends the client an event of its own, ahead of updates that the hub still collects.
    pub(super) fn emit(&self, name: &str, body: Object) {
        let json = serde_json::Value::Object(body).to_string();
        let frame = Frame::event(self.namespace, name, &json, Tag::Aside);
        self.lane.send(&frame);
        self.lane.flush();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
