//! The answer of a handler, and its way to the client.

use serde_json::{Value, json};

use crate::{
    doors::{backend::Arguments, socketio::client::Client},
    error::Error,
    event::Object,
};

/// The answer of a handler; the acknowledgement adds `status: ok`.
#[derive(Debug)]
pub(super) enum Answer {
    /// An object with these fields.
    Fields(Object),
    /// An object that is JSON already.
    Json(String),
    /// The arguments of the acknowledgement, as they are.
    Arguments(Arguments),
    /// A refusal, with an object that is JSON already.
    Refused(Error, String),
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(fields) => Self::Fields(fields),
            _ => Self::Fields(Object::new()),
        }
    }
}

/// An answer, or the refusal.
pub(super) type Handled = Result<Answer, Error>;

/// The refusal in an answer, if it is one.
pub(super) fn refusal_of(answer: &Handled) -> Option<&Error> {
    match answer {
        Err(refusal) | Ok(Answer::Refused(refusal, _)) => Some(refusal),
        Ok(_) => None,
    }
}

/// The acknowledgement of an answer.
pub(super) fn acknowledgement(answer: &Handled) -> String {
    match answer {
        Ok(Answer::Fields(fields)) => {
            let mut all = Object::new();
            all.insert("status".into(), "ok".into());
            all.extend(fields.clone());
            Value::Object(all).to_string()
        }
        // The object's brace is replaced by one with the status behind it.
        Ok(Answer::Json(json)) if json.len() > 2 => format!("{{\"status\":\"ok\",{}", &json[1..]),
        Ok(Answer::Arguments(arguments)) => arguments.json.clone(),
        Ok(Answer::Json(_)) => "{\"status\":\"ok\"}".into(),
        Ok(Answer::Refused(refusal, json)) => {
            let error = json!(refusal);
            format!("{{\"status\":\"error\",\"error\":{error},{}", &json[1..])
        }
        Err(refusal) => json!({ "status": "error", "error": refusal }).to_string(),
    }
}

/// Tells a client why something was refused, for those that ask for no acknowledgement.
pub(super) fn notify_refusal(client: &Client, refusal: &Error, room: Option<&str>) {
    client.emit("error", refusal.to_event(room));
}
