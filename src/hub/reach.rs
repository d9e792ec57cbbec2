//! Cursors of other nodes: a client that moves may bring one that this node has not read up to yet.

use std::sync::Arc;

use super::{Closings, HubHandle, JoinReply, command::Resumption};
use crate::{delivery::Cursor, journal::Journal};

/// Parts that every handle has beside the way to the hub.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) closings: Arc<Closings>,
    /// The journal, where other nodes read it as well.
    shared: Option<Arc<dyn Journal>>,
}

impl Beside {
    pub(super) fn new(journal: &Arc<dyn Journal>) -> Arc<Self> {
        Arc::new(Self {
            closings: Arc::default(),
            shared: journal.is_shared().then(|| journal.clone()),
        })
    }

    async fn reach(&self, place: Option<&Cursor>) {
        if let (Some(journal), Some(place)) = (&self.shared, place) {
            let end = place.within.as_ref().map_or(place.seq, |within| within.to);
            journal.reach(place.epoch, end.max(place.seq)).await;
        }
    }
}

impl HubHandle {
    /// A cursor, once this node has read up to its place; not for longer than a moment.
    pub(super) async fn reached(&self, from: Resumption) -> Resumption {
        self.1.reach(from.place.as_ref()).await;
        from
    }

    /// The same for a client that joins.
    pub(super) async fn can_welcome(&self, welcome: JoinReply) -> JoinReply {
        let place = welcome.resume.as_ref().and_then(|from| from.place.as_ref());
        self.1.reach(place).await;
        welcome
    }
}
