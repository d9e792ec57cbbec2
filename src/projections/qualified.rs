//! Names of things with their project in them, for those whose id alone is another's name.

/// A part of such a name: `/` stands between the parts.
pub(super) fn escaped(part: &str) -> String {
    part.replace('%', "%25").replace('/', "%2F")
}

/// The part that was written so.
pub(super) fn plain(part: &str) -> String {
    part.replace("%2F", "/").replace("%25", "%")
}
