//! The live connections, by transport, door and role.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

/// The facts by which connections are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct ConnectionKind {
    /// `websocket`, `polling` or `sse`.
    pub transport: &'static str,
    /// The door: `socketio`, `sse`, or the name of a WebSocket door.
    pub door: &'static str,
    /// The client's role.
    pub role: &'static str,
}

/// The counts of live connections; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Locked for one addition; connections come and go far less often than updates.
    live: Mutex<BTreeMap<ConnectionKind, u64>>,
    shown: Family<ConnectionKind, Gauge>,
    /// Connections that began, and those that ended, since the start.
    came: AtomicU64,
    went: AtomicU64,
}

/// A connection, counted until this is dropped.
#[derive(Debug)]
pub struct CountedConnection {
    all: Connections,
    kind: Mutex<ConnectionKind>,
}

impl Connections {
    /// Counts a connection.
    pub fn begin(&self, kind: ConnectionKind) -> CountedConnection {
        self.add(kind);
        self.0.came.fetch_add(1, Ordering::Relaxed);
        CountedConnection {
            all: self.clone(),
            kind: Mutex::new(kind),
        }
    }

    /// The live connections of each kind; kinds without any are left out.
    pub fn live(&self) -> Vec<(ConnectionKind, u64)> {
        let live = self.lock();
        let some = live.iter().filter(|(_, count)| **count > 0);
        some.map(|(kind, count)| (*kind, *count)).collect()
    }

    /// The connections that began and those that ended since the start.
    pub fn came_and_went(&self) -> (u64, u64) {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        (count(&self.0.came), count(&self.0.went))
    }

    fn add(&self, kind: ConnectionKind) {
        *self.lock().entry(kind).or_default() += 1;
        self.0.shown.get_or_create(&kind).inc();
    }

    fn remove(&self, kind: ConnectionKind) {
        if let Some(count) = self.lock().get_mut(&kind) {
            *count = count.saturating_sub(1);
        }
        self.0.shown.get_or_create(&kind).dec();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ConnectionKind, u64>> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "connections_by_transport",
            "Live connections of clients that were let in, by transport, door and role",
            self.0.shown.clone(),
        );
    }
}

impl CountedConnection {
    /// Counts the connection under another transport from now on.
    pub fn set_transport(&self, transport: &'static str) {
        self.change(|kind| kind.transport = transport);
    }

    /// Counts the connection under another role from now on.
    pub fn set_role(&self, role: &'static str) {
        self.change(|kind| kind.role = role);
    }

    fn change(&self, change: impl FnOnce(&mut ConnectionKind)) {
        let mut kind = self.kind.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *kind;
        change(&mut kind);
        if *kind != before {
            self.all.add(*kind);
            self.all.remove(before);
        }
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        let kind = *self.kind.lock().unwrap_or_else(PoisonError::into_inner);
        self.all.remove(kind);
        self.all.0.went.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLLING: ConnectionKind = ConnectionKind {
        transport: "polling",
        door: "socketio",
        role: "observer",
    };

    #[test]
    fn a_connection_counts_once_whatever_becomes_of_it() {
        let connections = Connections::default();
        let one = connections.begin(POLLING);
        let other = connections.begin(POLLING);
        assert_eq!(connections.live(), [(POLLING, 2)]);
        one.set_transport("websocket");
        one.set_role("operator");
        let upgraded = ConnectionKind {
            transport: "websocket",
            role: "operator",
            ..POLLING
        };
        assert_eq!(connections.live(), [(POLLING, 1), (upgraded, 1)]);
        drop((one, other));
        assert_eq!(connections.live(), []);
    }
}
