//! A message between nodes, as it is written: one JSON object.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The version of messages. A node that speaks another one is not understood.
pub(super) const VERSION: u8 = 1;
/// The kind of the first message of a connection: the others answer with [`HERE`].
pub(super) const HELLO: &str = "hello";
/// The kind of the message that a node sends again and again.
pub(super) const HERE: &str = "here";
/// The kind of the last message of a node.
pub(super) const GOODBYE: &str = "goodbye";
/// The kind of answers to questions.
pub(super) const ANSWER: &str = "answer";

/// A message between nodes. Its first fields are in this order, so that a node knows its own messages by how they begin.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Frame<'f> {
    pub(super) v: u8,
    #[serde(borrow)]
    pub(super) from: Sender<'f>,
    #[serde(borrow)]
    pub(super) kind: Cow<'f, str>,
    /// The start of the one node that it is for; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<Cow<'f, str>>,
    /// The number of a question that wants an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) question: Option<u64>,
    /// The number of the question that this answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<u64>,
    #[serde(borrow)]
    pub(super) body: &'f RawValue,
}

/// The node that sends a message.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sender<'f> {
    /// Its name.
    #[serde(borrow)]
    pub(super) node: Cow<'f, str>,
    /// The start of its process, which no other one shares.
    #[serde(borrow)]
    pub(super) boot: Cow<'f, str>,
}

/// The beginning of all messages of a node, up to their kind.
pub(super) fn beginning(node: &str, boot: &str) -> Vec<u8> {
    let from = Sender {
        node: node.into(),
        boot: boot.into(),
    };
    let from = serde_json::to_string(&from).unwrap_or_default();
    format!("{{\"v\":{VERSION},\"from\":{from},\"kind\":").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_knows_its_own_messages_by_their_beginning() {
        let body = RawValue::from_string("{\"a\":1}".into()).unwrap();
        let written = serde_json::to_vec(&Frame {
            v: VERSION,
            from: Sender {
                node: "o\"ne".into(),
                boot: "b1".into(),
            },
            kind: HERE.into(),
            to: None,
            question: Some(7),
            answer: None,
            body: &body,
        })
        .unwrap();
        assert!(written.starts_with(&beginning("o\"ne", "b1")));
        assert!(!written.starts_with(&beginning("one", "b1")));
        let read: Frame<'_> = serde_json::from_slice(&written).unwrap();
        assert_eq!((&*read.from.node, &*read.kind), ("o\"ne", HERE));
        assert_eq!((read.to, read.question, read.answer), (None, Some(7), None));
        assert_eq!(read.body.get(), "{\"a\":1}");
    }
}
