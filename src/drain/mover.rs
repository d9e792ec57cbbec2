//! Moves connections, evenly over a time.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until},
};

use super::metrics::{DrainMetrics, MoveCause};
use crate::access::authz::{Connection, Movable};

/// Transports that get ready at a time: each has a task, and the hub a command of each.
const AT_A_TIME: u32 = 4_096;

/// Moves all of these connections, the first at once and the last just before the time is over. Returns when the last one is
/// closed. A move that has begun is finished, also when the future is dropped.
pub(super) async fn move_all(
    connections: Vec<Movable>,
    over: Duration,
    cause: MoveCause,
    metrics: &DrainMetrics,
) {
    let transports = by_transport(connections);
    let begun = Instant::now();
    let count = u32::try_from(transports.len().max(1)).unwrap_or(u32::MAX);
    let places = Arc::new(Semaphore::new(AT_A_TIME as usize));
    for (place, transport) in (0_u32..).zip(transports) {
        sleep_until(begun + over.mul_f64(f64::from(place) / f64::from(count))).await;
        let Ok(permit) = places.clone().acquire_owned().await else {
            return;
        };
        let metrics = metrics.clone();
        tokio::spawn(async move {
            if move_one(&transport).await {
                metrics.moved(cause);
            }
            drop(permit);
        });
    }
    places.acquire_many(AT_A_TIME).await.ok();
}

/// The connections of each transport together: its end is the end of them all.
fn by_transport(connections: Vec<Movable>) -> Vec<Vec<Movable>> {
    let mut transports = Vec::new();
    let mut shared: HashMap<usize, usize> = HashMap::new();
    for connection in connections {
        match connection.transport() {
            None => transports.push(vec![connection]),
            Some(transport) => {
                let place = *shared.entry(transport).or_insert(transports.len());
                match transports.get_mut(place) {
                    Some(others) => others.push(connection),
                    None => transports.push(vec![connection]),
                }
            }
        }
    }
    transports
}

/// Moves the connections of one transport. Returns whether it was still open.
async fn move_one(transport: &[Movable]) -> bool {
    let there: Vec<Arc<dyn Connection>> = transport.iter().filter_map(Movable::begin).collect();
    join_all(there.iter().cloned().map(Connection::make_ready)).await;
    // Each is told, also behind one that was open.
    let open = there.iter().filter(|connection| connection.hang_up());
    open.count() > 0
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    use futures_util::future::BoxFuture;

    use super::*;
    use crate::{
        access::{
            Identity,
            authz::{DisconnectReason, Origin, Sessions},
        },
        observe::Metrics,
    };

    #[derive(Debug)]
    struct Fake {
        transport: Option<usize>,
        ready: AtomicUsize,
        closed: Mutex<Option<Instant>>,
    }

    impl Connection for Fake {
        fn end(&self, _: DisconnectReason) {}

        fn transport(&self) -> Option<usize> {
            self.transport
        }

        fn make_ready(self: Arc<Self>) -> BoxFuture<'static, ()> {
            Box::pin(async move {
                self.ready.fetch_add(1, Ordering::Relaxed);
            })
        }

        fn hang_up(&self) -> bool {
            self.closed
                .lock()
                .unwrap()
                .replace(Instant::now())
                .is_none()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn moves_are_spread_and_a_transport_ends_once_for_all_that_share_it() {
        let sessions = Sessions::new(Metrics::new());
        let mut fakes = Vec::new();
        let mut listed = Vec::new();
        for n in 0..10_usize {
            let fake = Arc::new(Fake {
                // The first two share one.
                transport: (n < 2).then_some(7),
                ready: AtomicUsize::default(),
                closed: Mutex::default(),
            });
            let origin = Origin {
                client_id: n.to_string().into(),
                transport: "socketio",
                namespace: "/",
                address: std::net::IpAddr::from([127, 0, 0, 1]),
            };
            let weak: std::sync::Weak<Fake> = Arc::downgrade(&fake);
            listed.push(sessions.begin(&origin, &Identity::default(), weak));
            fakes.push(fake);
        }
        let begun = Instant::now();
        let metrics = DrainMetrics::default();
        let all = sessions.movable(|_| true);
        // One of them leaves by itself.
        fakes.pop();
        move_all(all, Duration::from_secs(9), MoveCause::drain, &metrics).await;
        let closed = |fake: &Arc<Fake>| fake.closed.lock().unwrap().map(|at| at - begun);
        let mut times: Vec<_> = fakes.iter().filter_map(closed).collect();
        assert_eq!(times.len(), 9);
        assert_eq!(closed(&fakes[0]), closed(&fakes[1]));
        times.sort_unstable();
        // In no order: the place of the one that left may be the first.
        assert!(times[0] < Duration::from_millis(1_020), "{times:?}");
        assert!(times[8] <= Duration::from_secs(9), "{times:?}");
        for (first, second) in times.iter().zip(times.iter().skip(2)) {
            let between = *second - *first;
            assert!(
                between >= Duration::from_millis(900),
                "two at most come together: {times:?}"
            );
        }
        let ready = fakes.iter().map(|fake| fake.ready.load(Ordering::Relaxed));
        assert!(ready.into_iter().all(|ready| ready == 1));
    }
}
