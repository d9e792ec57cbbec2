//! A key that may be one string or a list of them.

use serde::{Deserialize, Deserializer};

/// Both spellings, told apart by shape.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a string or a list of strings")]
enum OneOrMany {
    /// `"*"`
    One(String),
    /// `["https://a.example", "https://b.example"]`
    Many(Vec<String>),
}

/// Reads either spelling as a list.
pub(super) fn one_or_many<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}
