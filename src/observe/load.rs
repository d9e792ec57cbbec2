//! The work that waits in the hub: gauges that the loop sets at the end of each turn, at a cost that does not grow with
//! what there is.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::event::Priority;

const LEVELS: usize = Priority::ALL.len();

/// The gauges of the hub's queues; a clone shares them.
#[derive(Debug, Clone)]
pub struct Load {
    waiting: [Gauge; LEVELS],
    shown: Family<Urgency, Gauge>,
    behind: Gauge,
    members: Gauge,
    rooms: Gauge,
    free_rooms: Gauge,
    free_room_bytes: Gauge,
    /// Shown by the state itself.
    state_bytes: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Urgency {
    priority: &'static str,
}

/// The work that waits at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Updates that are held in windows or wait for their turn, most urgent priority first.
    pub updates: [usize; LEVELS],
    /// Observers that are behind the live stream.
    pub behind: usize,
    /// Observers in all.
    pub members: usize,
    /// Rooms with members, without the clients' own.
    pub rooms: usize,
    /// Rooms of any name among them, and on the namespaces of applications.
    pub free_rooms: usize,
    /// Bytes of memory that these hold.
    pub free_room_bytes: usize,
    /// Bytes of memory that the state holds.
    pub state_bytes: usize,
}

impl Default for Load {
    fn default() -> Self {
        let shown = Family::<Urgency, Gauge>::default();
        let of = |priority: Priority| {
            let label = Urgency {
                priority: priority.as_str(),
            };
            shown.get_or_create(&label).clone()
        };
        Self {
            waiting: Priority::ALL.map(of),
            shown,
            behind: Gauge::default(),
            members: Gauge::default(),
            rooms: Gauge::default(),
            free_rooms: Gauge::default(),
            free_room_bytes: Gauge::default(),
            state_bytes: Gauge::default(),
        }
    }
}

impl Load {
    /// Sets all gauges.
    pub fn set(&self, waiting: &Waiting) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        for (gauge, count) in self.waiting.iter().zip(waiting.updates) {
            gauge.set(number(count));
        }
        self.behind.set(number(waiting.behind));
        self.members.set(number(waiting.members));
        self.rooms.set(number(waiting.rooms));
        self.free_rooms.set(number(waiting.free_rooms));
        self.free_room_bytes.set(number(waiting.free_room_bytes));
        self.state_bytes.set(number(waiting.state_bytes));
    }

    /// The gauges as they are now.
    pub fn now(&self) -> Waiting {
        let number = |gauge: &Gauge| usize::try_from(gauge.get()).unwrap_or_default();
        Waiting {
            updates: self.waiting.each_ref().map(number),
            behind: number(&self.behind),
            members: number(&self.members),
            rooms: number(&self.rooms),
            free_rooms: number(&self.free_rooms),
            free_room_bytes: number(&self.free_room_bytes),
            state_bytes: number(&self.state_bytes),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "updates_waiting",
            "Updates held in windows or waiting for their turn, by priority",
            self.shown.clone(),
        );
        registry.register(
            "observers_behind",
            "Observers that are being caught up with the live stream",
            self.behind.clone(),
        );
        registry.register("observers", "Observers now", self.members.clone());
        registry.register(
            "rooms",
            "Rooms with members, without those that belong to one client",
            self.rooms.clone(),
        );
        registry.register(
            "free_rooms",
            "Rooms of any name with members, those on namespaces of applications among them",
            self.free_rooms.clone(),
        );
        registry.register(
            "free_room_bytes",
            "Bytes of memory that these rooms hold",
            self.free_room_bytes.clone(),
        );
    }
}
