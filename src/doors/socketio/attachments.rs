//! Binary attachments of a packet, which JSON has no place for.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::Value;

use crate::emission::REPEATED;

/// Puts attachments back as base64 text where their placeholders stood, since JSON has no bytes.
///
/// # Errors
/// A sentence, if an attachment has two places: each would be a copy of it, so that a small packet could fill the memory.
pub(super) fn attach(value: &mut Value, attachments: &[Bytes]) -> Result<(), &'static str> {
    if attachments.is_empty() {
        return Ok(());
    }
    let mut left: Vec<_> = attachments.iter().map(Some).collect();
    place(value, &mut left)
}

fn place(value: &mut Value, left: &mut [Option<&Bytes>]) -> Result<(), &'static str> {
    if value.get("_placeholder") == Some(&Value::Bool(true)) {
        let at = value
            .get("num")
            .and_then(Value::as_u64)
            .and_then(|n| usize::try_from(n).ok());
        if let Some(attachment) = at.and_then(|at| left.get_mut(at)) {
            *value = STANDARD.encode(attachment.take().ok_or(REPEATED)?).into();
        }
        return Ok(());
    }
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(|item| place(item, left)),
        Value::Object(fields) => fields.values_mut().try_for_each(|field| place(field, left)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_attachment_has_one_place() {
        let attachments = [Bytes::from_static(b"ab"), Bytes::from_static(b"c")];
        let placeholder = |num: u64| json!({ "_placeholder": true, "num": num });
        let mut value =
            json!({ "b": [placeholder(1)], "a": placeholder(0), "none": placeholder(2) });
        attach(&mut value, &attachments).unwrap();
        assert_eq!(
            value,
            json!({ "b": ["Yw=="], "a": "YWI=", "none": placeholder(2) })
        );
        let mut value = json!([placeholder(1), { "in": placeholder(1) }]);
        assert_eq!(attach(&mut value, &attachments), Err(REPEATED));
    }
}
