//! The members of a room on all nodes.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{access::authz::Sessions, channel::Namespace, event::Object, hub::MembersOf};

/// The question about the members of a room, as nodes ask each other.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AskedMembers {
    namespace: String,
    room: String,
    limit: usize,
    /// Whether names and roles are told, too.
    pub(super) names: bool,
}

impl AskedMembers {
    pub(super) fn of(of: &MembersOf, names: bool) -> Self {
        Self {
            namespace: of.namespace.path().to_owned(),
            room: of.room.clone(),
            limit: of.limit,
            names,
        }
    }

    /// The question to this node's hub; none if it has no such namespace.
    pub(super) fn read(self) -> Option<MembersOf> {
        Some(MembersOf {
            namespace: Namespace::at(&self.namespace)?,
            room: self.room,
            limit: self.limit,
        })
    }
}

/// Adds to clients what operators may see of them.
pub(super) fn add_names(sessions: &Sessions, answer: &mut Object) {
    let Some(Value::Array(clients)) = answer.get_mut("clients") else {
        return;
    };
    let ids: Vec<Arc<str>> = clients
        .iter()
        .filter_map(|client| client["client_id"].as_str().map(Into::into))
        .collect();
    let known: HashMap<Arc<str>, _> = sessions.named(&ids).collect();
    for client in clients {
        let id = client["client_id"].as_str().unwrap_or_default();
        if let Some((name, role)) = known.get(id) {
            let (name, role) = (json!(name), json!(role));
            client["name"] = name;
            client["role"] = role;
        }
    }
}

/// Adds the members that another node has.
pub(super) fn add(to: &mut Object, mut other: Object, limit: usize) {
    let mut complete = true;
    for (count, list) in [("members", "clients"), ("visitors", "present")] {
        let of = |object: &Object| {
            object
                .get(count)
                .and_then(Value::as_u64)
                .unwrap_or_default()
        };
        let sum = of(to).saturating_add(of(&other));
        to.insert(count.to_owned(), sum.into());
        complete &= usize::try_from(sum).is_ok_and(|sum| sum <= limit);
        let more = other.remove(list);
        if let (Some(Value::Array(all)), Some(Value::Array(more))) = (to.get_mut(list), more) {
            all.extend(more);
            all.truncate(limit);
        }
    }
    to.insert("complete".to_owned(), complete.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_of_two_nodes_are_those_of_one_room() {
        let object = |json: Value| match json {
            Value::Object(object) => object,
            _ => unreachable!(),
        };
        let mut here = object(json!({
            "room": "r", "members": 2, "visitors": 0, "clients": [{ "client_id": "a" }, { "client_id": "b" }], "present": [],
            "complete": true,
        }));
        let there = object(json!({
            "room": "r", "members": 2, "visitors": 1, "clients": [{ "client_id": "c" }, { "client_id": "d" }],
            "present": [{ "id": "v" }], "complete": true,
        }));
        add(&mut here, there, 3);
        assert_eq!(
            Value::Object(here),
            json!({
                "room": "r", "members": 4, "visitors": 1,
                "clients": [{ "client_id": "a" }, { "client_id": "b" }, { "client_id": "c" }],
                "present": [{ "id": "v" }], "complete": false,
            })
        );
    }
}
