//! The order in which passwords of the Admin UI are tried, one at a time, and the networks that tried wrong ones.
//!
//! A try is meant to be dear, so whoever tries many would keep others waiting. There are three lanes, whose tries take turns:
//! for networks from which somebody logged in before, for those that nothing is known of, and for those that failed lately.
//! A network has one place in a lane, and a lane has few places.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::Error;

/// Tries that wait in one lane, the present one among them.
const MAX_WAITING: usize = 8;
/// The longest wait.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// The time for which a network counts as one that failed.
const FAILED_FOR: Duration = Duration::from_secs(600);
/// Networks whose failures are remembered; beyond them the oldest one is forgotten.
const MAX_FAILED: usize = 4_096;
/// Networks that are remembered to have logged in.
const MAX_KNOWN: usize = 64;
/// The time for which failures of a network are only counted after a line in the log.
const QUIET: Duration = Duration::from_secs(60);

/// The tries of passwords.
#[derive(Debug)]
pub(super) struct TryQueue {
    lanes: [Semaphore; 3],
    /// The one that computes a hash; those at the head of each lane take turns.
    trying: Semaphore,
    networks: Mutex<Networks>,
}

#[derive(Debug, Default)]
struct Networks {
    /// Networks with a try, and how many there are in each lane.
    waiting: HashSet<IpAddr>,
    places: [usize; 3],
    /// Networks that logged in, the latest last.
    known: VecDeque<IpAddr>,
    failed: HashMap<IpAddr, Failed>,
}

/// The failures of a network.
#[derive(Debug)]
struct Failed {
    last: Instant,
    told: Instant,
    /// Failures since it was last told.
    count: u64,
}

/// A place in a lane, until this is dropped.
struct Place<'q> {
    queue: &'q TryQueue,
    lane: usize,
    network: IpAddr,
}

/// The turn of a try, until this is dropped. The fields are dropped in this order, so the next in the lane comes after it.
pub(super) struct Turn<'q> {
    _trying: SemaphorePermit<'q>,
    _head: SemaphorePermit<'q>,
    _place: Place<'q>,
}

impl TryQueue {
    pub(super) fn new() -> Self {
        Self {
            lanes: [const { Semaphore::const_new(1) }; 3],
            trying: Semaphore::new(1),
            networks: Mutex::default(),
        }
    }

    /// Waits for the turn of a try from a network.
    ///
    /// # Errors
    /// `rate_limited` while another one from there waits; `overloaded` when too many wait, or for too long.
    pub(super) async fn turn(&self, network: IpAddr) -> Result<Turn<'_>, Error> {
        let place = self.place(network)?;
        let busy = || {
            Error::new(
                "overloaded",
                "many others try passwords of the Admin UI now; try again, or come back with your session",
            )
            .elsewhere()
        };
        let turn = async {
            let head = self.lanes[place.lane].acquire().await.ok()?;
            let trying = self.trying.acquire().await.ok()?;
            Some((head, trying))
        };
        let turn = tokio::time::timeout(MAX_WAIT, turn).await;
        let (head, trying) = turn.ok().flatten().ok_or_else(busy)?;
        Ok(Turn {
            _trying: trying,
            _head: head,
            _place: place,
        })
    }

    fn place(&self, network: IpAddr) -> Result<Place<'_>, Error> {
        let mut networks = self.lock();
        let lane = networks.lane(network);
        if networks.places[lane] >= MAX_WAITING {
            let why = format!(
                "{MAX_WAITING} others wait until their password is tried; try again, or come back with your session"
            );
            return Err(Error::new("overloaded", why).elsewhere());
        }
        if !networks.waiting.insert(network) {
            return Err(Error::new(
                "rate_limited",
                "another password from your network is being tried; wait for its answer",
            ));
        }
        networks.places[lane] += 1;
        Ok(Place {
            queue: self,
            lane,
            network,
        })
    }

    /// Notes that somebody logged in from a network.
    pub(super) fn succeeded(&self, network: IpAddr) {
        let mut networks = self.lock();
        networks.failed.remove(&network);
        networks.known.retain(|known| *known != network);
        if networks.known.len() >= MAX_KNOWN {
            networks.known.pop_front();
        }
        networks.known.push_back(network);
    }

    /// Notes a wrong password, or another login that was refused. Returns how many there were since they were last told, if
    /// they are to be told now.
    pub(super) fn failed(&self, network: IpAddr) -> Option<u64> {
        let mut networks = self.lock();
        let now = Instant::now();
        if let Some(failed) = networks.failed.get_mut(&network) {
            failed.last = now;
            failed.count += 1;
            if now.duration_since(failed.told) < QUIET {
                return None;
            }
            failed.told = now;
            return Some(std::mem::take(&mut failed.count));
        }
        if networks.failed.len() >= MAX_FAILED {
            let oldest = networks.failed.iter().min_by_key(|(_, failed)| failed.last);
            if let Some(oldest) = oldest.map(|(network, _)| *network) {
                networks.failed.remove(&oldest);
            }
        }
        let failed = Failed {
            last: now,
            told: now,
            count: 0,
        };
        networks.failed.insert(network, failed);
        Some(1)
    }

    fn lock(&self) -> MutexGuard<'_, Networks> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Networks {
    fn lane(&self, network: IpAddr) -> usize {
        let failed = self.failed.get(&network);
        match () {
            () if self.known.contains(&network) => 0,
            () if failed.is_some_and(|failed| failed.last.elapsed() < FAILED_FOR) => 2,
            () => 1,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut networks = self.queue.lock();
        networks.waiting.remove(&self.network);
        networks.places[self.lane] -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn network(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(n).into()
    }

    async fn code(queue: &TryQueue, n: u32) -> Option<&'static str> {
        queue.turn(network(n)).await.err().map(|error| error.code)
    }

    #[tokio::test]
    async fn a_crowd_that_fails_keeps_nobody_else_waiting() {
        let queue = TryQueue::new();
        queue.succeeded(network(1));
        (100..200).for_each(|n| {
            queue.failed(network(n));
        });
        // The first of the crowd has its turn; others wait, and the lane has no place for more.
        let first = queue.turn(network(100)).await.unwrap();
        let mut places: Vec<_> = (101..200)
            .filter_map(|n| queue.place(network(n)).ok())
            .collect();
        assert_eq!(places.len(), MAX_WAITING - 1);
        assert_eq!(code(&queue, 199).await, Some("overloaded"));
        assert_eq!(code(&queue, 100).await, Some("overloaded"));
        places.pop();
        assert_eq!(
            code(&queue, 100).await,
            Some("rate_limited"),
            "one of a network"
        );
        // One that is new, and one that logged in before, are next.
        drop(first);
        for n in [1, 2] {
            assert_eq!(code(&queue, n).await, None);
        }
        drop(places);
        assert_eq!(queue.lock().places, [0; 3]);
        assert!(queue.lock().waiting.is_empty());
    }

    #[test]
    fn failures_are_told_once_a_minute_and_remembered_up_to_a_bound() {
        let queue = TryQueue::new();
        assert_eq!(queue.failed(network(1)), Some(1));
        assert_eq!(queue.failed(network(1)), None);
        assert_eq!(queue.lock().lane(network(1)), 2);
        queue.succeeded(network(1));
        assert_eq!(queue.lock().lane(network(1)), 0);
        let most = u32::try_from(MAX_FAILED).unwrap();
        (0..2 * most).for_each(|n| {
            queue.failed(network(1_000 + n));
        });
        assert_eq!(queue.lock().failed.len(), MAX_FAILED);
        (0..200).for_each(|n| queue.succeeded(network(n)));
        assert_eq!(queue.lock().known.len(), MAX_KNOWN);
    }
}
