//! The figures of one node, and sums of those of several.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    drain::DrainState, event::Object, journal::Seq, observe::usage::UsagePicture,
    timestamp::Timestamp,
};

/// The figures of one node.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct NodeFigures {
    /// Connections of all doors.
    pub(super) clients: usize,
    pub(super) state: DrainState,
    /// Whether it does the chores of all.
    pub(super) leads: bool,
    /// The newest place of the journal that it knows.
    pub(super) end: Seq,
    /// The events up to there whose updates it has not sent.
    pub(super) behind: u64,
    /// Connections by namespace, as the statistics have them.
    pub(super) connections: Object,
    /// The figures of the analytics that can be added up.
    pub(super) usage: BTreeMap<String, u64>,
}

/// The keys of the statistics that are added up; the last one by namespace.
const CONNECTIONS: [&str; 2] = ["total_connections", "user_connections"];
const BY_NAMESPACE: &str = "connections_by_namespace";

impl NodeFigures {
    /// The figures of the analytics that can be added up.
    pub(super) fn usage(picture: &UsagePicture) -> BTreeMap<String, u64> {
        let totals = &picture.totals;
        let all = [
            ("total_connections", picture.sessions),
            ("connections_opened", totals.opened),
            ("connections_ended", totals.ended),
            ("concurrent_users", picture.users),
            ("active_sessions", picture.active),
            ("total_updates", picture.sum.updates),
            ("total_deliveries", picture.sum.deliveries),
            ("client_messages", picture.sum.messages),
        ];
        all.into_iter()
            .map(|(name, count)| (name.to_owned(), count))
            .collect()
    }

    /// Adds the connections of another node to the statistics of this one.
    pub(super) fn add_connections(&self, stats: &mut Object) {
        for key in CONNECTIONS {
            add(stats, key, self.connections.get(key));
        }
        let theirs = self
            .connections
            .get(BY_NAMESPACE)
            .and_then(Value::as_object);
        if let Some(Value::Object(on)) = stats.get_mut(BY_NAMESPACE) {
            for (namespace, count) in theirs.into_iter().flatten() {
                add(on, namespace, Some(count));
            }
        }
    }

    /// Adds the use of another node to the analytics of this one.
    pub(super) fn add_usage(&self, analytics: &mut Object) {
        for (key, count) in &self.usage {
            add(analytics, key, Some(&json!(count)));
        }
    }
}

/// Adds a number to one under a key.
fn add(to: &mut Object, key: &str, more: Option<&Value>) {
    let Some(more) = more.and_then(Value::as_u64) else {
        return;
    };
    let before = to.get(key).and_then(Value::as_u64).unwrap_or_default();
    to.insert(key.to_owned(), before.saturating_add(more).into());
}

/// A node, and its figures if it gave them.
#[derive(Debug)]
pub(super) struct NodeRow {
    pub(super) name: String,
    pub(super) boot: String,
    pub(super) version: String,
    pub(super) address: String,
    pub(super) since: Timestamp,
    /// Seconds since it was last heard of; none for this node.
    pub(super) silent: Option<f64>,
    pub(super) figures: Option<NodeFigures>,
}

/// The rows of all nodes: how far each is behind the journal's end as any of them knows it.
pub(super) fn rows(nodes: &[NodeRow], now: Timestamp) -> Vec<Value> {
    let ends = nodes.iter().filter_map(|node| node.figures.as_ref());
    let end = ends.map(|figures| figures.end).max().unwrap_or_default();
    let row = |node: &NodeRow| {
        let uptime = now
            .as_micros()
            .saturating_sub(node.since.as_micros())
            .max(0)
            / 1_000_000;
        let figures = node.figures.as_ref();
        let place = |figures: &NodeFigures| figures.end.saturating_sub(figures.behind);
        json!({
            "name": node.name,
            "boot": node.boot,
            "version": node.version,
            "address": node.address,
            "since": node.since,
            "uptime_seconds": uptime,
            "this": node.silent.is_none(),
            "silent_seconds": node.silent,
            "answers": figures.is_some(),
            "clients": figures.map(|figures| figures.clients),
            "state": figures.map(|figures| figures.state),
            "leads": figures.map(|figures| figures.leads),
            "lag": figures.map(|figures| end.saturating_sub(place(figures))),
        })
    };
    nodes.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(json: Value) -> NodeFigures {
        serde_json::from_value(json).expect("figures")
    }

    #[test]
    fn the_lag_is_that_to_the_newest_place_that_any_node_knows() {
        let node = |name: &str, silent, figures| NodeRow {
            name: name.into(),
            boot: "b".into(),
            version: "1".into(),
            address: "here".into(),
            since: Timestamp::from_micros(1_000_000),
            silent,
            figures,
        };
        let nodes = [
            node(
                "a",
                None,
                Some(figures(json!({ "end": 90, "behind": 5, "clients": 3 }))),
            ),
            node(
                "b",
                Some(0.5),
                Some(figures(
                    json!({ "end": 100, "behind": 0, "state": "draining" }),
                )),
            ),
            node("c", Some(9.0), None),
        ];
        let rows = rows(&nodes, Timestamp::from_micros(61_500_000));
        let of = |key: &str| rows.iter().map(|row| row[key].clone()).collect::<Vec<_>>();
        assert_eq!(of("lag"), [json!(15), json!(0), Value::Null]);
        assert_eq!(
            of("state"),
            [json!("serving"), json!("draining"), Value::Null]
        );
        assert_eq!(of("answers"), [json!(true), json!(true), json!(false)]);
        assert_eq!(of("uptime_seconds"), [json!(60), json!(60), json!(60)]);
    }

    #[test]
    fn figures_are_added_up() {
        let other = figures(json!({
            "connections": { "total_connections": 2, "user_connections": 1, "connections_by_namespace": { "/": 1, "/chat": 1 } },
            "usage": { "total_connections": 2, "connections_opened": 7 },
        }));
        let Value::Object(mut stats) = json!({
            "total_connections": 3, "user_connections": 0, "connections_by_namespace": { "/": 3 }, "events": 9,
        }) else {
            unreachable!();
        };
        other.add_connections(&mut stats);
        assert_eq!(
            Value::Object(stats),
            json!({
                "total_connections": 5, "user_connections": 1, "connections_by_namespace": { "/": 4, "/chat": 1 }, "events": 9,
            })
        );
        let mut analytics = Object::new();
        other.add_usage(&mut analytics);
        assert_eq!(
            Value::Object(analytics),
            json!({ "total_connections": 2, "connections_opened": 7 })
        );
    }
}
