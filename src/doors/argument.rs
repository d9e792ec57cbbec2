//! Fields of a request's argument, read the same at every door.

use serde_json::Value;

use crate::{error::Error, event::id_of};

/// A field of the argument; `null` when it is absent.
pub(super) fn field<'a>(argument: &'a Value, key: &str) -> &'a Value {
    argument.get(key).unwrap_or(&Value::Null)
}

/// A text field, `None` when it is absent.
///
/// # Errors
/// `bad_request` for anything else than a string.
pub(super) fn text<'a>(argument: &'a Value, key: &str) -> Result<Option<&'a str>, Error> {
    match field(argument, key) {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(Error::bad_request(format!("{key} must be a string"))),
    }
}

/// An id by the first of these keys that has one, read as in events: a number is text, and white space around it is cut
/// off.
///
/// # Errors
/// `bad_request` for anything else than a string or a number.
pub(super) fn id(argument: &Value, keys: &[&str]) -> Result<Option<String>, Error> {
    for key in keys {
        match field(argument, key) {
            Value::Null => {}
            Value::String(text) if text.trim().is_empty() => {}
            Value::String(text) => return Ok(Some(text.trim().to_owned())),
            Value::Number(number) => return Ok(Some(id_of(number))),
            _ => {
                return Err(Error::bad_request(format!(
                    "{key} must be a string or a number"
                )));
            }
        }
    }
    Ok(None)
}
