//! The names that a Socket.IO event may have.

/// Names that Socket.IO keeps for itself.
pub const RESERVED_EVENT_NAMES: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// The name of the question that asks an agent for an action. Only the server asks it, for an operator.
pub const AGENT_ACTION: &str = "agent_action";

/// Names by which the server speaks with its clients of itself, on its own namespaces.
pub const SERVER_EVENT_NAMES: [&str; 20] = [
    "connection_established",
    "snapshot",
    "subscription",
    "subscribed",
    "unsubscribed",
    "subscription_confirmed",
    "room_joined",
    "room_left",
    "presence",
    "resumed",
    "batch",
    "error",
    "pong",
    "agents_update",
    "agent_action_result",
    "conversation_summary",
    "system_metrics",
    "active_flows_update",
    "flow_update",
    "dashboard_update",
];

/// The most characters of a name.
pub const MAX_EVENT_NAME: usize = 128;

/// Whether Socket.IO's clients take the text for an event's name, and it is one line.
pub fn is_event_name(text: &str) -> bool {
    let fits = (1..=MAX_EVENT_NAME).contains(&text.chars().count());
    fits && !text.chars().any(char::is_control) && !RESERVED_EVENT_NAMES.contains(&text)
}
