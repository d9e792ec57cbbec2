//! Batches: several updates in one message, `UpdateBatch`, for clients that ask for them.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    delivery::WireMessage,
    doors::depths::level,
    event::{self, Object, Priority},
    timestamp::Timestamp,
};

/// The batch of some updates, which come in the order of the stream.
pub(super) fn write(messages: &[Arc<WireMessage>]) -> Bytes {
    let updates = messages.iter().map(|message| {
        let fields = serde_json::from_slice::<Object>(&message.bytes);
        (fields.unwrap_or_default(), &**message)
    });
    let mut updates = merged(ordered(updates.collect()));
    let cursor = messages.last().and_then(|message| message.tag.cursor());
    // A client that stops in the middle of the batch gets all of it again: only the last update has the place after it.
    for update in &mut updates {
        update.remove("cursor");
    }
    if let (Some(last), Some(cursor)) = (updates.last_mut(), cursor) {
        last.insert("cursor".into(), cursor.into());
    }
    let layout = updates.iter().any(|update| kind(update) == Kind::Layout);
    let batch = json!({
        "type": "update_batch", "batch_id": event::mint_id().to_string(), "updates": updates,
        "timestamp": Timestamp::now(), "requires_layout_update": layout, "cursor": cursor,
    });
    batch.to_string().into()
}

/// The kinds of updates that the rules of a batch tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A new graph, which makes all that was said of it before worthless.
    Refresh,
    /// A layout of the whole graph.
    Layout,
    /// A change of one thing.
    Other,
}

fn kind(update: &Object) -> Kind {
    match update.get("update_type").and_then(Value::as_str) {
        Some("complete_refresh") => Kind::Refresh,
        Some("layout_update") => Kind::Layout,
        _ => Kind::Other,
    }
}

/// The graph of an update: each project has one.
fn graph(update: &Object) -> String {
    let project = update.get("project_id").and_then(Value::as_str);
    project.unwrap_or_default().to_owned()
}

/// The updates with the urgent ones first. An update that would overtake an earlier one of the same thing takes that one
/// along, and nothing overtakes a refresh of its graph or is overtaken by it.
fn ordered(updates: Vec<(Object, &WireMessage)>) -> Vec<Object> {
    let mut of_thing: HashMap<u64, Priority> = HashMap::new();
    let mut of_graph: HashMap<String, Priority> = HashMap::new();
    let mut of_refresh: HashMap<String, Priority> = HashMap::new();
    let mut ranked = Vec::with_capacity(updates.len());
    for (update, message) in updates.into_iter().rev() {
        let mut rank = message.priority().unwrap_or(Priority::Normal);
        let graph = graph(&update);
        let is_refresh = kind(&update) == Kind::Refresh;
        let after = if is_refresh { &of_graph } else { &of_refresh };
        rank = after.get(&graph).map_or(rank, |later| rank.min(*later));
        for thing in message.entities() {
            rank = of_thing.get(thing).map_or(rank, |later| rank.min(*later));
        }
        for thing in message.entities() {
            of_thing.insert(*thing, rank);
        }
        let least = |known: &mut HashMap<String, Priority>, graph: String| {
            let known = known.entry(graph).or_insert(rank);
            *known = rank.min(*known);
        };
        if is_refresh {
            least(&mut of_refresh, graph.clone());
        }
        least(&mut of_graph, graph);
        ranked.push((rank, update));
    }
    ranked.reverse();
    // The sort is stable: updates of one rank stay in the order of the stream.
    ranked.sort_by_key(|(rank, _)| level(*rank));
    ranked.into_iter().map(|(_, update)| update).collect()
}

/// The updates with one layout in place of several, and of several refreshes of a graph only the newest.
fn merged(updates: Vec<Object>) -> Vec<Object> {
    let mut out: Vec<Option<Object>> = Vec::with_capacity(updates.len());
    let mut layouts: HashMap<String, usize> = HashMap::new();
    let mut refreshes: HashMap<String, usize> = HashMap::new();
    for update in updates {
        let graph = graph(&update);
        match kind(&update) {
            Kind::Other => {}
            Kind::Refresh => {
                // A layout of the graph before is none of the new one.
                layouts.remove(&graph);
                if let Some(earlier) = refreshes.insert(graph, out.len()) {
                    out[earlier] = None;
                }
            }
            Kind::Layout => {
                if let Some(&earlier) = layouts.get(&graph) {
                    out[earlier] = out[earlier].take().map(|before| merge(&before, update));
                    continue;
                }
                layouts.insert(graph, out.len());
            }
        }
        out.push(Some(update));
    }
    out.into_iter().flatten().collect()
}

/// Two layouts as one: the later one, with all changes of the earlier one that it does not make itself.
fn merge(earlier: &Object, mut later: Object) -> Object {
    for key in ["changes", "metadata"] {
        let mut both = Object::new();
        for part in [earlier.get(key), later.get(key)].into_iter().flatten() {
            both.extend(part.as_object().cloned().unwrap_or_default());
        }
        later.insert(key.into(), Value::Object(both));
    }
    let events = |update: &Object| update.get("coalesced").and_then(Value::as_u64).unwrap_or(1);
    later.insert(
        "coalesced".into(),
        (events(earlier) + events(&later)).into(),
    );
    // The earlier one stands before, so it is at least as urgent.
    if let Some(priority) = earlier.get("priority") {
        later.insert("priority".into(), priority.clone());
    }
    later
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        channel::Namespace,
        delivery::{Outgoing, Shape},
    };

    /// An update as a client of the door gets it, from the update of the stream.
    fn message(
        at: usize,
        kind: &str,
        target: &str,
        priority: Priority,
        changes: &Value,
    ) -> Arc<WireMessage> {
        let word = match priority {
            Priority::Critical | Priority::High => "high",
            Priority::Normal => "medium",
            Priority::Low => "low",
        };
        let json = json!({ "update_id": format!("u{at}"), "update_type": kind, "priority": word, "target_id": target,
            "changes": changes, "metadata": {}, "cursor": format!("c{at}") });
        let thing = target
            .bytes()
            .fold(0, |sum, byte| sum * 256 + u64::from(byte));
        let update = Outgoing::new(Namespace::Root, "visual_update", json.to_string())
            .at(&format!("c{at}"))
            .of_stream()
            .in_order(priority, [thing].into_iter().collect());
        update
            .shape(Shape::Text, || update.json.clone().into())
            .clone()
    }

    fn batch(updates: &[(&str, &str, Priority, Value)]) -> Value {
        let messages: Vec<_> = updates
            .iter()
            .enumerate()
            .map(|(at, (kind, target, priority, changes))| {
                message(at, kind, target, *priority, changes)
            })
            .collect();
        serde_json::from_slice(&write(&messages)).expect("JSON")
    }

    fn ids(batch: &Value) -> Vec<&str> {
        let updates = batch["updates"].as_array().expect("updates").iter();
        updates
            .filter_map(|update| update["update_id"].as_str())
            .collect()
    }

    #[test]
    fn the_urgent_go_first_and_those_of_one_thing_in_order() {
        let node = |target, priority| ("node_update", target, priority, json!({}));
        let batch = batch(&[
            node("a", Priority::Low),
            node("b", Priority::Normal),
            node("c", Priority::Low),
            node("d", Priority::High),
            node("c", Priority::High),
            node("e", Priority::Critical),
        ]);
        assert_eq!(ids(&batch), ["u2", "u3", "u4", "u5", "u1", "u0"]);
        assert_eq!(batch["cursor"], "c5");
        let updates = batch["updates"].as_array().expect("updates");
        let cursors: Vec<_> = updates.iter().filter_map(|u| u.get("cursor")).collect();
        assert_eq!(cursors, [&json!("c5")]);
        assert_eq!(updates[5]["cursor"], "c5");
        assert_eq!(batch["requires_layout_update"], false);
    }

    #[test]
    fn layouts_are_one_and_the_newest_refresh_counts() {
        let of = |kind, priority, changes| (kind, "graph", priority, changes);
        let batch = batch(&[
            of("layout_update", Priority::High, json!({ "a": 1, "b": 1 })),
            ("edge_update", "e", Priority::High, json!({})),
            of("layout_update", Priority::Normal, json!({ "b": 2, "c": 2 })),
        ]);
        assert_eq!(ids(&batch), ["u2", "u1"]);
        assert_eq!(
            batch["updates"][0]["changes"],
            json!({ "a": 1, "b": 2, "c": 2 })
        );
        assert_eq!(batch["updates"][0]["coalesced"], 2);
        assert_eq!(batch["updates"][0]["priority"], "high");
        assert_eq!(batch["requires_layout_update"], true);
    }

    #[test]
    fn nothing_passes_a_refresh() {
        let of = |kind, target, priority, at| (kind, target, priority, json!({ "at": at }));
        let batch = batch(&[
            of("complete_refresh", "graph", Priority::Low, 0),
            of("layout_update", "graph", Priority::Low, 1),
            of("node_update", "n", Priority::Low, 2),
            of("complete_refresh", "graph", Priority::Normal, 3),
            of("node_update", "n", Priority::High, 4),
            of("layout_update", "graph", Priority::Low, 5),
        ]);
        assert_eq!(ids(&batch), ["u1", "u2", "u3", "u4", "u5"]);
    }
}
