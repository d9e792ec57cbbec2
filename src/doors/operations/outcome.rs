//! The result of an operation: fields with their JSON, so that what the application or a client wrote stays as it is.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::error::Error;

/// The fields of a result.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Outcome(BTreeMap<Cow<'static, str>, Box<RawValue>>);

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
        self.0.insert(name.into(), json);
        Ok(self)
    }

    /// A field, if it is there and reads like that.
    pub(super) fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }
}
