//! A flush: sends the updates whose time has come to the outlets of the members that may see them.

use super::{Hub, member::MemberId, roster::Roster, subscription::Candidate};
use crate::{
    access::authz::OBSERVERS,
    channel::Namespace,
    delivery::Outgoing,
    event::Event,
    observe::{Stamp, traces},
    pace::PendingUpdate,
    update::{self, Destination, Envelope, Planned},
};

impl Hub {
    /// Sends up to `flush_max` updates, most urgent first, and wakes each outlet once.
    pub(super) fn flush(&mut self) {
        let updates = self.stream.take(self.options.flush_max);
        self.send_all(updates);
    }

    /// Sends all sums of usage that wait, before somebody is given the state: whoever has the state has them, and no later cursor
    /// may say that they are unsent.
    pub(super) fn send_sums(&mut self) {
        let sums = self.stream.take_sums();
        self.send_all(sums);
    }

    fn send_all(&mut self, updates: Vec<PendingUpdate>) {
        if updates.is_empty() {
            return;
        }
        for update in updates {
            self.send_update(&update);
        }
        self.deliver_run();
        self.delivery.send_batches(&mut self.roster);
        self.park_full();
        self.wake();
        self.look_for_slow_later();
    }

    /// Wakes the outlets that have something queued.
    pub(super) fn wake(&mut self) {
        let second = self.metrics.usage.second();
        for id in self.roster.take_touched() {
            let Some(member) = self.roster.receiver(id) else {
                continue;
            };
            member.outlet.flush();
            // Once in a second is enough: the time of its last sign of life is kept in seconds.
            if member.touched_in != Some(second)
                && let Some(activity) = &member.activity
            {
                activity.touch();
                member.touched_in = Some(second);
            }
        }
    }

    /// Sends an update, written once with the cursor after it, to all members that may see it: together with those
    /// before it, while they go to the same members.
    fn send_update(&mut self, pending: &PendingUpdate) {
        let (planned, event) = (&pending.update, &*pending.record.event);
        let mut audience = std::mem::take(&mut self.audience);
        self.find_audience(planned, event, pending.last(), &mut audience);
        // The updates before are queued before the cursor moves on: a member that is parked then has not missed this one.
        let same = self.delivery.goes_on(&audience, event.emission.is_some());
        if !audience.is_empty() && same.is_none() && self.deliver_run() {
            let is_live = |id: &MemberId| self.roster.get(*id).is_some_and(|m| m.behind.is_none());
            audience.retain(is_live);
        }
        self.stream.sent(pending);
        if !audience.is_empty() {
            let envelope = Envelope {
                cursor: self.stream.cursor_text(),
                coalesced: pending.coalesced(),
                data: pending.data.as_ref(),
                since: pending.since,
            };
            let named = (planned.kind.name(), pending.priority);
            let delivery = traces::deliver(event, named, audience.len(), pending.coalesced());
            let stamp = Stamp::update(pending.accepted, pending.priority);
            let shapes = same.unwrap_or_else(|| self.roster.shapes(&audience));
            let sanitize = self.options.sanitize;
            let update = Outgoing::of_plan(planned, event, &envelope, shapes.first(), sanitize)
                .traced(delivery)
                .stamped(Some(stamp))
                .sent_by(pending.by.connection)
                .in_order(pending.priority, pending.entities.clone());
            let update = match shapes.are_both() {
                true => update.with_lean(planned, event, &envelope, sanitize),
                false => update,
            };
            let layout = planned.kind.changes_layout(event);
            self.metrics.deliveries(audience.len());
            self.delivery.add(update, &audience, shapes, layout);
        }
        self.audience = audience;
        let waited = pending.accepted.elapsed();
        if pending.window.is_none() {
            self.load.sent(pending.priority, waited);
        }
        self.metrics
            .sent(pending.priority, pending.coalesced(), waited);
    }

    /// Queues the updates that wait for the same members. Returns whether a member was parked.
    fn deliver_run(&mut self) -> bool {
        self.delivery.deliver(&mut self.roster);
        self.delivery.send_heavy(&mut self.roster);
        self.park_full()
    }

    /// Parks members whose queues are full, as soon as the updates are out. Returns whether there are any.
    fn park_full(&mut self) -> bool {
        let full = self.delivery.take_full();
        for id in &full {
            self.park(*id);
        }
        !full.is_empty()
    }

    /// Collects the members that may see an update.
    fn find_audience(
        &mut self,
        planned: &Planned,
        event: &Event,
        seq: u64,
        to: &mut Vec<MemberId>,
    ) {
        to.clear();
        self.roster.next_update();
        let candidate = Candidate::of(planned, event, seq);
        let roster = &mut self.roster;
        let mut watched = self.metrics.usage.watched();
        let mut looked_at = 0;
        let mut look = |roster: &mut Roster, room: &str, to: &mut Vec<MemberId>| {
            let before = to.len();
            let looked_at = roster.in_room(room, &candidate, to);
            watched.reached(room, to.len() - before);
            looked_at
        };
        match &planned.destination {
            Destination::EventRooms => update::event_rooms(event, &mut |room| {
                looked_at += look(roster, room, to);
            }),
            Destination::Rooms(rooms) => {
                for room in rooms.iter() {
                    looked_at += look(roster, room, to);
                }
            }
            Destination::Addressed => {
                if let Some(emission) = &event.emission {
                    let skips_own_rooms = event.settled.confined;
                    let live = Some(seq);
                    looked_at += roster
                        .addressed(emission, skips_own_rooms, live, to)
                        .looked_at;
                }
            }
            Destination::Topic(topic) => {
                looked_at += roster.on_topic(*topic, &candidate, to);
                if self.options.seneca_broadcast && candidate.namespace == Namespace::Root {
                    looked_at += look(roster, OBSERVERS, to);
                }
            }
        }
        watched.sent(event.name.canonical(), to.len());
        drop(watched);
        self.metrics.looked_at(looked_at);
    }
}
