//! The aggregates of Seneca's pages, which many events add up to. The hub sends those that changed at most once a
//! second, and sends them anew to a client that caught up.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    Hub,
    command::{Command, now},
    member::{Member, MemberId},
};
use crate::{
    channel::{Namespace, Topic},
    config::Recipients,
    delivery::Outgoing,
    event::Object,
    timestamp::Timestamp,
};

/// The shortest time between two sendings of the aggregates.
const AGGREGATES_INTERVAL: Duration = Duration::from_secs(1);
/// The aggregates that pages are sent, or every observer; a client that caught up is sent them anew.
const SENT_AFTER_CATCH_UP: [&str; 4] = [
    "conversation_summary",
    "system_metrics",
    "active_flows_update",
    "dashboard_update",
];

/// The time at which the aggregates are sent.
#[derive(Debug)]
pub(super) struct Aggregates {
    /// The last time at which they were sent.
    sent: Instant,
    /// Whether an event was folded since.
    changed: bool,
}

impl Aggregates {
    pub(super) fn new() -> Self {
        Self {
            sent: Instant::now(),
            changed: false,
        }
    }

    /// Notes that an event was folded.
    pub(super) fn changed(&mut self) {
        self.changed = true;
    }

    /// The time at which they are sent next; none as long as nothing happens.
    pub(super) fn due(&self) -> Option<Instant> {
        self.changed.then(|| self.sent + AGGREGATES_INTERVAL)
    }

    /// Whether it is time to send; they count as sent then.
    fn take_due(&mut self, now: Instant) -> bool {
        let is_due = self.due().is_some_and(|due| due <= now);
        if is_due {
            (self.sent, self.changed) = (now, false);
        }
        is_due
    }
}

impl Hub {
    /// Sends Seneca's aggregates that changed, at most once a second.
    pub(super) fn send_aggregates(&mut self, now: Instant) {
        if !self.aggregates.take_due(now) {
            return;
        }
        for (name, body) in self
            .projections
            .dashboard_mut()
            .take_changed(Timestamp::now())
        {
            let namespace = if name == "agents_update" {
                Namespace::Conversations
            } else {
                Namespace::Root
            };
            let body = self.stamp_aggregate(name, body);
            let mut ids = self.roster.ids_on(namespace);
            if SENT_AFTER_CATCH_UP.contains(&name) {
                ids.retain(|id| self.gets_aggregate(*id, name));
            }
            self.send_aggregate(ids, namespace, name, body);
        }
        for (flow_id, body) in self.projections.dashboard_mut().flows_changed() {
            let body = self.stamp_aggregate("flow_update", body);
            let watching = self.roster.ids_in(&format!("flow:{flow_id}")).collect();
            self.send_aggregate(watching, Namespace::Root, "flow_update", body);
        }
        if let Some(body) = self.projections.dashboard_mut().health_changed() {
            let body = self.stamp_aggregate("health_update", body);
            let watching = match self.options.seneca_broadcast {
                true => self.roster.ids_on(Namespace::Root),
                false => self.roster.ids_listening(Topic::Health),
            };
            self.send_aggregate(watching, Namespace::Root, "health_update", body);
        }
    }

    /// Whether a member is sent an aggregate of this name: it is one of the recipients, or asks for it.
    fn gets_aggregate(&self, id: MemberId, name: &str) -> bool {
        let recipients = self.options.aggregates;
        let is_page = |member: &Member| recipients.include(member.page || member.silent);
        self.roster.get(id).is_some_and(is_page)
            || (recipients == Recipients::Pages && self.roster.asks_for(id, name))
    }

    /// Notes that a member asks for something that Seneca's silent page never does.
    pub(super) fn is_heard(&mut self, command: &Command) {
        if let Command::JoinRooms { member, .. }
        | Command::LeaveRooms { member, .. }
        | Command::SetSubscription(member, _)
        | Command::Resume { member, .. } = command
            && let Some(member) = self.roster.get_mut(*member)
        {
            member.silent = false;
        }
    }

    /// Notes that a member behaves like one of Seneca's or Marcus' own pages: the aggregates that only pages get are
    /// due.
    pub(super) fn is_page(&mut self, id: MemberId) {
        if !self.roster.is_page(id) || self.options.aggregates != Recipients::Pages {
            return;
        }
        if let Some(member) = self.roster.get_mut(id) {
            member.missed_aggregates = true;
            if member.behind.is_none() {
                self.send_present_aggregates(id);
            }
        }
    }

    /// Sends an aggregate to those of these whose filters don't leave out its name. A member that is behind gets it
    /// later, because it carries the cursor of the live stream.
    fn send_aggregate(
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
        // Members that catch up are told some of them anew, and only these may be taken back.
        let again = SENT_AFTER_CATCH_UP.contains(&name);
        self.send_to(&ids, &if again { update.aggregate() } else { update });
    }

    /// Sends the present aggregates to a member that missed their changes.
    pub(super) fn send_present_aggregates(&mut self, id: MemberId) {
        let Some(member) = self.roster.get_mut(id) else {
            return;
        };
        let missed = std::mem::take(&mut member.missed_aggregates);
        if !missed || member.namespace != Namespace::Root {
            return;
        }
        let aggregates = [
            self.projections.dashboard().summary(),
            self.projections.dashboard().metrics(),
            self.projections.dashboard().active_flows(),
            self.projections.dashboard().dashboard(Timestamp::now()),
        ];
        for (name, body) in SENT_AFTER_CATCH_UP.into_iter().zip(aggregates) {
            if self.gets_aggregate(id, name) && self.roster.wants(id, name) {
                let body = self.stamp_aggregate(name, body);
                self.notify(id, name, body);
            }
        }
    }

    /// Adds the fields that every update has to an aggregate, which no single event stands behind.
    pub(super) fn stamp_aggregate(&self, name: &str, mut body: Object) -> Object {
        let mut fill = |key: &str, value: Value| {
            body.entry(key).or_insert(value);
        };
        fill("type", name.into());
        fill("timestamp", now());
        fill("id", format!("{name}-{}", self.stream.seq()).into());
        fill("cursor", self.stream.cursor_text().into());
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
