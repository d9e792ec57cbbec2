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

/// The most characters of a name.
pub const MAX_EVENT_NAME: usize = 128;

/// Whether Socket.IO's clients take the text for an event's name, and it is one line.
pub fn is_event_name(text: &str) -> bool {
    let fits = (1..=MAX_EVENT_NAME).contains(&text.chars().count());
    fits && !text.chars().any(char::is_control) && !RESERVED_EVENT_NAMES.contains(&text)
}
