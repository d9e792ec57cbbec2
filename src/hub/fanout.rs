//! From a group that may go to the outlets of those who may see it.

use serde_json::json;

use super::{Hub, Outgoing, member::MemberId, requests::CAUGHT_UP, view::Candidate};
use crate::{
    access::OBSERVERS,
    event::{Event, Object, Timestamp},
    pace::Group,
    update::{self, Audience, Namespace, Planned, Stamp},
};

/// How many updates one `batch` holds at the most.
const BATCH_MAX: usize = 50;

/// Updates on their way into a `batch`, each with whether it changes a layout.
pub(super) type Batch<'a> = Vec<(&'a Outgoing, bool)>;

/// What was written in one flush.
#[derive(Debug, Default)]
pub(super) struct Flush {
    /// The updates that somebody takes in a batch; members hold positions in it.
    for_batches: Vec<Outgoing>,
    /// Which of them change a layout.
    layouts: Vec<bool>,
    /// Members with a batch to be made.
    batching: Vec<MemberId>,
    /// Who sees an update; reused for every one.
    audience: Vec<MemberId>,
    /// Members whose batch is large enough to be sent now.
    heavy: Vec<MemberId>,
    /// Members that owe all that they may, to be parked as soon as an update is out.
    full: Vec<MemberId>,
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
    fn send_group(&mut self, group: &Group, flush: &mut Flush) {
        for &(seq, bit) in &group.owes {
            self.pending.clear(seq, bit);
        }
        self.position.advance(group.last(), &self.pending);
        let (planned, event) = (&group.update, &*group.record.event);
        let mut audience = std::mem::take(&mut flush.audience);
        self.audience(planned, event, group.last(), &mut audience);
        if !audience.is_empty() {
            let cursor = self.position.text();
            let stamp = Stamp {
                cursor,
                coalesced: group.coalesced(),
                merged: group.merged.as_ref(),
            };
            let json = update::render(planned, event, &stamp);
            let update = Outgoing::new(planned.kind.namespace(), planned.kind.name(), json);
            let layout = planned.kind.changes_layout(event);
            self.deliver(update.at(cursor).of_stream(), &audience, layout, flush);
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
                if member.batch_bytes > self.options.max_stretch {
                    flush.heavy.push(id);
                }
                batched = true;
            } else if !member.outlet.send(&update) {
                flush.full.push(id);
            }
            self.roster.touch(id);
        }
        if batched {
            flush.for_batches.push(update);
            flush.layouts.push(layout);
        }
    }

    /// Writes the batches of those for whom much has gathered: a flush may be far more than they may owe.
    fn send_heavy(&mut self, flush: &mut Flush) {
        flush.heavy.sort_unstable();
        flush.heavy.dedup();
        let heavy = std::mem::take(&mut flush.heavy);
        self.write_batches(&heavy, flush);
    }

    /// Writes the batches of this flush.
    fn send_batches(&mut self, flush: &mut Flush) {
        let batching = std::mem::take(&mut flush.batching);
        self.write_batches(&batching, flush);
        for id in flush.full.drain(..) {
            self.park(id);
        }
        flush.for_batches.clear();
        flush.layouts.clear();
    }

    /// One batch for all members that got the same updates.
    fn write_batches(&mut self, members: &[MemberId], flush: &mut Flush) {
        let mut waiting: Vec<(Vec<usize>, MemberId)> = Vec::new();
        for &id in members {
            let Some(member) = self.roster.get_mut(id) else {
                continue;
            };
            member.batch_bytes = 0;
            if let Some(batch) = member.batch.as_mut().filter(|batch| !batch.is_empty()) {
                waiting.push((std::mem::take(batch), id));
            }
        }
        waiting.sort_unstable();
        for same in waiting.chunk_by(|a, b| a.0 == b.0) {
            for part in same[0].0.chunks(BATCH_MAX) {
                let part: Vec<_> = part
                    .iter()
                    .map(|&at| (&flush.for_batches[at], flush.layouts[at]))
                    .collect();
                let batch = write_batch(&part);
                for &(_, id) in same {
                    let member = self.roster.get(id);
                    if member.is_some_and(|member| !member.outlet.send(&batch)) {
                        flush.full.push(id);
                    }
                }
            }
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

    /// Sends what was missed to one that takes batches.
    pub(super) fn send_in_batches(&self, id: MemberId, updates: &Batch<'_>) {
        let Some(member) = self.roster.get(id) else {
            return;
        };
        for part in updates.chunks(BATCH_MAX) {
            member.outlet.send(&write_batch(part));
        }
    }

    /// Sends a notice to everybody on a namespace, whatever they filter.
    pub(super) fn tell_everybody(&mut self, namespace: Namespace, name: &str, body: Object) {
        let everybody = self.roster.ids_on(namespace);
        let body = serde_json::Value::Object(body).to_string();
        self.tell_these(&everybody, &Outgoing::new(namespace, name, body));
    }

    /// Sends an aggregate to those of these whose filters don't leave out its name. Who is behind gets it later: it
    /// carries the cursor of the live stream.
    pub(super) fn tell_who_wants(
        &mut self,
        mut ids: Vec<MemberId>,
        namespace: Namespace,
        name: &str,
        body: Object,
    ) {
        ids.retain(|id| self.roster.wants(*id, name));
        ids.retain(|id| match self.roster.get_mut(*id) {
            Some(member) if member.behind.is_some() => {
                member.missed_aggregates = true;
                false
            }
            _ => true,
        });
        let body = serde_json::Value::Object(body).to_string();
        let update = Outgoing::new(namespace, name, body);
        // Who catches up is told some of them anew, and only these may be taken back.
        let again = CAUGHT_UP.contains(&name);
        self.tell_these(&ids, &if again { update.aggregate() } else { update });
    }

    fn tell_these(&mut self, ids: &[MemberId], update: &Outgoing) {
        for &id in ids {
            if let Some(member) = self.roster.get(id) {
                member.outlet.send(update);
            }
            self.roster.touch(id);
        }
    }
}

/// One `batch` of these updates, each with whether it changes a layout.
fn write_batch(part: &[(&Outgoing, bool)]) -> Outgoing {
    let namespace = part.first().map_or(Namespace::Root, |(u, _)| u.namespace);
    let mut json = String::from("{\"batch_id\":");
    json.push_str(&json!(uuid::Uuid::now_v7().to_string()).to_string());
    json.push_str(",\"updates\":[");
    for (at, (update, _)) in part.iter().enumerate() {
        if at > 0 {
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
    let layout = part.iter().any(|(_, layout)| *layout);
    json.push_str(if layout { "true" } else { "false" });
    // The place after the last of them, so that whoever keeps the newest cursor needn't look inside.
    let cursor = part.last().and_then(|(update, _)| update.cursor());
    if let Some(cursor) = cursor {
        json.push_str(",\"cursor\":");
        json.push_str(&json!(cursor).to_string());
    }
    json.push('}');
    let batch = Outgoing::new(namespace, "batch", json);
    match cursor {
        Some(cursor) => batch.at(cursor).of_stream(),
        None => batch,
    }
}
