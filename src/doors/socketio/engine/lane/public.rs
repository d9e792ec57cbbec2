//! The ids that the client knows itself by, one on each namespace.
//!
//! The engine answers CONNECT with the id of the transport's session, which is the only credential of a session that
//! polls. Applications show `socket.id` to others, so the answer is given the public id on its way out.

use std::sync::{Arc, PoisonError};

use super::express::ExpressLane;
use crate::channel::Namespace;

impl ExpressLane {
    /// Notes the client's public id on a namespace; called before CONNECT is sent.
    pub fn known_as(&self, namespace: Namespace, id: Arc<str>) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        *ids.of(namespace) = Some(id);
    }

    /// The packet to send in place of one of the engine's, if that is the answer to a CONNECT.
    pub(in crate::doors::socketio::engine) fn renamed(&self, packet: &[u8]) -> Option<String> {
        let (path, namespace) = connected(packet)?;
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let id = ids.get(namespace)?.as_ref()?;
        Some(format!("40{path}{}", serde_json::json!({ "sid": id })))
    }
}

/// The place and the namespace of an answer to CONNECT that names an id.
fn connected(packet: &[u8]) -> Option<(&str, Namespace)> {
    let packet = std::str::from_utf8(packet.strip_prefix(b"40")?).ok()?;
    let (place, _) = packet.split_at(packet.find("{\"sid\":")?);
    let path = match place {
        "" => "",
        _ => place.strip_suffix(',')?,
    };
    Some((place, Namespace::at(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_with_an_id_is_renamed() {
        let chat = Namespace::declare("/lane.public").expect("a path");
        let root = connected(b"40{\"sid\":\"x\"}");
        assert_eq!(root, Some(("", Namespace::Root)));
        let declared = connected(b"40/lane.public,{\"sid\":\"x\"}");
        assert_eq!(declared, Some(("/lane.public,", chat)));
        for other in [
            "40",
            "40/admin,",
            "40/admin",
            "42[\"{\\\"sid\\\":1}\"]",
            "44{\"message\":\"x\"}",
            "2",
        ] {
            assert_eq!(connected(other.as_bytes()), None, "{other}");
        }
    }
}
