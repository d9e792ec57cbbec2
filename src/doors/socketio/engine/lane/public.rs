//! The answers to CONNECT: the ids that the client knows itself by, one on each namespace, and its session's secret.
//!
//! The engine answers CONNECT with the id of the transport's session, which is the only credential of a session that
//! polls. Applications show `socket.id` to others, so the answer is given the public id on its way out.

use std::sync::PoisonError;

use serde_json::Value;

use super::express::ExpressLane;
use crate::channel::Namespace;

impl ExpressLane {
    /// Notes the answer to CONNECT on a namespace: the client's public id, and the secret of its session if it has one. Called
    /// before CONNECT is sent.
    pub fn known_as(&self, namespace: Namespace, id: &str, pid: Option<String>) {
        // In the order in which others write it.
        let pid = pid.map_or_else(String::new, |pid| format!(",\"pid\":{}", Value::from(pid)));
        let answer = format!("{{\"sid\":{}{pid}}}", Value::from(id));
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.of(namespace) = Some(answer.into());
    }

    /// The answer to CONNECT on a namespace.
    pub(in crate::doors::socketio) fn connected(&self, namespace: Namespace) -> Option<String> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answers.get(namespace)?.as_ref()?;
        Some(match namespace {
            Namespace::Root => format!("40{answer}"),
            _ => format!("40{},{answer}", namespace.path()),
        })
    }

    /// The packet to send in place of one of the engine's, if that is the answer to a CONNECT.
    pub(in crate::doors::socketio::engine) fn renamed(&self, packet: &[u8]) -> Option<String> {
        self.connected(connected(packet)?)
    }
}

/// The namespace of an answer to CONNECT that names an id.
fn connected(packet: &[u8]) -> Option<Namespace> {
    let packet = std::str::from_utf8(packet.strip_prefix(b"40")?).ok()?;
    let (place, _) = packet.split_at(packet.find("{\"sid\":")?);
    let path = match place {
        "" => "",
        _ => place.strip_suffix(',')?,
    };
    Namespace::at(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_with_an_id_is_renamed() {
        let chat = Namespace::declare("/lane.public").expect("a path");
        let root = connected(b"40{\"sid\":\"x\"}");
        assert_eq!(root, Some(Namespace::Root));
        let declared = connected(b"40/lane.public,{\"sid\":\"x\"}");
        assert_eq!(declared, Some(chat));
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
