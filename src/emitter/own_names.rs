//! Names on the server's own namespaces that mean something of the server's: an emission that had them would be taken for
//! that.

use crate::{
    access::authz::room_name,
    emission::{AGENT_ACTION, Emission, SERVER_EVENT_NAMES},
    error::Error,
    update,
};

/// Checks that an emission can't be taken for something that only the server says.
///
/// An agent performs the actions that it is asked for, so nobody emits the question or writes to a room for it. All other
/// names are refused to senders whose token names projects: what they send must not look like the word of the server, or like
/// an update, which holds only what its producer may say. An application that may emit to everyone is trusted with them.
///
/// # Errors
/// `invalid_event`, `forbidden_room`, `forbidden`.
pub(super) fn check(emission: &Emission, is_limited: bool) -> Result<(), Error> {
    if emission.namespace.is_app() {
        return Ok(());
    }
    let event = emission.event.as_str();
    if event == AGENT_ACTION {
        return Err(Error::new(
            "invalid_event",
            "agents perform agent_action, so it can't be emitted: ask for an action with the event agent_action, or by POST /api/v1/actions",
        ));
    }
    if let Some(room) = emission
        .rooms
        .iter()
        .find(|room| room_name::is_of_actions(room))
    {
        let why =
            format!("the room {room} is for an agent's actions; emit to the agent's own room");
        return Err(Error::new("forbidden_room", why).about_room(room));
    }
    if is_limited && (SERVER_EVENT_NAMES.contains(&event) || update::is_update_name(event)) {
        return Err(Error::forbidden(format!(
            "{event} is a name of the server's own, and your token names projects: emit under another name, or publish an event"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Namespace;

    fn emission(event: &str, room: &str) -> Emission {
        let text = serde_json::json!({ "event": event, "rooms": [room] }).to_string();
        Emission::read(text.as_bytes(), &crate::emission::EmissionLimits::default()).unwrap()
    }

    #[test]
    fn nobody_asks_an_agent_by_an_emission() {
        for is_limited in [false, true] {
            let code = |event: &str, room: &str| {
                check(&emission(event, room), is_limited)
                    .map_err(|error| error.code)
                    .err()
            };
            assert_eq!(code("agent_action", "agent:a"), Some("invalid_event"));
            for room in ["agent:a:actions", "agent:p/a:actions", "agent:%61:actions"] {
                assert_eq!(code("chat", room), Some("forbidden_room"), "{room}");
            }
            // The room of an agent whose id ends so is no room for actions.
            assert_eq!(code("chat", "agent:a%3Aactions"), None);
            assert_eq!(code("chat", "task:a:actions"), None);
        }
    }

    #[test]
    fn names_of_the_server_are_not_for_senders_of_some_projects() {
        for event in [
            "error",
            "snapshot",
            "task_update",
            "generic_update",
            "worker_registration",
        ] {
            let refused = check(&emission(event, "project:p"), true).unwrap_err();
            assert_eq!(refused.code, "forbidden", "{event}");
            check(&emission(event, "project:p"), false).unwrap();
        }
        let mut elsewhere = emission("agent_action", "agent:a:actions");
        elsewhere.namespace = Namespace::declare("/chat").unwrap();
        check(&elsewhere, true).unwrap();
    }
}
