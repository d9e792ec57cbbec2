//! Budgets of clients, and the strikes of those that exceed them.

use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock,
};

use crate::{
    access::Identity,
    config::{Networks, RateLimiting},
    error::Error,
};

/// The budgets of all clients.
#[derive(Debug)]
pub struct Rates {
    /// The budget of one connection; `None` is without limit.
    observer: Option<Quota>,
    /// The budgets of users over all their connections; none where nothing is counted. Each is as large as for the most
    /// connections that count; a user with fewer pays more for a message.
    users: Option<DefaultKeyedRateLimiter<Arc<str>>>,
    /// The most connections of a user that count.
    most_connections: u32,
    /// Users with connections: each connection holds its user's entry once.
    present: Mutex<HashMap<Arc<str>, Weak<()>>>,
    /// Messages that are free in a connection's first seconds, and how long these last.
    opening: (u32, Duration),
    /// Requests to join rooms that are free in these seconds: as many as there are rooms that a client may be in.
    opening_joins: u32,
    /// The budgets of addresses over all their connections.
    addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
    /// The budgets of producers for their events.
    producers: Option<DefaultKeyedRateLimiter<Arc<str>>>,
    /// Addresses that many clients share.
    exempt: Networks,
    /// Events that a producer may publish in a second, and so at once.
    events: Option<NonZeroU32>,
    /// Refused messages after which a client is banned.
    strikes: u32,
}

/// The budget of one connection.
#[derive(Debug)]
pub struct Meter {
    /// The connection's own budget; none where nothing is counted.
    own: Option<DefaultDirectRateLimiter>,
    /// Free messages of its first seconds that are left.
    opening: AtomicU32,
    /// Requests to join rooms in its first seconds that are left before a strike.
    opening_joins: AtomicU32,
    /// Whether these requests are free, too.
    joins_freely: bool,
    /// The end of the first seconds.
    opening_ends: Instant,
    /// Counts this connection among its user's.
    _present: Option<Arc<()>>,
    /// Messages refused so far.
    strikes: AtomicU32,
}

/// The verdict on a message that exceeds a budget.
#[derive(Debug)]
pub enum TooMuch {
    /// The message is not handled.
    Refused(Error),
    /// The client has exceeded its budgets too often, and is banned for a while.
    Enough,
}

impl Rates {
    /// The budgets as configured; no limits unless `on`. A client may be in so many `rooms`.
    pub fn new(config: &RateLimiting, on: bool, exempt: Networks, rooms: usize) -> Self {
        let per_minute = |messages: u32, burst: u32| {
            let messages = NonZeroU32::new(messages).filter(|_| on)?;
            Some(Quota::per_minute(messages).allow_burst(NonZeroU32::new(burst)?))
        };
        let (messages, burst) = (config.messages_per_minute.into(), config.burst_limit.into());
        let observer = per_minute(messages, burst);
        let address = per_minute(
            config.address_messages_per_minute.into(),
            config.address_burst_limit.into(),
        );
        let events = NonZeroU32::new(config.producer_events_per_second);
        let most_connections = config.burst_connections.into();
        let users = per_minute(
            messages.saturating_mul(most_connections),
            burst.saturating_mul(most_connections),
        );
        Self {
            observer,
            users: users.map(RateLimiter::keyed),
            most_connections,
            present: Mutex::default(),
            opening: (
                if on { config.opening_messages } else { 0 },
                config.opening_seconds.get(),
            ),
            opening_joins: if config.opening_messages > 0 {
                u32::try_from(rooms).unwrap_or(u32::MAX)
            } else {
                0
            },
            addresses: address.map(RateLimiter::keyed),
            producers: events.map(Quota::per_second).map(RateLimiter::keyed),
            events,
            exempt,
            strikes: config.strikes.into(),
        }
    }

    /// A new connection's budget. Its first seconds count as one message of its user and of its address, if those have
    /// that left, so reconnecting again and again gains nothing.
    pub fn meter(&self, who: &Identity, address: IpAddr) -> Meter {
        let (messages, within) = self.opening;
        let present = who.user.as_ref().map(|user| self.enter(user));
        let may = messages > 0 && self.shared(who, address).is_ok();
        Meter {
            own: self.observer.map(RateLimiter::direct),
            opening: AtomicU32::new(if may { messages } else { 0 }),
            opening_joins: AtomicU32::new(self.opening_joins),
            joins_freely: may,
            opening_ends: Instant::now() + within,
            _present: present,
            strikes: AtomicU32::new(0),
        }
    }

    fn enter(&self, user: &Arc<str>) -> Arc<()> {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let known = present.get(user).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let first = Arc::new(());
            present.insert(user.clone(), Arc::downgrade(&first));
            first
        })
    }

    /// The cost of a message for a user: the more connections it has, the less.
    fn cost(&self, user: &Arc<str>) -> NonZeroU32 {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = present.get(user).map_or(1, Weak::strong_count).max(1);
        let connections = u32::try_from(connections).unwrap_or(u32::MAX);
        let cost = self.most_connections.div_ceil(connections);
        NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN)
    }

    /// Takes one message from the budgets of a connection, its user and its address. A message that `joins` a room is
    /// told by its name: a page joins all its rooms as it connects, and gets no strikes for that.
    ///
    /// # Errors
    /// One of the budgets is used up.
    pub fn message(
        &self,
        meter: &Meter,
        who: &Identity,
        address: IpAddr,
        joins: bool,
    ) -> Result<(), TooMuch> {
        let is_first_join = joins && meter.is_within_opening(&meter.opening_joins);
        if (is_first_join && meter.joins_freely) || meter.is_within_opening(&meter.opening) {
            return Ok(());
        }
        let own = meter.own.as_ref().map_or(Ok(()), |own| {
            own.check()
                .map_err(|not_until| wait(own.clock(), &not_until))
        });
        own.and_then(|()| self.shared(who, address))
            .map_err(|refusal| match is_first_join {
                true => TooMuch::Refused(refusal),
                false => meter.strike(self.strikes, refusal),
            })
    }

    /// Takes one request from the budgets of a client without a connection of its own.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn request(&self, who: &Identity, address: IpAddr) -> Result<(), Error> {
        self.shared(who, address)
    }

    fn shared(&self, who: &Identity, address: IpAddr) -> Result<(), Error> {
        if let (Some(users), Some(user)) = (&self.users, &who.user) {
            match users.check_key_n(user, self.cost(user)) {
                Ok(checked) => checked.map_err(|not_until| wait(users.clock(), &not_until))?,
                // A budget always holds more than one message.
                Err(_) => return Err(Error::new("rate_limited", "too many messages")),
            }
        }
        self.address(address)
    }

    /// Takes one request from the budget of an address.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn address(&self, address: IpAddr) -> Result<(), Error> {
        let Some(addresses) = &self.addresses else {
            return Ok(());
        };
        if self.exempts(address) {
            return Ok(());
        }
        addresses
            .check_key(&address)
            .map_err(|not_until| wait(addresses.clock(), &not_until))
    }

    /// Whether many share an address.
    pub fn exempts(&self, address: IpAddr) -> bool {
        self.exempt.contain(address)
    }

    /// Takes so many events from a producer's budget.
    ///
    /// # Errors
    /// `rate_limited`; then none of them was taken.
    pub fn events(&self, producer: &Arc<str>, count: usize) -> Result<(), Error> {
        let (Some(producers), Some(count)) = (
            &self.producers,
            NonZeroU32::new(u32::try_from(count).unwrap_or(u32::MAX)),
        ) else {
            return Ok(());
        };
        match producers.check_key_n(producer, count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(wait(producers.clock(), &not_until)),
            // Waiting would not help: there are more events than the budget ever holds.
            Err(capacity) => Err(Error::new(
                "too_large",
                format!(
                    "{count} events at once, {} in a second are allowed ([rate_limiting] producer_events_per_second)",
                    capacity.0
                ),
            )),
        }
    }

    /// The most events that a producer may publish at once.
    pub fn events_at_once(&self) -> usize {
        self.events.map_or(usize::MAX, |events| {
            usize::try_from(events.get()).unwrap_or(usize::MAX)
        })
    }

    /// Drops the budgets that are full again, so that their number stays bounded.
    pub fn tidy(&self) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.retain(|_, one| one.strong_count() > 0);
        drop(present);
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
    /// Whether a message counts as one of the first seconds, and some of these are left.
    fn is_within_opening(&self, left: &AtomicU32) -> bool {
        left.load(Ordering::Relaxed) > 0
            && Instant::now() < self.opening_ends
            && left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok()
    }

    fn strike(&self, most: u32, refusal: Error) -> TooMuch {
        if self.strikes.fetch_add(1, Ordering::Relaxed) + 1 >= most {
            TooMuch::Enough
        } else {
            TooMuch::Refused(refusal)
        }
    }
}

fn wait<C: Clock>(clock: &C, not_until: &governor::NotUntil<C::Instant>) -> Error {
    let wait = not_until.wait_time_from(clock.now());
    Error::new(
        "rate_limited",
        format!(
            "too many messages; the next one in {} ms ([rate_limiting])",
            wait.as_millis() + 1
        ),
    )
    .after(wait)
}
