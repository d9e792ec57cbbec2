//! How much clients may send, and what becomes of those that send more.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock,
};

use super::Identity;
use crate::{
    config::{Networks, RateLimiting},
    refusal::Refusal,
};

/// Everybody's budgets.
#[derive(Debug)]
pub struct Rates {
    /// What one connection may send, and one user on all of them; `None` is without limit.
    observer: Option<Quota>,
    /// Of all of a user's connections together; none where nothing is counted.
    users: Option<DefaultKeyedRateLimiter<Arc<str>>>,
    /// Of all connections of an address together.
    addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
    /// Of what each producer publishes, which has a budget of its own.
    producers: Option<DefaultKeyedRateLimiter<Arc<str>>>,
    /// Addresses that many share.
    exempt: Networks,
    /// What a producer may publish in a second, and so at once.
    events: Option<NonZeroU32>,
    /// Refused messages after which a client is kept out.
    strikes: u32,
}

/// What one connection has left.
#[derive(Debug)]
pub struct Meter {
    /// The connection's own budget; none where nothing is counted.
    own: Option<DefaultDirectRateLimiter>,
    /// Messages refused so far.
    strikes: AtomicU32,
}

/// A message too many.
#[derive(Debug)]
pub enum TooMuch {
    /// It is not handled.
    Refused(Refusal),
    /// Nor is any other for a while: it was one too many too often.
    Enough,
}

impl Rates {
    /// The budgets as configured; none at all unless `on`.
    pub fn new(config: &RateLimiting, on: bool, exempt: Networks) -> Self {
        let per_minute = |messages: u32, burst: u32| {
            let messages = NonZeroU32::new(messages).filter(|_| on)?;
            Some(Quota::per_minute(messages).allow_burst(NonZeroU32::new(burst)?))
        };
        let observer = per_minute(config.messages_per_minute, config.burst_limit);
        let address = per_minute(
            config.address_messages_per_minute,
            config.address_burst_limit,
        );
        let events = NonZeroU32::new(config.producer_events_per_second);
        Self {
            observer,
            users: observer.map(RateLimiter::keyed),
            addresses: address.map(RateLimiter::keyed),
            producers: events.map(Quota::per_second).map(RateLimiter::keyed),
            events,
            exempt,
            strikes: config.strikes,
        }
    }

    /// A new connection's budget.
    pub fn meter(&self) -> Meter {
        Meter {
            own: self.observer.map(RateLimiter::direct),
            strikes: AtomicU32::new(0),
        }
    }

    /// Takes one message from a connection's, its user's and its address' budget.
    ///
    /// # Errors
    /// One of them is used up.
    pub fn message(&self, meter: &Meter, who: &Identity, address: IpAddr) -> Result<(), TooMuch> {
        let own = meter.own.as_ref().map_or(Ok(()), |own| {
            own.check()
                .map_err(|not_until| wait(own.clock(), &not_until))
        });
        own.and_then(|()| self.shared(who, address))
            .map_err(|refusal| meter.strike(self.strikes, refusal))
    }

    /// Takes one request from the budgets of whoever has no connection of its own.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn request(&self, who: &Identity, address: IpAddr) -> Result<(), Refusal> {
        self.shared(who, address)
    }

    fn shared(&self, who: &Identity, address: IpAddr) -> Result<(), Refusal> {
        if let (Some(users), Some(user)) = (&self.users, &who.user) {
            users
                .check_key(user)
                .map_err(|not_until| wait(users.clock(), &not_until))?;
        }
        self.address(address)
    }

    /// Takes one request from the budget of an address.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn address(&self, address: IpAddr) -> Result<(), Refusal> {
        let Some(addresses) = &self.addresses else {
            return Ok(());
        };
        if self.exempt.contain(address) {
            return Ok(());
        }
        addresses
            .check_key(&address)
            .map_err(|not_until| wait(addresses.clock(), &not_until))
    }

    /// Takes so many events from a producer's budget.
    ///
    /// # Errors
    /// `rate_limited`; then none of them was taken.
    pub fn events(&self, producer: &Arc<str>, count: usize) -> Result<(), Refusal> {
        let (Some(producers), Some(count)) = (
            &self.producers,
            NonZeroU32::new(u32::try_from(count).unwrap_or(u32::MAX)),
        ) else {
            return Ok(());
        };
        match producers.check_key_n(producer, count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(wait(producers.clock(), &not_until)),
            // No waiting would help.
            Err(capacity) => Err(Refusal::new(
                "too_large",
                format!(
                    "{count} events at once, {} in a second are allowed ([rate_limiting] producer_events_per_second)",
                    capacity.0
                ),
            )),
        }
    }

    /// How many events a producer may publish at once.
    pub fn events_at_once(&self) -> usize {
        self.events.map_or(usize::MAX, |events| {
            usize::try_from(events.get()).unwrap_or(usize::MAX)
        })
    }

    /// Forgets the budgets that are whole again: there would be ever more of them.
    pub fn tidy(&self) {
        if let Some(users) = &self.users {
            users.retain_recent();
        }
        if let Some(addresses) = &self.addresses {
            addresses.retain_recent();
        }
        if let Some(producers) = &self.producers {
            producers.retain_recent();
        }
    }
}

impl Meter {
    fn strike(&self, most: u32, refusal: Refusal) -> TooMuch {
        if self.strikes.fetch_add(1, Ordering::Relaxed) + 1 >= most {
            TooMuch::Enough
        } else {
            TooMuch::Refused(refusal)
        }
    }
}

fn wait<C: Clock>(clock: &C, not_until: &governor::NotUntil<C::Instant>) -> Refusal {
    let wait = not_until.wait_time_from(clock.now());
    Refusal::new(
        "rate_limited",
        format!(
            "too many messages; the next one in {} ms ([rate_limiting])",
            wait.as_millis() + 1
        ),
    )
    .after(wait)
}
