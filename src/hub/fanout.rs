//! From a group that may go to the outlets of those who may see it.

use serde_json::json;

use super::{
    Hub, Outgoing,
    roster::{Candidate, MemberId},
};
use crate::{
    access::{OBSERVERS, Subject},
    event::{Event, Object, Timestamp},
    pace::Group,
    update::{self, Audience, Namespace, Planned, Stamp},
};

/// How many updates one `batch` holds at the most.
const BATCH_MAX: usize = 50;

/// What was written in one flush.
#[derive(Debug, Default)]
pub(super) struct Flush {
    /// The updates that somebody takes in a batch; members hold positions in it.
    for_batches: Vec<Outgoing>,
    /// Which of them change a layout.
    layouts: Vec<bool>,
    /// Members with a batch to be made.
    batching: Vec<MemberId>,
    /// Reused for every audience.
    to: Vec<MemberId>,
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
    }

    pub(super) fn wake(&mut self) {
        for id in self.roster.take_touched() {
            if let Some(member) = self.roster.get(id) {
                member.outlet.flush();
            }
        }
    }

    fn send_group(&mut self, group: &Group, flush: &mut Flush) {
        let record = group.record.clone();
        let count = group.updates.len();
        for (at, planned) in group.updates.iter().enumerate() {
            if at + 1 == count {
                // Only the last one carries the cursor after the event.
                for &(seq, bit) in &group.owes {
                    self.pending.clear(seq, bit);
                }
                self.position.advance(group.last(), &self.pending);
            }
            self.audience(planned, &record.event, group.last(), &mut flush.to);
            if flush.to.is_empty() {
                continue;
            }
            let stamp = Stamp {
                cursor: self.position.text(),
                coalesced: group.coalesced(),
                merged: group.merged.as_ref(),
            };
            let json = update::render(planned, &record.event, &stamp);
            let name = planned.kind.name().to_owned();
            let update = Outgoing::new(planned.kind.namespace(), name, json);
            let layout = planned.kind.changes_layout(&record.event);
            self.deliver(update, layout, flush);
        }
        self.metrics
            .sent(group.priority, group.coalesced(), group.accepted.elapsed());
    }

    /// Collects who may see an update.
    fn audience(&mut self, planned: &Planned, event: &Event, seq: u64, to: &mut Vec<MemberId>) {
        to.clear();
        self.roster.next_update();
        let candidate = Candidate {
            subject: Subject {
                update: planned.kind.name(),
                priority: planned.priority,
                event,
            },
            namespace: planned.kind.namespace(),
            seq,
        };
        let roster = &mut self.roster;
        match &planned.audience {
            Audience::EventRooms => {
                update::event_rooms(event, &mut |room| roster.in_room(room, &candidate, to));
            }
            Audience::Rooms(rooms) => {
                for room in rooms.iter() {
                    roster.in_room(room, &candidate, to);
                }
            }
            Audience::Topic(topic) => {
                roster.on_topic(*topic, &candidate, to);
                if self.options.seneca_broadcast && candidate.namespace == Namespace::Root {
                    roster.in_room(OBSERVERS, &candidate, to);
                }
            }
        }
    }

    fn deliver(&mut self, update: Outgoing, layout: bool, flush: &mut Flush) {
        let mut batched = false;
        self.metrics.deliveries(flush.to.len());
        for &id in &flush.to {
            let Some(member) = self.roster.get_mut(id) else {
                continue;
            };
            if let Some(batch) = &mut member.batch {
                if batch.is_empty() {
                    flush.batching.push(id);
                }
                batch.push(flush.for_batches.len());
                batched = true;
            } else {
                member.outlet.send(&update);
            }
            self.roster.touch(id);
        }
        if batched {
            flush.for_batches.push(update);
            flush.layouts.push(layout);
        }
    }

    /// Writes the batches of this flush: one for all members that got the same updates.
    fn send_batches(&mut self, flush: &mut Flush) {
        let mut waiting: Vec<(Vec<usize>, MemberId)> = Vec::new();
        for id in flush.batching.drain(..) {
            if let Some(batch) = self.roster.get_mut(id).and_then(|m| m.batch.as_mut()) {
                waiting.push((std::mem::take(batch), id));
            }
        }
        waiting.sort_unstable();
        for same in waiting.chunk_by(|a, b| a.0 == b.0) {
            for part in same[0].0.chunks(BATCH_MAX) {
                let batch = write_batch(part, flush);
                for (_, id) in same {
                    if let Some(member) = self.roster.get(*id) {
                        member.outlet.send(&batch);
                    }
                }
            }
        }
        flush.for_batches.clear();
        flush.layouts.clear();
    }

    /// Sends an event that no journal record stands behind (a greeting, an aggregate) to one member.
    pub(super) fn tell(&mut self, id: MemberId, name: &str, body: Object) {
        self.tell_json(
            id,
            name,
            &serde_json::Value::Object(body).to_string(),
            false,
        );
    }

    pub(super) fn tell_json(&mut self, id: MemberId, name: &str, json: &str, exempt: bool) {
        let Some(member) = self.roster.get(id) else {
            return;
        };
        let update = Outgoing::new(member.namespace, name, json.to_owned());
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
        self.tell_these(&everybody, namespace, name, body);
    }

    /// Sends an aggregate to those of these whose filters don't leave out its name.
    pub(super) fn tell_who_wants(
        &mut self,
        mut ids: Vec<MemberId>,
        namespace: Namespace,
        name: &str,
        body: Object,
    ) {
        ids.retain(|id| self.roster.wants(*id, name));
        self.tell_these(&ids, namespace, name, body);
    }

    fn tell_these(&mut self, ids: &[MemberId], namespace: Namespace, name: &str, body: Object) {
        let update = Outgoing::new(namespace, name, serde_json::Value::Object(body).to_string());
        for &id in ids {
            if let Some(member) = self.roster.get(id) {
                member.outlet.send(&update);
            }
            self.roster.touch(id);
        }
    }
}

fn write_batch(part: &[usize], flush: &Flush) -> Outgoing {
    let namespace = part
        .first()
        .map_or(Namespace::Root, |&at| flush.for_batches[at].namespace);
    let mut json = String::from("{\"batch_id\":");
    json.push_str(&json!(uuid::Uuid::now_v7().to_string()).to_string());
    json.push_str(",\"updates\":[");
    for (i, &at) in part.iter().enumerate() {
        let update = &flush.for_batches[at];
        if i > 0 {
            json.push(',');
        }
        json.push_str("{\"event\":");
        json.push_str(&json!(update.name).to_string());
        json.push_str(",\"payload\":");
        json.push_str(&update.json);
        json.push('}');
    }
    json.push_str("],\"timestamp\":");
    json.push_str(&json!(Timestamp::now()).to_string());
    json.push_str(",\"requires_layout_update\":");
    let layout = part.iter().any(|&at| flush.layouts[at]);
    json.push_str(if layout { "true}" } else { "false}" });
    Outgoing::new(namespace, "batch", json)
}
