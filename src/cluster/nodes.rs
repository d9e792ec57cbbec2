//! The other nodes that were heard of. Plain data: the time is a parameter.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// A node of the deployment.
#[derive(Debug, Clone)]
pub struct ClusterNode {
    /// Its name (`[cluster] node_id`).
    pub name: Arc<str>,
    /// Its start: another one after each restart.
    pub boot: Arc<str>,
    /// The time of its start.
    pub since: Timestamp,
    /// Its version of Stoa.
    pub version: Arc<str>,
    /// The address that it listens on.
    pub address: Arc<str>,
    /// The time since it was last heard of; none for this node itself.
    pub silent_for: Option<Duration>,
}

/// The body of the messages by which a node shows itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Greeting {
    /// The time of its start, in microseconds since 1970.
    pub(super) since: i64,
    pub(super) version: Arc<str>,
    pub(super) address: Arc<str>,
}

/// A node, and the last time that it was heard of.
#[derive(Debug)]
struct Known {
    name: Arc<str>,
    boot: Arc<str>,
    greeting: Greeting,
    heard: Instant,
}

/// The change that a greeting makes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The node was known.
    None,
    /// It is new, in place of an earlier start of the same node if that has not said goodbye.
    Came(Option<Arc<str>>),
    /// There are too many: it is not believed in.
    TooMany,
}

/// The other nodes.
#[derive(Debug)]
pub(super) struct NodeTable {
    most: usize,
    known: Vec<Known>,
}

impl NodeTable {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            known: Vec::new(),
        }
    }

    /// A node shows itself; `is_first`: it says that it has only now begun to listen.
    pub(super) fn greets(
        &mut self,
        (name, boot): (&str, &str),
        greeting: Greeting,
        is_first: bool,
        now: Instant,
    ) -> Change {
        if let Some(known) = self.known.iter_mut().find(|known| *known.boot == *boot) {
            known.greeting = greeting;
            known.heard = now;
            return Change::None;
        }
        let earlier = self.known.iter().position(|known| *known.name == *name);
        // A node that was killed says no goodbye: its next start does, whose first greeting may have been missed.
        let replaced =
            earlier.filter(|&at| is_first || greeting.since > self.known[at].greeting.since);
        let replaced = replaced.map(|at| self.known.swap_remove(at).boot);
        if self.known.len() >= self.most {
            return Change::TooMany;
        }
        self.known.push(Known {
            name: name.into(),
            boot: boot.into(),
            greeting,
            heard: now,
        });
        Change::Came(replaced)
    }

    /// A node was heard of, whatever it said.
    pub(super) fn heard(&mut self, boot: &str, now: Instant) {
        if let Some(known) = self.known.iter_mut().find(|known| *known.boot == *boot) {
            known.heard = now;
        }
    }

    /// A node goes; returns whether it was known.
    pub(super) fn goes(&mut self, boot: &str) -> bool {
        let before = self.known.len();
        self.known.retain(|known| *known.boot != *boot);
        before != self.known.len()
    }

    /// Removes the nodes that were not heard of for so long; returns their names and starts.
    pub(super) fn sweep(&mut self, timeout: Duration, now: Instant) -> Vec<(Arc<str>, Arc<str>)> {
        let is_gone = |known: &Known| now.saturating_duration_since(known.heard) > timeout;
        let gone = self.known.iter().filter(|known| is_gone(known));
        let gone = gone.map(|known| (known.name.clone(), known.boot.clone()));
        let gone: Vec<_> = gone.collect();
        self.known.retain(|known| !is_gone(known));
        gone
    }

    /// Counts the silence of all from now on: it was this node that heard nothing.
    pub(super) fn forgive(&mut self, now: Instant) {
        for known in &mut self.known {
            known.heard = now;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The start of the node with this name.
    pub(super) fn boot_of(&self, name: &str) -> Option<Arc<str>> {
        let known = self.known.iter().find(|known| *known.name == *name)?;
        Some(known.boot.clone())
    }

    /// The names and starts of all.
    pub(super) fn all(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let known = self.known.iter();
        known
            .map(|known| (known.name.clone(), known.boot.clone()))
            .collect()
    }

    /// All nodes, by name.
    pub(super) fn view(&self, now: Instant) -> Vec<ClusterNode> {
        let known = self.known.iter().map(|known| ClusterNode {
            name: known.name.clone(),
            boot: known.boot.clone(),
            since: Timestamp::from_micros(known.greeting.since),
            version: known.greeting.version.clone(),
            address: known.greeting.address.clone(),
            silent_for: Some(now.saturating_duration_since(known.heard)),
        });
        known.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(15);

    /// The first greeting of a start may be missed: its next one says that it is a later one.
    #[test]
    fn a_later_start_takes_the_place_of_the_one_before_and_an_earlier_one_does_not() {
        let mut table = NodeTable::new(3);
        let now = Instant::now();
        let mut greets = |boot, since| {
            let greeting = Greeting {
                since,
                ..greeting()
            };
            table.greets(("c", boot), greeting, false, now)
        };
        assert_eq!(greets("c1", 5), Change::Came(None));
        assert_eq!(greets("c2", 9), Change::Came(Some("c1".into())));
        // Two that live with one name are both known.
        assert_eq!(greets("c1", 5), Change::Came(None));
        assert_eq!(greets("c2", 9), Change::None);
        assert_eq!(table.all().len(), 2);
    }

    fn greeting() -> Greeting {
        Greeting {
            since: 0,
            version: "1".into(),
            address: "here".into(),
        }
    }

    #[test]
    fn a_node_that_is_not_heard_of_is_gone_and_one_that_starts_again_takes_its_own_place() {
        let mut table = NodeTable::new(2);
        let start = Instant::now();
        let greets = |table: &mut NodeTable, name, boot, is_first, at| {
            table.greets((name, boot), greeting(), is_first, start + at)
        };
        let second = Duration::from_secs(1);
        assert_eq!(
            greets(&mut table, "a", "a1", true, second),
            Change::Came(None)
        );
        assert_eq!(
            greets(&mut table, "b", "b1", false, second),
            Change::Came(None)
        );
        assert_eq!(greets(&mut table, "c", "c1", true, second), Change::TooMany);
        assert_eq!(greets(&mut table, "a", "a1", false, second), Change::None);
        assert_eq!(
            greets(&mut table, "a", "a2", true, second),
            Change::Came(Some("a1".into()))
        );
        table.heard("b1", start + 10 * second);
        assert_eq!(
            table.sweep(TIMEOUT, start + 17 * second),
            [("a".into(), "a2".into())]
        );
        assert_eq!((table.len(), table.boot_of("b")), (1, Some("b1".into())));
        table.forgive(start + 30 * second);
        assert!(table.sweep(TIMEOUT, start + 44 * second).is_empty());
        assert!(table.goes("b1") && !table.goes("b1"));
    }
}
