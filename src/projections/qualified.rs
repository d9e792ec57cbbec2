//! Qualified names: the names of things with their project in them, for things whose id alone is another's name.
//!
//! The `percent-encoding` crate would encode all letters beyond ASCII as well, which ids keep in these names.

/// Encodes a part of such a name: `/` stands between the parts.
pub(super) fn escaped(part: &str) -> String {
    part.replace('%', "%25").replace('/', "%2F")
}

/// Decodes a part.
pub(super) fn plain(part: &str) -> String {
    part.replace("%2F", "/").replace("%25", "%")
}
