//! Bounds of the state, and the counts of facts and entities that they keep out.

use crate::{config::Config, ledger::Bounds};

/// Bounds of the state.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Entities of each kind.
    pub max_entities: usize,
    /// The ledger: projects and owners of things.
    pub known: Bounds,
    /// Bytes of memory that all entities together hold.
    pub max_bytes: usize,
    /// Facts of one entity, counted once for each audience.
    pub max_facts: usize,
    /// Tool calls of one agent that go on, counted once for each audience.
    pub max_calls: usize,
    /// Questions to people, open and closed.
    pub max_inputs: usize,
    /// Calls of models of one agent that go on, counted once for each audience.
    pub max_model_calls: usize,
    /// Models by which the usage of one thing is added up, for each audience.
    pub max_models: usize,
    /// Artifacts of all projects.
    pub max_artifacts: usize,
    /// Items of one plan.
    pub max_plan_items: usize,
}

impl Limits {
    /// The bounds that a configuration sets.
    pub fn of(config: &Config) -> Self {
        Self {
            max_entities: config.performance.max_entities.into(),
            known: Bounds {
                things: config.access.max_known.into(),
                bytes: config.access.max_known_bytes.into(),
            },
            max_bytes: config.performance.max_state_bytes.into(),
            max_facts: config.performance.max_entity_facts.into(),
            max_calls: config.performance.max_tool_calls.into(),
            max_inputs: config.performance.max_inputs.into(),
            max_model_calls: config.performance.max_model_calls.into(),
            max_models: config.performance.max_models.into(),
            max_artifacts: config.performance.max_artifacts.into(),
            max_plan_items: config.performance.max_plan_items.into(),
        }
    }
}

/// The limits of the configuration as it comes.
impl Default for Limits {
    fn default() -> Self {
        Self::of(&Config::default())
    }
}

/// Facts that were not taken, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Facts that are longer than a fact may be.
    pub long: u64,
    /// Facts beyond the number that an entity may have.
    pub many: u64,
    /// Facts of an entity that holds as much as it may.
    pub full: u64,
    /// Tool calls of an agent that has begun more since.
    pub calls: u64,
    /// Calls of models of an agent that has begun more since.
    pub model_calls: u64,
    /// Calls of models that had no room of their own in the sums.
    pub models: u64,
    /// Numbers of model calls that can't be any.
    pub numbers: u64,
    /// Items of plans with too many, or without an id.
    pub items: u64,
}

/// Entities that were evicted for one bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evicted {
    /// The name of their map in a snapshot.
    pub kind: &'static str,
    /// The bound: `count` or `bytes`.
    pub reason: &'static str,
    /// Their number.
    pub entities: u64,
}
