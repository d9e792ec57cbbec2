//! Emissions that are not kept: each goes once to the members of its rooms, in the order of its sender.
//!
//! An emission comes by a command and not from the journal, so it has no cursor and is never sent again. It waits until
//! everything is sent that its sender published before it. Emissions in a row for the same members are queued together.
//! A member whose queue has no room doesn't get it; nobody is parked for an emission. While that is so for many of its
//! members, and not for long yet, the emission waits, and its sender with it.

mod audience;
mod in_flight;

pub use in_flight::{Flying, InFlight};

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Hub, member::MemberId};
use crate::{
    channel::Namespace,
    delivery::{Outgoing, UpdateRun, missed::first_missed},
    emission::Emission,
    journal::{FlowId, Seq},
};

/// Bytes of emissions after which a run is queued.
const MAX_RUN_BYTES: usize = 16 * 1_024;
/// The interval at which emissions are tried again that wait for what their sender published before.
const RETRY_INTERVAL: Duration = Duration::from_millis(1);
/// The interval at which an emission is tried again that waits for the queues of its members: they are searched anew.
const FULL_INTERVAL: Duration = Duration::from_millis(10);
/// Members of which it is asked whether their queues have room.
const LOOKED_AT: usize = 64;
/// An emission waits if one of so many of its members has no room.
const WAITED_FOR: usize = 8;
/// Bytes that may wait for a client that is sent a volatile emission.
const VOLATILE_BYTES: usize = 16 * 1_024;

/// An emission on its way to the members of its rooms.
#[derive(Debug)]
pub struct Emit {
    /// The emission.
    pub emission: Arc<Emission>,
    /// Its sender.
    pub flow: FlowId,
    /// The last place of what its sender published before it.
    pub after: Seq,
    /// Whether rooms that are one client's own are left out: the sender may not write to a client.
    pub skips_own_rooms: bool,
    /// Counts it as in flight.
    pub flying: Flying,
    /// The time up to which an emission of another node waits for what its sender published there; none for one of this node.
    elsewhere: Option<Instant>,
    /// The end of the time for which it waits for the queues of its members; none before it had to wait.
    pub(super) waits_until: Option<Instant>,
    /// The time before which its members' queues are not looked at again.
    again: Option<Instant>,
}

impl Emit {
    /// An emission of a sender, after this place of what it published.
    pub fn new(emission: Emission, flow: FlowId, after: Seq, flying: Flying) -> Self {
        Self {
            emission: Arc::new(emission),
            flow,
            after,
            skips_own_rooms: false,
            flying,
            elsewhere: None,
            waits_until: None,
            again: None,
        }
    }

    /// The same of a sender that may not write to a client's own room.
    #[must_use]
    pub fn skipping_own_rooms(self, skips_own_rooms: bool) -> Self {
        Self {
            skips_own_rooms,
            ..self
        }
    }

    /// The same of a sender on another node: if this node has not come so far by then, it is dropped.
    #[must_use]
    pub fn of_other_node(self, until: Instant) -> Self {
        Self {
            elsewhere: Some(until),
            ..self
        }
    }

    /// The producer as whose the events count that come before it: the journal keeps none of those of other nodes.
    fn published_by(&self) -> FlowId {
        match self.elsewhere {
            Some(_) => FlowId::default(),
            None => self.flow,
        }
    }
}

/// The emissions that wait, and those that are queued next.
#[derive(Debug, Default)]
pub(super) struct Emissions {
    /// Emissions that wait for their senders' earlier events, in order.
    waiting: HashMap<FlowId, VecDeque<Emit>>,
    /// Emissions in a row for the same members, which are not queued yet.
    run: UpdateRun,
    /// The emissions in flight of this run.
    flying: Vec<Flying>,
    /// The members that these are for.
    to: Vec<MemberId>,
    /// The last of their places.
    after: Seq,
    is_volatile: bool,
    /// The rooms whose members were found last.
    found: Option<Found>,
}

/// The question to which the members of a run are the answer.
#[derive(Debug)]
struct Found {
    /// The version of the roster.
    version: u64,
    namespace: Namespace,
    rooms: Vec<String>,
    except: Vec<String>,
    skips_own_rooms: bool,
    /// The name, if filters were asked.
    event: Option<String>,
}

impl Found {
    /// Whether it has the members for another question, about an emission of this name.
    fn answers(&self, asked: &Self, event: &str) -> bool {
        self.version == asked.version
            && self.namespace == asked.namespace
            && self.rooms == asked.rooms
            && self.except == asked.except
            && self.skips_own_rooms == asked.skips_own_rooms
            && self.event.as_deref().is_none_or(|name| name == event)
    }
}

impl Emissions {
    /// The time at which waiting emissions are tried again.
    pub(super) fn due(&self) -> Option<Instant> {
        let waits = !self.waiting.is_empty();
        waits.then(|| Instant::now() + RETRY_INTERVAL)
    }
}

impl Hub {
    /// Sends an emission to the members of its rooms, after all that its sender published before.
    pub(super) fn emit(&mut self, emit: Emit) {
        if self.emissions.waiting.contains_key(&emit.flow) || !self.may_go(&emit) {
            let line = self.emissions.waiting.entry(emit.flow).or_default();
            return line.push_back(emit);
        }
        if let Err(emit) = self.add_emission(emit) {
            let line = self.emissions.waiting.entry(emit.flow).or_default();
            line.push_front(emit);
        }
    }

    /// Sends the emissions that have waited long enough.
    pub(super) fn emit_waiting(&mut self) {
        if self.emissions.waiting.is_empty() {
            return;
        }
        let mut waiting = std::mem::take(&mut self.emissions.waiting);
        waiting.retain(|_, line| {
            while let Some(first) = line.pop_front() {
                if !self.may_go(&first) {
                    if self.is_too_late(&first) {
                        self.metrics.emissions.dropped("late", 1);
                        continue;
                    }
                    line.push_front(first);
                    break;
                }
                if let Err(first) = self.add_emission(first) {
                    line.push_front(first);
                    break;
                }
            }
            !line.is_empty()
        });
        self.emissions.waiting = waiting;
        self.deliver_emissions();
    }

    /// Whether all is sent that the sender published before, and its members' queues are to be looked at.
    fn may_go(&self, emit: &Emit) -> bool {
        let by = emit.published_by();
        let oldest = || self.stream.pacer().oldest_ready(by);
        emit.again.is_none_or(|again| again <= Instant::now())
            && self.stream.has_passed(emit.after)
            && oldest().is_none_or(|oldest| oldest > emit.after)
    }

    /// Whether an emission of another node waited too long for what comes before it.
    fn is_too_late(&self, emit: &Emit) -> bool {
        let is_over = emit.elsewhere.is_some_and(|until| until <= Instant::now());
        is_over && emit.again.is_none()
    }

    /// Adds an emission to those that go to the same members; gives it back while their queues have no room for it.
    fn add_emission(&mut self, mut emit: Emit) -> Result<(), Emit> {
        let emission = &emit.emission;
        let asked = Found {
            version: self.roster.version(),
            namespace: emission.namespace,
            rooms: emission.rooms.clone(),
            except: emission.except.clone(),
            skips_own_rooms: emit.skips_own_rooms,
            event: None,
        };
        let found = self.emissions.found.as_ref();
        let is_same = found.is_some_and(|found| found.answers(&asked, &emission.event));
        let goes_on = is_same
            && !self.emissions.run.is_empty()
            && self.emissions.is_volatile == emission.volatile
            && self.emissions.run.bytes() < MAX_RUN_BYTES;
        if !goes_on {
            self.deliver_emissions();
        }
        if !is_same {
            let to = &mut self.emissions.to;
            to.clear();
            let search = self
                .roster
                .addressed(emission, emit.skips_own_rooms, None, to);
            self.metrics.looked_at(search.looked_at);
            let event = search.asked_filters.then(|| emission.event.clone());
            self.emissions.found = Some(Found { event, ..asked });
        }
        if !goes_on && !emission.volatile && self.are_full() {
            let now = Instant::now();
            let until = *emit
                .waits_until
                .get_or_insert_with(|| now + self.options.emit_patience);
            if now < until {
                emit.again = Some(until.min(now + FULL_INTERVAL));
                return Err(emit);
            }
        }
        self.metrics.emissions.sent(self.emissions.to.len());
        if self.emissions.to.is_empty() {
            return Ok(());
        }
        let emissions = &mut self.emissions;
        emissions.is_volatile = emission.volatile;
        emissions.after = emissions.after.max(emit.after);
        let is_recovered = emission.namespace == Namespace::Root || emission.namespace.is_app();
        let at = is_recovered.then(|| self.stream.cursor_text().into());
        emissions
            .run
            .push(Outgoing::of_emission(emission).passing(at));
        emissions.flying.push(emit.flying);
        Ok(())
    }

    /// Whether so many members have no room that an emission waits for them. Some are looked at, and those that were waited
    /// for before and have no room since then don't count.
    fn are_full(&self) -> bool {
        let to = &self.emissions.to;
        let step = to.len().div_ceil(LOOKED_AT).max(1);
        let looked_at = to.len().div_ceil(step);
        let members = to
            .iter()
            .step_by(step)
            .filter_map(|id| self.roster.get(*id));
        let full = members.filter(|member| {
            member.behind.is_none() && !member.is_slow && !member.outlet.has_room()
        });
        full.count() * WAITED_FOR >= looked_at.max(1)
    }

    /// Queues the emissions that wait for their members.
    pub(super) fn deliver_emissions(&mut self) {
        if self.emissions.run.is_empty() {
            return;
        }
        let run = std::mem::take(&mut self.emissions.run);
        let after = std::mem::take(&mut self.emissions.after);
        let is_volatile = self.emissions.is_volatile;
        let number = run.updates().len();
        let (mut sent, mut full, mut behind) = (0, 0, 0);
        for &id in &self.emissions.to {
            let Some(member) = self.roster.receiver(id) else {
                continue;
            };
            // A member that has still to be sent what the sender published before can't get this now.
            let lacks = |at| first_missed(at) <= after;
            let misses = member.behind.as_ref();
            let is_behind = misses.is_some();
            if misses.is_some_and(|b| b.is_given_snapshot() || lacks(b.place())) {
                behind += number;
                continue;
            }
            let has_room = match is_volatile {
                true => member.outlet.waiting() <= VOLATILE_BYTES,
                false => member.outlet.has_room(),
            };
            if !is_volatile {
                member.is_slow = !has_room;
            }
            if !has_room {
                full += number;
                continue;
            }
            let updates = run.of(member.form);
            member.outlet.send_run(match is_behind {
                false => updates,
                true => updates.behind(),
            });
            sent += number;
            self.roster.touch(id);
        }
        self.metrics.deliveries(sent);
        let reason = if is_volatile { "volatile" } else { "full" };
        self.metrics.emissions.dropped(reason, full);
        self.metrics.emissions.dropped("behind", behind);
        self.emissions.flying.clear();
    }
}
