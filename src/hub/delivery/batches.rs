//! Batches: the updates of one flush as one event, for clients that ask for it.

use serde_json::json;

use super::Delivery;
use crate::hub::{
    member::{Member, MemberId},
    roster::Roster,
};
use crate::{
    channel::Namespace,
    delivery::{Form, Outgoing},
    timestamp::Timestamp,
};

/// The most updates that one `batch` holds.
const MAX_BATCH_UPDATES: usize = 50;

/// Updates on their way into a `batch`, each with whether it changes a layout.
pub(in crate::hub) type Batch<'a> = Vec<(&'a Outgoing, bool)>;

impl Delivery {
    /// Writes the batches of members that have many updates already: a flush may be far more than their queues may
    /// hold.
    pub(in crate::hub) fn send_heavy(&mut self, roster: &mut Roster) {
        if self.heavy.is_empty() {
            return;
        }
        self.heavy.sort_unstable();
        self.heavy.dedup();
        let heavy = std::mem::take(&mut self.heavy);
        self.write_batches(roster, &heavy);
    }

    /// Writes the batches of this flush, which is over then.
    pub(in crate::hub) fn send_batches(&mut self, roster: &mut Roster) {
        let batching = std::mem::take(&mut self.batching);
        self.write_batches(roster, &batching);
        self.for_batches.clear();
        self.layouts.clear();
    }

    /// One batch for all members that got the same updates.
    pub(super) fn write_batches(&mut self, roster: &mut Roster, members: &[MemberId]) {
        let mut waiting: Vec<(Vec<usize>, Form, MemberId)> = Vec::new();
        for &id in members {
            let Some(member) = roster.receiver(id) else {
                continue;
            };
            member.batch_bytes = 0;
            if let Some(batch) = member.batch.as_mut().filter(|batch| !batch.is_empty()) {
                waiting.push((std::mem::take(batch), member.form, id));
            }
        }
        waiting.sort_unstable();
        for same in waiting.chunk_by(|a, b| (&a.0, a.1) == (&b.0, b.1)) {
            for part in same[0].0.chunks(MAX_BATCH_UPDATES) {
                let part: Vec<_> = part
                    .iter()
                    .map(|&at| {
                        let update = self.for_batches[at].form(same[0].1);
                        (update, self.layouts[at])
                    })
                    .collect();
                let batch = write_batch(&part);
                for &(_, _, id) in same {
                    let member = roster.get(id);
                    if member.is_some_and(|member| !member.outlet.send(&batch)) {
                        self.full.push(id);
                    }
                }
            }
        }
    }
}

/// Sends updates that were missed to a member that takes batches.
pub(in crate::hub) fn send_in_batches(member: &Member, updates: &Batch<'_>) {
    let is_emission = |update: &Outgoing| update.emission().is_some();
    for alike in updates.chunk_by(|(a, _), (b, _)| is_emission(a) == is_emission(b)) {
        if alike.first().is_some_and(|(first, _)| is_emission(first)) {
            for (emission, _) in alike {
                member.outlet.send(emission);
            }
            continue;
        }
        for part in alike.chunks(MAX_BATCH_UPDATES) {
            member.outlet.send(&write_batch(part));
        }
    }
}

/// One `batch` of these updates, each with whether it changes a layout.
fn write_batch(part: &[(&Outgoing, bool)]) -> Outgoing {
    let namespace = part.first().map_or(Namespace::Root, |(u, _)| u.namespace);
    let mut json = String::from("{\"batch_id\":");
    json.push_str(&json!(crate::event::mint_id().to_string()).to_string());
    json.push_str(",\"updates\":[");
    for (at, (update, _)) in part.iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        json.push_str("{\"event\":");
        json.push_str(&json!(update.name).to_string());
        json.push_str(",\"payload\":");
        json.push_str(&update.json);
        json.push_str(if update.is_bare() {
            ",\"envelope\":false}"
        } else {
            "}"
        });
    }
    json.push_str("],\"timestamp\":");
    json.push_str(&json!(Timestamp::now()).to_string());
    json.push_str(",\"requires_layout_update\":");
    let layout = part.iter().any(|(_, layout)| *layout);
    json.push_str(if layout { "true" } else { "false" });
    // The cursor after the last update, so that a client that keeps the newest cursor needn't look inside.
    let cursor = part.last().and_then(|(update, _)| update.cursor());
    if let Some(cursor) = cursor {
        json.push_str(",\"cursor\":");
        json.push_str(&json!(cursor).to_string());
    }
    json.push('}');
    // A batch is as late as the oldest of its updates.
    let stamps = part.iter().filter_map(|(update, _)| update.stamp());
    let oldest = stamps.min_by_key(|stamp| stamp.since);
    let batch = Outgoing::new(namespace, "batch", json).stamped(oldest);
    match cursor {
        Some(cursor) => batch.at(cursor).of_stream(),
        None => batch,
    }
}
