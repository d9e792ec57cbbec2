//! What the stream adds up to for Seneca's pages: sent when it changes, at most once a second, and told anew to whoever
//! caught up.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Hub, Outgoing, command::now, member::MemberId};
use crate::{
    event::{Object, Timestamp},
    update::{Namespace, Topic},
};

/// How often they are sent at the most.
pub(super) const AGGREGATES: Duration = Duration::from_secs(1);
/// The aggregates that one is told who caught up.
const CAUGHT_UP: [&str; 4] = [
    "conversation_summary",
    "system_metrics",
    "active_flows_update",
    "dashboard_update",
];

impl Hub {
    /// Sends Seneca's aggregates that changed, at most once a second.
    pub(super) fn send_aggregates(&mut self, now: Instant) {
        if !self.desk_changed || now.duration_since(self.last_aggregates) < AGGREGATES {
            return;
        }
        self.last_aggregates = now;
        self.desk_changed = false;
        for (name, body) in self.desk.take_changed(Timestamp::now()) {
            let namespace = if name == "agents_update" {
                Namespace::Conversations
            } else {
                Namespace::Root
            };
            let body = self.stamp_aggregate(name, body);
            self.tell_who_wants(self.roster.ids_on(namespace), namespace, name, body);
        }
        for (flow_id, body) in self.desk.flows_changed() {
            let body = self.stamp_aggregate("flow_update", body);
            let watching = self.roster.ids_in(&format!("flow:{flow_id}")).to_vec();
            self.tell_who_wants(watching, Namespace::Root, "flow_update", body);
        }
        if let Some(body) = self.desk.health_changed() {
            let body = self.stamp_aggregate("health_update", body);
            let watching = match self.options.seneca_broadcast {
                true => self.roster.ids_on(Namespace::Root),
                false => self.roster.ids_listening(Topic::Health).to_vec(),
            };
            self.tell_who_wants(watching, Namespace::Root, "health_update", body);
        }
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

    /// The present aggregates, for one that missed their changes.
    pub(super) fn tell_aggregates(&mut self, id: MemberId) {
        let Some(member) = self.roster.get_mut(id) else {
            return;
        };
        if !std::mem::take(&mut member.missed_aggregates) || member.namespace != Namespace::Root {
            return;
        }
        let aggregates = [
            self.desk.summary(),
            self.desk.metrics(),
            self.desk.active_flows(),
            self.desk.dashboard(Timestamp::now()),
        ];
        for (name, body) in CAUGHT_UP.into_iter().zip(aggregates) {
            if self.roster.wants(id, name) {
                let body = self.stamp_aggregate(name, body);
                self.tell(id, name, body);
            }
        }
    }

    /// What every update has, on one that no single event stands behind.
    pub(super) fn stamp_aggregate(&self, name: &str, mut body: Object) -> Object {
        let mut fill = |key: &str, value: Value| {
            body.entry(key).or_insert(value);
        };
        fill("type", name.into());
        fill("timestamp", now());
        fill("id", format!("{name}-{}", self.seq).into());
        fill("cursor", self.position.text().into());
        fill("source_type", name.into());
        fill("priority", "normal".into());
        fill("animation", "none".into());
        fill(
            "hint",
            json!({ "target": { "kind": "system", "id": name }, "duration_ms": 0, "intensity": 0 }),
        );
        body
    }
}
