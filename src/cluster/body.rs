//! The bodies of messages: JSON, as it is written and read by all that use the link.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::error::Error;

/// A body as JSON.
///
/// # Errors
/// `bad_request`: it can't be written as JSON.
pub fn written(body: &impl Serialize) -> Result<Box<RawValue>, Error> {
    to_raw_value(body)
        .map_err(|error| Error::bad_request(format!("a message can't be written as JSON: {error}")))
}

/// Reads what another node wrote.
///
/// # Errors
/// `unavailable`: the node writes something else here, since it is of another version.
pub fn read<T: for<'de> Deserialize<'de>>(body: &RawValue) -> Result<T, Error> {
    serde_json::from_str(body.get()).map_err(|error| {
        Error::unavailable(format!("a node of another version wrote this: {error}"))
    })
}
