//! One client on one namespace, from CONNECT to its end.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;

use socketioxide::socket::Sid;

use super::{
    connect::DoorContext,
    events,
    inbox::{Inbound, Inbox},
};
use crate::{
    access::{
        Identity,
        authz::{Connection, DisconnectReason, Meter, Origin, SessionGuard},
    },
    channel::Namespace,
    delivery::Reclaimed,
    delivery::{Outgoing, Tag},
    doors::socketio::engine::{CloseReason, ExpressLane, Frame, SessionId},
    error::Error,
    event::Object,
    hub::{MemberId, Membership, Outlet},
    net::Live,
};

/// A connected client.
#[derive(Debug)]
pub(super) struct Client {
    /// Its public id. The transport's id is a credential and is never shown to others.
    pub(super) id: Arc<str>,
    /// The transport's id, to find the socket again.
    pub(super) sid: Sid,
    /// Where it is.
    pub(super) namespace: Namespace,
    /// Who it is; `authenticate` changes it.
    who: ArcSwap<Identity>,
    /// Where it comes from.
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
    inbox: Inbox,
    /// Its place in the hub, from its introduction to its end.
    membership: Mutex<Option<Membership>>,
    /// Its stay on the lane, from the connect handler on.
    stay: OnceLock<SessionId>,
    /// Its connection is counted.
    counted: AtomicBool,
    /// It disconnected.
    gone: AtomicBool,
    /// The server ended it: it is told why, and nothing else any more.
    pub(super) ended: Arc<AtomicBool>,
    /// What handlers need.
    pub(super) context: Arc<DoorContext>,
}

/// How long an ended client has to take the reason.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Socket.IO updates take the lane.
#[derive(Debug)]
pub(super) struct LaneOutlet {
    /// The way to the client, shared by all its namespaces.
    pub(super) lane: Arc<ExpressLane>,
    /// On which of them this one is.
    pub(super) namespace: Namespace,
    /// The session was ended: nothing comes behind the reason, though the hub may learn of it a moment later.
    pub(super) ended: Arc<AtomicBool>,
}

impl Outlet for LaneOutlet {
    fn send(&self, update: &Outgoing) -> bool {
        self.ended.load(Ordering::Acquire) || self.lane.send_update(update, false)
    }

    fn send_exempt(&self, update: &Outgoing) {
        if !self.ended.load(Ordering::Acquire) {
            self.lane.send_update(update, true);
        }
    }

    fn flush(&self) {
        self.lane.flush();
    }

    fn has_room(&self) -> bool {
        self.lane.has_room()
    }

    fn waiting(&self) -> usize {
        self.lane.waiting()
    }

    fn reclaim(&self, keeps: &dyn Fn(&str) -> bool) -> Option<Reclaimed> {
        self.lane.reclaim(self.namespace, keeps)
    }

    fn settle(&self) {
        self.lane.settle(self.namespace);
    }
}

impl Client {
    pub(super) fn new(
        (sid, address): (Sid, IpAddr),
        namespace: Namespace,
        who: Identity,
        lane: Arc<ExpressLane>,
        context: Arc<DoorContext>,
    ) -> Arc<Self> {
        let meter = context.authenticator.meter(&who, address);
        let client = Self {
            id: crate::event::mint_id().to_string().into(),
            sid,
            namespace,
            who: ArcSwap::from_pointee(who),
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

    /// Who it is now.
    pub(super) fn who(&self) -> Arc<Identity> {
        self.who.load_full()
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
        self.who.store(Arc::new(who));
        self.context.actions.listed(self);
    }

    /// Whether it may send one more message.
    ///
    /// # Errors
    /// `rate_limited`, `banned`.
    pub(super) fn spend(&self) -> Result<(), Error> {
        self.context
            .authenticator
            .message(&self.meter, &self.who(), self.address)
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

    /// The hub knows it now: what it sent meanwhile is handled.
    pub(super) async fn introduced(self: &Arc<Self>, membership: Membership) {
        *self.place() = Some(membership);
        if self.gone.load(Ordering::Acquire) || self.ended.load(Ordering::Acquire) {
            self.place().take();
        }
        if self.inbox.open() {
            self.clone().work().await;
        }
    }

    /// Takes an event as it arrives.
    pub(super) fn receive(self: &Arc<Self>, inbound: Inbound) {
        if self.ended.load(Ordering::Acquire) {
            return;
        }
        let pushed = self.inbox.push(inbound);
        if pushed.full {
            self.lane.inbox_full();
        }
        if pushed.start {
            tokio::spawn(self.clone().work());
        }
    }

    async fn work(self: Arc<Self>) {
        while let Some(next) = self.inbox.next() {
            if next.has_room {
                self.lane.inbox_has_room();
            }
            if !self.ended.load(Ordering::Acquire) {
                events::handle(&self, next.inbound).await;
            }
            // Most handlers wait for nothing: whoever sends on and on would have a thread for itself.
            tokio::task::coop::consume_budget().await;
        }
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

    fn place(&self) -> MutexGuard<'_, Option<Membership>> {
        lock(&self.membership)
    }

    /// Answers an event, unless the session was ended while that was handled.
    pub(super) fn acknowledge(&self, ack: i64, json: &str) {
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
