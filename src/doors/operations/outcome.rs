//! The result of an operation: fields with their JSON, so that what the application or a client wrote stays as it is.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::error::Error;

/// The fields of a result.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Outcome(BTreeMap<&'static str, Box<RawValue>>);

impl Outcome {
    /// The same with a further field.
    ///
    /// # Errors
    /// `bad_request` when the value can't be written as JSON.
    pub(super) fn with(
        mut self,
        name: &'static str,
        value: &impl Serialize,
    ) -> Result<Self, Error> {
        let json = to_raw_value(value).map_err(|error| {
            Error::bad_request(format!("{name} can't be written as JSON: {error}"))
        })?;
        self.0.insert(name, json);
        Ok(self)
    }
}
