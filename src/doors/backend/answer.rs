//! The answer of the service, read strictly where a guess could do harm.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    emission::{REPEATED, placeholders},
    error::Error,
};

use crate::access::authn::can_be_user;

/// The most binary attachments of one answer's acknowledgement, as of a client's packet.
const MAX_ATTACHMENTS: usize = 10;

/// The answer of the service to one call.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The arguments of the client's acknowledgement; none when the service gives no answer.
    pub(crate) ack: Option<Arguments>,
    /// The operations to be carried out, each as JSON.
    pub(crate) operations: Vec<Box<RawValue>>,
    pub(crate) refuse: Option<Refusal>,
    /// The user that a connecting client is.
    pub(crate) user: Option<Arc<str>>,
    /// Whether the service has no handler for the event.
    pub(crate) unhandled: bool,
    /// Whether a client that comes back is to be given its session; none leaves that to a comparison.
    pub(crate) recover: Option<bool>,
}

/// Arguments, as they go over the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// The inside of the list, as JSON.
    pub(crate) json: String,
    /// The binary attachments that placeholders name.
    pub(crate) attachments: Vec<Bytes>,
}

/// The service refuses a client, or its event.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Refusal {
    #[serde(default = "refused")]
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) data: Option<Box<RawValue>>,
}

fn refused() -> String {
    "Connection rejected by server".to_owned()
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow, default)]
    ack: Option<&'a RawValue>,
    #[serde(default)]
    attachments: Option<Vec<String>>,
    #[serde(default, rename = "do")]
    operations: Option<Vec<Box<RawValue>>>,
    #[serde(default)]
    refuse: Option<Refusal>,
    #[serde(default)]
    user: Option<Arc<str>>,
    #[serde(default)]
    unhandled: Option<bool>,
    #[serde(default)]
    recover: Option<bool>,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// A sentence about the fault.
    pub(super) fn read(
        body: &[u8],
        (max_operations, max_depth): (usize, usize),
    ) -> Result<Self, String> {
        if body.trim_ascii().is_empty() {
            return Err("its answer is empty: answer 204, or 200 with a JSON object".into());
        }
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err("its answer is no JSON object".into());
        }
        let written: Written<'_> = serde_json::from_slice(body)
            .map_err(|error| format!("its answer is not as docs/backend.md says: {error}"))?;
        let operations = written.operations.unwrap_or_default();
        if operations.len() > max_operations {
            return Err(format!(
                "its answer has {} operations, {max_operations} are allowed ([backend] max_operations)",
                operations.len()
            ));
        }
        if written
            .user
            .as_deref()
            .is_some_and(|user| !can_be_user(user))
        {
            return Err(
                "its user must be a string of 1 to 128 of A-Z a-z 0-9 _ . : @ | + = -".into(),
            );
        }
        let ack = written
            .ack
            .map(|ack| Arguments::read(ack, written.attachments.unwrap_or_default()))
            .transpose()?;
        let data = written.refuse.as_ref().and_then(|one| one.data.as_ref());
        let of_data = data.map_or(0, |data| depth(data.get()));
        // A client that reads by recursion would end by such an answer.
        if ack.as_ref().map_or(0, Arguments::depth).max(of_data) > max_depth {
            return Err(format!(
                "its answer is nested more than {max_depth} levels deep ([content_filtering] max_depth)"
            ));
        }
        Ok(Self {
            ack,
            operations,
            refuse: written.refuse,
            user: written.user,
            unhandled: written.unhandled.unwrap_or_default(),
            recover: written.recover,
        })
    }
}

/// The nesting of a JSON text: 1 for a list or an object that holds neither.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    let mut is_text = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if is_text => {
                bytes.next();
            }
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl Arguments {
    /// The whole list, as it is written.
    ///
    /// # Errors
    /// `bad_request` when it is no JSON.
    pub(crate) fn list(&self) -> Result<Box<RawValue>, Error> {
        RawValue::from_string(format!("[{}]", self.json)).map_err(|error| {
            Error::bad_request(format!("the client's answer can't be read: {error}"))
        })
    }

    /// The attachments as base64.
    pub(crate) fn base64(&self) -> impl Iterator<Item = String> {
        self.attachments.iter().map(|bytes| STANDARD.encode(bytes))
    }

    /// Their nesting; the list of them adds none, as in what clients send.
    pub(crate) fn depth(&self) -> usize {
        depth(&self.json)
    }

    /// The bytes that go over the wire.
    pub(crate) fn bytes(&self) -> usize {
        self.json.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// Reads a list of arguments; another value than a list is the one argument.
    ///
    /// # Errors
    /// A sentence about the fault.
    pub(crate) fn read(list: &RawValue, attachments: Vec<String>) -> Result<Self, String> {
        if attachments.len() > MAX_ATTACHMENTS {
            return Err(format!(
                "{} attachments, {MAX_ATTACHMENTS} are allowed",
                attachments.len()
            ));
        }
        let attachments = attachments.into_iter().map(|text| {
            STANDARD
                .decode(text)
                .map(Bytes::from)
                .map_err(|error| format!("an attachment is not base64: {error}"))
        });
        let attachments: Vec<_> = attachments.collect::<Result<_, _>>()?;
        let text = list.get().trim();
        // A client that is sent a number without bytes gives its connection up.
        let mut named: Vec<_> = placeholders(text).into_iter().map(|one| one.num).collect();
        named.sort_unstable();
        if !attachments.is_empty() && named.windows(2).any(|two| two.first() == two.last()) {
            return Err(REPEATED.to_owned());
        }
        if let Some(num) = named.last().filter(|num| **num >= attachments.len() as u64) {
            return Err(format!(
                "a placeholder has number {num}, but there are {} attachments, counted from 0",
                attachments.len()
            ));
        }
        let inside = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        Ok(Self {
            json: inside.unwrap_or(text).trim().to_owned(),
            attachments,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Answer, String> {
        Answer::read(text.as_bytes(), (2, 3))
    }

    #[test]
    fn an_answer_is_read_as_it_is_written() {
        let ack = |text: &str| read(text).unwrap().ack.map(|ack| ack.json);
        assert_eq!(
            ack(r#"{"ack":[1, {"a":[2]}]}"#).as_deref(),
            Some(r#"1, {"a":[2]}"#)
        );
        assert_eq!(ack(r#"{"ack":[]}"#).as_deref(), Some(""));
        assert_eq!(ack(r#"{"ack":"one"}"#).as_deref(), Some("\"one\""));
        assert!(read(r#"{"ack":[[[{}]], "[[[[", []]}"#).is_ok());
        for nothing in ["{}", r#"{"ack":null,"do":null,"more":1}"#] {
            assert_eq!(ack(nothing), None, "{nothing}");
        }
        let refusal = read(r#"{"refuse":{"message":"no","data":[1]}}"#)
            .unwrap()
            .refuse;
        assert_eq!(refusal.unwrap().message, "no");
        assert!(read(r#"{"unhandled":true}"#).unwrap().unhandled);
        let recover = |text: &str| read(text).unwrap().recover;
        assert_eq!(recover("{}"), None);
        assert_eq!(recover(r#"{"recover":null}"#), None);
        assert_eq!(recover(r#"{"recover":false}"#), Some(false));
        let user = read(r#"{"user":"anna@example.org"}"#).unwrap().user;
        assert_eq!(user.as_deref(), Some("anna@example.org"));
        for wrong in [
            r#"{"user":""}"#,
            r#"{"user":"a b"}"#,
            r#"{"user":7}"#,
            "x",
            "[]",
            r#"{"ack":[1}"#,
            r#"{"do":[1,2,3]}"#,
            r#"{"ack":[],"attachments":["%"]}"#,
            r#"{"ack":[[[[{}]]]]}"#,
            r#"{"refuse":{"message":"no","data":[[[["\"]"]]]]}}"#,
            r#"{"ack":[{"_placeholder":true,"num":1}],"attachments":["eA=="]}"#,
            r#"{"ack":[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}],"attachments":["eA=="]}"#,
            " ",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
