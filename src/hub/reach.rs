//! Cursors of other nodes: a client that moves may bring one that this node has not read up to yet.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use super::{Closings, HubHandle, JoinReply, command::Resumption};
use crate::{
    delivery::Cursor,
    journal::{Journal, Seq},
};

/// The time that it may take until it is known what became of a place of this journal. While another engine takes the place
/// of one that failed, a node that lags behind can't read on; and then the nodes that know the newest events put them back.
const FAILOVER_TIME: Duration = Duration::from_secs(10);

/// The time after which it is looked again, if nothing new was read.
const PAUSE: Duration = Duration::from_millis(50);

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
        let (Some(journal), Some(place)) = (&self.shared, place) else {
            return;
        };
        let end = place.within.as_ref().map_or(place.seq, |within| within.to);
        let end = end.max(place.seq);
        let until = Instant::now() + FAILOVER_TIME;
        let mut grown = journal.watch();
        journal.reach(place.epoch, end).await;
        while !is_settled(&**journal, place, end) && Instant::now() < until {
            timeout(PAUSE, grown.changed()).await.ok();
        }
    }
}

/// Whether it is known what became of a place that another node has read: it came, or it was lost, and this node has read its
/// event where it is now. Otherwise what the client has would be told again, or it would be given an older state.
fn is_settled(journal: &dyn Journal, place: &Cursor, end: Seq) -> bool {
    let may_come = match journal.newest_of(place.epoch) {
        Some(newest) => newest < end,
        None => journal.health().trouble.is_some(),
    };
    let is_found = || match journal.lost(place.epoch) {
        // A place within a segment is not looked for.
        Some((common, now)) => place.within.is_some() || end <= common || now(end).is_some(),
        None => false,
    };
    !may_come || is_found()
}

impl HubHandle {
    /// A cursor, once this node has read up to its place, or knows that it can't.
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
