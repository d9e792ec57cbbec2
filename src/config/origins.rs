//! The lists of `[server]` that name the pages and hosts to let in. Each may be one string or several.

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

/// The word for all pages of this machine, whatever port they come from.
pub const LOOPBACK: &str = "loopback";

/// The reason why an entry of `cors_allowed_origins` can't be used.
pub(super) fn wrong_origin(origin: &String) -> Option<String> {
    let known = origin == "*" || origin == LOOPBACK || is_origin(origin);
    (!known).then(|| {
        format!(
            "has {origin:?}: write scheme and host, like \"https://app.example\", or \"{LOOPBACK}\" for all pages of \
             this machine, or \"*\" for any page"
        )
    })
}

/// Scheme and host with perhaps a port, nothing behind it: the form in which browsers send `Origin`.
fn is_origin(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, host)| {
        !scheme.is_empty()
            && !host.is_empty()
            && !host.contains(['/', '*', ' ', '?', '#'])
            && http::HeaderValue::from_str(text).is_ok()
    })
}

/// The reason why an entry of `hosts` can't be used.
pub(super) fn wrong_host(host: &String) -> Option<String> {
    let name = host.strip_prefix("*.").unwrap_or(host);
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let is_name = !name.is_empty()
        && name.len() <= 253
        && name.bytes().all(plain)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..");
    (host != "*" && !is_name).then(|| {
        format!(
            "has {host:?}: write a name without scheme and port, like \"stoa.example\", or \"*.example\" for all names \
             below one, or \"*\" for any name"
        )
    })
}
