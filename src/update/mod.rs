//! The updates that an event gives, planned on arrival and rendered when they are sent.
//!
//! Planning is cheap and happens once for each event ([`Planned`]: which updates, how urgent, by which key they are
//! coalesced, who may see them). Rendering writes the JSON once, when the pacer lets the update go, and
//! every observer gets the same bytes.

mod animation;
mod artifact;
mod bodies;
pub mod coalesce;
mod facts;
mod harmless;
mod input;
pub mod joinable;
mod kind;
mod lean;
mod level;
mod message;
mod model_call;
mod motion;
mod plan;
mod planned;
mod refusable;
mod render;
mod rooms;
mod row;
mod rule_body;
mod rule_error;
mod rule_name;
mod rule_rooms;
mod rule_row;
mod rule_update;
mod rules;
pub mod seneca;
mod shape;
mod status;
mod table;
mod template;
#[cfg(test)]
mod tests;
mod tool;
mod usage;
mod usage_scope;
mod writer;

pub use animation::{Animation, Hint};
pub(crate) use artifact::{artifact_id, artifact_status};
pub(crate) use bodies::{execution_progress, project_progress};
pub use harmless::harmless;
pub(crate) use harmless::{harmless_object, made_harmless};
pub(crate) use input::{input_status, request_id};
pub use kind::{UpdateKind, is_update_name};
pub(crate) use model_call::{
    is_total, join_calls, model_call, model_call_id, model_calls_full, model_status,
};
pub use motion::Motion;
pub(crate) use plan::{Item, keeps_items, plan_id, plan_items};
pub use planned::{Bits, Coalescing, Destination, Envelope, Key, Planned, Timing, UpdateId};
pub use render::render;
pub use rooms::{
    agent_entities, entities, event_rooms, own_item_entities, planned_entity, rooms_hash,
    sum_entities,
};
pub use rule_error::RuleError;
pub use rules::{MAX_RULES_PER_EVENT, Rule};
pub use shape::{Shapes, UpdateShape};
pub(crate) use status::{blocker, parent_run, run_status, session, task_status};
pub use table::{Table, TransformOptions};
pub(crate) use tool::{tool_call_id, tool_name, tool_status};
pub(crate) use usage::{Sums, Usage};
pub(crate) use usage_scope::{Added, Scope, added, join_sums, usage_fields};
pub(crate) use writer::COMMON;
