//! Parts that tests of the hub share: an outlet that keeps what it is sent, options, and clients that join.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::{DegradationOptions, HubOptions, JoinReply, JoinRequest, Outlet, Subscription};
use crate::{
    access::authz::{Filter, Permissions},
    channel::Namespace,
    config::Recipients,
    delivery::{Outgoing, Reclaimed},
    projections::state::Limits,
    update::UpdateShape,
};

/// An outlet that keeps all messages, and always has room.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    sent: Mutex<Vec<(String, String)>>,
    more: tokio::sync::Notify,
}

impl Recorder {
    /// Waits for a message of this name, and returns its text.
    pub(super) async fn until(&self, name: &str) -> String {
        loop {
            let more = self.more.notified();
            let found = {
                let sent = self.sent.lock().unwrap();
                let found = sent.iter().find(|(n, _)| n == name);
                found.map(|(_, json)| json.clone())
            };
            match found {
                Some(json) => return json,
                None => more.await,
            }
        }
    }

    /// The number of updates of this name that it was sent.
    pub(super) fn count(&self, name: &str) -> usize {
        self.texts(name).len()
    }

    /// The updates of this name that it was sent.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let sent = self.sent.lock().unwrap();
        let texts = sent.iter().filter(|(n, _)| n == name);
        texts.map(|(_, json)| json.clone()).collect()
    }
}

impl Outlet for Recorder {
    fn send(&self, update: &Outgoing) -> bool {
        let said = (update.name.to_string(), update.json.clone());
        self.sent.lock().unwrap().push(said);
        self.more.notify_one();
        true
    }

    fn send_exempt(&self, update: &Outgoing) {
        self.send(update);
    }

    fn flush(&self) {}

    fn has_room(&self) -> bool {
        true
    }

    fn waiting(&self) -> usize {
        0
    }

    fn reclaim(&self, _keeps: &dyn Fn(&str) -> bool) -> Option<Reclaimed> {
        None
    }

    fn settle(&self) {}
}

/// Bounds that no test comes near, unless it says so.
pub(super) fn options() -> HubOptions {
    HubOptions {
        flush_interval: Duration::from_millis(10),
        flush_max: 1_000,
        degradation: DegradationOptions::default(),
        level_shares: [8, 4, 2, 1],
        producer_backlog: 1_000,
        max_room_size: 100,
        max_rooms_per_client: 100,
        max_free: (1000, 1 << 20),
        max_visitors: 1000,
        state: Limits::default(),
        seneca_broadcast: false,
        aggregates: Recipients::Nobody,
        max_dashboard: 1 << 20,
        sanitize: Recipients::Nobody,
        max_recent: 0,
        snapshot_part: 1 << 20,
        max_segment: 1 << 20,
        emit_patience: Duration::from_millis(100),
        max_delay: Duration::from_secs(600),
        default_room: "general".into(),
    }
}

/// A client on `/` that sees everything.
pub(super) fn request(outlet: Arc<dyn Outlet>, client_id: &str) -> JoinRequest {
    JoinRequest {
        outlet,
        namespace: Namespace::Root,
        client_id: client_id.into(),
        user: None,
        subscription: Subscription::Filter(Filter::default()),
        permissions: Permissions::everything(),
        batch: false,
        shape: UpdateShape::Full,
        silent: false,
    }
}

/// The answer to a client that is in no room and wants nothing of the past.
pub(super) fn reply() -> JoinReply {
    JoinReply {
        rooms: Vec::new(),
        placed: Vec::new(),
        own_rooms: Vec::new(),
        greeting: None,
        snapshot: false,
        state: Vec::new(),
        requested: Instant::now(),
        resume: None,
    }
}
