//! The steps of the test, in any order.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::world::{OURS, THEIRS, WHOM};

/// A step of the spy, or of the world.
#[derive(Debug, Clone)]
pub enum Step {
    /// These kinds of events, and for whom.
    Publish(Vec<(usize, usize)>),
    /// So many large ones at once, more than may wait for a client.
    Burst(usize),
    /// Joins, leaves, subscribes to or unsubscribes from a room.
    Room(usize, usize),
    Filter(usize),
    State(usize),
    History(usize),
    /// From the first cursor or from the last.
    Resume(bool),
    /// Comes back, with a token for one project or two.
    Reconnect(usize, bool),
    Authenticate(bool),
    Revoke,
    Seneca(usize),
    Conversations(usize),
    Stream(usize),
    /// Opens a door over a plain WebSocket.
    Plain(usize),
    Get(usize),
    Operator,
    /// The deeds of producers of other tenants.
    Hostile(usize),
}

pub fn any_step() -> impl Strategy<Value = Step> {
    let n = 0_usize..64;
    prop_oneof![
        6 => prop::collection::vec((n.clone(), 0..WHOM.len()), 1..12).prop_map(Step::Publish),
        1 => (20_usize..60).prop_map(Step::Burst),
        3 => (n.clone(), 0_usize..6).prop_map(|(room, how)| Step::Room(room, how)),
        1 => n.clone().prop_map(Step::Filter),
        2 => n.clone().prop_map(Step::State),
        2 => n.clone().prop_map(Step::History),
        1 => any::<bool>().prop_map(Step::Resume),
        2 => (n.clone(), any::<bool>()).prop_map(|(how, wide)| Step::Reconnect(how, wide)),
        2 => any::<bool>().prop_map(Step::Authenticate),
        1 => Just(Step::Revoke),
        1 => n.clone().prop_map(Step::Seneca),
        1 => n.clone().prop_map(Step::Conversations),
        1 => n.clone().prop_map(Step::Stream),
        1 => n.clone().prop_map(Step::Plain),
        2 => n.clone().prop_map(Step::Hostile),
        2 => n.prop_map(Step::Get),
        1 => Just(Step::Operator),
    ]
}

/// A filter for updates.
pub fn filter(n: usize) -> Value {
    let filters = [
        json!({}),
        json!({ "projects": [THEIRS, OURS] }),
        json!({ "types": ["task.*", "agent*"] }),
        json!({ "min_priority": "low", "agents": ["both"] }),
        json!({ "runs": ["exec-vicbob"] }),
    ];
    filters[n % filters.len()].clone()
}

/// The part of the history that is asked for.
pub fn query(n: usize) -> Value {
    let queries = [
        json!({ "limit": 1000 }),
        json!({ "project_id": THEIRS }),
        json!({ "agent_id": "both", "limit": 1000 }),
        json!({ "run_id": "exec-vicbob" }),
        json!({ "type": "task.*" }),
    ];
    queries[n % queries.len()].clone()
}
