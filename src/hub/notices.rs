//! Events without a record of the journal: greetings, answers, aggregates, notices.

use std::sync::Arc;

use super::{Hub, member::MemberId};
use crate::{
    access::authz::{Audience, OPERATORS},
    channel::Namespace,
    delivery::Outgoing,
    event::Object,
};

impl Hub {
    /// Sends a notice to one member.
    pub(super) fn notify(&mut self, id: MemberId, name: &str, body: Object) {
        let json = serde_json::Value::Object(body).to_string();
        self.notify_json(id, name, &json, None);
    }

    /// Sends a notice that was asked for earlier, with the member's own cursor. The live stream's cursor would tell a
    /// member that is behind that it has everything.
    pub(super) fn notify_where_it_stands(&mut self, id: MemberId, name: &str, mut body: Object) {
        let Some(member) = self.roster.get(id) else {
            return;
        };
        // A member that has only a part of a snapshot has no cursor.
        if member.behind.as_ref().is_some_and(|b| b.taking.is_some()) {
            body.remove("cursor");
        }
        if let Some(cursor) = body.get_mut("cursor") {
            *cursor = match &member.behind {
                Some(behind) => self.stream.name(behind.at.clone()).into(),
                None => self.stream.cursor_text().into(),
            };
        }
        self.notify(id, name, body);
    }

    /// Sends a notice whose JSON is written already, with the cursor after it if it has one.
    pub(super) fn notify_json(
        &mut self,
        id: MemberId,
        name: &str,
        json: &str,
        cursor: Option<&str>,
    ) {
        let Some(member) = self.roster.get(id) else {
            return;
        };
        let update = Outgoing::new(member.namespace, name, json.to_owned());
        let update = match cursor {
            Some(cursor) => update.at(cursor),
            None => update,
        };
        self.send_to(&[id], &update);
    }

    /// Sends a notice to everybody on a namespace, whatever they filter.
    pub(super) fn notify_all(&mut self, namespace: Namespace, name: &str, body: Object) {
        let everybody = self.roster.ids_on(namespace);
        let json = serde_json::Value::Object(body).to_string();
        self.send_to(&everybody, &Outgoing::new(namespace, name, json));
    }

    /// Sends a notice to the operators that may see all of these audiences, and whose filter doesn't leave it out.
    pub(super) fn notify_operators(&mut self, name: &str, body: Object, about: &[Arc<Audience>]) {
        let operators: Vec<MemberId> = self.roster.ids_in(OPERATORS).collect();
        let json = serde_json::Value::Object(body).to_string();
        for namespace in [Namespace::Root, Namespace::Admin] {
            let update = Outgoing::new(namespace, name, json.clone());
            for &id in &operators {
                if let Some(member) = self.roster.get(id)
                    && member.namespace == namespace
                    && self.roster.is_told(member, name, about)
                {
                    member.outlet.send(member.form_of(&update));
                    self.roster.touch(id);
                }
            }
        }
    }

    /// Queues an update for each of these members.
    pub(super) fn send_to(&mut self, ids: &[MemberId], update: &Outgoing) {
        for &id in ids {
            if let Some(member) = self.roster.get(id) {
                member.outlet.send(update);
            }
            self.roster.touch(id);
        }
    }
}
