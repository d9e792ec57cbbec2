//! The ends of sessions in the last minute, by client: who comes back after a lost connection, and who comes and goes.

use std::collections::{HashMap, VecDeque};

/// The seconds within which a client that lost its connection counts as coming back, and ends count as one after the other.
pub const RECENT: u32 = 60;
/// The ends of one client within [`RECENT`] from which on its connection flaps.
pub const FLAPPING_ENDS: u32 = 3;

/// The ends of one client within the last minute.
#[derive(Debug, Default)]
struct Recent {
    ends: u32,
    /// Ends without a goodbye.
    lost: u32,
    /// The number of these that the client came back from; the oldest first.
    returned: u32,
}

/// The ends of all clients within the last minute.
#[derive(Debug)]
pub(super) struct Ends {
    by_client: HashMap<u64, Recent>,
    /// Oldest first: the second, the client, and whether the connection was lost.
    order: VecDeque<(u32, u64, bool)>,
    /// The most ends that are remembered.
    max: usize,
    /// Clients whose connections flap.
    flapping: usize,
    /// Ends that were forgotten before their minute was over.
    forgotten: u64,
}

impl Ends {
    pub(super) fn new(max: usize) -> Self {
        Self {
            by_client: HashMap::new(),
            order: VecDeque::new(),
            max,
            flapping: 0,
            forgotten: 0,
        }
    }

    pub(super) fn bound(&mut self, max: usize) {
        self.max = max;
    }

    /// A session ended.
    pub(super) fn push(&mut self, now: u32, client: u64, lost: bool) {
        self.expire(now);
        while self.order.len() >= self.max {
            self.forgotten += 1;
            self.pop();
        }
        self.order.push_back((now, client, lost));
        let recent = self.by_client.entry(client).or_default();
        recent.ends += 1;
        recent.lost += u32::from(lost);
        if recent.ends == FLAPPING_ENDS {
            self.flapping += 1;
        }
    }

    /// A session began: whether its client comes back after a lost connection. Each lost connection counts once.
    pub(super) fn returns(&mut self, now: u32, client: u64) -> bool {
        self.expire(now);
        let recent = self.by_client.get_mut(&client);
        let Some(recent) = recent.filter(|recent| recent.returned < recent.lost) else {
            return false;
        };
        recent.returned += 1;
        true
    }

    /// Forgets the ends whose minute is over.
    pub(super) fn expire(&mut self, now: u32) {
        while self
            .order
            .front()
            .is_some_and(|(at, _, _)| now.saturating_sub(*at) > RECENT)
        {
            self.pop();
        }
    }

    fn pop(&mut self) {
        let Some((_, client, lost)) = self.order.pop_front() else {
            return;
        };
        let Some(recent) = self.by_client.get_mut(&client) else {
            return;
        };
        if recent.ends == FLAPPING_ENDS {
            self.flapping -= 1;
        }
        recent.ends -= 1;
        if lost {
            recent.lost -= 1;
            recent.returned = recent.returned.saturating_sub(1);
        }
        if recent.ends == 0 {
            self.by_client.remove(&client);
        }
    }

    /// Clients whose connections flap.
    pub(super) fn flapping(&self) -> usize {
        self.flapping
    }

    /// Whether a client's connection flaps.
    pub(super) fn is_flapping(&self, client: u64) -> bool {
        let recent = self.by_client.get(&client);
        recent.is_some_and(|recent| recent.ends >= FLAPPING_ENDS)
    }

    /// Ends that were forgotten too early, since there were too many.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_lost_connection_counts_as_one_return_within_a_minute() {
        let mut ends = Ends::new(100);
        ends.push(10, 1, true);
        ends.push(10, 2, false);
        assert!(!ends.returns(11, 2), "it said goodbye");
        assert!(ends.returns(70, 1));
        assert!(!ends.returns(70, 1), "that one counted already");
        ends.push(80, 1, true);
        assert!(!ends.returns(141, 1), "too late");
    }

    #[test]
    fn three_ends_in_a_minute_flap() {
        let mut ends = Ends::new(100);
        for at in [0, 20, 40] {
            ends.push(at, 7, true);
            ends.push(at, u64::from(at), true);
        }
        assert_eq!((ends.flapping(), ends.is_flapping(7)), (1, true));
        ends.expire(61);
        assert_eq!((ends.flapping(), ends.is_flapping(7)), (0, false));
        ends.expire(200);
        assert!(ends.by_client.is_empty() && ends.order.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_counted_on_the_way_is_what_a_search_finds(
            steps in prop::collection::vec((0_u32..30, 0_u64..4, any::<bool>(), any::<bool>()), 0..80),
            max in 1_usize..12,
        ) {
            let mut ends = Ends::new(max);
            let mut now = 0;
            for (later, client, begins, lost) in steps {
                now += later;
                if begins {
                    ends.returns(now, client);
                } else {
                    ends.push(now, client, lost);
                }
                prop_assert!(ends.order.len() <= max);
                for (client, recent) in &ends.by_client {
                    let of = |lost: bool| ends.order.iter().filter(|(_, c, l)| c == client && *l == lost).count();
                    prop_assert_eq!(recent.ends as usize, of(true) + of(false));
                    prop_assert_eq!(recent.lost as usize, of(true));
                    prop_assert!(recent.returned <= recent.lost);
                }
                let flapping = ends.by_client.values().filter(|r| r.ends >= FLAPPING_ENDS).count();
                prop_assert_eq!(ends.flapping(), flapping);
            }
        }
    }
}
