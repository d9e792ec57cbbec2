//! Limits on how many there are at a time and how many begin in a second: in all and for each address.
//!
//! The same table serves connections and sessions that joined no namespace yet. Taking a place gives a [`Slot`];
//! dropping the slot returns the place, so the count is always right. The table drops an address that has no slots and
//! whose rate is full again, so it holds no more addresses than there are slots and arrivals of one second.
//! The rate is no limiter of the `governor` crate: those have one rate for all keys, and here each session of an address raises
//! its own.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::{config::Networks, network::network};

/// The bounds.
#[derive(Debug, Clone)]
pub struct QuotaLimits {
    /// Slots at a time in all.
    pub total: usize,
    /// Slots at a time for one address.
    pub per_address: usize,
    /// Arrivals in a second from one address; `None` where only slots count.
    pub per_second: Option<usize>,
    /// Addresses without limits per address.
    pub exempt: Networks,
}

/// The limit that is exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaExceeded {
    /// All slots are taken.
    Total,
    /// The address has as many slots as it may.
    Address,
    /// The address begins too many in a second.
    Rate,
}

/// The slots and rates of all addresses.
#[derive(Debug)]
pub struct Quota {
    limits: QuotaLimits,
    /// Never held across an await.
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// Slots taken in all.
    taken: usize,
    /// By address, an IPv6 one by its network.
    addresses: HashMap<IpAddr, Entry>,
    /// The number of addresses at which the table is swept.
    sweep_at: usize,
}

#[derive(Debug)]
struct Entry {
    /// Slots that the address has.
    taken: usize,
    /// Live sessions of the address.
    live: usize,
    /// Connections and sessions that the address may begin at once.
    left: [f64; 2],
    /// The time at which `left` was computed.
    at: Instant,
}

/// The kinds of arrivals that a rate limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Connections. Clients that poll make one for each request, so each live session allows for more of them.
    Connection,
    /// New sessions and streams.
    Session,
}

/// Connections in a second that a live session may need.
const PER_SESSION: usize = 50;

/// Counts a live session of an address, until it is dropped.
#[derive(Debug)]
pub struct Live {
    quota: Arc<Quota>,
    /// The address; `None` for one without limits.
    address: Option<IpAddr>,
}

/// Fewer addresses than this are never swept.
const SWEEP_MIN: usize = 1_024;

/// One slot, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    quota: Arc<Quota>,
    /// The address that the slot counts for; `None` where only the total counts.
    address: Option<IpAddr>,
    /// Whether the slot counts for the total.
    in_total: bool,
}

/// The way in which an arrival is counted.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// The address; `None` while it is not known.
    pub address: Option<IpAddr>,
    /// Whether it takes one of the slots there are in all (a request on a connection that has one doesn't).
    pub in_total: bool,
    /// The rate of the address that it counts for.
    pub rate: Option<Rate>,
}

impl Quota {
    /// A table with all slots free.
    pub fn new(limits: QuotaLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            table: Mutex::default(),
        })
    }

    /// Takes a slot.
    ///
    /// # Errors
    /// The limit that is exhausted.
    pub fn take(self: &Arc<Self>, arrival: Arrival) -> Result<Slot, QuotaExceeded> {
        let address = arrival.address.and_then(|address| self.limited(address));
        let mut table = self.lock();
        if arrival.in_total && table.taken >= self.limits.total {
            return Err(QuotaExceeded::Total);
        }
        if let Some(address) = address {
            table.admit(address, arrival.rate, &self.limits)?;
        }
        if arrival.in_total {
            table.taken += 1;
        }
        Ok(Slot {
            quota: self.clone(),
            address,
            in_total: arrival.in_total,
        })
    }

    /// Counts a new session on a connection that has its slot.
    ///
    /// # Errors
    /// The address begins too many sessions.
    pub fn begins(&self, address: IpAddr) -> Result<(), QuotaExceeded> {
        let Some(address) = self.limited(address) else {
            return Ok(());
        };
        let mut table = self.lock();
        table
            .entry(address, &self.limits)
            .pay(Rate::Session, &self.limits)
    }

    /// Counts a live session.
    pub fn live(self: &Arc<Self>, address: IpAddr) -> Live {
        let address = self.limited(address);
        if let Some(address) = address {
            let mut table = self.lock();
            let entry = table.entry(address, &self.limits);
            entry.live += 1;
            // The session may need at once as many connections as in a second.
            entry.left[Rate::Connection as usize] += PER_SESSION as f64;
        }
        Live {
            quota: self.clone(),
            address,
        }
    }

    /// The network that an address counts as; `None` where it is not limited.
    fn limited(&self, address: IpAddr) -> Option<IpAddr> {
        let is_limited = !self.limits.exempt.contain(address);
        is_limited.then(|| network(address))
    }

    /// Slots taken in all.
    pub fn taken(&self) -> usize {
        self.lock().taken
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn admit(
        &mut self,
        address: IpAddr,
        rate: Option<Rate>,
        limits: &QuotaLimits,
    ) -> Result<(), QuotaExceeded> {
        let entry = self.entry(address, limits);
        if entry.taken >= limits.per_address {
            return Err(QuotaExceeded::Address);
        }
        if let Some(rate) = rate {
            entry.pay(rate, limits)?;
        }
        entry.taken += 1;
        Ok(())
    }

    fn entry(&mut self, address: IpAddr, limits: &QuotaLimits) -> &mut Entry {
        self.sweep(limits);
        self.addresses.entry(address).or_insert_with(|| Entry {
            taken: 0,
            live: 0,
            left: [limits.per_second.map_or(0.0, |n| n as f64); 2],
            at: Instant::now(),
        })
    }

    /// Drops, each time the table has doubled, the addresses without slots whose rates are full.
    fn sweep(&mut self, limits: &QuotaLimits) {
        if self.addresses.len() < self.sweep_at.max(SWEEP_MIN) {
            return;
        }
        self.addresses.retain(|_, entry| {
            let whole = entry.refill(limits);
            entry.taken > 0 || entry.live > 0 || entry.left != whole
        });
        self.sweep_at = self.addresses.len() * 2;
    }
}

impl Entry {
    /// Refills both rates, and returns their full size.
    fn refill(&mut self, limits: &QuotaLimits) -> [f64; 2] {
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        let per_second = limits.per_second.unwrap_or(0);
        let connections = per_second.saturating_add(self.live.saturating_mul(PER_SESSION));
        let whole = [connections as f64, per_second as f64];
        for (left, whole) in self.left.iter_mut().zip(whole) {
            *left = (*left + passed * whole).min(whole);
        }
        whole
    }

    fn pay(&mut self, rate: Rate, limits: &QuotaLimits) -> Result<(), QuotaExceeded> {
        if limits.per_second.is_none() {
            return Ok(());
        }
        self.refill(limits);
        let left = &mut self.left[rate as usize];
        if *left < 1.0 {
            return Err(QuotaExceeded::Rate);
        }
        *left -= 1.0;
        Ok(())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        if let Some(entry) = self.quota.lock().addresses.get_mut(&address) {
            entry.live = entry.live.saturating_sub(1);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.quota.lock();
        if self.in_total {
            table.taken = table.taken.saturating_sub(1);
        }
        let Some(address) = self.address else { return };
        if let Some(entry) = table.addresses.get_mut(&address) {
            entry.taken = entry.taken.saturating_sub(1);
            // Without a rate there is nothing to remember of an address without slots.
            if entry.taken == 0 && self.quota.limits.per_second.is_none() {
                table.addresses.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn quota(total: usize, per_address: usize, per_second: Option<usize>) -> Arc<Quota> {
        Quota::new(QuotaLimits {
            total,
            per_address,
            per_second,
            exempt: "192.0.2.1".parse().unwrap(),
        })
    }

    fn from(address: &str) -> Arrival {
        Arrival {
            address: Some(address.parse().unwrap()),
            in_total: true,
            rate: Some(Rate::Connection),
        }
    }

    #[test]
    fn each_limit_holds_and_what_is_dropped_is_free_again() {
        let quota = quota(4, 2, None);
        let first = quota.take(from("10.0.0.1")).unwrap();
        let _second = quota.take(from("10.0.0.1")).unwrap();
        assert_eq!(
            quota.take(from("10.0.0.1")).unwrap_err(),
            QuotaExceeded::Address
        );
        drop(first);
        let _third = quota.take(from("10.0.0.1")).unwrap();
        let _exempt = [quota.take(from("192.0.2.1")), quota.take(from("192.0.2.1"))];
        assert_eq!(
            quota.take(from("192.0.2.1")).unwrap_err(),
            QuotaExceeded::Total
        );
        assert_eq!(
            quota.take(from("10.0.0.2")).unwrap_err(),
            QuotaExceeded::Total
        );
        assert_eq!(quota.taken(), 4);
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        let quota = quota(9, 1, None);
        let _one = quota.take(from("2001:db8::1")).unwrap();
        assert_eq!(
            quota.take(from("2001:db8::2:3")).unwrap_err(),
            QuotaExceeded::Address
        );
        assert!(quota.take(from("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn arrivals_are_limited_by_the_second_and_come_back_with_time() {
        let quota = quota(1_000, 1_000, Some(10));
        let started = Instant::now();
        let asked: Vec<_> = (0..500).map(|_| quota.take(from("10.0.0.1"))).collect();
        let taken = asked.iter().filter(|slot| slot.is_ok()).count() as u128;
        // The rate allows one more for each tenth of a second that the test took.
        let most = 11 + started.elapsed().as_millis() / 100;
        assert!((10..=most).contains(&taken), "{taken} of {most}");
        let refused = asked.into_iter().find_map(Result::err);
        assert_eq!(refused, Some(QuotaExceeded::Rate));
        assert!(quota.take(from("10.0.0.2")).is_ok());
        let started = Instant::now();
        while quota.take(from("10.0.0.1")).is_err() {
            assert!(started.elapsed() < Duration::from_secs(60));
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_table_forgets_who_is_gone() {
        let quota = quota(1 << 20, 10, Some(1_000_000));
        for n in 0..50_000_u32 {
            let address = IpAddr::from((0x0b00_0000 + n).to_be_bytes());
            drop(quota.take(Arrival {
                address: Some(address),
                in_total: true,
                rate: Some(Rate::Connection),
            }));
        }
        let kept = quota.lock().addresses.len();
        assert!(kept <= 2 * SWEEP_MIN, "{kept} addresses");
    }
}
