//! One client on one namespace, from CONNECT to its end.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use socketioxide::socket::Sid;

use super::{
    connect::Kit,
    events,
    inbox::{Inbound, Inbox},
};
use crate::{
    access::Identity,
    event::Object,
    hub::{MemberId, Membership, Outgoing, Outlet},
    net::{Frame, Lane, Tag, Taken},
    update::Namespace,
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
    /// Who it is.
    pub(super) who: Identity,
    /// The way to it.
    pub(super) lane: Arc<Lane>,
    /// What it sent.
    inbox: Inbox,
    /// Its place in the hub, from its introduction to its end.
    membership: Mutex<Option<Membership>>,
    /// Its connection is counted.
    counted: AtomicBool,
    /// It disconnected.
    gone: AtomicBool,
    /// What handlers need.
    pub(super) kit: Arc<Kit>,
}

/// Socket.IO updates take the lane.
#[derive(Debug)]
pub(super) struct LaneOutlet {
    /// The way to the client, shared by all its namespaces.
    pub(super) lane: Arc<Lane>,
    /// On which of them this one is.
    pub(super) namespace: Namespace,
}

impl Outlet for LaneOutlet {
    fn send(&self, update: &Outgoing) -> bool {
        self.lane.send(update.frame(), update.tag())
    }

    fn send_exempt(&self, update: &Outgoing) {
        self.lane.send_exempt(update.frame());
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

    fn take_back(&self, keeps: &dyn Fn(&str) -> bool) -> Option<Taken> {
        self.lane.take_back(self.namespace, keeps)
    }

    fn settle(&self) {
        self.lane.settle(self.namespace);
    }
}

impl Client {
    pub(super) fn new(
        sid: Sid,
        namespace: Namespace,
        who: Identity,
        lane: Arc<Lane>,
        kit: Arc<Kit>,
    ) -> Arc<Self> {
        let client = Self {
            id: uuid::Uuid::now_v7().to_string().into(),
            sid,
            namespace,
            who,
            lane,
            inbox: Inbox::default(),
            membership: Mutex::new(None),
            counted: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            kit,
        };
        client.inbox.hold();
        Arc::new(client)
    }

    /// Its connection counts from now on; false when it is over already.
    pub(super) fn count(&self) -> bool {
        self.counted.store(true, Ordering::Release);
        self.kit.metrics.connected(self.namespace);
        !self.gone.load(Ordering::Acquire)
    }

    /// The hub knows it now: what it sent meanwhile is handled.
    pub(super) async fn introduced(self: &Arc<Self>, membership: Membership) {
        *self.place() = Some(membership);
        if self.gone.load(Ordering::Acquire) {
            self.place().take();
        }
        if self.inbox.open() {
            self.clone().work().await;
        }
    }

    /// Takes an event as it arrives.
    pub(super) fn receive(self: &Arc<Self>, inbound: Inbound) {
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
            events::handle(&self, next.inbound).await;
        }
    }

    /// It disconnected: it leaves its rooms at once, even if much of what it sent is still to be handled.
    pub(super) fn disconnected(&self, reason: String) {
        self.gone.store(true, Ordering::Release);
        self.lane.disconnect(self.namespace);
        self.place().take();
        if self.counted.load(Ordering::Acquire) {
            self.kit.metrics.disconnected(self.namespace, reason);
        }
    }

    /// Its place in the hub; none before it is introduced and after it is gone.
    pub(super) fn member(&self) -> Option<MemberId> {
        self.place().as_ref().map(Membership::id)
    }

    fn place(&self) -> MutexGuard<'_, Option<Membership>> {
        self.membership
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers an event.
    pub(super) fn acknowledge(&self, ack: i64, json: &str) {
        self.lane.answer(&Frame::ack(self.namespace, ack, json));
        self.lane.flush();
    }

    /// Sends it an event of its own, ahead of updates that the hub still gathers.
    pub(super) fn emit(&self, name: &str, body: Object) {
        let json = serde_json::Value::Object(body).to_string();
        let frame = Frame::event(self.namespace, name, &json);
        self.lane.send(&frame, Tag::Aside);
        self.lane.flush();
    }
}
