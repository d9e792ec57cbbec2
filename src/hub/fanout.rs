//! From a group that may go to the outlets of those who may see it.

use super::{Hub, member::MemberId, view::Candidate};
use crate::{
    access::authz::OBSERVERS,
    channel::Namespace,
    delivery::Outgoing,
    event::{Event, Object},
    pace::PendingUpdate,
    update::{self, Audience, Envelope, Planned},
};

/// What was written in one flush.
#[derive(Debug, Default)]
pub(super) struct Flush {
    /// The updates that somebody takes in a batch; members hold positions in it.
    pub(super) for_batches: Vec<Outgoing>,
    /// Which of them change a layout.
    pub(super) layouts: Vec<bool>,
    /// Members with a batch to be made.
    pub(super) batching: Vec<MemberId>,
    /// Who sees an update; reused for every one.
    audience: Vec<MemberId>,
    /// Members whose batch is large enough to be sent now.
    pub(super) heavy: Vec<MemberId>,
    /// Members that owe all that they may, to be parked as soon as an update is out.
    pub(super) full: Vec<MemberId>,
}

impl Hub {
    /// Sends up to `flush_max` groups, most urgent first, and wakes each outlet once.
    pub(super) fn flush(&mut self) {
        let groups = self.pacer.take(self.options.flush_max);
        if groups.is_empty() {
            return;
        }
        let mut flush = std::mem::take(&mut self.flush);
        for group in groups {
            self.send_group(&group, &mut flush);
        }
        self.send_batches(&mut flush);
        self.flush = flush;
        self.wake();
        self.look_for_slow_later();
    }

    pub(super) fn wake(&mut self) {
        for id in self.roster.take_touched() {
            if let Some(member) = self.roster.get(id) {
                member.outlet.flush();
            }
        }
    }

    /// Sends an update, written once with the cursor after it, to all who may see it.
    fn send_group(&mut self, group: &PendingUpdate, flush: &mut Flush) {
        for &(seq, bit) in &group.unsent {
            self.pending.clear(seq, bit);
        }
        self.position.advance(group.last(), &self.pending);
        let (planned, event) = (&group.update, &*group.record.event);
        let mut audience = std::mem::take(&mut flush.audience);
        self.audience(planned, event, group.last(), &mut audience);
        if !audience.is_empty() {
            let cursor = self.position.text();
            let envelope = Envelope {
                cursor,
                coalesced: group.coalesced(),
                merged: group.merged.as_ref(),
                since: group.since,
            };
            let update = Outgoing::of_plan(planned, event, &envelope, self.options.sanitize);
            let layout = planned.kind.changes_layout(event);
            self.deliver(update, &audience, layout, flush);
        }
        flush.audience = audience;
        if !flush.heavy.is_empty() {
            self.send_heavy(flush);
        }
        for id in flush.full.drain(..) {
            self.park(id);
        }
        self.metrics
            .sent(group.priority, group.coalesced(), group.accepted.elapsed());
    }

    /// Collects who may see an update.
    fn audience(&mut self, planned: &Planned, event: &Event, seq: u64, to: &mut Vec<MemberId>) {
        to.clear();
        self.roster.next_update();
        let candidate = Candidate::of(planned, event, seq);
        let roster = &mut self.roster;
        let mut looked_at = 0;
        match &planned.audience {
            Audience::EventRooms => update::event_rooms(event, &mut |room| {
                looked_at += roster.in_room(room, &candidate, to);
            }),
            Audience::Rooms(rooms) => {
                for room in rooms.iter() {
                    looked_at += roster.in_room(room, &candidate, to);
                }
            }
            Audience::Topic(topic) => {
                looked_at += roster.on_topic(*topic, &candidate, to);
                if self.options.seneca_broadcast && candidate.namespace == Namespace::Root {
                    looked_at += roster.in_room(OBSERVERS, &candidate, to);
                }
            }
        }
        self.metrics.looked_at(looked_at);
    }

    fn deliver(&mut self, update: Outgoing, to: &[MemberId], layout: bool, flush: &mut Flush) {
        let mut batched = false;
        self.metrics.deliveries(to.len());
        for &id in to {
            let Some(member) = self.roster.get_mut(id) else {
                continue;
            };
            if let Some(batch) = &mut member.batch {
                if batch.is_empty() {
                    flush.batching.push(id);
                }
                batch.push(flush.for_batches.len());
                member.batch_bytes += update.json.len();
                if member.batch_bytes > self.options.max_segment {
                    flush.heavy.push(id);
                }
                batched = true;
            } else if !member.outlet.send(member.shape(&update)) {
                flush.full.push(id);
            }
            self.roster.touch(id);
        }
        if batched {
            flush.for_batches.push(update);
            flush.layouts.push(layout);
        }
    }

    /// Sends an event that no journal record stands behind (a greeting, an aggregate) to one member.
    pub(super) fn tell(&mut self, id: MemberId, name: &str, body: Object) {
        self.tell_json(
            id,
            name,
            &serde_json::Value::Object(body).to_string(),
            None,
            false,
        );
    }

    /// The same for what was asked for before it is told: the place in it is where the member stands now. That of the live
    /// stream would tell one that is behind that it has everything.
    pub(super) fn tell_now(&mut self, id: MemberId, name: &str, mut body: Object) {
        let Some(member) = self.roster.get(id) else {
            return;
        };
        // One that has not all of a snapshot stands nowhere.
        if member.behind.as_ref().is_some_and(|b| b.taking.is_some()) {
            body.remove("cursor");
        }
        if let Some(cursor) = body.get_mut("cursor") {
            *cursor = match &member.behind {
                Some(behind) => self.position.name(behind.at.clone()).into(),
                None => self.position.text().into(),
            };
        }
        self.tell(id, name, body);
    }

    /// The same for JSON that is written already, with the place after it if it has one.
    pub(super) fn tell_json(
        &mut self,
        id: MemberId,
        name: &str,
        json: &str,
        cursor: Option<&str>,
        exempt: bool,
    ) {
        let Some(member) = self.roster.get(id) else {
            return;
        };
        let update = Outgoing::new(member.namespace, name, json.to_owned());
        let update = match cursor {
            Some(cursor) => update.at(cursor),
            None => update,
        };
        if exempt {
            member.outlet.send_exempt(&update);
        } else {
            member.outlet.send(&update);
        }
        self.roster.touch(id);
    }

    /// Sends a notice to everybody on a namespace, whatever they filter.
    pub(super) fn tell_everybody(&mut self, namespace: Namespace, name: &str, body: Object) {
        let everybody = self.roster.ids_on(namespace);
        let body = serde_json::Value::Object(body).to_string();
        self.tell_these(&everybody, &Outgoing::new(namespace, name, body));
    }

    pub(super) fn tell_these(&mut self, ids: &[MemberId], update: &Outgoing) {
        for &id in ids {
            if let Some(member) = self.roster.get(id) {
                member.outlet.send(update);
            }
            self.roster.touch(id);
        }
    }
}
